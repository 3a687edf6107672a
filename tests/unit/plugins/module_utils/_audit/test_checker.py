"""The checker of the write audit."""

from __future__ import annotations

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._audit.checker import (
    History,
    Verdict,
    check,
    gaps_ms,
    least_gap_ms,
    longest_gap_ms,
    outcome_of,
    total,
)
from ansible_collections.sentinelops.redis.tests.unit.support.recorded import VERSIONS, recorded

FIVE = History(attempted=5, ok=[1, 2, 3, 4, 5])
ONE_UNKNOWN = History(attempted=5, ok=[1, 2, 4, 5], unknown=[3])
ONE_FAILED = History(attempted=5, ok=[1, 2, 4, 5], failed=1)


@pytest.mark.parametrize(
    ("history", "final", "verdict"),
    [
        (FIVE, [1, 2, 3, 4, 5], Verdict(5, 0, 0, 0, 0, 0)),
        (FIVE, [1, 2, 3], Verdict(5, 2, 0, 0, 0, 0)),
        (FIVE, [], Verdict(5, 5, 0, 0, 0, 0)),
        (FIVE, [1, 2, 4, 5], Verdict(5, 1, 0, 0, 0, 0)),
        (FIVE, [1, 2, 3, 4, 5, 6], Verdict(5, 0, 1, 0, 0, 0)),
        (FIVE, [1, 2, 2, 3, 4, 5, 5], Verdict(5, 0, 0, 0, 2, 0)),
        (FIVE, [1, 3, 2, 4, 5], Verdict(5, 0, 0, 0, 0, 1)),
        (FIVE, [5, 4, 3, 2, 1], Verdict(5, 0, 0, 0, 0, 4)),
        (FIVE, [1, 2, 3, 1, 4, 5], Verdict(5, 0, 0, 0, 1, 0)),
        (ONE_UNKNOWN, [1, 2, 3, 4, 5], Verdict(4, 0, 0, 1, 0, 0)),
        (ONE_UNKNOWN, [1, 2, 4, 5], Verdict(4, 0, 0, 0, 0, 0)),
        (ONE_FAILED, [1, 2, 3, 4, 5], Verdict(4, 0, 1, 0, 0, 0)),
        (History(), [], Verdict(0, 0, 0, 0, 0, 0)),
        (History(), [7], Verdict(0, 0, 1, 0, 0, 0)),
    ],
)
def test_check(history: History, final: list[int], verdict: Verdict) -> None:
    assert check(history, final) == verdict


@pytest.mark.parametrize(
    ("ok_at_s", "end_s", "gap_ms"),
    [
        ([], 10.0, 0.0),
        ([1.0], 1.0, 0.0),
        ([1.0, 1.004, 1.4, 1.404], 1.404, 396.0),
        ([1.0, 1.1], 3.1, 2000.0),
        ([5.0], 5.25, 250.0),
    ],
)
def test_the_longest_gap_lasts_to_the_end(ok_at_s: list[float], end_s: float, gap_ms: float) -> None:
    assert longest_gap_ms(ok_at_s, end_s) == gap_ms


@pytest.mark.parametrize(
    ("ok_at_s", "end_s", "gaps"),
    [
        ([], 10.0, []),
        ([1.0, 1.05], 1.1, []),
        ([1.0, 1.1, 1.15], 1.75, [(1.0, 100.0), (1.15, 600.0)]),
        ([1.0], 3.0, [(1.0, 2000.0)]),
    ],
)
def test_gaps(ok_at_s: list[float], end_s: float, gaps: list[tuple[float, float]]) -> None:
    assert gaps_ms(ok_at_s, end_s, 100) == gaps


@pytest.mark.parametrize(("writes_per_second", "least_ms"), [(1000.0, 101), (250.0, 104), (10.0, 200), (0.5, 2100)])
def test_the_ordinary_time_between_two_writes_is_no_gap(writes_per_second: float, least_ms: float) -> None:
    assert least_gap_ms(writes_per_second) == least_ms


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["READONLY", "NOREPLICAS", "OOM", "NOPERM command", "WRONGPASS", "MASTERDOWN", "NOAUTH"])
def test_a_refused_write_was_not_applied(version: str, name: str) -> None:
    assert outcome_of(recorded(version, "errors")[name]) == "fail"


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        ("LOADING Redis is loading the dataset in memory", "fail"),
        ("MISCONF Redis is configured to save RDB snapshots", "fail"),
        ("BUSY Redis is busy running a script", "fail"),
        ("ERR something that we do not know", "unknown"),
        ("UNBLOCKED force unblock from blocking operation", "unknown"),
        ("", "unknown"),
    ],
)
def test_outcome_of_a_reply(reply: str, outcome: str) -> None:
    assert outcome_of(reply) == outcome


def test_total_over_writers() -> None:
    assert total([Verdict(1, 2, 3, 4, 5, 6), Verdict(10, 20, 30, 40, 50, 60)]) == {
        "acknowledged": 11,
        "lost": 22,
        "unexpected": 33,
        "recovered": 44,
        "duplicates": 55,
        "reordered": 66,
    }
    assert set(total([]).values()) == {0}


def test_a_verdict_as_a_dictionary() -> None:
    assert Verdict(1, 2, 3, 4, 5, 6).as_dict()["lost"] == 2
