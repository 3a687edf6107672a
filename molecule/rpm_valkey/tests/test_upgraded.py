"""The state after the upgrade from a package of Redis to one of Valkey, both of rpm."""

from __future__ import annotations

from typing import Any

import pytest
from upgraded_host import info, journals, name_of, require_nothing_lost, verdicts

testinfra_hosts = ["ansible://machines"]

# from the scenario's inventory
OLD, NEW = "7.0.15", "8.0.1"
MASTERS = {6379: ("node-1", "192.0.2.11"), 6380: ("node-2", "192.0.2.12")}
# Unit, port, configuration file, and the unit that it replaces.
INSTANCES = [
    ("valkey", 6379, "valkey.conf", "redis"),
    ("valkey@second", 6380, "valkey-second.conf", "redis@second"),
    ("valkey-sentinel", 26379, "sentinel.conf", "redis-sentinel"),
]
each = pytest.mark.parametrize(("unit", "port", "config", "old_unit"), INSTANCES)


@each
def test_the_new_unit_runs_the_new_version(host: Any, unit: str, port: int, config: str, old_unit: str) -> None:
    service, fields = host.service(unit), info(host, port, "valkey-cli")
    assert service.is_running, host.run(f"journalctl --no-pager --lines=50 --unit={unit}").stdout
    assert service.is_enabled
    assert (fields["valkey_version"], fields["config_file"]) == (NEW, f"/etc/valkey/{config}")
    assert service.systemd_properties["MainPID"] == fields["process_id"]
    assert host.file(f"/proc/{fields['process_id']}/exe").linked_to == "/usr/bin/valkey-server"
    assert host.check_output(f"stat --format %U /proc/{fields['process_id']}") == "valkey"


@each
def test_the_old_unit_does_not(host: Any, unit: str, port: int, config: str, old_unit: str) -> None:
    service = host.service(old_unit)
    assert not service.is_running
    assert not service.is_enabled


def test_both_packages_are_complete(host: Any) -> None:
    assert host.check_output("rpm --query redis valkey").split() == [f"redis-{OLD}-1.x86_64", f"valkey-{NEW}-1.x86_64"]


@each
def test_configuration_and_its_owner(host: Any, unit: str, port: int, config: str, old_unit: str) -> None:
    file = host.file(f"/etc/valkey/{config}")
    assert (file.user, file.group, oct(file.mode)) == ("valkey", "valkey", oct(0o640))
    assert "user ops on" in file.content_string
    assert "/var/lib/redis" not in file.content_string


def test_the_roles(host: Any) -> None:
    for port, (master, address) in MASTERS.items():
        fields = info(host, port, "valkey-cli")
        if name_of(host) == master:
            assert (fields["role"], fields["connected_slaves"]) == ("master", "2")
        else:
            assert (fields["role"], fields["master_host"], fields["master_link_status"]) == ("slave", address, "up")
    sentinel = info(host, 26379, "valkey-cli")
    assert {sentinel[f"master{n}"].partition("slaves=")[2] for n in (0, 1)} == {"2,sentinels=3"}


def test_no_journal_is_left(host: Any) -> None:
    assert journals(host) == []


def test_no_write_was_lost(host: Any) -> None:
    if name_of(host) != "node-1":
        return
    found = verdicts(host)
    assert len(found) == 6, "two shards: until the failure, during the upgrade, and during the second run"
    require_nothing_lost(found, acknowledged=100)
