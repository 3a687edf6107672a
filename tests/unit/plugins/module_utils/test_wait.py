"""Bounded waiting."""

from __future__ import annotations

import time

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._wait import Clock, until
from ansible_collections.sentinelops.redis.tests.unit.support.clock import FakeClock


class Counter:
    """An observation that counts how often it is made."""

    def __init__(self, clock: FakeClock, look_takes_s: float = 0.0) -> None:
        self.looks = 0
        self._clock = clock
        self._look_takes_s = look_takes_s

    def __call__(self) -> int:
        self._clock.pass_s(self._look_takes_s)
        self.looks += 1
        return self.looks


def test_what_holds_at_once_is_not_waited_for() -> None:
    clock = FakeClock()
    waited = until(Counter(clock), lambda seen: True, deadline_s=10, interval_s=1, clock=clock, says=str)
    assert (waited.seen, waited.satisfied, waited.waited_s) == (1, True, 0)
    assert clock.slept_s == []


def test_it_is_looked_at_every_interval_until_it_holds() -> None:
    clock = FakeClock()
    waited = until(Counter(clock), lambda seen: seen == 4, deadline_s=10, interval_s=0.5, clock=clock, says=str)
    assert (waited.seen, waited.satisfied) == (4, True)
    assert waited.waited_s == pytest.approx(1.5)


def test_at_the_deadline_the_last_observation_is_returned() -> None:
    clock = FakeClock()
    waited = until(Counter(clock), lambda seen: False, deadline_s=2, interval_s=0.75, clock=clock, says=str)
    assert not waited.satisfied
    assert waited.seen == 4, "at 0, 0.75, 1.5 and 2 seconds: the last look is at the deadline, not before it"
    assert waited.waited_s == pytest.approx(2)


def test_a_deadline_of_zero_looks_once() -> None:
    clock = FakeClock()
    counter = Counter(clock)
    waited = until(counter, lambda seen: False, deadline_s=0, interval_s=1, clock=clock, says=str)
    assert (counter.looks, waited.satisfied) == (1, False)
    assert clock.slept_s == []


def test_the_time_that_looking_takes_counts() -> None:
    clock = FakeClock()
    waited = until(Counter(clock, look_takes_s=3), lambda seen: False, deadline_s=5, interval_s=1, clock=clock, says=str)
    assert waited.seen == 2
    assert waited.waited_s == pytest.approx(7, abs=0.1)


def test_it_is_slept_no_longer_than_until_the_deadline() -> None:
    clock = FakeClock()
    until(Counter(clock), lambda seen: False, deadline_s=1, interval_s=30, clock=clock, says=str)
    assert clock.slept_s == [1]


def test_the_real_clock_runs_and_sleeps() -> None:
    clock, before = Clock(), time.monotonic()
    clock.sleep_s(0.01)
    clock.sleep_s(-1)
    assert clock.now_s() - before >= 0.01


def test_the_time_of_day_is_utc_with_milliseconds() -> None:
    said = Clock().utc()
    assert len(said) == len("2026-01-31T23:59:59.123Z")
    assert said.endswith("Z")
