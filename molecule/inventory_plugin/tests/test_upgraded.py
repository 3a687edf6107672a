"""The state after an upgrade with the inventory plugin's file and the version."""

from __future__ import annotations

from typing import Any

import pytest
from upgraded_host import info, journals, name_of, require_nothing_lost, verdicts

testinfra_hosts = ["ansible://machines"]

# from the scenario's inventory
NEW = "8.0.6"
PACKAGES = ("redis-server", "redis-sentinel", "redis-tools")
MASTERS = {6379: ("node-1", "192.0.2.11"), 6380: ("node-2", "192.0.2.12"), 6381: ("node-3", "192.0.2.13")}
SHARDS = ("first", "second", "third")
# Unit, port, and the program that the unit starts.
INSTANCES = [
    ("redis-server", 6379, "redis-server"),
    ("redis-server@second", 6380, "redis-server"),
    ("redis-server@third", 6381, "redis-server"),
    ("redis-sentinel", 26379, "redis-sentinel"),
]
each = pytest.mark.parametrize(("unit", "port", "program"), INSTANCES)


@each
def test_the_unit_runs_the_new_version_of_the_package(host: Any, unit: str, port: int, program: str) -> None:
    service, fields = host.service(unit), info(host, port)
    assert service.is_running, host.run(f"journalctl --no-pager --lines=50 --unit={unit}").stdout
    assert service.is_enabled
    assert fields["redis_version"] == NEW
    assert service.systemd_properties["MainPID"] == fields["process_id"]
    assert host.file(f"/proc/{fields['process_id']}/exe").linked_to == "/usr/bin/redis-check-rdb", "not a deleted file"


@each
def test_the_unit_is_the_package_s_own(host: Any, unit: str, port: int, program: str) -> None:
    properties = host.service(unit).systemd_properties
    assert f"path=/usr/bin/{program} " in properties["ExecStart"]
    assert properties.get("DropInPaths", "") == ""
    assert properties["NeedDaemonReload"] == "no"


@each
def test_the_unit_was_restarted_once(host: Any, unit: str, port: int, program: str) -> None:
    """The package's scripts, needrestart and the second run have started nothing."""
    begun = host.check_output(f"journalctl --no-pager --output=cat --unit={unit} | grep --count '^Started '")
    assert int(begun) == 2, "at the deployment, and with the new version"
    assert host.service(unit).systemd_properties["NRestarts"] == "0"


def test_the_packages_are_complete(host: Any) -> None:
    for package in PACKAGES:
        shown = host.check_output(f"dpkg-query --show --showformat '${{Version}} ${{db:Status-Want}} ${{db:Status-Status}}' {package}")
        assert shown == f"5:{NEW}-1 install installed"
    assert host.check_output("dpkg --audit") == ""


def test_each_shard_has_its_master_back(host: Any) -> None:
    for port, (master, address) in MASTERS.items():
        fields = info(host, port)
        if name_of(host) == master:
            assert (fields["role"], fields["connected_slaves"]) == ("master", "2")
        else:
            assert (fields["role"], fields["master_host"], fields["master_link_status"]) == ("slave", address, "up")
    sentinel = info(host, 26379)
    known = {sentinel[f"master{n}"].split(",status=")[0].removeprefix("name="): sentinel[f"master{n}"] for n in range(3)}
    for shard, (port, (_master, address)) in zip(SHARDS, MASTERS.items(), strict=True):
        assert known[shard].endswith(f"status=ok,address={address}:{port},slaves=2,sentinels=3")


def test_no_journal_is_left(host: Any) -> None:
    assert journals(host) == []


@pytest.mark.parametrize("shard", SHARDS)
def test_no_write_was_lost(host: Any, shard: str) -> None:
    if name_of(host) != "node-1":
        return
    found = verdicts(host, shard)
    assert len(found) == 2, "during the upgrade, and during the second run"
    require_nothing_lost(found, acknowledged=100)
