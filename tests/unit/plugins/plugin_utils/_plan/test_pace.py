"""The pace of module calls, as a survey shows it."""

from __future__ import annotations

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.model import Instance
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.pace import ALONE_S, SHARE_S, Pace, pace_of

BEGUN_S = 1_790_000_000.0


def surveyed(*calls: tuple[float, float, float]) -> list[Instance]:
    """Return instances, each with the second in which it was asked, and wall and CPU seconds."""
    return [
        Instance(
            f"host-{number}",
            "redis",
            {"examined": {"clock": {"asked_at_s": BEGUN_S + asked_s}, "work": {"wall_s": wall_s, "cpu_s": cpu_s}}},
        )
        for number, (asked_s, wall_s, cpu_s) in enumerate(calls)
    ]


def test_a_slow_connection() -> None:
    """Twelve hosts at the same time, two seconds each: a call alone takes as long."""
    pace = pace_of(surveyed(*[(0.02 * number, 0.3, 0.28) for number in range(12)]), BEGUN_S + 2.22)
    assert pace.calls == 12
    assert pace.alone_s == pytest.approx(1.98, rel=0.1)
    assert pace.calls_s(1) == pace.alone_s
    assert pace.calls_s(12) == pytest.approx(13 * 2.22 / 12)


def test_a_busy_machine() -> None:
    """Modules that wait for CPU: one alone is faster, many take turns."""
    pace = pace_of(surveyed(*[(0.05 * number, 5.0, 0.3) for number in range(6)]), BEGUN_S + 5.5)
    assert pace.alone_s == pytest.approx(0.3, abs=0.1)
    assert pace.calls_s(1) == pytest.approx(2 * 5.5 / 6)
    assert pace.calls_s(3) == pytest.approx(4 * 5.5 / 6)


def test_a_machine_with_two_cores() -> None:
    """As recorded with all instances on the controller. One call by itself took about 0.7 s."""
    calls = [
        (0.0, 1.622, 0.525),
        (0.02, 1.666, 0.527),
        (0.02, 1.784, 0.564),
        (0.05, 2.183, 0.545),
        (0.08, 1.833, 0.589),
        (0.1, 1.826, 0.59),
    ]
    assert 0.6 < pace_of(surveyed(*calls), BEGUN_S + 2.83).alone_s < 1


def test_one_module_that_waits_for_its_server_says_nothing_of_the_others() -> None:
    """A master is looked at twice, with half a second between."""
    calls = [(0.0, 0.3, 0.3), (0.01, 0.3, 0.3), (0.02, 0.8, 0.3)]
    assert pace_of(surveyed(*calls), BEGUN_S + 2.02).alone_s == pytest.approx(0.3 + 1.2)


def test_more_hosts_than_forks() -> None:
    """A hundred hosts, ten at a time, one second each."""
    pace = pace_of(surveyed(*[(number // 10, 0.3, 0.3) for number in range(100)]), BEGUN_S + 10)
    assert pace.calls_s(1) == pytest.approx(1)
    assert pace.calls_s(100) == pytest.approx(10, rel=0.02)


def test_a_call_is_no_shorter_than_its_cpu() -> None:
    assert pace_of(surveyed((0.0, 9.0, 0.4)), BEGUN_S + 1).alone_s == 0.4


@pytest.mark.parametrize(
    ("instances", "ended_at_s"),
    [
        ([], BEGUN_S),
        ([Instance("a", "redis", {})], BEGUN_S),
        ([*surveyed((0, 1, 1)), Instance("a", "redis", {"examined": {"clock": {"asked_at_s": 0}}})], BEGUN_S + 1),
        (surveyed((0, 1, 1), (50, 1, 1)), BEGUN_S + 20),
        (surveyed((0, 1, 1)), BEGUN_S - 3600),
    ],
)
def test_what_was_not_measured_is_assumed(instances: list[Instance], ended_at_s: float) -> None:
    """Among it: a clock that was set back during the survey."""
    assert pace_of(instances, ended_at_s) == Pace(ALONE_S, SHARE_S, 0, 0.0)
