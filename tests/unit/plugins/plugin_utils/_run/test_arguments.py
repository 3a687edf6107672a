"""The arguments of the modules that do the steps."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.arguments import (
    ending_of,
    handover_arguments,
    staging,
    switch_arguments,
    trial_arguments,
)
from ansible_collections.sentinelops.redis.tests.unit.support.survey import IDENTITY, NEW, OLD, Surveyed, half_upgraded, three_and_three

FOLDERS = {"method": "folder", "staged": "/opt/redis/redis.new", "kept": "/opt/redis/redis.old", "doubts": []}


def record_of(deployment: Surveyed, key: str, **changes: Any) -> dict[str, Any]:
    record = next(instance.record for instance in deployment.instances() if instance.key == key)
    return {**record, "activation": FOLDERS, **changes}


UPDATE = {"method": "package_update", "staged": "/usr/lib/x/redis-8"}


# -- the end of a run


@pytest.mark.parametrize(
    ("changes", "master"),
    [
        ({}, "redis-1"),
        ({"handover": True, "target_host": "redis-2"}, "redis-2"),
        ({"handover": True, "target_host": "redis-2", "fail_back": True}, "redis-1"),
        ({"master_host": "redis-3", "fail_back": True}, "redis-1"),
        ({"master_host": "redis-3"}, "redis-3"),
    ],
)
def test_who_is_the_master_in_the_end(changes: dict[str, Any], master: str) -> None:
    plan = three_and_three().plan().as_dict()
    quiet = {"handover": False, "fail_back": False, "master_host": "redis-1", "original_master_host": "redis-1"}
    plan["shards"]["mymaster"] = {**plan["shards"]["mymaster"], **quiet, **changes}
    roles = {key: ending_of(plan, step)["role"] for key, step in plan["steps"].items()}
    assert [key for key, role in roles.items() if role == "master"] == [f"{master}/redis"]
    assert {role for key, role in roles.items() if key.endswith("/sentinel")} == {"sentinel"}
    assert {ending_of(plan, step)["version"] for step in plan["steps"].values()} == {NEW}


# -- the switch of an instance


def test_the_switch_of_an_upgrade() -> None:
    deployment = three_and_three()
    record = record_of(deployment, "redis-2/redis")
    found = switch_arguments(deployment.plan().as_dict(), "redis-2", record)
    assert found["switch"].pop("save_configuration") == {
        "local_file": True,
        "trial": trial_arguments(record, NEW),
        "running_executable": "/opt/redis/redis/redis-server",
    }
    assert found == {
        "masters": {"mymaster": {"known_sentinels": 2, "known_replicas": 2}},
        "files": {
            "folder": "/opt/redis/redis",
            "activation": {"method": "folder", "staged": "/opt/redis/redis.new", "kept": "/opt/redis/redis.old", "whole": False},
            "executable": "/opt/redis/redis/redis-server",
            "config_file": "/opt/redis/redis/redis.conf",
            "config_identity": IDENTITY,
            "log_file": "/var/log/redis.log",
            "sentinel": False,
            "process": {"uid": 100, "gid": 100},
            "service_manager": "process",
            "unit": "",
        },
        "switch": {"state": "switched", "version": NEW, "replicas": 2},
        "revert": {"state": "previous", "version": OLD},
    }


def test_the_switch_of_a_rollback_uses_the_files_before_the_upgrade() -> None:
    deployment = three_and_three(version=NEW)
    before = {"version": OLD, "server": "redis", "there": True, "kept": "/opt/redis/redis.old", "executable": "/usr/bin/redis-server"}
    for one in (*deployment.sentinels, *deployment.shards[0].nodes):
        one.version, one.record = NEW, {"before": before}
    plan = deployment.plan(NEW, rollback=True).as_dict()
    found = switch_arguments(plan, "redis-2", record_of(deployment, "redis-2/redis"))
    assert found["files"]["executable"] == "/usr/bin/redis-server"
    assert found["files"]["activation"]["whole"]
    assert found["switch"] == {"state": "previous", "version": OLD, "replicas": 2}
    assert found["revert"] == {"state": "switched", "version": NEW}


def test_who_saves_its_configuration_before_it_is_stopped() -> None:
    """A Sentinel saves by itself; who is stopped cannot; own commands leave nothing to try."""
    deployment = three_and_three()
    plan = deployment.plan().as_dict()

    def saving(key: str, **changes: Any) -> Any:
        record = record_of(deployment, key, **changes)
        return switch_arguments(plan, key.partition("/")[0], record)["switch"].get("save_configuration")

    assert saving("sentinel-1/sentinel") is None
    assert saving("redis-2/redis", stopped=True) is None
    own = saving("redis-2/redis", activation={"method": "command"})
    assert own == {"local_file": False, "running_executable": "/opt/redis/redis/redis-server"}


def test_a_sentinel_has_no_replicas() -> None:
    deployment = three_and_three()
    found = switch_arguments(deployment.plan().as_dict(), "sentinel-1", record_of(deployment, "sentinel-1/sentinel"))
    assert (found["files"]["sentinel"], found["switch"]["replicas"]) == (True, 0)


def test_replicas_are_not_counted_while_an_earlier_run_may_have_stopped_one() -> None:
    deployment = half_upgraded(handover=True)
    deployment.node("redis-1").stopped = True
    deployment.node("redis-3").version = OLD
    plan = deployment.plan().as_dict()
    assert plan["has_stopped_instances"]
    assert switch_arguments(plan, "redis-3", record_of(deployment, "redis-3/redis"))["switch"]["replicas"] == 0


# -- staging, and the trial of the configuration


@pytest.mark.parametrize(
    ("changes", "destinations", "parts"),
    [
        ({}, {"redis": "/opt/redis/redis.new"}, {"save_configuration", "trial"}),
        ({"installed_version": NEW}, {}, {"save_configuration", "trial"}),
        ({"installed_version": NEW, "interrupted": True}, {"redis": "/opt/redis/redis.new"}, {"save_configuration", "trial"}),
        ({"stopped": True}, {"redis": "/opt/redis/redis.new"}, set()),
    ],
)
def test_staging(changes: dict[str, Any], destinations: dict[str, str], parts: set[str]) -> None:
    deployment = three_and_three()
    found = staging(deployment.plan().as_dict(), "redis-2", {"redis": record_of(deployment, "redis-2/redis", **changes)})
    assert set(found.pop("prepared")["redis"]) == parts
    assert found == {
        "pending": ["redis"],
        "destinations": destinations,
        "backups": [],
        "commands": [],
        "packages": [],
        "new_packages": False,
        "throttle": 0,
        "shared": False,
    }


SHARED = {"method": "files", "folder": "/opt/redis", "staged": "/opt/redis.new", "kept": "/opt/redis.old", "doubts": []}


def test_what_two_instances_share_is_staged_and_kept_once() -> None:
    deployment = three_and_three()
    for node, name in ((deployment.sentinels[0], "redis-sentinel"), (deployment.node("redis-1"), "redis-server")):
        node.record.update(activation=SHARED, folder="/opt/redis", machine="machine", executable=f"/opt/redis/{name}", pid=4711)
    plan = deployment.plan().as_dict()
    sentinel = staging(plan, "sentinel-1", {"sentinel": record_of(deployment, "sentinel-1/sentinel", activation=SHARED)})
    node = staging(plan, "redis-1", {"redis": record_of(deployment, "redis-1/redis", activation=SHARED)})
    assert sentinel["destinations"] == {"sentinel": "/opt/redis.new"}
    assert (sentinel["shared"], node["shared"]) == (True, True), "placed before any of them is prepared"
    assert sentinel["prepared"]["sentinel"]["keep"] == {
        "folder": "/opt/redis",
        "staged": "/opt/redis.new",
        "kept": "/opt/redis.old",
        "version": OLD,
        "executable": "/opt/redis/redis-sentinel",
        "pid": 4711,
    }
    assert "save_configuration" not in sentinel["prepared"]["sentinel"], "a Sentinel saves its settings by itself"
    assert (node["pending"], node["destinations"]) == (["redis"], {})
    assert set(node["prepared"]["redis"]) == {"save_configuration", "trial"}


def test_nothing_is_staged_for_an_instance_that_is_skipped() -> None:
    deployment = half_upgraded()
    records = {"redis": record_of(deployment, "redis-2/redis"), "sentinel": {}}
    assert staging(deployment.plan().as_dict(), "redis-2", records) == {
        "pending": [],
        "destinations": {},
        "backups": [],
        "commands": [],
        "packages": [],
        "new_packages": False,
        "throttle": 0,
        "shared": False,
        "prepared": {},
    }


@pytest.mark.parametrize(("method", "packages", "new"), [("package_update", ["redis-server", "redis-tools"], False), ("package", [], True)])
def test_staging_of_packages(method: str, packages: list[str], new: bool) -> None:
    """Later versions of the running packages are downloaded, those of another product installed."""
    deployment = three_and_three()
    installed = {"redis-tools": "5:8.0.2-1", "redis-server": "5:8.0.2-1"}
    activation = {
        "method": method,
        "folder": "/usr/bin",
        "staged": "/x/redis-8",
        "kept": "/x/redis-7",
        "manager": "apt",
        "packages": installed,
    }
    for node in ("redis-2", "redis-3"):
        deployment.node(node).record.update(activation=activation, machine="one")
    plan = deployment.plan().as_dict()
    assert staging(plan, "redis-1", {"redis": record_of(deployment, "redis-1/redis", activation=activation)})["throttle"] == 0
    found = [
        staging(plan, host, {"redis": record_of(deployment, f"{host}/redis", activation=activation)}) for host in ("redis-2", "redis-3")
    ]
    assert [one["packages"] for one in found] == [packages, []], "once per machine"
    assert [one["destinations"] for one in found] == [{}, {}], "no package is placed in a folder"
    assert [one["new_packages"] for one in found] == [new, new]
    assert [one["throttle"] for one in found] == [int(new)] * 2, "both hosts are on one machine"
    kept = [parts["keep"]["manager"] for one in found for parts in one["prepared"].values() if "keep" in parts]
    assert kept == (["apt", "apt"] if packages else []), "every running version is kept"
    record = record_of(deployment, "redis-2/redis", activation=activation)
    assert switch_arguments(plan, "redis-2", record)["files"]["activation"]["manager"] == "apt"


@pytest.mark.parametrize(
    ("changes", "source"),
    [
        ({}, {"folder": "/opt/redis/redis.new"}),
        ({"installed_version": NEW}, {"folder": "/opt/redis/redis"}),
        ({"installed_version": NEW, "interrupted": True}, {"folder": "/opt/redis/redis.new"}),
        ({"activation": {"method": "package", "server": "/usr/bin/valkey-server"}}, {"executable": "/usr/bin/valkey-server"}),
        ({"activation": UPDATE}, {"folder": "/usr/lib/x/redis-8"}),
        ({"activation": UPDATE, "installed_version": NEW}, {"executable": "/opt/redis/redis/redis-server"}),
    ],
)
def test_the_configuration_is_tried_with_the_new_version(changes: dict[str, Any], source: dict[str, str]) -> None:
    found = trial_arguments(record_of(three_and_three(), "redis-2/redis", **changes), NEW)
    assert found == {
        **source,
        "version_folder": "/opt/redis/redis",
        "version": NEW,
        "config_file": "/opt/redis/redis/redis.conf",
        "sentinel": False,
        "process": {"uid": 100, "gid": 100},
        "unit": "",
    }


# -- the handover

OPTIONS = {
    "login_host": "10.0.0.2",
    "sentinel_port": 26379,
    "sentinel_user": "",
    "sentinel_password": "secret",
    "redis_user": "ops",
    "redis_password": "hidden",
    "tls": True,
    "validate_certs": True,
    "ca_certs": "/ca.pem",
    "client_cert_file": "/crt.pem",
    "client_key_file": "/key.pem",
    "journal_folder": "/of/the/data/node",
    "leads": True,
}


def test_a_handover_reaches_the_sentinel_of_its_host() -> None:
    runner = {"redis_upgrade_login_host": "10.0.0.11", "redis_upgrade_sentinel_port": 26380, "redis_upgrade_tls": False}
    found = handover_arguments(runner, OPTIONS)
    assert (found["login_host"], found["login_port"], found["tls"], found["ca_certs"]) == ("10.0.0.11", 26380, False, "/ca.pem")
    assert (found["login_user"], found["login_password"]) == ("", "secret")
    assert (found["node_login_user"], found["node_login_password"], found["node_tls"]) == ("ops", "hidden", True)
    assert found["node_ca_certs"] == "/ca.pem"
    assert found["leader"] == "10.0.0.11:26380"
    assert handover_arguments(runner, {**OPTIONS, "leads": False})["leader"] == ""


@pytest.mark.parametrize(
    ("runner", "folder"),
    [
        ({"__redis_upgrade_own_journal_folder": "/own", "redis_upgrade_journal_folder": "/of/the/inventory"}, "/own"),
        ({"redis_upgrade_journal_folder": "/of/the/inventory"}, "/of/the/inventory"),
        ({}, "/of/the/data/node"),
    ],
)
def test_a_handover_uses_the_journal_folder_of_its_host(runner: dict[str, str], folder: str) -> None:
    assert handover_arguments(runner, OPTIONS)["journal_folder"] == folder
