"""The estimate as a person reads it, before the run and after it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.estimate_text import about, estimate_lines, passed_lines
from ansible_collections.sentinelops.redis.tests.unit.support.estimates import ESTIMATE


def lines(**changes: Any) -> list[str]:
    return list(estimate_lines({"estimate": {**copy.deepcopy(ESTIMATE), **changes}}))


def test_the_estimate() -> None:
    assert lines() == [
        "estimate: about 1 min 40 s: 6 restarts, 2 pauses of writes of about 0.4 s each",
        "estimate: (3/8) 7 s, (4/8) 8 s, (5/8) 45 s, (6/8) 6 s, (7/8) 24 s, (8/8) 13 s; by the pace of the survey "
        "(6 calls in 5.8 s, one by itself 2.1 s) and 474 MiB of data, loaded at 9.0 s per GiB (assumed, as no log tells)",
    ]


def test_its_parts() -> None:
    measured = lines(basis={**ESTIMATE["basis"], "loads_measured": 3, "load_s_per_gib": 3.21})
    assert measured[1].endswith("loaded at 3.2 s per GiB (as measured)")
    assert lines(basis={**ESTIMATE["basis"], "saves_measured": 1})[1].endswith("(as its BGSAVE)")
    assert lines(basis={**ESTIMATE["basis"], "data_bytes": 1 << 20})[1].endswith("one by itself 2.1 s)")
    assert "by usual times of module calls" in lines(basis={**ESTIMATE["basis"], "calls": 0})[1]
    assert lines(pauses={"count": 1, "seconds": 0.4, "at_most_s": 4.0}, restarts=1)[0].endswith(
        "1 restart, 1 pause of writes of about 0.4 s"
    )
    assert lines(pauses={"count": 0, "seconds": 0.4, "at_most_s": 4.0})[0].endswith("6 restarts, no pause of writes")
    assert lines(not_included=["hooks", "commands of yours"])[2:] == ["estimate: left out: hooks, commands of yours"]


def test_no_estimate() -> None:
    assert list(estimate_lines({})) == list(estimate_lines({"estimate": {}})) == passed_lines({}, 1.0) == []


def test_how_long_it_took() -> None:
    assert passed_lines({"estimate": ESTIMATE}, ESTIMATE["at_s"] + 122) == ["estimated: about 1 min 40 s; since the plan: 2 min"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1 s"),
        (8.6, "9 s"),
        (89.4, "89 s"),
        (94, "1 min 30 s"),
        (119, "2 min"),
        (596, "10 min"),
        (7100, "118 min"),
        (7300, "2 h 2 min"),
    ],
)
def test_durations_have_no_more_digits_than_they_should(seconds: float, text: str) -> None:
    assert about(seconds) == text
