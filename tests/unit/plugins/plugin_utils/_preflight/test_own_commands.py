"""Preflight of instances that the user's own commands activate, and of containers without them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._finding import Finding
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.rendering import plan_lines
from ansible_collections.sentinelops.redis.plugins.plugin_utils._preflight.own_commands import command_notes
from ansible_collections.sentinelops.redis.plugins.plugin_utils._preflight.preflight import preflight
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.arguments import staging, switch_arguments
from ansible_collections.sentinelops.redis.tests.unit.support.survey import NEW, OLD, Surveyed, three_and_three

COMMANDS = {
    "stage": {"words": ["ctl", "pull", "{version}"], "problem": ""},
    "activate": {"words": ["ctl", "use", "{version}"], "problem": ""},
    "deactivate": {"words": ["ctl", "use", "{previous}"], "problem": ""},
    "start": {"words": ["ctl", "start"], "problem": ""},
    "stop": {"words": ["ctl", "stop"], "problem": ""},
}
BY_COMMANDS: dict[str, Any] = {
    "activation": {"method": "command", "folder": "", "staged": "", "kept": "", "doubts": []},
    "commands": COMMANDS,
    "service": {"manager": "command", "unit": "", "doubts": []},
    "executable": "/usr/local/bin/redis-server",
    "config_file": "/etc/redis.conf",
    "config_identity": None,
    "process": None,
    "folder": "",
    "isolation": "root",
    "installed_version": "",
}


def contained(**record: Any) -> Surveyed:
    """Three data nodes and Sentinels in containers; ``record`` changes that of redis-2."""
    deployment = three_and_three()
    for one in (*deployment.sentinels, *deployment.shards[0].nodes):
        one.record = {**BY_COMMANDS, "machine": "boot:8:2"}
    deployment.node("redis-2").record.update(record)
    return deployment


def findings(deployment: Surveyed, **settings: Any) -> list[Finding]:
    """Return all findings but that on the one machine, which these deployments have."""
    found = preflight(deployment.instances(), deployment.plan(settings.pop("version", NEW), **settings), 1 << 20)
    return [one for one in found if one.check != "one-machine"]


def without(name: str, **command: Any) -> dict[str, Any]:
    return {**COMMANDS, name: {"words": [], "problem": "", **command}}


def test_nothing_that_needs_files_is_asked_for() -> None:
    """All have the same configuration file by its name, and folders that nobody can see."""
    assert findings(contained()) == []


@pytest.mark.parametrize(
    ("name", "why"), [("stage", "before an instance is stopped"), ("activate", "nothing would activate"), ("deactivate", "no way back")]
)
def test_a_command_that_is_missing(name: str, why: str) -> None:
    (found,) = findings(contained(commands=without(name)))
    assert (found.check, found.severity, found.node) == ("commands", "refusal", "redis-2")
    assert f"redis_upgrade_redis_{name}_command is not set" in found.seen
    assert why in found.why


def test_a_program_that_is_missing() -> None:
    (found,) = findings(contained(commands=without("activate", words=["ctl"], problem="activate_command: there is no program ctl")))
    assert (found.check, found.seen) == ("commands", "activate_command: there is no program ctl")


def test_a_plain_process() -> None:
    (found,) = findings(contained(service={"manager": "process", "unit": "", "doubts": []}))
    assert (found.check, found.severity) == ("commands", "refusal")
    assert "redis_upgrade_redis_start_command" in found.do


def test_a_server_without_a_configuration_file() -> None:
    (found,) = findings(contained(config_file=""))
    assert (found.check, found.seen) == ("files", "the server runs without a configuration file")


def test_the_server_cannot_rewrite_its_configuration() -> None:
    writable = {"file": True, "folder": True, "mounted": True}
    (found,) = findings(contained(examined={"writable": writable}))
    assert (found.check, found.seen) == ("config-rewrite", "its configuration file /etc/redis.conf is a mount")


def test_commands_without_their_setting() -> None:
    deployment = three_and_three()
    deployment.node("redis-2").record.update(commands=COMMANDS)
    (found,) = findings(deployment)
    assert (found.check, found.severity) == ("commands", "refusal")
    assert found.seen.startswith("redis_upgrade_redis_stage_command and redis_upgrade_redis_activate_command and")


@pytest.mark.parametrize(("isolation", "seen"), [("root", "in namespaces of its own"), ("hidden", "not to be found on this host")])
def test_a_container_without_commands(isolation: str, seen: str) -> None:
    deployment = three_and_three()
    deployment.node("redis-2").record.update(isolation=isolation)
    (found,) = findings(deployment)
    assert (found.check, found.severity) == ("files", "refusal")
    assert seen in found.seen
    assert "redis_upgrade_activation: command" in found.do


@pytest.mark.parametrize(("manager", "expected"), [("process", 1), ("command", 0)])
def test_a_process_with_ids_of_its_own(manager: str, expected: int) -> None:
    """Its files are those of this host, so commands can start it again; a module could not."""
    deployment = three_and_three()
    deployment.node("redis-2").record.update(isolation="pids", service={"manager": manager, "unit": "", "doubts": []})
    assert len(findings(deployment)) == expected


def test_a_process_with_ids_of_its_own_and_a_file_that_is_not_here() -> None:
    deployment = three_and_three()
    deployment.node("redis-2").record.update(
        isolation="pids", service={"manager": "command", "unit": "", "doubts": []}, config_identity=None
    )
    assert any("in namespaces of its own" in one.seen for one in findings(deployment))


def test_data_files_that_the_previous_version_cannot_read() -> None:
    deployment = contained()
    found = [one for one in findings(deployment, version="7.2.6", accept_no_way_back=True) if one.check == "commands"]
    assert [(one.severity, len(one.names)) for one in found] == [("warning", 3)]
    assert f"{OLD} cannot read data files that 7.2.6 has written" in found[0].seen
    assert "redis_upgrade_redis_deactivate_command" in found[0].do


# -- the plan


def test_the_plan_says_which_commands_run() -> None:
    deployment = contained()
    plan = deployment.plan(NEW)
    (note,) = command_notes(deployment.instances(), plan)
    assert note.startswith("sentinel-1 (sentinel), sentinel-2 (sentinel), sentinel-3 (sentinel), redis-1 (redis)")
    assert f"staged by `ctl pull {NEW}`, once per machine; activated by `ctl use {NEW}` while it is down" in note
    assert "(stopped by `ctl stop`, started by `ctl start`)" in note
    assert f"put back by `ctl use {OLD}`. Its configuration is not tried" in note
    assert not [line for line in plan_lines(plan.as_dict()) if line.startswith("shared:")]


def test_staged_once_for_each_machine() -> None:
    deployment = contained()
    deployment.node("redis-3").record["machine"] = "another"
    plan, records = deployment.plan(NEW).as_dict(), {instance.key: instance.record for instance in deployment.instances()}
    staged = {key: staging(plan, key.split("/")[0], {key.split("/")[1]: record}) for key, record in records.items()}
    expected = {"words": ["ctl", "pull", NEW], "environment": {"SENTINELOPS_VERSION": NEW, "SENTINELOPS_PREVIOUS": OLD}}
    assert [key for key, found in staged.items() if found["commands"]] == ["sentinel-1/sentinel", "redis-3/redis"]
    assert staged["sentinel-1/sentinel"]["commands"] == [expected]
    assert {str(found["destinations"]) for found in staged.values()} == {"{}"}
    prepared = staged["redis-2/redis"]["prepared"]["redis"]
    assert set(prepared) == {"save_configuration"}, "its configuration is saved, and cannot be tried"


def test_the_switch_has_both_versions() -> None:
    deployment = contained()
    record = next(instance.record for instance in deployment.instances() if instance.key == "redis-2/redis")
    found = switch_arguments(deployment.plan(NEW).as_dict(), "redis-2", record)
    assert found["files"]["activation"] == {
        "new_version": NEW,
        "previous_version": OLD,
        "method": "command",
        "staged": "",
        "kept": "",
        "whole": False,
    }


# -- the rollback


def rolled_back(**changes: Any) -> Surveyed:
    deployment = contained()
    before = {"version": OLD, "server": "redis", "there": True, "kept": "", **BY_COMMANDS}
    for one in (*deployment.sentinels, *deployment.shards[0].nodes):
        one.version = NEW
        one.record = {**one.record, "before": before, **changes}
    return deployment


def test_a_rollback_needs_no_stage_command() -> None:
    deployment = rolled_back(commands=without("stage"))
    assert findings(deployment, rollback=True) == []
    plan = deployment.plan(NEW, rollback=True)
    assert f"the previous version is activated by `ctl use {OLD}`, while it is down" in command_notes(deployment.instances(), plan)[0]
    record = next(instance.record for instance in deployment.instances() if instance.key == "redis-2/redis")
    found = switch_arguments(plan.as_dict(), "redis-2", record)["files"]["activation"]
    assert (found["new_version"], found["previous_version"]) == (NEW, OLD)


def test_a_rollback_without_its_command() -> None:
    found = findings(rolled_back(commands={}), rollback=True)
    assert {one.check for one in found} == {"commands"}
    assert any("redis_upgrade_sentinel_deactivate_command is not set" in one.seen for one in found)
