# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting with a deadline: a monotonic clock, a pure predicate, and the last observation.

A wait of several seconds says what it waits for, in the progress file.
"""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass
from typing import Callable, Generic, TypeVar

from ._progress_file import PROGRESS

__all__ = ["Clock", "Waited", "until"]

Seen = TypeVar("Seen")


class Clock:
    """The machine's monotonic clock, in seconds; tests replace it."""

    def now_s(self) -> float:
        return time.monotonic()

    def utc(self) -> str:
        """Return the time of day for records, such as ``2026-01-31T23:59:59.123Z``."""
        return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def sleep_s(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))


@dataclass(frozen=True)
class Waited(Generic[Seen]):
    """The last observation, whether it satisfied the predicate, and the time waited (seconds)."""

    seen: Seen
    satisfied: bool
    waited_s: float


def until(
    observe: Callable[[], Seen],
    satisfied: Callable[[Seen], bool],
    *,
    deadline_s: float,
    interval_s: float,
    clock: Clock,
    says: Callable[[Seen], str],
) -> Waited[Seen]:
    """Observe until the predicate holds or ``deadline_s`` has passed since the call.

    The first observation is immediate; ``interval_s`` separates it from the next. A deadline of 0
    allows one observation. ``says`` returns what is waited for, given the last observation.
    """
    start = clock.now_s()
    while True:
        seen = observe()
        waited = clock.now_s() - start
        done = satisfied(seen)
        if done or waited >= deadline_s:
            PROGRESS.forget()
            return Waited(seen, done, waited)
        PROGRESS.tell(says, seen)
        clock.sleep_s(min(interval_s, deadline_s - waited))
