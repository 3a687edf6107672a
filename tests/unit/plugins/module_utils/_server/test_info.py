"""INFO replies of real servers."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._server.info import ReplicaLine, node_info, parse_info, server_of
from ansible_collections.sentinelops.redis.tests.unit.support.recorded import (
    MASTER,
    OTHER_REPLICA,
    REPLICA,
    VERSIONS,
    info_text,
    recorded,
)


def said_by(version: str, name: str) -> dict[str, str]:
    return parse_info(info_text(recorded(version, "healthy")["nodes"][name]["info"]))


def test_there_are_recordings_of_more_than_one_version() -> None:
    assert len(VERSIONS) > 1


@pytest.mark.parametrize("version", VERSIONS)
def test_a_master(version: str) -> None:
    node = node_info(said_by(version, "redis-1"))
    assert (node.server, node.version) == ("redis", version)
    assert (node.role, node.is_master, node.master) == ("master", True, "")
    assert (node.link_up, node.loading, node.sync_in_progress) == (True, False, False)
    assert len(node.run_id) == 40
    assert node.pid == 1001
    assert node.uptime_s > 0
    assert {line.address: line.state for line in node.replicas} == {REPLICA: "online", OTHER_REPLICA: "online"}
    assert all(0 < line.offset <= node.offset for line in node.replicas)
    assert node.sync_full == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_a_replica(version: str) -> None:
    node = node_info(said_by(version, "redis-2"))
    assert (node.role, node.is_master, node.master) == ("replica", False, MASTER)
    assert (node.link_up, node.loading, node.sync_in_progress) == (True, False, False)
    assert node.offset == int(said_by(version, "redis-2")["slave_repl_offset"]) > 0
    assert node.replicas == ()


@pytest.mark.parametrize("version", VERSIONS)
def test_two_masters_after_the_promotion(version: str) -> None:
    nodes = recorded(version, "failover")["promoted"]["nodes"]
    roles = {name: node_info(parse_info(info_text(said["info"]))).role for name, said in nodes.items()}
    assert sorted(roles.values()) == ["master", "master", "replica"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_master_that_lost_a_replica(version: str) -> None:
    said = recorded(version, "replica_stopped")["nodes"]["redis-1"]["info"]
    assert [line.address for line in node_info(parse_info(info_text(said))).replicas] == [REPLICA]


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("", {}),
        ("# Server\r\nredis_version:7.0.15\r\n\r\n# Replication\r\nrole:master\r\n", {"redis_version": "7.0.15", "role": "master"}),
        ("a:1\nb:x:y\n", {"a": "1", "b": "x:y"}),
        ("config_file:\r\n", {"config_file": ""}),
        ("# a:1\r\nno separator\r\n", {}),
    ],
)
def test_parse(text: str, fields: dict[str, str]) -> None:
    assert parse_info(text) == fields


@pytest.mark.parametrize(
    ("fields", "server"),
    [
        ({"redis_version": "7.0.15"}, ("redis", "7.0.15")),
        ({"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "8.0.1"}, ("valkey", "8.0.1")),
        ({}, ("redis", "")),
    ],
)
def test_server_of(fields: dict[str, str], server: tuple[str, str]) -> None:
    assert server_of(fields) == server


REPLICA_FIELDS = {
    "role": "slave",
    "master_host": "10.0.0.1",
    "master_port": "6379",
    "master_link_status": "up",
    "master_sync_in_progress": "0",
    "slave_repl_offset": "700",
    "master_repl_offset": "900",
    "loading": "0",
}


@pytest.mark.parametrize(
    ("changes", "attribute", "value"),
    [
        ({}, "offset", 700),
        ({}, "link_up", True),
        ({"master_link_status": "down"}, "link_up", False),
        ({"master_sync_in_progress": "1"}, "sync_in_progress", True),
        ({"loading": "1"}, "loading", True),
        ({"master_host": "::1"}, "master", "[::1]:6379"),
        ({"slave_repl_offset": "-1"}, "offset", -1),
        ({"slave_repl_offset": "?"}, "offset", 0),
        ({"role": "master"}, "offset", 900),
        ({"role": "master", "master_link_status": "down"}, "link_up", True),
        (
            {"role": "master", "slave0": "ip=10.0.0.2,port=6379,state=wait_bgsave,offset=0,lag=0", "slave_priority": "100"},
            "replicas",
            (ReplicaLine("10.0.0.2:6379", "wait_bgsave", 0),),
        ),
    ],
)
def test_fields(changes: dict[str, str], attribute: str, value: Any) -> None:
    assert getattr(node_info({**REPLICA_FIELDS, **changes}), attribute) == value
