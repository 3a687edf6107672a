"""One shard as real servers describe it, and the problems that exclude a handover."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.readiness import (
    handover_refused,
    pause_problems,
    permanent_problems,
    transient_problems,
)
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address
from ansible_collections.sentinelops.redis.plugins.module_utils._server.settings import config_values
from ansible_collections.sentinelops.redis.plugins.module_utils._topology.limits import pause_budget_ms
from ansible_collections.sentinelops.redis.plugins.module_utils._topology.shard import (
    NodeState,
    Shard,
    ShardServers,
    named_node,
    read_shard,
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
    """Return the servers of a recording; no other server can be reached."""
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
    """Return the shard with one data node changed."""

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
    assert permanent_problems(shard, REPLICA, version) == []
    assert transient_problems(shard, REPLICA, LAG) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_a_stopped_sentinel(version: str) -> None:
    said = {**recorded(version, "healthy"), "sentinels": recorded(version, "sentinel_stopped")["at once"]}
    shard = shard_of(said)
    assert shard.unreachable == (f"Sentinel {SENTINELS[2]}: no answer to INFO: connection refused.",)
    assert permanent_problems(shard, REPLICA) == [], "it may come back"
    reasons = "\n".join(transient_problems(shard, REPLICA, LAG))
    assert f"Sentinel {SENTINELS[2]}: no answer" in reasons
    assert f"Sentinel {SENTINELS[0]} last heard of Sentinel {SENTINELS[2]}" in reasons
    assert "were asked" not in reasons, "the number of Sentinels is right: the one that is down was asked too"


@pytest.mark.parametrize("version", VERSIONS)
def test_no_quorum(version: str) -> None:
    said = {**recorded(version, "healthy"), "sentinels": recorded(version, "sentinel_stopped")["two stopped"]}
    assert any(f"Sentinel {SENTINELS[0]}: NOQUORUM" in reason for reason in transient_problems(shard_of(said), REPLICA, LAG))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_stopped_replica(version: str) -> None:
    said = recorded(version, "replica_stopped")
    said = {**said, "nodes": {**recorded(version, "healthy")["nodes"], **said["nodes"]}}
    del said["nodes"]["redis-3"]
    shard = shard_of(said, SENTINELS[:1])
    assert [node.address for node in shard.nodes] == [MASTER, REPLICA]
    assert f"data node {OTHER_REPLICA}: no answer to CONFIG: connection refused." in transient_problems(shard, REPLICA, LAG)
    assert "is not a data node that the Sentinels know and that answers" in permanent_problems(shard, OTHER_REPLICA)[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_failover_that_has_just_begun(version: str) -> None:
    said = {**recorded(version, "failover")["accepted"], "nodes": recorded(version, "healthy")["nodes"]}
    shard = shard_of(said, SENTINELS[:1])
    assert f"Sentinel {SENTINELS[0]} has a failover in progress" in transient_problems(shard, REPLICA, LAG)


@pytest.mark.parametrize("version", VERSIONS)
def test_two_masters_in_the_middle_of_a_failover(version: str) -> None:
    shard = shard_of(recorded(version, "failover")["promoted"])
    masters = ", ".join(node.address for node in shard.nodes if node.info.is_master)
    assert masters.count(",") == 1
    assert f"the Sentinels name {MASTER}, and role:master is seen on {masters}" in transient_problems(shard, REPLICA, LAG)


@pytest.mark.parametrize(
    ("shard", "target", "wanted", "reason"),
    [
        (with_node(healthy("7.0.15"), REPLICA, priority=0), REPLICA, "", "has replica-priority 0: its operators excluded it"),
        (healthy("7.0.15"), REPLICA, "7.2.6", "runs 7.0.15, not the wanted 7.2.6"),
        (healthy("7.0.15"), "127.0.0.1:1", "", "is not a data node that the Sentinels know"),
        (Shard((), (), ("Sentinel a: no answer.",)), REPLICA, "", "no Sentinel answered: Sentinel a: no answer."),
    ],
)
def test_refused(shard: Shard, target: str, wanted: str, reason: str) -> None:
    (found,) = permanent_problems(shard, target, wanted)
    assert reason in found


def test_every_refusal_is_told() -> None:
    shard = with_node(healthy("7.0.15"), REPLICA, priority=0)
    assert len(permanent_problems(shard, REPLICA, "9.9.9")) == 2


@pytest.mark.parametrize(("down_after_ms", "reason"), [(1999, "is 1999: a pause may last 999 ms"), (500, "a pause may last 0 ms")])
def test_a_pause_that_is_too_short(down_after_ms: int, reason: str) -> None:
    (found,) = pause_problems(with_down_after(healthy("7.0.15"), down_after_ms))
    assert reason in found


def test_a_pause_that_is_long_enough() -> None:
    assert pause_problems(with_down_after(healthy("7.0.15"), 2000)) == []


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
    assert any(reason in found for found in transient_problems(with_node(healthy("7.0.15"), address, info), REPLICA, LAG))


@pytest.mark.parametrize(("behind", "ready"), [(100, True), (101, False)])
def test_lag(behind: int, ready: bool) -> None:
    shard = with_node(with_node(healthy("7.0.15"), MASTER, {"offset": 5000}), OTHER_REPLICA, {"offset": 5000})
    shard = with_node(shard, REPLICA, {"offset": 5000 - behind})
    reasons = transient_problems(shard, REPLICA, 100)
    assert reasons == ([] if ready else [f"replica {REPLICA} lags 101 bytes (at most 100)"])


def test_the_name_of_a_master_instead_of_its_address() -> None:
    """A replica follows localhost, the Sentinels know 127.0.0.1: both are the same node."""
    assert transient_problems(with_node(healthy("7.0.15"), REPLICA, {"master": "localhost:23100"}), REPLICA, LAG) == []


@pytest.mark.parametrize(
    ("address", "known"),
    [
        (REPLICA, REPLICA),
        ("localhost:23101", REPLICA),
        ("127.0.0.1:1", "127.0.0.1:1"),
        ("no-such-host.invalid:23101", "no-such-host.invalid:23101"),
    ],
)
def test_the_name_by_which_the_sentinels_know_a_node(address: str, known: str) -> None:
    servers = servers_of(recorded("7.0.15", "healthy"))
    assert named_node(servers, read_shard(servers, "mymaster"), address) == known


def test_a_node_behind_another_address_is_known_by_its_run_id() -> None:
    """The Sentinels know an announced address, the inventory has another address."""
    said = recorded("7.0.15", "healthy")
    twin = next(one for one in said["nodes"].values() if one["address"] == REPLICA)
    servers = servers_of({**said, "nodes": {**said["nodes"], "twin": {**twin, "address": "10.9.9.9:6379"}}})
    assert named_node(servers, read_shard(servers, "mymaster"), "10.9.9.9:6379") == REPLICA


def with_another_name(said: dict[str, Any], name: str, other: str) -> dict[str, Any]:
    """Return the recording with a second address for one node, which the first Sentinel uses."""
    first, *others = copy.deepcopy(list(said["sentinels"].values()))
    (host, port), renamed = other.rsplit(":", 1), said["nodes"][name]["address"]
    for fields in (first["master"], *first["replicas"]):
        if f"{fields['ip']}:{fields['port']}" == renamed:
            fields.update(ip=host, port=port)
    return {
        "sentinels": dict(enumerate([first, *others])),
        "nodes": {**said["nodes"], "twin": {**said["nodes"][name], "address": other}},
    }


@pytest.mark.parametrize("other", ["localhost:23100", "10.9.9.9:6379", "a-name.invalid:23100"])
@pytest.mark.parametrize("version", VERSIONS)
def test_two_names_of_a_master_are_one_node(version: str, other: str) -> None:
    """One Sentinel has another name for the node; the run id shows that both are one node."""
    shard = shard_of(with_another_name(recorded(version, "healthy"), "redis-1", other))
    assert len(shard.nodes) == 3
    assert {view.master.address for view in shard.views} == {shard.master}
    assert shard.node(shard.master) is not None
    assert permanent_problems(shard, REPLICA) == []


@pytest.mark.parametrize("other", ["localhost:23101", "10.9.9.9:6379", "a-name.invalid:23101"])
@pytest.mark.parametrize("version", VERSIONS)
def test_two_names_of_a_replica_are_one_node(version: str, other: str) -> None:
    servers = servers_of(with_another_name(recorded(version, "healthy"), "redis-2", other))
    shard = read_shard(servers, "mymaster")
    assert len(shard.nodes) == 3
    names = {named_node(servers, shard, text) for text in (REPLICA, other)}
    assert len(names) == 1
    (name,) = names
    assert all(view.replica(name) for view in shard.views)
    assert transient_problems(shard, name, LAG) == []


def test_a_replica_follows_another_name_of_the_master() -> None:
    """The replica follows the name that the first Sentinel has."""
    shard = shard_of(with_another_name(recorded("7.0.15", "healthy"), "redis-1", "10.9.9.9:6379"))
    assert transient_problems(shard, REPLICA, LAG) == []


def test_a_node_is_named_by_its_run_id() -> None:
    servers = servers_of(recorded("7.0.15", "healthy"))
    shard = read_shard(servers, "mymaster")
    for node in shard.nodes:
        assert named_node(servers, shard, node.info.run_id) == node.address
    assert named_node(servers, shard, "f" * 40) == "f" * 40


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
    error = handover_refused(["one thing", "another"], MASTER)
    assert isinstance(error, PreconditionFailed)
    assert "one thing; another" in str(error)
    assert f"Nothing was changed, {MASTER} keeps its role" in str(error)
    assert error.facts["problems"] == ["one thing", "another"]
