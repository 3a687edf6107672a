"""The report of a run from its events, however the run has ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.report import make_report
from ansible_collections.sentinelops.redis.plugins.plugin_utils._report.run_report import make_run_report
from ansible_collections.sentinelops.redis.plugins.plugin_utils._times import timestamp
from ansible_collections.sentinelops.redis.tests.unit.support.run_events import BEGIN_S, RUN, Events, audit
from ansible_collections.sentinelops.redis.tests.unit.support.survey import NEW, OLD, two_shards

SCHEMA = json.loads((Path(__file__).parents[5] / "docs" / "report.schema.json").read_text(encoding="utf-8"))


def report(run: Events, dead: bool = False) -> dict[str, Any]:
    found = make_run_report(run.all, dead)
    jsonschema.validate(found, SCHEMA)
    assert json.loads(json.dumps(found)) == found
    return found


def states(found: dict[str, Any]) -> dict[str, str]:
    return {step["key"]: step["state"] for step in found["steps"]}


def test_done() -> None:
    found = report(Events().all_steps().verified().ended())
    assert (found["schema"], found["outcome"], found["playbook"], found["version"]) == (1, "done", "upgrade", NEW)
    assert set(states(found).values()) == {"done"}
    assert found["begun_at"] == timestamp(BEGIN_S)
    assert found["ended_at"] == found["recorded_at"]
    assert found["what_next"] == ["Nothing is left to do."]
    assert found["warnings"] == ["redis-2: little room"]
    assert found["run"] == RUN
    assert [row["now"] for row in found["instances"]] == [NEW] * 6
    assert f"The upgrade to {NEW} is done" in found["verdict"]


def test_the_keys_of_the_report_of_an_upgrade_are_all_there() -> None:
    plan = Events().facts
    known = {"version", "instances", "shards", "handovers", "reserves", "deferred", "problems", "lines"}
    assert known <= set(report(Events()))
    assert make_report.__doc__
    assert plan["version"] == NEW


def test_step_by_step() -> None:
    run = Events()
    assert next(iter(states(report(run)).values())) == "next"
    total = len(run.facts["steps"])
    for count in range(1, total + 1):
        found = report(run.steps(1))
        assert found["outcome"] == "running"
        assert found["ended_at"] == ""
        done = [step for step in found["steps"] if step["state"] == "done"]
        assert len(done) == count
        assert f"{count} of {total} steps done" in found["verdict"]
    assert report(run.verified())["outcome"] == "running"


def test_times_of_steps_count_back_from_their_end() -> None:
    first = report(Events().steps(1))["steps"][0]
    assert (first["begun_at"], first["ended_at"], first["duration_s"]) == (timestamp(BEGIN_S + 5.5), timestamp(BEGIN_S + 10), 4.5)


def test_the_time_of_a_handover_is_that_of_its_timeline() -> None:
    found = report(Events().all_steps())
    handovers = [step for step in found["steps"] if step["kind"] == "handover"]
    assert [step["duration_s"] for step in handovers] == [4.0, 4.0]


def test_a_handover_is_done_as_soon_as_its_result_is_recorded() -> None:
    run = Events().steps(6)
    run.all.pop()
    found = report(run)
    assert (states(found)["redis-2/handover"], states(found)["redis-1/redis"]) == ("done", "next")


def test_a_handover_that_was_not_needed_is_a_step_that_is_done() -> None:
    run = Events().steps(5)
    run.add("handover_done", {"changed": False, "old_master": "b:1", "new_master": "b:1", "host": "redis-2"})
    run.add("step_done", {"step": "redis-2/handover", "duration_s": 0})
    found = report(run)
    assert (states(found)["redis-2/handover"], found["handovers"]) == ("done", [])


def test_a_killed_run_says_what_was_done_and_what_was_next() -> None:
    found = report(Events().steps(4), dead=True)
    assert found["outcome"] == "incomplete"
    assert list(states(found).values()) == ["done"] * 4 + ["next"] + ["left"] * 3
    assert "did not end: it was cut off, with 4 of 8 steps done" in found["verdict"]
    text = " ".join(found["what_next"])
    assert "Under way or next when this was recorded: the replica redis-3." in text
    assert "Left after that: the handover of mymaster to redis-2, the old master redis-1" in text
    assert "Run the same command again" in text
    rows = {row["host"]: row["now"] for row in found["instances"]}
    assert rows == {**{f"sentinel-{n}": NEW for n in (1, 2, 3)}, "redis-1": OLD, "redis-2": NEW, "redis-3": "not known"}


def test_a_run_that_may_be_alive_names_its_process() -> None:
    found = report(Events().steps(1))
    text = " ".join(found["what_next"])
    assert "If ansible-playbook (process 4711 on bastion) is still at work, wait" in text
    assert "Run the same command again" in text


def test_roles_follow_the_handovers() -> None:
    run = Events().steps(6)
    found = report(run)
    assert found["shards"]["mymaster"] == {"before": "redis-1", "now": "redis-2", "original_master": "redis-1"}
    assert {row["host"]: row["role"] for row in found["instances"] if row["role"] == "master"} == {"redis-2": "master"}
    assert report(run.steps(2))["shards"]["mymaster"]["now"] == "redis-1"


def test_stopped_by_itself() -> None:
    found = report(Events().steps(2).stopped("The deadline has passed.", "Left: much."))
    assert found["outcome"] == "stopped"
    assert found["stop_message"] == ["The deadline has passed.", "Left: much."]
    assert list(states(found).values()) == ["done"] * 2 + ["left"] * 6
    assert found["what_next"][0].startswith("Left: the Sentinel of sentinel-3, the replica redis-2")
    assert found["ended_at"]


def test_stopped_because_of_an_instance() -> None:
    found = report(Events().steps(3).stopped("redis-2 failed", failed_step="redis-2/redis"))
    assert states(found)["redis-2/redis"] == "failed"
    assert next(row for row in found["instances"] if row["host"] == "redis-2")["now"] == "not known"


def test_the_same_lines_of_two_hosts_stand_once() -> None:
    found = report(Events().stopped("a", "b").stopped("a", "c"))
    assert found["stop_message"] == ["a", "b", "c"]


def test_problems_at_the_end() -> None:
    found = report(Events().all_steps().verified(problems=["redis-3 (redis): it does not answer"]))
    assert (found["outcome"], found["problems"]) == ("incomplete", ["redis-3 (redis): it does not answer"])
    assert "came to its end, but the deployment is not as it should be" in found["verdict"]
    assert found["ended_at"]
    assert "Fix the problems above" in found["what_next"][0]


def test_a_canary_is_done_and_says_what_is_left() -> None:
    found = report(Events(canary=1).all_steps().verified(deferred=["redis-1", "redis-3"]).ended())
    assert found["outcome"] == "done"
    assert "stopped after the canary, as requested" in found["verdict"]
    assert "redis-1, redis-3" in found["what_next"][0]


def test_a_reserve_is_named() -> None:
    found = report(Events().all_steps().verified(reserves={"mymaster": {"host": "redis-3"}}).ended())
    assert found["what_next"][0].startswith("Left as a way back: redis-3.")


@pytest.mark.parametrize("first", [1, 3])
def test_a_run_whose_begin_was_not_recorded(first: int) -> None:
    """Own plays may include the role step by step."""
    run = Events().all_steps().verified().ended()
    run.all = run.all[first:]
    found = report(run)
    assert found["outcome"] == "done"
    assert found["version"] == NEW
    assert len(found["instances"]) == 6
    assert len(found["handovers"]) == 2


def test_several_shards_and_batches() -> None:
    run = Events(two_shards())
    replicas = [step for step in run.facts["steps"] if "Replicas" in step["play"]]
    assert {step["shard"] for step in replicas} == {"one", "two"}
    assert [step["batch"] for step in replicas] == sorted(step["batch"] for step in replicas)
    found = report(run.steps(3))
    upcoming = [step["key"] for step in found["steps"] if step["state"] == "next"]
    assert upcoming == [step["key"] for step in replicas if step["batch"] == 0]
    assert len(upcoming) == 2
    everything = report(run.all_steps().verified().ended())
    assert len(everything["handovers"]) == 4
    assert [play["title"] for play in everything["plays"]][:2] == ["(3/8) Before the first step", "(4/8) Sentinels"]
    assert all(play["duration_s"] is not None for play in everything["plays"])


def test_an_interrupted_run_did_not_end() -> None:
    run = Events().steps(3)
    run.add("interrupted", {})
    found = report(run)
    assert (found["outcome"], found["ended_at"]) == ("incomplete", "")
    assert "did not end: it was cut off, with 3 of 8 steps done" in found["verdict"]
    assert found["what_next"][-1].startswith("Run the same command again")


def test_the_write_gap_of_a_handover_is_known_at_the_end() -> None:
    run = Events().all_steps()
    assert [one["write_gap_ms"] for one in report(run)["handovers"]] == [None, None]
    first, second = ({**one, "write_gap_ms": gap_ms} for one, gap_ms in zip(report(run)["handovers"], (412.0, 377.0), strict=True))
    found = report(run.verified(handovers=[first, second], audits={"mymaster": audit(), "other": {"error": "it has not ended"}}).ended())
    assert [one["write_gap_ms"] for one in found["handovers"]] == [412.0, 377.0]
    assert found["audits"]["mymaster"]["gaps"][0]["gap_ms"] == 431.4


@pytest.mark.parametrize("wrong", [{"acknowledged": 1}, {}, {**audit(), "lost": -1}, {**audit(), "password": "x"}])
def test_the_schema_refuses_an_audit_that_says_less_or_more(wrong: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        report(Events().all_steps().verified(audits={"mymaster": wrong}))


def test_handovers_that_moved_nothing_are_left_out() -> None:
    run = Events()
    run.add("handover_done", {"changed": True, "old_master": "a:1", "new_master": "a:1", "host": "redis-1"})
    run.add("handover_done", {"changed": False, "old_master": "a:1", "new_master": "b:1", "host": "redis-2"})
    assert report(run)["handovers"] == []
