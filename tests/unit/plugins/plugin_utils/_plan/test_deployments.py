"""The deployments of an inventory, whatever their masters are called."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.deployments import (
    deployment_lines,
    deployments_of,
    named_deployments,
)
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.model import Instance, Settings
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.plan import make_plan
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.reserve_status import reserve_status
from ansible_collections.sentinelops.redis.tests.unit.support.survey import NEW, three_and_three, two_shards


def other(instances: list[Instance], suffix: str = "-b") -> list[Instance]:
    """Return a second deployment with the same names, addresses and masters, and ids of its own."""
    return [replace(one, host=one.host + suffix, record=_renamed(one.record, suffix)) for one in copy.deepcopy(instances)]


def _renamed(value: Any, suffix: str) -> Any:
    if isinstance(value, dict):
        return {name: f"{one}{suffix}" if name == "run_id" else _renamed(one, suffix) for name, one in value.items()}
    return [_renamed(one, suffix) for one in value] if isinstance(value, list) else value


def hosts(instances: list[Instance]) -> list[list[str]]:
    return [[one.host for one in members] for members in deployments_of([one for one in instances if one.kind == "sentinel"])]


FIRST, SECOND = [[f"sentinel-{number}{suffix}" for number in (1, 2, 3)] for suffix in ("", "-b")]


@pytest.mark.parametrize("made", [three_and_three, two_shards])
def test_one_deployment(made: Any) -> None:
    instances = made().instances()
    assert len(hosts(instances)) == 1
    assert not [one for one in make_plan(instances, Settings(NEW)).problems if "deployments" in one.seen]


def test_two_deployments_with_the_same_names_are_told_apart() -> None:
    instances = three_and_three().instances()
    plan = make_plan([*instances, *other(instances)], Settings(NEW))
    nodes = ["redis-1", "redis-2", "redis-3"]
    assert plan.deployments == [
        {"name": first[0], "redis_hosts": [f"{node}{suffix}" for node in nodes], "sentinel_hosts": first, "shards": 1}
        for first, suffix in ((FIRST, ""), (SECOND, "-b"))
    ]
    assert (plan.steps, plan.problems, plan.touched_hosts) == ({}, [], [])
    lines = deployment_lines(plan.deployments)
    assert lines[0].startswith("2 deployments, 2 shards, 12 instances; each has a run of its own")
    assert lines[2] == "sentinel-1-b: redis-1-b, redis-2-b, redis-3-b, sentinel-1-b, sentinel-2-b, sentinel-3-b"


def test_the_state_of_the_reserves_is_not_good_for_several() -> None:
    instances = three_and_three().instances()
    status = reserve_status([*instances, *other(instances)], Settings(NEW), {})
    assert not status["good"]
    assert status["lines"][0].startswith("The inventory has 2 deployments (sentinel-1, sentinel-1-b), so nothing is said.")


def test_what_is_named_as_one_deployment_must_be_one() -> None:
    instances = three_and_three().instances()
    plan = make_plan([*instances, *other(instances)], Settings(NEW, deployment="cache"))
    (problem,) = plan.problems
    assert problem.seen == (
        "the deployment cache is 2 deployments, whose Sentinels do not know each other: "
        "1: sentinel-1, sentinel-2, sentinel-3 (mymaster at 10.0.0.1:6379); "
        "2: sentinel-1-b, sentinel-2-b, sentinel-3-b (mymaster at 10.0.0.1:6379)"
    )
    assert "redis_upgrade_deployment_name" in problem.do


def test_a_data_node_of_no_deployment_is_refused() -> None:
    instances = three_and_three().instances()
    stray = replace(
        instances[-1], host="stray", host_address="10.9.9.9", record={**instances[-1].record, "run_id": "x", "login": "10.9.9.9:1"}
    )
    stray.record["master"] = "10.9.9.8:6379"
    (problem,) = make_plan([*instances, *other(instances), stray], Settings(NEW)).problems
    assert "no Sentinel of any knows stray" in problem.seen


def test_the_only_deployment_must_be_the_chosen_one() -> None:
    instances = three_and_three().instances()
    assert not make_plan(instances, Settings(NEW, deployments=("sentinel-1",))).problems
    (problem,) = make_plan(instances, Settings(NEW, deployments=("cache",))).problems
    assert "its only deployment is sentinel-1" in problem.seen


def test_names_of_the_inventory() -> None:
    names = {"r1": "a", "s1": "a", "both": "b"}
    assert named_deployments(names, ["r1", "both"], ["s1", "both"]) == [
        {"name": "a", "redis_hosts": ["r1"], "sentinel_hosts": ["s1"], "shards": 0},
        {"name": "b", "redis_hosts": ["both"], "sentinel_hosts": ["both"], "shards": 0},
    ]
    assert named_deployments(dict.fromkeys(names, ""), ["r1", "both"], ["s1", "both"]) == []
    with pytest.raises(ValueError, match=r"is set for some hosts, and not for s1$"):
        named_deployments({**names, "s1": ""}, ["r1", "both"], ["s1", "both"])
    with pytest.raises(ValueError, match=r"the deployment a .* has no Sentinel"):
        named_deployments(names, ["r1", "both"], ["both"])


def test_twenty_deployments() -> None:
    instances = three_and_three().instances()
    fleet = [one for number in range(20) for one in other(instances, f"-{number}")]
    assert [len(members) for members in hosts(fleet)] == [3] * 20


def test_a_sentinel_without_peers_that_monitors_the_same_master_belongs_to_it() -> None:
    deployment = three_and_three()
    deployment.sentinels[2].views["mymaster"] = {"peers": []}
    for sentinel in deployment.sentinels[:2]:
        sentinel.views["mymaster"] = {"peers": []}
    assert hosts(deployment.instances()) == [FIRST]


def test_a_master_that_is_down_is_known_by_its_address() -> None:
    deployment = three_and_three()
    for sentinel in deployment.sentinels:
        sentinel.views["mymaster"] = {"peers": [], "master": {"run_id": ""}}
    assert hosts(deployment.instances()) == [FIRST]


def test_sentinels_that_do_not_answer_are_left_out() -> None:
    deployment = three_and_three()
    deployment.sentinels[0].answers = False
    assert hosts(deployment.instances()) == [FIRST[1:]]


def test_a_chain_of_acquaintances_is_one_deployment() -> None:
    """The order of the inventory does not matter: the last Sentinel may join the first two."""
    instances = three_and_three().instances()
    sentinels = [one for one in instances if one.kind == "sentinel"]
    for one in sentinels:
        one.record["views"][0]["master"]["run_id"] = f"run-{one.host}"
        one.record["views"][0]["peers"] = []
    sentinels[2].record["views"][0]["peers"] = [
        {"address": "10.0.0.1:26379", "run_id": run_id, "flags": ["sentinel"], "hello_age_ms": 1, "ping_age_ms": 1, "ping_pending_ms": 0}
        for run_id in ("run-sentinel-1", "run-sentinel-2")
    ]
    assert hosts(sentinels) == [FIRST]
