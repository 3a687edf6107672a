"""The verdict of the write audit that a run makes itself."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.audit import (
    audit_error,
    audit_lines,
    audit_problems,
    audits_of,
    write_gap_ms,
)
from ansible_collections.sentinelops.redis.plugins.plugin_utils._times import moment

RESULT = {"acknowledged": 500, "lost": 0, "unexpected": 0, "duplicates": 0, "longest_gap_ms": 431.4, "ansible_job_id": "j1.2"}


def verdict(shard: str = "cache", **result: Any) -> dict[str, Any]:
    return {"item": {"ansible_job_id": "j1.2", "item": {"name": shard}}, **result}


def test_a_good_audit() -> None:
    audits = audits_of([verdict(**RESULT), verdict("other", **RESULT)])
    assert sorted(audits) == ["cache", "other"]
    assert "ansible_job_id" not in audits["cache"]
    assert audit_problems(audits) == []
    assert audit_lines(audits)[0] == "audit of cache: 500 writes acknowledged, 0 lost, longest gap 431 ms"


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        ({**RESULT, "lost": 3}, "3 of 500 acknowledged writes are gone"),
        ({**RESULT, "unexpected": 1}, "1 values were never written"),
        ({"failed": True, "msg": "the deployment did not settle"}, "gave no result: the deployment did not settle"),
        ({"finished": 0}, "gave no result: it has not ended in time"),
    ],
)
def test_an_audit_with_a_problem(result: dict[str, Any], problem: str) -> None:
    (found,) = audit_problems(audits_of([verdict(**result)]))
    assert found.startswith("the write audit of cache")
    assert problem in found


BEGUN = "2026-01-31T10:00:00.000Z"
HANDOVER = {"begun_at": BEGUN, "timeline": [{"at_ms": 2000.0, "event": "pause"}, {"at_ms": 4000.0, "event": "settled"}]}


def gap(after_s: float, gap_ms: float) -> dict[str, float]:
    return {"at_s": moment(BEGUN).timestamp() + after_s, "gap_ms": gap_ms}


@pytest.mark.parametrize(
    ("gaps", "longest"),
    [
        ([], None),
        ([gap(2.0, 431.4)], 431.4),
        ([gap(1.0, 210.0), gap(2.0, 431.4), gap(3.0, 220.0)], 431.4),
        ([gap(-1.0, 900.0)], None),
        ([gap(-1.0, 1100.0)], 1100.0),
        ([gap(4.4, 300.0)], 300.0),
        ([gap(4.6, 300.0)], None),
    ],
)
def test_the_write_gap_of_a_handover(gaps: list[dict[str, float]], longest: float | None) -> None:
    audits = audits_of([verdict(**RESULT, writers=[{"gaps": gaps[:1]}, {"gaps": gaps[1:]}])])
    assert write_gap_ms(HANDOVER, audits["cache"]) == longest


@pytest.mark.parametrize("handover", [{}, {**HANDOVER, "timeline": []}, {**HANDOVER, "begun_at": ""}])
def test_no_write_gap_of_what_has_no_time(handover: dict[str, Any]) -> None:
    assert write_gap_ms(handover, {"gaps": [gap(2.0, 431.4)]}) is None


@pytest.mark.parametrize("audit", [{}, {"error": "it has not ended"}])
def test_no_write_gap_without_an_audit(audit: dict[str, Any]) -> None:
    assert write_gap_ms(HANDOVER, audit) is None


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        ({"results": [{"item": {"name": "a"}}, {"item": {"name": "b"}, "failed": True, "msg": "NOPERM"}]}, "cannot write to b: NOPERM."),
        (
            {"results": [{"item": {"name": "a"}, "failed": True, "acknowledged": 0, "errors": {"NOREPLICAS": 9}}]},
            "cannot write to a: no write was acknowledged (NOREPLICAS).",
        ),
        ({"failed": True, "msg": "no room"}, "cannot write to its folder: no room."),
        ({}, "could not begin"),
    ],
)
def test_why_an_audit_cannot_begin(failure: dict[str, Any], reason: str) -> None:
    assert reason in audit_error(failure)
