"""What the handover left on hosts with systemd: the role moved, the services as they were, and nothing else changed."""

from __future__ import annotations

import re
from typing import Any

import pytest
from access import OPS_PASSWORD

testinfra_hosts = ["ansible://redis"]

# by the scenario's inventory
MASTER, MASTER_ADDRESS = "node-2", "192.0.2.12"
UNITS = ["redis-server", "redis-sentinel"]
# where hosts, Ansible and the servers write while they do their work
BUSY = ["/root/before", "/home/ops", "/root/.ansible", "/var/lib/redis", "/var/log", "/etc/redis", "/run", "/tmp", "/var/tmp"]


@pytest.fixture
def name(host: Any) -> str:
    return str(host.backend.host)


def info(host: Any, port: int = 6379) -> dict[str, str]:
    output = host.check_output(f"REDISCLI_AUTH={OPS_PASSWORD} redis-cli --user ops -p {port} info")
    return dict(line.strip().split(":", 1) for line in output.splitlines() if ":" in line)


def settings(host: Any, path: str) -> set[str]:
    return set(re.findall(r"^[^#\s].*", host.file(path).content_string, re.MULTILINE))


def settings_changed(host: Any, file: str) -> set[str]:
    """The settings that are in the file now and were not, or the other way round."""
    return settings(host, f"/root/before/{file}") ^ settings(host, f"/etc/redis/{file}")


def test_the_role_moved(host: Any, name: str) -> None:
    fields = info(host)
    if name == MASTER:
        assert (fields["role"], fields["connected_slaves"]) == ("master", "2")
    else:
        assert (fields["role"], fields["master_host"], fields["master_link_status"]) == ("slave", MASTER_ADDRESS, "up")


def test_the_sentinels_know(host: Any) -> None:
    assert f"status=ok,address={MASTER_ADDRESS}:6379,slaves=2,sentinels=3" in info(host, 26379)["master0"]


@pytest.mark.parametrize("unit", UNITS)
def test_the_service_runs_and_is_enabled(host: Any, unit: str) -> None:
    service = host.service(unit)
    assert service.is_running, host.run(f"journalctl --no-pager --lines=50 --unit={unit}").stdout
    assert service.is_enabled


def test_no_service_was_restarted(host: Any) -> None:
    properties = "Id,MainPID,NRestarts,UnitFileState,ActiveEnterTimestamp"
    now = host.check_output(f"systemctl show --property={properties} {' '.join(UNITS)}")
    assert "MainPID=" in now
    assert now == host.file("/root/before/units").content_string.strip()


def test_the_units_see_the_servers_as_their_own(host: Any) -> None:
    for port, unit in ((6379, UNITS[0]), (26379, UNITS[1])):
        assert host.service(unit).systemd_properties["MainPID"] == info(host, port)["process_id"]


def test_the_data_node_keeps_its_settings(host: Any) -> None:
    assert {line.split()[0] for line in settings_changed(host, "redis.conf")} <= {"replicaof"}
    assert info(host).get("slave_priority", "100") == "100"


def test_the_sentinel_keeps_its_settings(host: Any) -> None:
    changed = {" ".join(line.split()[:2]) for line in settings_changed(host, "sentinel.conf")}
    expected = {f"sentinel {setting}" for setting in ("monitor", "known-replica", "config-epoch", "leader-epoch", "current-epoch")}
    assert changed <= expected


@pytest.mark.parametrize("file", ["redis.conf", "sentinel.conf"])
def test_the_files_keep_owner_and_mode(host: Any, file: str) -> None:
    before, now = host.file(f"/root/before/{file}"), host.file(f"/etc/redis/{file}")
    assert (now.user, now.group, oct(now.mode)) == (before.user, before.group, oct(before.mode)) == ("redis", "redis", oct(0o640))


def test_nothing_else_was_written(host: Any) -> None:
    prune = " -o ".join(f"-path {folder}" for folder in BUSY)
    assert host.check_output(f"find / -xdev \\( {prune} \\) -prune -o -newer /root/before/units -type f -print") == ""
