# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deadline of a run, as a person writes it. No clock is read here."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta

__all__ = ["parse_deadline"]

_FROM_NOW = re.compile(r"\+(?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m)?(?:(?P<seconds>\d+)s)?")
_TIME = re.compile(r"\d{1,2}:\d{2}(?::\d{2})?")
_FORMS = "+90m (from the start of the run), 23:30 (the nearest one), or 2026-11-22T23:30+01:00"


def parse_deadline(text: str, start: datetime) -> datetime:
    """Return the moment that the text means; ``start``: when the run began, with a time zone.

    ``+1h30m`` counts from the start. A time of day, ``23:30``, is the nearest one, at most twelve
    hours ahead or behind. So a run that is repeated shortly after its deadline has missed the
    deadline, and does not get a whole day. Times without a zone are local times of this machine.
    Raises ValueError if the text has none of these forms.
    """
    text = text.strip()
    from_now = _FROM_NOW.fullmatch(text)
    if from_now and any(from_now.groups()):
        return start + timedelta(**{unit: int(number) for unit, number in from_now.groupdict().items() if number})
    try:
        if _TIME.fullmatch(text):
            return _nearest(time.fromisoformat(text.zfill(len(text) + (text.index(":") == 1))), start)
        if not text[:4].isdigit() or ":" not in text:
            raise ValueError(text)
        moment = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
    except ValueError:
        raise ValueError(f"'{text}' is no deadline: write {_FORMS}") from None
    return moment.astimezone()


def _nearest(clock: time, start: datetime) -> datetime:
    today = start.astimezone().date()
    candidates = [datetime.combine(today + timedelta(days=days), clock).astimezone() for days in (1, 0, -1)]
    return min(candidates, key=lambda moment: abs(moment - start))
