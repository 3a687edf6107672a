"""The state after the upgrade: Valkey's units with all properties of Redis's, and a way back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from configuration import settings, state_of_sentinel
from upgraded_host import info, journals, name_of, require_nothing_lost, verdicts

testinfra_hosts = ["ansible://redis"]

# from the scenario's inventory
HOME, HOME_ADDRESS = "node-1", "192.0.2.11"
OLD, NEW = "7.0.15", "8.0.1"
# ^Unit, port, configuration file, and the unit and the file of Redis that they replace.
INSTANCES = [
    ("valkey-server", 6379, "valkey.conf", "redis-server", "redis.conf"),
    ("valkey-sentinel", 26379, "sentinel.conf", "redis-sentinel", "sentinel.conf"),
]
each = pytest.mark.parametrize(("unit", "port", "config", "old_unit", "old_config"), INSTANCES)


def text(host: Any, path: str) -> str:
    return str(host.file(path).content_string)


@each
def test_the_new_unit_runs_the_new_version(host: Any, unit: str, port: int, config: str, old_unit: str, old_config: str) -> None:
    service = host.service(unit)
    assert service.is_running, host.run(f"journalctl --no-pager --lines=50 --unit={unit}").stdout
    assert service.is_enabled
    fields = info(host, port, "valkey-cli")
    assert fields["valkey_version"] == NEW
    assert fields["config_file"] == f"/etc/valkey/{config}"
    assert service.systemd_properties["MainPID"] == fields["process_id"]
    assert host.check_output(f"readlink /proc/{fields['process_id']}/exe") == "/usr/bin/valkey-check-rdb"
    assert host.check_output(f"stat --format %U /proc/{fields['process_id']}") == "valkey"
    assert not host.file(f"/etc/systemd/system/{unit}.service.d").exists


@each
def test_the_old_unit_does_not(host: Any, unit: str, port: int, config: str, old_unit: str, old_config: str) -> None:
    service = host.service(old_unit)
    assert not service.is_running
    assert not service.is_enabled
    assert service.systemd_properties["LoadState"] == "loaded", "it could be started again"
    assert not host.file(f"/run/systemd/system/{old_unit}.service.d").exists


def test_the_packages(host: Any) -> None:
    for name in ("valkey-server", "valkey-sentinel", "valkey-tools"):
        assert host.package(name).version.startswith(NEW)
    assert host.package("redis-server").version.startswith(f"5:{OLD}"), "the old one stays"
    held = host.check_output("apt-mark showhold").split()
    assert sorted(held) == ["valkey-sentinel", "valkey-server", "valkey-tools"]


def test_the_packages_alone_have_started_and_stopped_nothing(host: Any) -> None:
    """The scripts of the packages would start services, and enable units for the next boot."""
    before = host.file("/root/before/units").content_string
    assert "MainPID=" in before
    assert host.file("/root/before/units-with-packages").content_string == before
    assert host.file("/root/before/active-with-packages").content_string.split() == ["inactive"] * 2
    assert host.file("/root/before/enabled-with-packages").content_string.split() == ["enabled"] * 2 + ["disabled"] * 2


def test_the_policy_for_services_is_the_one_that_was_there(host: Any) -> None:
    policy = host.file("/usr/sbin/policy-rc.d")
    assert (policy.content_string, oct(policy.mode)) == ("#!/bin/sh\nexit 0\n", oct(0o755))


def test_the_roles(host: Any) -> None:
    fields = info(host, 6379, "valkey-cli")
    if name_of(host) == HOME:
        assert (fields["role"], fields["connected_slaves"]) == ("master", "2")
    else:
        assert (fields["role"], fields["master_host"], fields["master_link_status"]) == ("slave", HOME_ADDRESS, "up")
    assert f"status=ok,address={HOME_ADDRESS}:6379,slaves=2,sentinels=3" in info(host, 26379, "valkey-cli")["master0"]


@each
def test_configuration_and_its_owner(host: Any, unit: str, port: int, config: str, old_unit: str, old_config: str) -> None:
    new, old = host.file(f"/etc/valkey/{config}"), host.file(f"/etc/redis/{old_config}")
    assert (new.user, new.group, oct(new.mode)) == ("valkey", "valkey", oct(0o640))
    assert (old.user, old.group, oct(old.mode)) == ("redis", "redis", oct(0o640))
    assert re.findall(r"/[\w/.-]*redis[\w/.-]*", "\n".join(settings(new.content_string))) == [], "no path of the old unit is left"
    comments = set(re.findall(r"^# .+", old.content_string, re.MULTILINE))
    assert len(comments) > 50
    assert comments <= set(re.findall(r"^# .+", new.content_string, re.MULTILINE))
    assert host.file(f"/etc/valkey/{config}.before-upgrade").exists, "what the package has brought"


def test_the_settings_of_the_data_node(host: Any) -> None:
    def kept(path: str) -> set[str]:
        changing = ("replicaof", "dir", "logfile", "pidfile", "include", "slowlog-max-len", "replica-priority", "min-replicas")
        return {line for line in settings(text(host, path)) if not line.startswith(changing)}

    assert len(kept("/root/before/redis.conf")) > 20
    assert kept("/root/before/redis.conf") <= kept("/etc/valkey/valkey.conf")
    assert "dir /var/lib/valkey" in settings(text(host, "/etc/valkey/valkey.conf"))
    assert info(host, 6379, "valkey-cli").get("slave_priority", "100") == "100"


def test_what_is_included(host: Any) -> None:
    assert "include /etc/valkey/local.conf" in settings(text(host, "/etc/valkey/valkey.conf"))
    included = host.file("/etc/valkey/local.conf")
    assert (included.content_string, included.user, oct(included.mode)) == ("# ours\nslowlog-max-len 201\n", "valkey", oct(0o640))


def test_the_sentinel_keeps_its_state(host: Any) -> None:
    state = state_of_sentinel(text(host, "/etc/valkey/sentinel.conf"))
    assert any(line.startswith("sentinel myid") for line in state)
    assert state == state_of_sentinel(text(host, "/root/before/sentinel.conf"))


def test_the_data(host: Any) -> None:
    assert host.file("/var/lib/redis").exists
    old, new = host.file("/var/lib/redis/dump.rdb"), host.file("/var/lib/valkey/dump.rdb")
    assert old.exists, "the data before is kept"
    assert (new.user, new.group, oct(new.mode)) == ("valkey", "valkey", oct(old.mode))


@each
def test_the_log_goes_where_it_is_rotated(host: Any, unit: str, port: int, config: str, old_unit: str, old_config: str) -> None:
    log = host.file(f"/var/log/valkey/{unit}.log")
    assert log.user == "valkey"
    assert NEW in log.content_string
    assert not re.search(r"FATAL|Can't open|Permission denied", log.content_string)


def test_no_journal_is_left(host: Any) -> None:
    """Only the records of the previous versions may be left."""
    assert journals(host) == []


def test_nothing_was_lost(host: Any) -> None:
    if name_of(host) != HOME:
        return
    found = verdicts(host)
    assert len(found) == 2, "that of the upgrade, and that of the second run"
    require_nothing_lost(found, acknowledged=200)
