"""The rollback: which instance returns to which version, in which order, and what forbids it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.journal import journal_of
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.model import Plan
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.rendering import plan_lines
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.rollback import rolls_back, version_to_run
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.steps import steps_to_do
from ansible_collections.sentinelops.redis.plugins.plugin_utils._preflight.preflight import preflight
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.messages import Failure, failure_lines, stop_lines
from ansible_collections.sentinelops.redis.tests.unit.support.survey import NEW, OLD, Surveyed, half_upgraded, three_and_three


def ran(version: str = OLD, there: bool = True, **more: Any) -> dict[str, Any]:
    """Return what the survey says of the previous version."""
    return {"before": {"version": version, "server": "redis", "kept": "/opt/redis/redis.old", "there": there, **more}}


def upgraded(before: str = OLD, now: str = NEW, journals: bool = False) -> Surveyed:
    """Return a deployment that was upgraded to the end."""
    deployment = three_and_three()
    for one in (*deployment.sentinels, *deployment.shards[0].nodes):
        one.version, one.record = now, ran(before)
        one.journal = {"schema": 1, "version": before, "original_master": "10.0.0.1:6379"} if journals else None
    return deployment


def half(handover: bool = False, before: str = OLD, now: str = NEW) -> Surveyed:
    """Return an upgrade that was killed before the old master."""
    deployment = half_upgraded(handover=handover)
    for one in (*deployment.sentinels, *deployment.shards[0].nodes):
        one.version, one.record = (now if one.version == NEW else before), ran(before)
    return deployment


def rolled_back(deployment: Surveyed, left: str = NEW, **settings: Any) -> Plan:
    return deployment.plan(left, rollback=True, **settings)


def keys(plan: Plan) -> list[str]:
    return [step.key for step in steps_to_do(plan.as_dict())]


SENTINELS = [f"sentinel-{n}/sentinel" for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("deployment", "expected"),
    [
        # upgraded to the end: to a replica that has rolled back, and then the fail back
        (upgraded(), ["redis-2/redis", "redis-3/redis", "redis-2/handover", "redis-1/redis", "redis-1/handover", *SENTINELS]),
        # before the handover the master still has the old version
        (half(), ["redis-2/redis", "redis-3/redis", *SENTINELS]),
        # after it: to the original master, which has the old version
        (half(handover=True), ["redis-3/redis", "redis-1/handover", "redis-2/redis", *SENTINELS]),
    ],
)
def test_the_order(deployment: Surveyed, expected: list[str]) -> None:
    plan = rolled_back(deployment)
    assert plan.problems == []
    assert keys(plan) == expected
    assert {step.wanted for step in plan.steps.values()} == {OLD}
    assert {step.do for step in plan.steps.values()} <= {"rollback", "skip"}


def test_without_fail_back() -> None:
    assert keys(rolled_back(upgraded(), fail_back=False)) == [
        "redis-2/redis",
        "redis-3/redis",
        "redis-2/handover",
        "redis-1/redis",
        *SENTINELS,
    ]


def test_the_plan_says_it() -> None:
    lines = plan_lines(rolled_back(half(handover=True)).as_dict())
    assert lines == [
        f"Roll back from {NEW}, one step after the other:",
        f"(4/8) replica  redis-3: {NEW} -> {OLD}",
        "(5/8) handover  mymaster: redis-2 (10.0.0.2:6379) -> redis-1 (10.0.0.1:6379)",
        f"(6/8) old master redis-2: {NEW} -> {OLD}",
        *(f"(8/8) Sentinel  sentinel-{n}: {NEW} -> {OLD}" for n in (1, 2, 3)),
        f"skipped: redis-1 (redis): it runs {OLD} already",
    ]


def test_what_was_stopped_comes_first_and_its_sentinel_before_all() -> None:
    deployment = half()
    deployment.sentinels[1].stopped = deployment.node("redis-3").stopped = True
    deployment.sentinels[1].version = deployment.node("redis-3").version = OLD
    deployment.sentinels[1].record = deployment.node("redis-3").record = ran()
    plan = rolled_back(deployment)
    assert plan.problems == []
    assert keys(plan) == ["sentinel-2/sentinel", "redis-3/redis", "redis-2/redis", "sentinel-1/sentinel", "sentinel-3/sentinel"]
    assert plan.steps["redis-3/redis"].do == "resume"
    assert f"(3/8) Sentinel  sentinel-2: stopped by an earlier run -> {OLD}" in plan_lines(plan.as_dict())


def test_each_instance_returns_to_its_own_previous_version() -> None:
    deployment = upgraded()
    deployment.sentinels[0].record = ran("7.0.1")
    plan = rolled_back(deployment)
    assert plan.steps["sentinel-1/sentinel"].wanted == "7.0.1"
    assert plan.steps["sentinel-2/sentinel"].wanted == OLD


@pytest.mark.parametrize(
    ("deployment", "why"),
    [
        (three_and_three(), f"it runs {OLD} already"),
        (three_and_three(version=NEW), f"it runs {NEW}, and ran nothing else before, as far as is known"),
        (upgraded(NEW), f"it runs {NEW}, and ran nothing else before"),
    ],
)
def test_nothing_rolls_back(deployment: Surveyed, why: str) -> None:
    for sentinel in deployment.sentinels:
        sentinel.version = deployment.node("redis-1").version
    plan = rolled_back(deployment)
    assert (plan.nothing_to_do, plan.problems, plan.touched_hosts) == (True, [], [])
    lines = plan_lines(plan.as_dict())
    assert lines[0] == f"Nothing to do: no instance can be rolled back from {NEW}, mymaster (master redis-1)"
    assert f"skipped: redis-2 (redis): {why}" in lines


def test_journals_are_closed_also_if_nothing_had_been_upgraded_yet() -> None:
    deployment = three_and_three()
    deployment.sentinels[0].journal = {"schema": 1, "version": OLD}
    plan = rolled_back(deployment)
    assert (plan.nothing_to_do, plan.problems, keys(plan)) == (False, [], [])
    assert len(plan.touched_hosts) == 6


BARRIER = "there is no way back from 7.0.15 to 6.2.14: the master {} runs 7.0.15 already, and 6.2.14 cannot read its data"


@pytest.mark.parametrize(
    ("deployment", "seen"),
    [
        (upgraded("6.2.14"), BARRIER.format("redis-1")),
        (half(handover=True, before="6.2.14"), BARRIER.format("redis-2")),
        (half(before="6.2.14"), ""),  # the master has the old version
        (upgraded("6.2.9", "6.2.14"), ""),
    ],
)
def test_the_barrier(deployment: Surveyed, seen: str) -> None:
    plan = rolled_back(deployment, deployment.node("redis-2").version)
    assert [problem.seen for problem in plan.problems] == [seen] * bool(seen)


def test_what_it_costs_to_roll_back_over_the_barrier_before_the_handover() -> None:
    deployment = half(before="6.2.14")
    found = preflight(deployment.instances(), rolled_back(deployment), 1 << 20)
    costs = [finding for finding in found if finding.check == "full-sync"]
    assert [finding.names for finding in costs] == [["redis-2", "redis-3"]]
    assert "6.2.14 cannot read the data file that 7.0.15 writes" in costs[0].seen
    assert not [finding for finding in found if finding.severity == "refusal"]


def test_packages_that_are_in_place_can_be_reverted() -> None:
    deployment = upgraded()
    doubt = {"seen": "it runs valkey, and the packages to install are those of valkey", "why": "x", "do": "y"}
    deployment.node("redis-2").record.update(activation={"method": "package", "doubts": [doubt]}, dir="/var/lib/valkey", folder="/usr")
    found = preflight(deployment.instances(), rolled_back(deployment), 1 << 20)
    assert [finding for finding in found if finding.severity == "refusal"] == []


def test_a_stopped_replica_counts_for_the_barrier() -> None:
    deployment = half(handover=True, before="6.2.14")
    node = deployment.node("redis-3")
    node.stopped, node.version = True, "6.2.14"
    assert [problem.check for problem in rolled_back(deployment).problems] == ["format"]


@pytest.mark.parametrize(
    ("record", "seen"),
    [
        (ran(there=False), f"its data node ran {OLD} before, and /opt/redis/redis.old does not hold that version any more"),
        ({"before": None}, f"its data node runs {NEW}, and its previous version is not recorded"),
    ],
)
def test_what_is_not_kept_cannot_roll_back(record: dict[str, Any], seen: str) -> None:
    deployment = upgraded()
    deployment.node("redis-2").record = record
    assert [(problem.node, problem.seen) for problem in rolled_back(deployment).problems] == [("redis-2", seen)]


@pytest.mark.parametrize(
    ("record", "goes", "runs"),
    [
        ({"answers": True, "version": NEW, **ran()}, True, OLD),
        ({"answers": True, "version": OLD, **ran("6.2.9")}, False, OLD),  # of an earlier upgrade
        ({"answers": True, "version": OLD, "runs_kept": True, **ran()}, True, OLD),
        ({"answers": True, "version": NEW, **ran(NEW)}, False, NEW),
        ({"answers": True, "version": NEW}, False, NEW),
        ({"answers": False, "stopped": True, "version": OLD, **ran()}, False, OLD),
    ],
)
def test_which_instance_rolls_back(record: dict[str, Any], goes: bool, runs: str) -> None:
    assert (rolls_back(record, NEW), version_to_run(record, NEW)) == (goes, runs)


def test_an_instance_that_was_put_back_alone_is_restarted() -> None:
    deployment = half()
    put_back = deployment.node("redis-2")
    put_back.version, put_back.record = OLD, {**ran(), "runs_kept": True}
    plan = rolled_back(deployment)
    step = plan.steps["redis-2/redis"]
    assert (step.do, step.wanted, step.why) == ("rollback", OLD, f"it runs {OLD} from the kept programs alone")
    assert plan.problems == []


def test_the_journal_is_opened_again_as_the_upgrade_had_it() -> None:
    deployment = upgraded()
    node = deployment.node("redis-2")
    node.record = {**ran(executable="/opt/old/redis-server", priority=50), "priority": 70}
    plan = rolled_back(deployment)
    record = next(instance.record for instance in deployment.instances() if instance.host == "redis-2")
    journal = journal_of(record, plan.as_dict(), plan.as_dict()["steps"]["redis-2/redis"])
    assert (journal["version"], journal["executable"], journal["original_master"]) == (OLD, "/opt/old/redis-server", "10.0.0.1:6379")
    assert journal["priority"] == 70, "the current priority: it may have been changed since"


# -- the message of a run that stops

FAILED = Failure("Check: not met within 15 s", OLD, log=["# a line", "# the last one"])


def test_a_node_that_was_reverted() -> None:
    plan = half_upgraded(replicas=False).plan().as_dict()
    assert failure_lines(plan, ["redis-2/redis"], "redis-2/redis", FAILED) == [
        f"redis-2 (redis) could not be upgraded to {NEW}.",
        "Check: not met within 15 s",
        "The last lines of its log:",
        "    # a line",
        "    # the last one",
        f"It was reverted to its old version {OLD} and proved healthy.",
        "Done in this run: nothing.",
        "Left: the replica redis-2, the replica redis-3, the handover of mymaster to redis-2, the old master redis-1, "
        "the fail back of mymaster to redis-1.",
        "The master of mymaster is redis-1 (10.0.0.1:6379).",
        "The deployment serves.",
        "Fix the cause and run the upgrade again: it continues from here.",
        "Or roll back all instances: sentinelops.redis.rollback.",
    ]


def test_data_that_was_set_aside_is_named() -> None:
    plan = half_upgraded(replicas=False).plan().as_dict()
    lines = failure_lines(plan, ["redis-2/redis"], "redis-2/redis", Failure("Why.", OLD, set_aside=["/data/dump.rdb.set-aside"]))
    assert f"Data files that {OLD} cannot read were set aside: /data/dump.rdb.set-aside. The instance has the data of the master." in lines


def test_a_node_that_could_not_be_reverted() -> None:
    plan = half_upgraded(replicas=False).plan().as_dict()
    lines = failure_lines(plan, ["redis-2/redis"], "redis-2/redis", Failure("Why.", OLD, revert_error="no data to read"))
    assert f"It could not be reverted to {OLD}: no data to read" in lines
    assert "The deployment serves, without this instance." in lines
    assert not [line for line in lines if "healthy" in line]


def test_a_node_that_was_not_stopped() -> None:
    plan = half_upgraded(replicas=False).plan().as_dict()
    lines = failure_lines(plan, ["redis-2/redis"], "redis-2/redis", Failure("It is a master.", OLD, untouched=True))
    assert lines[1:3] == ["It is a master.", f"It was not stopped, and still runs {OLD}."]
    assert "The deployment serves." in lines
    assert not [line for line in lines if line.startswith("The master of mymaster is")], "Sentinels may have failed over"
    assert (
        "The master of mymaster was redis-1 (10.0.0.1:6379) until this step; ask a Sentinel for the current master "
        "(SENTINEL GET-MASTER-ADDR-BY-NAME mymaster)." in lines
    )


def test_a_node_that_was_not_stopped_for_the_revert() -> None:
    plan = half_upgraded(replicas=False).plan().as_dict()
    lines = failure_lines(
        plan, ["redis-2/redis"], "redis-2/redis", Failure("No replica.", OLD, revert_error="It is a master.", revert_refused=True)
    )
    assert lines[1:3] == ["No replica.", f"It was not reverted to {OLD}, and still runs {NEW}: It is a master."]
    assert "The deployment serves." in lines
    assert [line for line in lines if line.startswith("The master of mymaster was redis-1")]


def test_a_node_that_could_not_roll_back() -> None:
    plan = rolled_back(upgraded()).as_dict()
    lines = failure_lines(plan, ["redis-2/redis"], "redis-2/redis", Failure("Why.", NEW))
    assert lines[0] == f"redis-2 (redis) could not be rolled back to {OLD}."
    assert f"It was reverted to its version {NEW} and proved healthy." in lines
    assert lines[-1] == "Fix the cause and run the rollback again: it continues from here."
    assert stop_lines(plan, ["redis-3/redis"], [])[-1] == "Run the rollback again: it surveys the deployment again and does what is left."


@pytest.mark.parametrize(
    ("deployment", "left", "old"),
    [
        (upgraded("5.0.6", "6.2.14"), "6.2.14", "5.0.6"),
        (upgraded("6.0.16", "6.2.14"), "6.2.14", "6.0.16"),
        (half(handover=True, before="5.0.6", now="6.2.14"), "6.2.14", "5.0.6"),
        (half(before="5.0.6", now="6.2.14"), "6.2.14", ""),  # the master runs 5.0.6
        (upgraded("6.2.9", "6.2.14"), "6.2.14", ""),
        (upgraded("5.0.5", "5.0.6"), "5.0.6", ""),
    ],
)
def test_replicas_that_would_miss_writes_in_silence(deployment: Surveyed, left: str, old: str) -> None:
    found = preflight(deployment.instances(), rolled_back(deployment, left), 1 << 20)
    told = [one.seen for one in found if "does not understand" in one.seen]
    assert [(one.check, one.severity) for one in found if one.seen in told] == [("format", "warning")] * len(told)
    assert [seen.split()[0] for seen in told] == [old] * bool(old)
