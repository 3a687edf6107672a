"""The state after the upgrade to a later version of the same package of rpm."""

from __future__ import annotations

from typing import Any

import pytest
from upgraded_host import info, journals, name_of, require_nothing_lost, verdicts

testinfra_hosts = ["ansible://machines"]

# from the scenario's inventory
NEW = "8.0.6"
MASTERS = {6379: ("node-1", "192.0.2.11"), 6380: ("node-2", "192.0.2.12")}
# Unit, port, configuration file and the program that the unit starts.
INSTANCES = [
    ("redis", 6379, "redis.conf", "redis-server"),
    ("redis@second", 6380, "redis-second.conf", "redis-server"),
    ("redis-sentinel", 26379, "sentinel.conf", "redis-sentinel"),
]
each = pytest.mark.parametrize(("unit", "port", "config", "program"), INSTANCES)


@each
def test_the_unit_runs_the_new_version_of_the_package(host: Any, unit: str, port: int, config: str, program: str) -> None:
    service, fields = host.service(unit), info(host, port)
    assert service.is_running, host.run(f"journalctl --no-pager --lines=50 --unit={unit}").stdout
    assert service.is_enabled
    assert fields["redis_version"] == NEW
    assert service.systemd_properties["MainPID"] == fields["process_id"]
    assert host.file(f"/proc/{fields['process_id']}/exe").linked_to == "/usr/bin/redis-server", "not a deleted file"
    assert host.check_output(f"stat --format %U /proc/{fields['process_id']}") == "redis"


@each
def test_the_unit_is_the_package_s_own(host: Any, unit: str, port: int, config: str, program: str) -> None:
    """Reverted instances had a drop-in, which the next upgrade has removed."""
    properties = host.service(unit).systemd_properties
    assert f"path=/usr/bin/{program} " in properties["ExecStart"]
    assert properties.get("DropInPaths", "") == ""
    assert properties["NeedDaemonReload"] == "no"


def test_the_package_is_complete(host: Any) -> None:
    assert host.check_output("rpm --query redis") == f"redis-{NEW}-1.x86_64"
    changed = host.run("rpm --verify redis").stdout.splitlines()
    assert [line for line in changed if " c " not in line and not line.endswith(" /etc/redis")] == []


def test_nothing_of_the_guard_is_left(host: Any) -> None:
    assert not host.file("/usr/sbin/policy-rc.d").exists
    assert host.file("/run/systemd/system").listdir() == []
    assert host.file("/run/sentinelops-redis").listdir() == []
    assert "sentinelops" not in host.check_output("cat /proc/mounts")


def test_the_version_before_is_kept(host: Any) -> None:
    assert "v=8.0.2 " in host.check_output("/usr/lib/sentinelops-redis/redis-8.0.2/redis-server --version")
    assert "redis-8.0.2-1.x86_64.rpm" in host.file("/var/cache/sentinelops-redis").listdir()


def test_no_restart_is_marked(host: Any) -> None:
    assert host.check_output("systemctl show --property=Markers --value redis redis@second redis-sentinel").split() == []


@each
def test_the_configuration_is_ours(host: Any, unit: str, port: int, config: str, program: str) -> None:
    file = host.file(f"/etc/redis/{config}")
    assert (file.user, file.group, oct(file.mode)) == ("redis", "redis", oct(0o640))
    assert "# the default of 8.0.6" not in file.content_string
    assert "user ops on" in file.content_string


def test_the_roles(host: Any) -> None:
    for port, (master, address) in MASTERS.items():
        fields = info(host, port)
        if name_of(host) == master:
            assert (fields["role"], fields["connected_slaves"]) == ("master", "2")
        else:
            assert (fields["role"], fields["master_host"], fields["master_link_status"]) == ("slave", address, "up")
    sentinel = info(host, 26379)
    assert {sentinel[f"master{n}"].partition("slaves=")[2] for n in (0, 1)} == {"2,sentinels=3"}


def test_no_journal_is_left(host: Any) -> None:
    assert journals(host) == []


def test_no_write_was_lost(host: Any) -> None:
    if name_of(host) != "node-1":
        return
    found = verdicts(host)
    assert len(found) == 6, "two shards: until the kill, during the upgrade, and during the second run"
    require_nothing_lost(found, acknowledged=100)
