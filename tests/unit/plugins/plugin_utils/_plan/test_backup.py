"""Backups in the plan: the node that is backed up, and what a restore does and loses."""

from __future__ import annotations

import time
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._finding import REFUSAL
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.model import Plan, Settings
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.rendering import plan_lines
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.steps import steps_to_do
from ansible_collections.sentinelops.redis.plugins.plugin_utils._preflight.preflight import preflight
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.arguments import staging, switch_arguments
from ansible_collections.sentinelops.redis.tests.unit.support.survey import Surveyed, three_and_three

OLD, NEW = "6.2.14", "7.0.15"
MIB = 1 << 20
FOLDERS = {"method": "folder", "staged": "/opt/redis/redis.new", "kept": "/opt/redis/redis.old"}


def deployment(version: str = OLD) -> Surveyed:
    found = three_and_three()
    for node in found.shards[0].nodes:
        node.version = version
    for sentinel in found.sentinels:
        sentinel.version = version
    return found


def upgrade(found: Surveyed, **settings: Any) -> Plan:
    return found.plan(**{"version": NEW, "backup": "auto", **settings})


def seen(plan: Plan) -> list[str]:
    return [problem.seen for problem in plan.problems]


# -- which node


def test_the_last_replica_is_backed_up_in_its_own_step() -> None:
    plan = upgrade(deployment())
    assert (plan.replica_backup_hosts, plan.backup_hosts) == ([plan.replica_hosts[-1]], [])
    assert not plan.problems
    lines = plan_lines(plan.as_dict())
    (line,) = [line for line in lines if "is backed up" in line]
    assert line == f"(5/8) backup    mymaster: {plan.replica_hosts[-1]} is backed up on {OLD}, right before its restart; " + (
        "later writes are not in the backup"
    )
    assert lines.index(line) > max(lines.index(other) for other in lines if "(5/8) replica" in other)


def test_the_master_is_backed_up_before_the_handover() -> None:
    plan = upgrade(deployment(), backup_from="master")
    assert (plan.replica_backup_hosts, plan.backup_hosts) == ([], ["redis-1"])
    lines = plan_lines(plan.as_dict())
    (line,) = [line for line in lines if "is backed up" in line]
    assert line.startswith("(6/8) backup    mymaster: redis-1 is backed up on 6.2.14, right before the handover")
    assert lines.index(line) < next(at for at, other in enumerate(lines) if other.startswith("(6/8) handover"))


def test_without_a_replica_on_the_old_version_it_is_the_master() -> None:
    found = deployment()
    for name in ("redis-2", "redis-3"):
        found.node(name).version = NEW
    assert upgrade(found).backup_hosts == ["redis-1"]


@pytest.mark.parametrize(
    ("settings", "backed_up", "refused"),
    [
        ({}, True, False),
        ({"backup": "true"}, True, False),
        ({"backup": "false"}, False, True),
        ({"accept_no_way_back": True}, False, False),
        ({"accept_no_way_back": True, "backup": "true"}, True, False),
        ({"accept_no_way_back": True, "backup": "false"}, False, False),
        ({"reserve": "true"}, False, False),
        ({"reserve": "true", "backup": "true"}, True, False),
        ({"version": "6.2.16", "backup": "true"}, False, False),
        ({"canary": 1}, False, False),
    ],
)
def test_when_a_backup_is_made(settings: dict[str, Any], backed_up: bool, refused: bool) -> None:
    plan = upgrade(deployment(), **settings)
    assert bool(plan.replica_backup_hosts or plan.backup_hosts) is backed_up
    assert any("there is no way back" in text for text in seen(plan)) is refused


def test_a_backup_is_not_made_twice() -> None:
    found = deployment()
    found.node("redis-3").version = NEW
    found.node("redis-3").record["journal"] = {"version": OLD, "backup": backup()}
    plan = upgrade(found)
    assert (plan.replica_backup_hosts, plan.backup_hosts, plan.problems) == ([], [], [])
    assert plan.shards["mymaster"].backup_host == "redis-3"


@pytest.mark.parametrize(
    ("settings", "lists"),
    [({}, (["redis-3"], [])), ({"backup_from": "master"}, ([], ["redis-1"]))],
)
def test_a_run_that_stopped_before_the_restart_makes_it_again(settings: dict[str, Any], lists: tuple[list[str], list[str]]) -> None:
    """The node writes on, and the copy on the controller may be what had failed."""
    found = deployment()
    name = (lists[0] + lists[1])[0]
    found.node(name).record["journal"] = {"version": OLD, "backup": backup()}
    plan = upgrade(found, **settings)
    assert (plan.replica_backup_hosts, plan.backup_hosts) == lists
    assert plan.shards["mymaster"].backup_host == name


def test_after_the_handover_no_backup_is_made_again() -> None:
    """The old master may be on the old version still, and its data are those of the new one."""
    found = deployment()
    found.node("redis-1").record["journal"] = {"version": OLD, "backup": backup()}
    for name in ("redis-2", "redis-3"):
        found.node(name).version = NEW
    found.shards[0].master = 1
    plan = upgrade(found, backup_from="master")
    assert plan.steps["redis-1/redis"].do == "upgrade"
    assert (plan.replica_backup_hosts, plan.backup_hosts, plan.problems) == ([], [], [])
    assert plan.shards["mymaster"].backup_host == "redis-1"


def test_the_files_of_a_container_are_not_backed_up() -> None:
    found = deployment()
    for node in found.shards[0].nodes:
        node.record["activation"] = {"method": "command", "folder": ""}
    (text,) = [text for text in seen(upgrade(found)) if "backup" in text]
    assert "its data file may not be on this host" in text


def test_too_little_room_is_found_before() -> None:
    found = deployment()
    plan = upgrade(found)
    node = found.node(plan.replica_backup_hosts[0])
    for free, severity in ((1 * MIB, REFUSAL), (30 * MIB, "warning"), (100 * MIB, "")):
        examined = {"backup": {"path": "/var/lib", "device": "d", "free": free}, "rdb_bytes": 10 * MIB, "used_memory": 50 * MIB}
        node.record["examined"] = {**(node.record.get("examined") or {}), **examined}
        found_now = [one for one in preflight(found.instances(), plan, MIB, "auto", time.time()) if "for the backup" in one.seen]
        assert [one.severity for one in found_now] == [severity] * bool(severity)


@pytest.mark.parametrize("facts", [{"rights": {"+bgsave": "NOPERM"}}, {"unknown": {"BGSAVE": "ERR unknown command"}}])
def test_the_right_to_save_is_needed_where_a_backup_is_made(facts: dict[str, Any]) -> None:
    found = deployment()
    plan = upgrade(found)
    for node in found.shards[0].nodes:
        node.record["examined"] = facts
    (text,) = [one for one in preflight(found.instances(), plan, MIB, "auto", time.time()) if "bgsave" in one.seen.lower()]
    assert (text.node, text.severity) == (plan.replica_backup_hosts[0], REFUSAL)


def test_the_preflight_says_that_only_the_backup_leads_back() -> None:
    found = deployment()
    (text,) = [one.seen for one in preflight(found.instances(), upgrade(found), MIB, "auto", time.time()) if one.check == "format"]
    assert text == f"the only way back from {NEW} to {OLD} is the backup of redis-3"


def test_the_configuration_of_all_others_is_backed_up() -> None:
    found = deployment()
    plan = upgrade(found).as_dict()
    (with_data,) = plan["replica_backup_hosts"]
    for instance in found.instances():
        own = staging(plan, instance.host, {instance.kind: {**instance.record, "activation": FOLDERS}})["backups"]
        assert own == [instance.kind] * (instance.host != with_data or instance.kind == "sentinel")
    without = upgrade(found, accept_no_way_back=True).as_dict()
    first = found.instances()[0]
    assert staging(without, first.host, {first.kind: {**first.record, "activation": FOLDERS}})["backups"] == []


# -- restore


def backup(**changes: Any) -> dict[str, Any]:
    data = {"keys": 10, "expiring": 2, "offset": 500, "replication_id": "a", "bytes": 100, "sha256": "0"}
    return {"new_version": NEW, "version": OLD, "made_s": int(time.time()) - 600, "folder": "/backup/one", "data": data, **changes}


def upgraded() -> Surveyed:
    found = deployment(NEW)
    for node in found.shards[0].nodes:
        node.record.update(before={"version": OLD, "there": True}, replication={"offset": 500 + 3 * MIB})
    for sentinel in found.sentinels:
        sentinel.record.update(before={"version": OLD, "there": True})
    found.node("redis-3").record["before"]["backup"] = backup()
    return found


def restored(found: Surveyed, **settings: Any) -> Plan:
    return found.plan(**{"version": NEW, "rollback": True, "restore": True, "accept_loss": ("mymaster",), **settings})


def test_the_loss_must_be_accepted_by_name() -> None:
    for accepted in ((), ("other",)):
        plan = restored(upgraded(), accept_loss=accepted)
        (problem,) = plan.problems
        assert "a restore loses all writes since the backup of redis-3" in problem.seen
        assert "(offset 500), 10 minutes ago, 3.0 MiB of writes" in problem.seen
        assert "redis_upgrade_restore_accept_loss: [mymaster]" in problem.do


def test_the_node_with_the_backup_becomes_the_master_first_and_is_restored() -> None:
    plan = restored(upgraded())
    assert plan.problems == []
    assert plan.handover_hosts == plan.restore_hosts == ["redis-3"]
    assert sorted(plan.hold_hosts) == sorted(plan.unhold_hosts) == ["redis-1", "redis-2"]
    assert (plan.replica_hosts, sorted(plan.old_master_hosts), plan.fail_back_hosts) == ([], ["redis-1", "redis-2"], ["redis-1"])
    assert [step.key for step in steps_to_do(plan.as_dict())][:2] == ["redis-3/handover", "redis-3/redis"]
    lines = plan_lines(plan.as_dict())
    assert f"(6/8) restore   mymaster: redis-3 -> {OLD} with the data of /backup/one (10 keys, offset 500)" in lines


def test_without_a_handover_if_it_is_the_master() -> None:
    found = upgraded()
    found.node("redis-1").record["before"]["backup"] = found.node("redis-3").record["before"].pop("backup")
    plan = restored(found)
    assert (plan.handover_hosts, plan.restore_hosts, plan.fail_back_hosts) == ([], ["redis-1"], [])
    assert sorted(plan.old_master_hosts) == ["redis-2", "redis-3"]


def test_the_latest_of_several_backups_is_restored() -> None:
    found = upgraded()
    found.node("redis-2").record["before"]["backup"] = backup(made_s=int(time.time()), folder="/backup/two")
    assert restored(found).restore_hosts == ["redis-2"]


@pytest.mark.parametrize("changes", [None, {"new_version": "7.2.0"}])
def test_without_a_backup_of_this_upgrade_nothing_is_restored(changes: dict[str, Any] | None) -> None:
    found = upgraded()
    found.node("redis-3").record["before"]["backup"] = None if changes is None else backup(**changes)
    assert any("no node has the record of a backup" in text for text in seen(restored(found)))


def test_an_interrupted_restore_goes_on_with_the_other_nodes() -> None:
    """The master runs the old version; the others are still kept from the master role."""
    found = upgraded()
    found.shards[0].master = 2
    found.node("redis-3").version = OLD
    for name in ("redis-1", "redis-2"):
        held = {"role": "bystander", "held": True, "settings": {"replica-priority": {"original": "100", "temporary": "0"}}}
        found.node(name).record["reserve"] = held
        found.node(name).priority = 0
    plan = restored(found, accept_loss=())
    assert (plan.problems, plan.restore_hosts, plan.hold_hosts) == ([], [], [])
    assert sorted(plan.unhold_hosts) == ["redis-1", "redis-2"]
    assert sorted([*plan.replica_hosts, *plan.old_master_hosts]) == ["redis-1", "redis-2"]


def test_a_rollback_names_the_backup() -> None:
    (problem,) = upgraded().plan(version=NEW, rollback=True).problems
    assert "restore the backup /backup/one (playbook restore)" in problem.do


def test_the_arguments_of_the_restore() -> None:
    found = upgraded()
    plan = restored(found).as_dict()
    for name, state in (("redis-3", "restored"), ("redis-2", "previous")):
        (instance,) = [one for one in found.instances() if one.key == f"{name}/redis"]
        before = {**instance.record["before"], "activation": FOLDERS}
        switch = switch_arguments(plan, name, {**instance.record, "before": before})["switch"]
        assert (switch["state"], switch.get("backup")) == (state, "/backup/one" if state == "restored" else None)


def test_settings_have_no_backup_by_default() -> None:
    assert Settings("7.0.15").backup == "false"
