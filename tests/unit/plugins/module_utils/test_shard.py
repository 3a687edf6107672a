"""One shard as real servers describe it, and what speaks against a handover."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._address import Address
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._shard import (
    FENCE,
    NodeState,
    Shard,
    ShardServers,
    config_values,
    not_ready,
    pause_budget_ms,
    read_shard,
    refusals,
    refuse,
)
from ansible_collections.sentinelops.redis.tests.unit.support.recorded import (
    MASTER,
    OTHER_REPLICA,
    REPLICA,
    SENTINELS,
    VERSIONS,
    RecordedNode,
    RecordedSentinel,
    Unreachable,
    recorded,
)

LAG = 1048576


def servers_of(said: dict[str, Any], sentinels: tuple[str, ...] = SENTINELS) -> ShardServers:
    """The servers of a recording; whoever is not in it cannot be reached."""
    found: dict[str, Any] = {one["address"]: RecordedSentinel(one) for one in said["sentinels"].values()}
    found.update({one["address"]: RecordedNode(one) for one in said.get("nodes", {}).values()})

    def connect(address: Address) -> Any:
        return found.get(str(address)) or Unreachable(address)

    return ShardServers([Address.parse(address) for address in sentinels], connect, connect)


def shard_of(said: dict[str, Any], sentinels: tuple[str, ...] = SENTINELS) -> Shard:
    return read_shard(servers_of(said, sentinels), "mymaster")


def healthy(version: str) -> Shard:
    return shard_of(recorded(version, "healthy"))


def with_node(shard: Shard, address: str, info: dict[str, Any] | None = None, **changes: Any) -> Shard:
    """The shard with one data node changed."""

    def changed(node: NodeState) -> NodeState:
        if node.address != address:
            return node
        return dataclasses.replace(node, info=dataclasses.replace(node.info, **(info or {})), **changes)

    return dataclasses.replace(shard, nodes=tuple(changed(node) for node in shard.nodes))


def with_down_after(shard: Shard, down_after_ms: int) -> Shard:
    first, *others = shard.views
    changed = dataclasses.replace(first, master=dataclasses.replace(first.master, down_after_ms=down_after_ms))
    return dataclasses.replace(shard, views=(changed, *others))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_healthy_shard(version: str) -> None:
    shard = healthy(version)
    assert shard.master == MASTER
    assert [view.address for view in shard.views] == list(SENTINELS)
    assert [node.address for node in shard.nodes] == [MASTER, REPLICA, OTHER_REPLICA]
    assert shard.unreachable == ()
    for node in shard.nodes:
        assert (node.priority, node.min_replicas_to_write, node.min_replicas_max_lag, node.fenced) == (100, 0, 10, False)
    assert refusals(shard, REPLICA, version) == []
    assert not_ready(shard, REPLICA, LAG) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_a_stopped_sentinel(version: str) -> None:
    said = {**recorded(version, "healthy"), "sentinels": recorded(version, "sentinel_stopped")["at once"]}
    shard = shard_of(said)
    assert shard.unreachable == (f"Sentinel {SENTINELS[2]}: no answer to INFO: connection refused.",)
    assert refusals(shard, REPLICA) == [], "it may come back"
    reasons = "\n".join(not_ready(shard, REPLICA, LAG))
    assert f"Sentinel {SENTINELS[2]}: no answer" in reasons
    assert f"Sentinel {SENTINELS[0]} last heard of Sentinel {SENTINELS[2]}" in reasons
    assert "were asked" not in reasons, "the number of Sentinels is right: the one that is down was asked too"


@pytest.mark.parametrize("version", VERSIONS)
def test_no_quorum(version: str) -> None:
    said = {**recorded(version, "healthy"), "sentinels": recorded(version, "sentinel_stopped")["two stopped"]}
    assert any(f"Sentinel {SENTINELS[0]}: NOQUORUM" in reason for reason in not_ready(shard_of(said), REPLICA, LAG))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_stopped_replica(version: str) -> None:
    said = recorded(version, "replica_stopped")
    said = {**said, "nodes": {**recorded(version, "healthy")["nodes"], **said["nodes"]}}
    del said["nodes"]["redis-3"]
    shard = shard_of(said, SENTINELS[:1])
    assert [node.address for node in shard.nodes] == [MASTER, REPLICA]
    assert f"data node {OTHER_REPLICA}: no answer to CONFIG: connection refused." in not_ready(shard, REPLICA, LAG)
    assert "is not a data node that the Sentinels know and that answers" in refusals(shard, OTHER_REPLICA)[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_failover_that_has_just_begun(version: str) -> None:
    said = {**recorded(version, "failover")["accepted"], "nodes": recorded(version, "healthy")["nodes"]}
    shard = shard_of(said, SENTINELS[:1])
    assert f"Sentinel {SENTINELS[0]} has a failover in progress" in not_ready(shard, REPLICA, LAG)


@pytest.mark.parametrize("version", VERSIONS)
def test_two_masters_in_the_middle_of_a_failover(version: str) -> None:
    shard = shard_of(recorded(version, "failover")["promoted"])
    masters = ", ".join(node.address for node in shard.nodes if node.info.is_master)
    assert masters.count(",") == 1
    assert f"the Sentinels name {MASTER}, and role:master is seen on {masters}" in not_ready(shard, REPLICA, LAG)


@pytest.mark.parametrize(
    ("shard", "target", "wanted", "reason"),
    [
        (with_node(healthy("7.0.15"), REPLICA, priority=0), REPLICA, "", "has replica-priority 0: its operators excluded it"),
        (healthy("7.0.15"), REPLICA, "7.2.6", "runs 7.0.15, not the wanted 7.2.6"),
        (healthy("7.0.15"), "127.0.0.1:1", "", "is not a data node that the Sentinels know"),
        (with_node(healthy("7.0.15"), MASTER, min_replicas_to_write=FENCE), REPLICA, "", f"is set on {MASTER}"),
        (with_down_after(healthy("7.0.15"), 1999), REPLICA, "", "down-after-milliseconds is 1999: a pause may last 999 ms"),
        (with_down_after(healthy("7.0.15"), 500), REPLICA, "", "a pause may last 0 ms"),
        (Shard((), (), ("Sentinel a: no answer.",)), REPLICA, "", "no Sentinel answered: Sentinel a: no answer."),
    ],
)
def test_refused(shard: Shard, target: str, wanted: str, reason: str) -> None:
    (found,) = refusals(shard, target, wanted)
    assert reason in found


def test_every_refusal_is_told() -> None:
    shard = with_down_after(with_node(healthy("7.0.15"), REPLICA, priority=0, min_replicas_to_write=FENCE), 1000)
    assert len(refusals(shard, REPLICA, "9.9.9")) == 4


@pytest.mark.parametrize(
    ("address", "info", "reason"),
    [
        (MASTER, {"loading": True}, f"{MASTER} is loading its data"),
        (REPLICA, {"loading": True}, f"{REPLICA} is loading its data"),
        (REPLICA, {"link_up": False}, f"the link of replica {REPLICA} to its master is down"),
        (REPLICA, {"master": OTHER_REPLICA}, f"replica {REPLICA} follows {OTHER_REPLICA}, not the master {MASTER}"),
        (REPLICA, {"role": "master", "offset": 0}, f"role:master is seen on {MASTER}, {REPLICA}"),
        (MASTER, {"role": "replica", "master": REPLICA}, f"the Sentinels name {MASTER}, and role:master is seen on no node"),
    ],
)
def test_not_ready(address: str, info: dict[str, Any], reason: str) -> None:
    assert any(reason in found for found in not_ready(with_node(healthy("7.0.15"), address, info), REPLICA, LAG))


@pytest.mark.parametrize(("behind", "ready"), [(100, True), (101, False)])
def test_lag(behind: int, ready: bool) -> None:
    shard = with_node(with_node(healthy("7.0.15"), MASTER, {"offset": 5000}), OTHER_REPLICA, {"offset": 5000})
    shard = with_node(shard, REPLICA, {"offset": 5000 - behind})
    reasons = not_ready(shard, REPLICA, 100)
    assert reasons == ([] if ready else [f"replica {REPLICA} lags 101 bytes (at most 100)"])


def test_the_name_of_a_master_instead_of_its_address() -> None:
    """A replica follows localhost, the Sentinels know 127.0.0.1: the same node."""
    assert not_ready(with_node(healthy("7.0.15"), REPLICA, {"master": "localhost:23100"}), REPLICA, LAG) == []


@pytest.mark.parametrize(
    ("address", "known"),
    [(REPLICA, REPLICA), ("localhost:23101", REPLICA), ("127.0.0.1:1", ""), ("no-such-host.invalid:23101", "")],
)
def test_the_name_by_which_the_sentinels_know_a_node(address: str, known: str) -> None:
    assert healthy("7.0.15").known_as(address) == known


@pytest.mark.parametrize(("down_after_ms", "budget_ms"), [(60000, 4000), (5000, 4000), (4999, 3999), (2000, 1000), (500, -500)])
def test_pause_budget(down_after_ms: int, budget_ms: int) -> None:
    assert pause_budget_ms(down_after_ms) == budget_ms


def test_a_node_is_connected_to_once_and_closed() -> None:
    servers = servers_of(recorded("7.0.15", "healthy"))
    node = servers.node(MASTER)
    assert servers.node(MASTER) is node
    servers.close()
    assert isinstance(node, RecordedNode)
    assert node.closed == 1


def test_config_is_read_name_by_name() -> None:
    node = RecordedNode(recorded("6.2.14", "healthy")["nodes"]["redis-1"])
    assert config_values(node, "replica-priority", "save") == {"replica-priority": "100", "save": "3600 1 300 100 60 10000"}
    assert config_values(node) == {}


def test_the_refusal_names_every_problem() -> None:
    error = refuse(["one thing", "another"], MASTER)
    assert isinstance(error, PreconditionFailed)
    assert "one thing; another" in str(error)
    assert f"Nothing was changed, {MASTER} keeps its role" in str(error)
    assert error.facts["problems"] == ["one thing", "another"]
