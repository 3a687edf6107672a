"""The verdict on the run lock, and what it tells the operator."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.lock import judge_lock


def holder(run: str, **changes: Any) -> dict[str, Any]:
    known = {"id": run, "user": "alice", "controller": "bastion", "pid": 4711, "since": "2026-11-22T20:00:00Z", "age_s": 12, "left_s": 288}
    return {"held": False, "right": "", "holder": {**known, **changes}}


OURS = {"held": True, "right": "free"}


@pytest.mark.parametrize(
    ("asked", "override", "state", "held", "instead_of", "told"),
    [
        ({"s1": OURS, "s2": OURS}, "", "unknown", True, [], []),
        ({"s1": holder("a1"), "s2": OURS}, "", "unknown", False, [], ["a1"]),
        ({"s1": holder("a1"), "s2": holder("a1")}, "", "unknown", False, [], ["a1"]),
        ({"s1": holder("a1"), "s2": holder("b2")}, "", "alive", False, [], ["b2", "a1"]),
        ({"s1": holder("a1"), "s2": holder("a1")}, "", "dead", False, ["a1"], []),
        ({"s1": holder("a1"), "s2": holder("a1")}, "a1", "unknown", False, ["a1"], []),
        ({"s1": holder("a1"), "s2": holder("a1")}, "a1", "alive", False, ["a1"], []),
        ({"s1": holder("a1"), "s2": holder("b2")}, "a1", "unknown", False, ["a1"], ["b2"]),
        ({"s1": {"held": True, "right": "expired", "holder": holder("a1")["holder"]}}, "", "unknown", True, [], []),
    ],
)
def test_the_verdict_on_the_lock(
    asked: dict[str, Any], override: str, state: str, held: bool, instead_of: list[str], told: list[str]
) -> None:
    verdict = judge_lock(asked, override, lambda _run: state)
    assert (verdict["held"], verdict["instead_of"]) == (held, instead_of)
    assert [line.partition(", run ")[2].partition(",")[0] for line in verdict["lines"] if line.startswith("Another run")] == told


def test_the_refusal_says_who_since_when_and_what_to_do() -> None:
    lines = judge_lock({"s1": holder("a1"), "s2": holder("a1", age_s=200, left_s=100)}, "", lambda _run: "unknown")["lines"]
    assert lines[0] == (
        "Another run is at work on this deployment: alice@bastion, process 4711, run a1, since 2026-11-22T20:00:00Z (seen on s1)."
    )
    assert "12 s ago" in lines[1]
    assert "at most 288 s" in lines[1]
    assert "-e redis_upgrade_override_lock=a1" in lines[2]
    here = judge_lock({"s1": holder("a1")}, "", lambda _run: "alive")["lines"]
    assert here[1:] == ["That run is process 4711 on this controller: wait until it ends, or press Ctrl-C there, and run again."]
    wrong = judge_lock({"s1": holder("a1")}, "zz", lambda _run: "unknown")["lines"]
    assert wrong[-1] == "redis_upgrade_override_lock names another run, zz."
