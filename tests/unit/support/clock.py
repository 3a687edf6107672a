"""A clock that advances only while somebody waits."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from ansible_collections.sentinelops.redis.plugins.module_utils._wait import Clock

STEP_S = 0.005  # small enough for a handover, which polls every 4 ms


class FakeClock(Clock):
    """A clock on which time passes during a sleep, in small steps, with the planned actions.

    A caller that waits for more than ``limit_s`` seconds in all fails: its wait has no
    deadline.
    """

    def __init__(self, limit_s: float = 100.0) -> None:
        self._now_s = 1000.0
        self._end_s = self._now_s + limit_s
        self._stepped_s = self._now_s
        self._planned: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self.slept_s: list[float] = []
        self.on_step: list[Callable[[float], None]] = []

    def __deepcopy__(self, _memo: object) -> FakeClock:
        return self  # a fork shares the same deployment

    def now_s(self) -> float:
        return self._now_s

    def limit(self, seconds: float) -> None:
        """Allow so many more seconds of waiting from now on."""
        self._end_s = self._now_s + seconds

    def utc(self) -> str:
        return "2026-01-31T23:59:59.123Z"

    def sleep_s(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.pass_s(max(seconds, 0.0001))

    def at(self, delay_s: float, action: Callable[[], None]) -> None:
        """Plan an action for ``delay_s`` seconds from now."""
        self._number += 1
        heapq.heappush(self._planned, (self._now_s + delay_s, self._number, action))

    def pass_s(self, seconds: float) -> None:
        """Let time pass, also without a sleep (a command takes time).

        The steps are coarser for a long time.
        """
        end_s, step_s = self._now_s + seconds, max(STEP_S, seconds / 100)
        if end_s - self._stepped_s < STEP_S and not (self._planned and self._planned[0][0] <= end_s):
            self._now_s = end_s  # nothing is planned for that time: true of most commands
            return
        while self._now_s < end_s:
            self._now_s = min(self._now_s + step_s, end_s)
            if self._now_s > self._end_s:
                raise AssertionError("this is waited for without a deadline")
            while self._planned and self._planned[0][0] <= self._now_s:
                heapq.heappop(self._planned)[2]()
            if self._now_s - self._stepped_s >= STEP_S:
                for act in self.on_step:
                    act(self._now_s - self._stepped_s)
                self._stepped_s = self._now_s
