"""The reserve: which replica stays, what is set, when it leads back, and what it is worth."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.journal import journal_of
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.model import Plan, Settings
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.rendering import plan_lines
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.reserve_status import reserve_status
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.reserve_verdict import judge
from ansible_collections.sentinelops.redis.plugins.plugin_utils._preflight.preflight import preflight
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.arguments import switch_arguments
from ansible_collections.sentinelops.redis.tests.unit.support.survey import Surveyed, three_and_three

OLD, NEW = "6.2.14", "7.0.15"


def deployment(version: str = OLD) -> Surveyed:
    found = three_and_three()
    for node in found.shards[0].nodes:
        node.version = version
    for sentinel in found.sentinels:
        sentinel.version = version
    return found


def kept(role: str = "reserve", **changes: Any) -> dict[str, Any]:
    settings = {"replica-priority": {"original": "50", "temporary": "0"}} if role == "reserve" else {}
    return {"role": role, "held": True, "errors": 0, "restarted": False, "backlog_bytes": 1 << 26, "settings": settings, **changes}


def stream(offset: int = 1000, **changes: Any) -> dict[str, Any]:
    return {
        "id": "a",
        "id2": "b",
        "offset": offset,
        "offset2": 500,
        "backlog_first": 1,
        "backlog_bytes": 1 << 20,
        "resumable": True,
        **changes,
    }


def with_reserve() -> Surveyed:
    """Return a deployment whose redis-3 an upgrade to NEW has left on OLD."""
    found = deployment(NEW)
    for node in found.shards[0].nodes:
        node.record.update(reserve=kept("other"), replication=stream(), before={"version": OLD, "there": True})
    reserve = found.node("redis-3")
    reserve.version, reserve.priority = OLD, 0
    reserve.record.update(reserve=kept(), before=None)
    for sentinel in found.sentinels:
        sentinel.record.update(before={"version": OLD, "there": True})
    return found


def problems(plan: Plan) -> list[str]:
    return [f"{one.check}: {one.seen}" for one in plan.problems]


# -- an upgrade


def test_one_replica_stays() -> None:
    plan = deployment().plan(NEW, reserve="true")
    shard = plan.shards["mymaster"]
    assert problems(plan) == []  # no barrier is to be accepted
    assert (shard.reserve_host, shard.reserve, shard.reserve_version) == ("redis-3", "10.0.0.3:6379", OLD)
    assert plan.replica_hosts == ["redis-2"]
    assert (plan.handover_hosts, plan.old_master_hosts, plan.fail_back_hosts) == (["redis-2"], ["redis-1"], ["redis-1"])
    assert plan.reserve_hosts == ["redis-1", "redis-2", "redis-3"]
    assert (plan.steps["redis-3/redis"].do, plan.steps["redis-3/redis"].why) == (
        "skip",
        "it is the reserve of mymaster, and stays on 6.2.14",
    )
    assert shard.priorities["redis-3"] == 0
    lines = plan_lines(plan.as_dict())
    assert (
        "(6/8) reserve   mymaster: redis-3 stays on 6.2.14 as the way back, with replica-priority 0; "
        "backlogs of 16 MiB on redis-1, redis-2, redis-3" in lines
    )


def test_none_stays_unasked() -> None:
    plan = deployment().plan(NEW, accept_no_way_back=True)
    assert (plan.shards["mymaster"].reserve, plan.reserve_hosts, plan.release_hosts) == ("", [], [])


@pytest.mark.parametrize(
    ("change", "reserve"),
    [
        ({"redis-2": {"priority": 200}}, "redis-2"),
        ({"redis-2": {"priority": 50}, "redis-3": {"priority": 20}}, "redis-2"),
        ({"redis-3": {"record": {"neighbours": [4711, 1]}}}, "redis-2"),
        ({"redis-3": {"record": {"link_up": False}}}, "redis-2"),
        ({"redis-3": {"version": NEW}}, "redis-2"),
    ],
    ids=["the least preferred", "by priority", "programs that nobody shares", "a link that is up", "on the old version"],
)
def test_which_one(change: dict[str, dict[str, Any]], reserve: str) -> None:
    found = deployment()
    for host, fields in change.items():
        for name, value in fields.items():
            setattr(found.node(host), name, value)
    plan = found.plan(NEW, reserve="true")
    assert (problems(plan), plan.shards["mymaster"].reserve_host) == ([], reserve)


@pytest.mark.parametrize("host", ["redis-2", "redis-3"])
def test_a_replica_that_operators_never_promote_is_no_reserve(host: str) -> None:
    found = deployment()
    found.node(host).priority = 0
    (problem,) = [one for one in found.plan(NEW, reserve="true").problems if one.check == "reserve"]
    assert "no two replicas that may become master" in problem.seen


def test_a_pair_that_cannot_is_told() -> None:
    (problem,) = [one for one in deployment("5.0.6").plan("6.2.14", reserve="true").problems if one.check == "reserve"]
    assert problem.seen == "5.0.6 does not understand all that a master with 6.2.14 sends, and does not say so"


def test_min_replicas_to_write() -> None:
    found = deployment()
    found.node("redis-1").record["min_replicas_to_write"] = 2
    assert "reserve: min-replicas-to-write is 2, and there are 2 replicas" in problems(found.plan(NEW, reserve="true"))
    found.node("redis-1").record["min_replicas_to_write"] = 1
    assert problems(found.plan(NEW, reserve="true")) == []


def test_a_canary_needs_no_reserve() -> None:
    assert any("redis_upgrade_canary" in text for text in problems(deployment().plan(NEW, reserve="true", canary=1)))


@pytest.mark.parametrize(
    ("examined", "mib"),
    [({}, 16), ({"rate_bytes_s": 1e6}, 573), ({"rate_bytes_s": 10, "backlog_bytes": 1 << 30}, 1024)],
    ids=["least", "by the write rate", "never smaller than it is"],
)
def test_the_backlog(examined: dict[str, float], mib: int) -> None:
    found = deployment()
    found.node("redis-1").record["examined"] = examined
    assert found.plan(NEW, reserve="true", reserve_outage_s=600).shards["mymaster"].backlog_bytes >> 20 == mib


@pytest.mark.parametrize("setting", ["true", "keep"])
def test_a_rerun_in_between_changes_nothing(setting: str) -> None:
    plan = with_reserve().plan(NEW, reserve=setting)
    assert (problems(plan), plan.nothing_to_do, plan.touched_hosts) == ([], True, [])
    assert plan_lines(plan.as_dict()) == [
        "Nothing to do: every instance but redis-3 runs 7.0.15, mymaster (master redis-1)",
        "redis-3 is the reserve of mymaster, on 6.2.14, a way back: watch it with the playbook reserve, go back with rollback, or upgrade "
        "it, too, with finish",
    ]


def test_what_somebody_has_changed_is_set_again() -> None:
    found = with_reserve()
    found.node("redis-3").record["reserve"] = kept(held=False)
    plan = found.plan(NEW)
    assert (plan.reserve_hosts, plan.nothing_to_do, plan.pending) == (["redis-3"], False, [])


def test_finishing_upgrades_the_reserve() -> None:
    plan = with_reserve().plan(NEW, reserve="false")
    assert problems(plan) == []
    assert (plan.replica_hosts, plan.handover_hosts) == (["redis-3"], [])
    assert plan.release_hosts == ["redis-1", "redis-2", "redis-3"]
    assert plan.shards["mymaster"].priorities["redis-3"] == 50
    assert plan.warnings == ["redis-3 is the reserve of mymaster and is upgraded, too: afterwards no node leads back from 7.0.15 to 6.2.14"]


def test_finishing_was_killed_before_its_end() -> None:
    found = with_reserve()
    found.node("redis-3").version = NEW
    plan = found.plan(NEW)
    assert (plan.pending, plan.release_hosts, plan.nothing_to_do) == ([], ["redis-1", "redis-2", "redis-3"], False)
    assert plan.shards["mymaster"].priorities["redis-3"] == 50


def test_the_preflight_says_what_the_way_back_is() -> None:
    found = deployment()
    plan = found.plan(NEW, reserve="true")
    findings = [one for one in preflight(found.instances(), plan, 1 << 20) if one.check in ("format", "reserve")]
    assert [(one.check, one.severity) for one in findings] == [("reserve", "warning")]
    assert findings[0].seen == "the only way back from 7.0.15 to 6.2.14 is the reserve redis-3"


# -- a rollback


def rolled_back(found: Surveyed) -> Plan:
    return found.plan(NEW, rollback=True)


def test_a_rollback_goes_over_the_reserve() -> None:
    plan = rolled_back(with_reserve())
    assert problems(plan) == []
    assert (plan.promotable_hosts, plan.replica_hosts, plan.handover_hosts) == (["redis-3"], [], ["redis-3"])
    assert plan.old_master_hosts == ["redis-2", "redis-1"]
    assert plan.old_master_serial == [1, 1]
    assert (plan.fail_back_hosts, plan.release_hosts) == (["redis-1"], ["redis-1", "redis-2", "redis-3"])
    assert plan.steps["redis-3/redis"].do == "skip"


def test_a_rollback_goes_on_when_the_reserve_is_the_master() -> None:
    found = with_reserve()
    found.shards[0].master = 2
    found.node("redis-3").priority = 50
    plan = rolled_back(found)
    assert problems(plan) == []
    assert (plan.promotable_hosts, plan.handover_hosts, plan.replica_hosts) == ([], [], ["redis-1", "redis-2"])
    assert plan.release_hosts == ["redis-1", "redis-2", "redis-3"]


def test_a_reserve_that_lacks_writes_leads_nowhere() -> None:
    found = with_reserve()
    found.node("redis-3").record["reserve"] = kept(errors=3)
    (problem,) = [one for one in rolled_back(found).problems if one.check == "reserve"]
    assert problem.seen.startswith("its reserve redis-3 is lost: it has refused 3 of the writes")
    assert "the playbook finish" in problem.do


def test_where_no_barrier_is_the_reserve_is_not_needed() -> None:
    found = with_reserve()
    for host, version in (("redis-1", "6.2.15"), ("redis-2", "6.2.15")):
        found.node(host).version = version
    for sentinel in found.sentinels:
        sentinel.version = "6.2.15"
    found.node("redis-3").record["reserve"] = kept(errors=3)
    plan = found.plan("6.2.15", rollback=True)
    assert (problems(plan), plan.promotable_hosts, plan.replica_hosts) == ([], [], ["redis-2"])


# -- the state of a reserve


@pytest.mark.parametrize(
    ("changes", "known", "own", "state", "says"),
    [
        ({}, {}, {}, "good", ""),
        ({"role": "master"}, {}, {}, "good", "it is the master"),
        ({"answers": False, "error": "refused"}, {}, {}, "at risk", "it does not answer: refused"),
        ({}, {"errors": 1}, {}, "lost", "it has refused 1 of the writes"),
        ({}, {}, {"id": "z"}, "at risk", "does not have the replication id"),
        ({}, {}, {"offset": -3_000_000}, "at risk", "3001000 bytes behind"),
        ({}, {"restarted": True}, {}, "at risk", "it was restarted, and has no log"),
        ({"log_file": "/log"}, {"restarted": True}, {}, "good", ""),
        ({"link_up": False}, {}, {"offset": 900}, "at risk", "it lacks 100 bytes of the stream"),
        ({"link_up": False}, {}, {"offset": 400, "id": "b"}, "at risk", "it lacks 600 bytes"),
        ({"link_up": False}, {}, {"offset": 600, "id": "b"}, "lost", "needs a full synchronisation"),
        ({"link_up": False}, {}, {"offset": 900, "id": "z"}, "lost", "needs a full synchronisation"),
        ({"link_up": False}, {}, {"offset": -5}, "lost", "needs a full synchronisation"),
        ({"link_up": False}, {}, {"offset": 900, "resumable": False}, "lost", "needs a full synchronisation"),
    ],
)
def test_the_verdict(changes: dict[str, Any], known: dict[str, Any], own: dict[str, Any], state: str, says: str) -> None:
    reserve = {
        "answers": True,
        "role": "replica",
        "link_up": True,
        "log_file": "",
        "reserve": kept(**known),
        "replication": stream(**own),
        **changes,
    }
    verdict = judge(reserve, {"replication": stream()})
    assert (verdict.state, says in " ".join(verdict.reasons)) == (state, True), verdict


@pytest.mark.parametrize(
    ("compared", "state", "says"),
    [
        ({"keys": {"db0": [5, 5]}, "compared": {"string": 5}, "differing": []}, "good", "5 keys compared, 0 differ"),
        (
            {"keys": {"db0": [5, 5]}, "compared": {"string": 4}, "differing": ["k"]},
            "lost",
            "do not roll back, which looks at the stream alone, before you know why the data differ",
        ),
        ({"keys": {"db0": [5, 4]}, "compared": {"string": 4}, "differing": []}, "at risk", "different numbers of keys (db0: 5 and 4)"),
        ({"msg": "no right"}, "at risk", "its data could not be compared: no right"),
        ({"msg": "no right"}, "at risk", "its stream has every write, so a rollback is possible"),
        (
            {"keys": {}, "compared": {}, "differing": [], "unknown_commands": ["lmpop"]},
            "good",
            "clients use lmpop, which 6.2.14 does not know: after a rollback they would get errors",
        ),
    ],
)
def test_the_status(compared: dict[str, Any], state: str, says: str) -> None:
    found = reserve_status(with_reserve().instances(), Settings(NEW), {"redis-3": compared})
    assert found["shards"]["mymaster"]["state"] == state
    assert says in " ".join(found["lines"])
    assert found["good"] is (state == "good")


def restarted_reserve() -> Surveyed:
    """Return the deployment of with_reserve, whose reserve was restarted from the kept programs."""
    found = with_reserve()
    found.node("redis-3").record.update(runs_kept=True, before={"version": OLD, "there": True})
    return found


def test_a_reserve_that_runs_from_the_kept_programs_is_restarted_as_a_replica() -> None:
    plan = restarted_reserve().plan(NEW, rollback=True)
    assert plan.problems == []
    assert (plan.handover_hosts, sorted(plan.old_master_hosts), plan.fail_back_hosts) == (["redis-3"], ["redis-1", "redis-2"], ["redis-1"])
    assert plan.returning_hosts == ["redis-3"]
    assert "(7/8) reserve   redis-3: restarted, as it runs from the kept programs" in plan_lines(plan.as_dict())


def test_while_it_is_the_master_it_waits_for_the_fail_back() -> None:
    """The run was killed after the handover."""
    found = restarted_reserve()
    found.shards[0].master = 2
    found.node("redis-3").journal = {"original_master": "10.0.0.1:6379"}
    plan = found.plan(NEW, rollback=True)
    assert (plan.problems, plan.handover_hosts, plan.fail_back_hosts) == ([], [], ["redis-1"])
    assert (sorted(plan.replica_hosts), plan.old_master_hosts, plan.returning_hosts) == (["redis-1", "redis-2"], [], ["redis-3"])


def test_after_the_fail_back_it_is_any_replica() -> None:
    found = restarted_reserve()
    for name in ("redis-1", "redis-2"):
        found.node(name).version = OLD
    plan = found.plan(NEW, rollback=True)
    assert (plan.replica_hosts, plan.returning_hosts, plan.handover_hosts) == (["redis-3"], [], [])


def test_without_a_fail_back_it_stays_the_master() -> None:
    plan = restarted_reserve().plan(NEW, rollback=True, fail_back=False)
    assert (plan.returning_hosts, plan.handover_hosts) == ([], ["redis-3"])
    assert "its next start is from their place" in plan.steps["redis-3/redis"].why


def test_a_lost_reserve_can_be_upgraded() -> None:
    """It gets all data again; nobody waits for it, and it is not backed up."""
    found = with_reserve()
    found.node("redis-3").record.update(link_up=False, replication=stream(10))
    plan = found.plan(NEW, reserve="false", backup="auto")
    findings = [one for one in preflight(found.instances(), plan, 1 << 20, "auto", 0) if one.check == "link"]
    assert [(one.node, one.severity) for one in findings] == [("redis-3", "warning")]
    assert (plan.problems, plan.replica_hosts, plan.replica_backup_hosts) == ([], ["redis-3"], [])
    (record,) = [one.record for one in found.instances() if one.key == "redis-3/redis"]
    folders = {"method": "folder", "staged": "/opt/redis/redis.new", "kept": "/opt/redis/redis.old"}
    assert switch_arguments(plan.as_dict(), "redis-3", {**record, "activation": folders})["switch"]["replicas"] == 0


def test_a_good_reserve_is_backed_up_before_it_is_upgraded() -> None:
    plan = with_reserve().plan(NEW, reserve="false", backup="auto")
    assert plan.replica_backup_hosts == ["redis-3"]


def test_a_journal_does_not_take_the_priority_of_a_reserve_for_its_own() -> None:
    """Otherwise a rollback that is killed after the release would end with a priority of 0."""
    found = with_reserve()
    plan = found.plan(NEW, rollback=True)
    (record,) = [one.record for one in found.instances() if one.key == "redis-3/redis"]
    journal = journal_of(record, plan.as_dict(), plan.as_dict()["steps"]["redis-3/redis"])
    assert (record["priority"], journal["priority"]) == (0, 50)
    released = with_reserve()
    for node in released.shards[0].nodes:
        node.version = OLD
        node.record["reserve"] = None
    released.node("redis-3").journal = journal
    assert released.plan(NEW, rollback=True).shards["mymaster"].priorities["redis-3"] == 50


def test_without_its_link_the_stream_decides_and_not_the_data() -> None:
    deployed = with_reserve()
    deployed.node("redis-3").record.update(link_up=False, replication=stream(900))
    found = reserve_status(deployed.instances(), Settings(NEW), {"redis-3": {"keys": {}, "compared": {"string": 4}, "differing": ["k"]}})
    assert (found["shards"]["mymaster"]["state"], found["shards"]["mymaster"]["differing"]) == ("at risk", ["k"])
    assert "a rollback is refused until it has every write" in " ".join(found["lines"])


def test_a_small_backlog_is_a_risk() -> None:
    deployed = with_reserve()
    deployed.node("redis-1").record["examined"] = {"rate_bytes_s": 1 << 16}
    found = reserve_status(deployed.instances(), Settings(NEW), {})
    assert (found["shards"]["mymaster"]["state"], found["shards"]["mymaster"]["backlog_lasts_s"]) == ("at risk", 16.0)


def test_there_is_no_reserve() -> None:
    assert reserve_status(deployment().instances(), Settings(NEW), {}) == {
        "shards": {},
        "lines": ["There is no reserve in this deployment."],
        "good": True,
    }
