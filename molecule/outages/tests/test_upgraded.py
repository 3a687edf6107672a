"""Two upgrades lost a host, and one succeeded: nothing is lost or left behind."""

from __future__ import annotations

from typing import Any

import pytest
from upgraded_host import command, info, name_of, require_nothing_lost, verdicts

testinfra_hosts = ["ansible://redis"]

# from the inventory of the scenario systemd
NEW, HOME, HOME_ADDRESS = "8.0.2", "node-1", "192.0.2.11"
UNITS = {"redis-server": 6379, "redis-sentinel": 26379}

each_unit = pytest.mark.parametrize("unit", UNITS)


@each_unit
def test_it_runs_the_new_version_as_the_service_that_it_was(host: Any, unit: str) -> None:
    fields = info(host, UNITS[unit])
    assert fields["redis_version"] == NEW
    service = host.service(unit)
    assert service.is_running
    assert service.is_enabled
    assert service.systemd_properties["MainPID"] == fields["process_id"]


def test_home_is_the_master_and_the_others_follow_it(host: Any) -> None:
    fields = info(host, 6379)
    if name_of(host) == HOME:
        assert (fields["role"], fields["connected_slaves"]) == ("master", "2")
    else:
        assert (fields["role"], fields["master_host"], fields["master_link_status"]) == ("slave", HOME_ADDRESS, "up")
    assert command(host, 26379, "sentinel get-master-addr-by-name mymaster") == [HOME_ADDRESS, "6379"]


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("replica-priority", "100"),
        ("min-replicas-to-write", "0"),
        ("min-replicas-max-lag", "10"),
        ("repl-ping-replica-period", "10"),
    ],
)
def test_what_a_handover_changes_is_as_before(host: Any, parameter: str, value: str) -> None:
    assert command(host, 6379, f"config get {parameter}") == [parameter, value]


def test_no_journal_and_no_lock_is_left(host: Any) -> None:
    left = host.file("/var/lib/sentinelops-redis").listdir()
    assert sorted(left) == ["redis-6379.before.json", "sentinel-26379.before.json"]


def test_no_write_was_lost(host: Any) -> None:
    found = verdicts(host)
    assert len(found) == (name_of(host) == HOME)
    require_nothing_lost(found, acknowledged=1000)
