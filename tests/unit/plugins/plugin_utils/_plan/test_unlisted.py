"""Data nodes that no Sentinel lists: hidden replicas, and replicas of replicas."""

from __future__ import annotations

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.journal import journal_of
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.arguments import switch_arguments
from ansible_collections.sentinelops.redis.tests.unit.support.survey import NEW, Node, Shard, Surveyed, three_and_three


def cascade(*, stopped: str = "") -> Surveyed:
    """Return a deployment in which redis-4 follows redis-2, and redis-5 follows redis-4.

    ``stopped``: the node that an earlier run has left stopped.
    """
    deployment = three_and_three()
    (shard,) = deployment.shards
    shard.nodes += [Node("redis-4", "10.0.0.4:6379", follows="redis-2"), Node("redis-5", "10.0.0.5:6379", follows="redis-4")]
    if stopped:
        plan = deployment.plan().as_dict()
        record = next(one.record for one in deployment.instances() if one.host == stopped)
        node = deployment.node(stopped)
        node.journal, node.stopped = journal_of(record, plan, plan["steps"][f"{stopped}/redis"]), True
    return deployment


def shard_of(deployment: Surveyed) -> Shard:
    (shard,) = deployment.shards
    return shard


def seen(deployment: Surveyed) -> list[tuple[str, str]]:
    return [(one.check, one.node) for one in deployment.plan().problems]


def test_a_cascade_is_restarted_from_its_end() -> None:
    plan = cascade().plan()
    assert plan.problems == []
    assert plan.replica_hosts == ["redis-5", "redis-4", "redis-3", "redis-2"]
    shard = plan.shards["mymaster"]
    assert (shard.target_host, shard.replicas, shard.upstreams) == ("redis-3", 2, {"redis-4": "redis-2", "redis-5": "redis-4"})


@pytest.mark.parametrize("stopped", ["redis-4", "redis-5"])
def test_a_stopped_replica_of_a_replica_is_known_by_its_journal(stopped: str) -> None:
    plan = cascade(stopped=stopped).plan()
    assert plan.steps[f"{stopped}/redis"].do == "resume"
    assert plan.replica_hosts[0] == stopped
    shard = plan.shards["mymaster"]
    assert (shard.replicas, shard.upstreams[stopped]) == (2, {"redis-4": "redis-2", "redis-5": "redis-4"}[stopped])


def test_a_replica_of_a_replica_does_not_wait_for_replicas_of_its_source() -> None:
    deployment = cascade()
    records = {one.host: {**one.record, "activation": {"method": "folder"}} for one in deployment.instances() if one.kind == "redis"}
    plan = deployment.plan().as_dict()
    needed = {host: switch_arguments(plan, host, record)["switch"]["replicas"] for host, record in records.items()}
    assert needed == {"redis-1": 2, "redis-2": 2, "redis-3": 2, "redis-4": 0, "redis-5": 0}


@pytest.mark.parametrize(("outside", "node"), [(["redis-5"], "redis-4"), (["redis-4", "redis-5"], "redis-2"), (["redis-4"], "redis-2")])
def test_an_outsider_in_a_cascade(outside: list[str], node: str) -> None:
    deployment = cascade()
    for host in outside:
        deployment.node(host).in_inventory = False
    assert ("cascade", node) in seen(deployment)


def test_a_reader_of_the_stream_is_no_outsider() -> None:
    """redis-cli --replica has no port; a link of ours may have an address of its own."""
    deployment = three_and_three()
    deployment.node("redis-2").record["replicas"] = ["10.0.0.9:0"]
    assert seen(deployment) == []


def test_a_follower_behind_another_address_is_no_outsider() -> None:
    deployment = cascade()
    deployment.node("redis-2").record["replicas"] = ["172.17.0.5:6379"]
    assert seen(deployment) == []


def test_the_only_candidate_is_followed() -> None:
    deployment = cascade()
    deployment.node("redis-3").priority = 0
    assert seen(deployment) == [("cascade", "redis-2")]


def test_the_original_master_is_followed() -> None:
    """An interrupted run has left redis-2 as the master; redis-1 has got a replica since."""
    deployment = three_and_three()
    shard = shard_of(deployment)
    shard.master = 1
    shard.nodes.append(Node("redis-4", "10.0.0.4:6379", NEW, follows="redis-1"))
    for node in shard.nodes:
        node.version = NEW
    deployment.node("redis-2").journal = {"original_master": "10.0.0.1:6379", "priority": 100}
    assert seen(deployment) == [("cascade", "redis-1")]


def test_a_hidden_replica_belongs_to_its_shard() -> None:
    deployment = three_and_three()
    deployment.node("redis-2").hidden = True
    plan = deployment.plan()
    assert plan.problems == []
    shard = plan.shards["mymaster"]
    assert (shard.hidden, shard.replicas, shard.target_host) == (["redis-2"], 2, "redis-3")
    assert plan.replica_hosts == ["redis-3", "redis-2"]


def test_only_hidden_replicas_cannot_take_over() -> None:
    deployment = three_and_three()
    for host in ("redis-2", "redis-3"):
        deployment.node(host).hidden = True
    assert seen(deployment) == [("target", "shard mymaster")]


def test_a_hidden_replica_outside_of_the_inventory() -> None:
    deployment = three_and_three()
    node = deployment.node("redis-2")
    node.hidden, node.in_inventory = True, False
    assert seen(deployment) == [("hidden", "redis-1")]
