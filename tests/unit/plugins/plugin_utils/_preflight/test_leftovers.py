"""Leftovers of earlier runs, and other runs."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._finding import Finding
from ansible_collections.sentinelops.redis.plugins.plugin_utils._preflight.preflight import preflight
from ansible_collections.sentinelops.redis.tests.unit.support.survey import NEW, Surveyed, half_upgraded, three_and_three

NOTE = {"path": "/j/handover-mymaster.json", "changes": ["replica-priority of 10.0.0.2:6379 (was 70)"], "error": "", "held_by": 0}


def findings(deployment: Surveyed) -> list[Finding]:
    return preflight(deployment.instances(), deployment.plan(NEW), 1 << 20)


def examined(**what: Any) -> Surveyed:
    deployment = three_and_three()
    deployment.node("redis-2").record["examined"] = what
    return deployment


def test_journals_of_a_run_that_has_not_ended() -> None:
    deployment = half_upgraded(handover=True)
    deployment.node("redis-1").stopped = True
    deployment.node("redis-2").record["priority"] = 1
    (finding,) = findings(deployment)
    assert finding.severity == "warning"
    assert finding.node.endswith("redis-1/redis, redis-2/redis, redis-3/redis")
    assert "redis-1/redis was stopped and not started" in finding.seen
    assert "the replica-priority of redis-2 is 1, and was 100" in finding.seen
    assert "the original master is still redis-1" in finding.why


def test_a_journal_that_cannot_be_read_needs_a_hand() -> None:
    deployment = three_and_three()
    deployment.node("redis-2").record["journal_error"] = "the journal /j/redis-6379.json cannot be read: x."
    (finding,) = findings(deployment)
    assert (finding.check, finding.severity, finding.node) == ("leftovers", "refusal", "redis-2")
    assert "/j/redis-6379.json cannot be read: x" in finding.seen


@pytest.mark.parametrize(
    ("note", "check", "severity", "part"),
    [
        (NOTE, "leftovers", "warning", "names replica-priority of 10.0.0.2:6379 (was 70)"),
        ({**NOTE, "error": "Expecting value"}, "leftovers", "refusal", "cannot be read (Expecting value)"),
        ({**NOTE, "held_by": 4711}, "other-run", "refusal", "process 4711 holds /j/handover-mymaster.json.lock"),
    ],
)
def test_undo_files_of_handovers(note: dict[str, Any], check: str, severity: str, part: str) -> None:
    (finding,) = findings(examined(notes=[note]))
    assert (finding.check, finding.severity, finding.node) == (check, severity, "redis-2")
    assert part in finding.seen


def test_an_undo_file_is_told_once_for_a_machine() -> None:
    deployment = three_and_three()
    for number, node in enumerate(deployment.shards[0].nodes):
        place = {"path": "/", "device": f"{'same' if number < 2 else 'other'}:1", "free": 10**9, "needed": 0, "left": False}
        node.record["examined"] = {"notes": [NOTE], "versions": place}
    assert [finding.names for finding in findings(deployment)] == [["redis-1", "redis-3"]]


def test_which_run_restores_the_settings() -> None:
    (finding,) = findings(examined(notes=[NOTE]))
    assert "the next handover of this run restores them" in finding.do
    done = three_and_three(version=NEW)
    for sentinel in done.sentinels:
        sentinel.version = NEW
    done.node("redis-2").record["examined"] = {"notes": [NOTE]}
    (finding,) = findings(done)
    assert "Run sentinelops.redis.handover" in finding.do, "there is none in a run with nothing to do"


def test_a_fence() -> None:
    deployment = three_and_three()
    deployment.node("redis-1").record["min_replicas_to_write"] = 2147483647
    (finding,) = findings(deployment)
    assert (finding.node, finding.severity) == ("redis-1", "warning")
    assert "finishes that handover first" in finding.do


@pytest.mark.parametrize(
    ("left", "staged", "journal", "found"),
    [
        (False, "", None, False),
        (True, "", None, True),
        (True, "7.0.7", None, True),
        (True, NEW, None, False),
        (True, "", {"schema": 1, "version": "7.0.5", "original_master": "10.0.0.1:6379"}, False),
    ],
)
def test_a_staged_folder(left: bool, staged: str, journal: dict[str, Any] | None, found: bool) -> None:
    deployment = examined(versions={"path": "/", "device": "b:1", "free": 10**9, "needed": 0, "left": left})
    deployment.node("redis-2").record["staged_version"] = staged
    deployment.node("redis-2").journal = journal
    seen = [finding.seen for finding in findings(deployment) if "redis.new of an earlier run" in finding.seen]
    assert bool(seen) is found
