# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times of records: texts in UTC such as ``2026-01-31T23:59:59.123Z``."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

__all__ = ["earlier", "moment", "seconds_between", "timestamp"]


def timestamp(time_s: float) -> str:
    """Return a time in seconds since 1970 as the text of a record, to the millisecond."""
    return _text(datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=time_s))


def moment(text: str) -> datetime:
    """Return the time that a record has."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def seconds_between(begin: str, end: str) -> float:
    """Return the seconds from one time to another."""
    return (moment(end) - moment(begin)).total_seconds()


def earlier(text: str, seconds: float) -> str:
    """Return the time that is so many seconds earlier."""
    return _text(moment(text) - timedelta(seconds=seconds))


def _text(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
