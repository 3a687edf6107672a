"""The state of hosts with systemd: versions, units, files, package, and the writers' verdict."""

from __future__ import annotations

import re
from typing import Any

import pytest
from upgraded_host import info, name_of, require_nothing_lost, verdicts

testinfra_hosts = ["ansible://redis"]

# from the scenario's inventory
OLD, NEW = "7.0.15", "8.0.2"
MASTER, MASTER_ADDRESS = "node-2", "192.0.2.12"
UNITS = {"redis-server": 6379, "redis-sentinel": 26379}
FOLDERS = {"redis-server": "/opt/redis-6379/redis", "redis-sentinel": "/opt/sentinel-26379/redis"}
CONFIGS = {"redis-server": "/etc/redis/redis.conf", "redis-sentinel": "/etc/redis/sentinel.conf"}
LOGS = {"redis-server": "/var/log/redis/redis-server.log", "redis-sentinel": "/var/log/redis/redis-sentinel.log"}
# ^Folders that hosts, Ansible, the servers and the upgrade may write to.
BUSY = ["/root/before", "/home/ops", "/root/.ansible", "/var/lib/redis", "/var/log", "/etc/redis", "/run", "/tmp", "/var/tmp"]
OURS = [
    "/opt/redis-6379",
    "/opt/sentinel-26379",
    "/var/lib/sentinelops-redis",
    *(f"/etc/systemd/system/{unit}.service.d" for unit in UNITS),
]

each_unit = pytest.mark.parametrize("unit", UNITS)


def settings(host: Any, path: str) -> set[str]:
    return set(re.findall(r"^[^#\s].*", host.file(path).content_string, re.MULTILINE))


def settings_changed(host: Any, file: str) -> set[str]:
    """Return the settings that were added to the file or removed from it."""
    return settings(host, f"/root/before/{file}") ^ settings(host, f"/etc/redis/{file}")


@each_unit
def test_it_runs_the_new_version_from_its_folder(host: Any, unit: str) -> None:
    fields = info(host, UNITS[unit])
    assert fields["redis_version"] == NEW
    executable = host.file(f"/proc/{fields['process_id']}/exe").linked_to
    assert executable == f"{FOLDERS[unit]}/redis-server"


@each_unit
def test_the_unit_is_active_and_enabled_and_its_main_process_is_the_server(host: Any, unit: str) -> None:
    service = host.service(unit)
    assert service.is_running, host.run(f"journalctl --no-pager --lines=50 --unit={unit}").stdout
    assert service.is_enabled
    assert service.systemd_properties["MainPID"] == info(host, UNITS[unit])["process_id"]
    assert service.systemd_properties["NRestarts"] == "0"
    assert service.systemd_properties["NeedDaemonReload"] == "no"


@each_unit
def test_exec_start_is_changed_by_a_drop_in_alone(host: Any, unit: str) -> None:
    drop_in = host.file(f"/etc/systemd/system/{unit}.service.d/zz-sentinelops-redis.conf")
    assert (drop_in.user, oct(drop_in.mode)) == ("root", oct(0o644))
    lines = drop_in.content_string.splitlines()
    commands = [line for line in lines if line.startswith("ExecStart=")]
    assert commands[0] == "ExecStart="
    assert commands[1].startswith(f"ExecStart={FOLDERS[unit]}/redis-server {CONFIGS[unit]} ")
    properties = host.service(unit).systemd_properties
    assert f"path={FOLDERS[unit]}/redis-server " in properties["ExecStart"]
    assert drop_in.path in properties["DropInPaths"]
    assert not host.file(f"/run/systemd/system/{unit}.service.d").exists


@each_unit
def test_systemd_was_told_when_it_was_ready(host: Any, unit: str) -> None:
    """The new server is built with libsystemd, which units with Type=notify need."""
    assert host.service(unit).systemd_properties["Type"] == "notify"
    assert "libsystemd.so" in host.check_output(f"ldd {FOLDERS[unit]}/redis-server")


@each_unit
def test_the_version_folder_belongs_to_root(host: Any, unit: str) -> None:
    for path in (FOLDERS[unit], f"{FOLDERS[unit]}/redis-server"):
        assert (host.file(path).user, host.file(path).group, oct(host.file(path).mode)) == ("root", "root", oct(0o755))
    placed = set(host.file(FOLDERS[unit]).listdir())
    assert {f"redis-{program}" for program in ("server", "sentinel", "cli", "check-rdb", "check-aof")} <= placed


@each_unit
def test_nothing_half_done_is_left_beside_it(host: Any, unit: str) -> None:
    """There is no redis.old either: the old version belongs to the package, and stays in its
    place.
    """
    parent, _slash, folder = FOLDERS[unit].rpartition("/")
    assert host.file(parent).listdir() == [folder]


def test_the_package_is_kept_as_the_way_back(host: Any) -> None:
    assert host.package("redis-server").version.startswith(f"5:{OLD}")
    assert f"v={OLD} " in host.check_output("/usr/bin/redis-server --version")
    assert host.check_output("dpkg --verify redis-server redis-sentinel redis-tools | grep -v ' c ' || true") == ""


def test_the_role_moved_after_the_upgrade(host: Any) -> None:
    fields = info(host, 6379)
    if name_of(host) == MASTER:
        assert (fields["role"], fields["connected_slaves"]) == ("master", "2")
    else:
        assert (fields["role"], fields["master_host"], fields["master_link_status"]) == ("slave", MASTER_ADDRESS, "up")


def test_the_sentinels_know(host: Any) -> None:
    assert f"status=ok,address={MASTER_ADDRESS}:6379,slaves=2,sentinels=3" in info(host, 26379)["master0"]


def test_the_data_node_keeps_its_settings(host: Any) -> None:
    """A newer server's CONFIG REWRITE spells out more rules in the lines of users."""
    changed = {line.split()[0] for line in settings_changed(host, "redis.conf")}
    assert changed <= {"replicaof", "user", "latency-tracking-info-percentiles"}
    users = {line.split()[1] for line in settings(host, "/etc/redis/redis.conf") if line.startswith("user ")}
    assert users == {"ops", "watcher", "peer", "replica", "app", "default"}
    assert info(host, 6379).get("slave_priority", "100") == "100"


def test_the_sentinel_keeps_its_settings_and_its_identity(host: Any) -> None:
    changed = {" ".join(line.split()[: 2 if line.startswith("sentinel") else 1]) for line in settings_changed(host, "sentinel.conf")}
    expected = {f"sentinel {setting}" for setting in ("monitor", "known-replica", "config-epoch", "leader-epoch", "current-epoch")}
    assert changed <= {*expected, "user", "latency-tracking-info-percentiles"}
    text = host.file("/etc/redis/sentinel.conf").content_string
    assert len(re.findall(r"^sentinel myid [0-9a-f]{40}$", text, re.MULTILINE)) == 1
    assert text.count("\nsentinel known-sentinel ") == 2


@pytest.mark.parametrize("file", ["redis.conf", "sentinel.conf"])
def test_the_files_keep_owner_and_mode(host: Any, file: str) -> None:
    before, now = host.file(f"/root/before/{file}"), host.file(f"/etc/redis/{file}")
    assert (now.user, now.group, oct(now.mode)) == (before.user, before.group, oct(before.mode)) == ("redis", "redis", oct(0o640))


@each_unit
def test_the_log_tells_of_the_new_version_and_of_nothing_bad(host: Any, unit: str) -> None:
    log = host.file(LOGS[unit]).content_string
    since = log[log.index(f"version={NEW}") :]
    assert re.findall(r"^.*(?:FATAL|BUG REPORT|crashed by signal|Can't save).*$", since, re.MULTILINE) == []
    assert log.count(f"version={NEW}") == 1, "it was started more than once with the new version"


def test_nothing_else_was_written(host: Any) -> None:
    prune = " -o ".join(f"-path {folder}" for folder in BUSY + OURS)
    assert host.check_output(f"find / -xdev \\( {prune} \\) -prune -o -newer /root/before/units -type f -print") == ""
    left = host.file("/var/lib/sentinelops-redis").listdir()
    assert sorted(left) == ["redis-6379.before.json", "sentinel-26379.before.json"], "the journals were not closed"


def test_no_write_was_lost(host: Any) -> None:
    """The verdicts are of the writers of the upgrade, and of a second run, which changes
    nothing.
    """
    found = verdicts(host)
    assert bool(found) is (name_of(host) == "node-1")
    require_nothing_lost(found[:1], acknowledged=1000)
    require_nothing_lost(found[1:], acknowledged=0)
