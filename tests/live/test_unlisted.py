"""Data nodes that no Sentinel lists: replicas of replicas, and those that are not announced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from application import Application, lost, same_everywhere
from deployment import MASTER, Deployment
from preflights import Circumstances, planned, survey_all, untouched
from states import wait_until

from playbooks import run, words

pytestmark = pytest.mark.extended

VERSION = "6.2.9"
WANTED = "6.2.14"


def listed(deployment: Deployment, sentinel: str) -> set[int]:
    """Return the ports of the replicas that a Sentinel lists."""
    replies = deployment.command(sentinel, "SENTINEL", "REPLICAS", MASTER)
    return {int(dict(zip(reply[::2], reply[1::2], strict=True))["port"]) for reply in replies}


def hide(deployment: Deployment, name: str, hidden: bool = True) -> None:
    """Set whether the Sentinels list a replica; wait until all of them have asked it for INFO."""
    deployment.command(name, "CONFIG", "SET", "replica-announced", "no" if hidden else "yes")
    port = deployment.nodes[name]
    wait_until(lambda: all((port in listed(deployment, sentinel)) != hidden for sentinel in deployment.sentinels), 30)


def followed(deployment: Deployment) -> dict[str, str]:
    """Return which node each replica follows."""
    names = {str(port): name for name, port in deployment.nodes.items()}
    return {name: names[info["master_port"]] for name in deployment.nodes for info in [deployment.info(name)] if info["role"] == "slave"}


def examined(deployment: Deployment, lacks: Sequence[str] = ()) -> dict[str, Any]:
    """Return the result of the preflight, which touches nothing, and the plan."""
    before = untouched(deployment)
    circumstances = Circumstances(settings={"version": WANTED}, inventory_lacks=lacks)
    found = planned(deployment, survey_all(deployment, circumstances), circumstances)
    assert untouched(deployment) == before
    return {**found["preflight"], "plan": found}


def told(result: dict[str, Any], check: str) -> list[tuple[str, str]]:
    return [(one["severity"], one["node"]) for one in result["findings"] if one["check"] == check]


@pytest.fixture(scope="module", autouse=True)
def cascades(deployment: Deployment) -> None:
    """Let redis-4 follow redis-2, and redis-5 follow redis-4."""
    deployment.add("redis-4", follows="redis-2")
    deployment.add("redis-5", follows="redis-4")
    deployment.write_inventory()


def test_a_cascade_is_told_and_planned_from_its_end(deployment: Deployment) -> None:
    result = examined(deployment)
    assert told(result, "cascade") == [("warning", "redis-4"), ("warning", "redis-5")]
    assert result["ready"], result["findings"]
    plan = result["plan"]
    assert plan["replica_hosts"] == ["redis-5", "redis-4", "redis-3", "redis-2"]
    assert plan["shards"][MASTER]["target_host"] == "redis-3"


@pytest.mark.parametrize(
    ("lacks", "node"), [(["redis-5"], "redis-4"), (["redis-4", "redis-5"], "redis-2"), (["redis-4"], "redis-2")], ids=str
)
def test_an_outsider_follows_a_replica(deployment: Deployment, lacks: list[str], node: str) -> None:
    result = examined(deployment, lacks)
    (refused,) = [one for one in result["findings"] if one["severity"] == "refusal" and one["check"] == "cascade"]
    assert refused["node"] == node
    assert f"{deployment.address(lacks[0])} follows it" in refused["seen"]
    assert "Add it to the inventory" in refused["do"]


def test_only_a_replica_that_others_follow_could_be_promoted(deployment: Deployment) -> None:
    deployment.command("redis-3", "CONFIG", "SET", "replica-priority", 0)
    try:
        result = examined(deployment)
        assert ("refusal", "redis-2") in told(result, "cascade")
    finally:
        deployment.command("redis-3", "CONFIG", "SET", "replica-priority", 100)
    assert examined(deployment)["ready"]  # the remedy


def test_a_hidden_replica_outside_of_the_inventory(deployment: Deployment) -> None:
    hide(deployment, "redis-3")
    result = examined(deployment, ["redis-3"])
    assert told(result, "hidden") == [("refusal", "redis-1")]
    assert deployment.address("redis-3") in next(one["seen"] for one in result["findings"] if one["check"] == "hidden")


@pytest.mark.parametrize(("priority", "severity"), [(0, "warning"), (1, "refusal"), (2, "warning"), (100, "warning")])
def test_a_hidden_replica_by_its_priority(deployment: Deployment, priority: int, severity: str) -> None:
    hide(deployment, "redis-3")
    deployment.command("redis-3", "CONFIG", "SET", "replica-priority", priority)
    result = examined(deployment)
    assert ("redis-3", severity) in [(one["node"], one["severity"]) for one in result["findings"] if one["check"] == "hidden"]
    assert not told(result, "inventory")


def test_a_hidden_replica_and_a_cascade_are_upgraded(deployment: Deployment) -> None:
    """The only node to promote is redis-6: redis-2 is followed, and redis-3 is hidden."""
    deployment.command("redis-3", "CONFIG", "SET", "replica-priority", 100)
    hide(deployment, "redis-3", hidden=False)
    deployment.add("redis-6", follows="redis-1")  # the Sentinels do not count the cascade
    wait_until(lambda: all(deployment.nodes["redis-6"] in listed(deployment, sentinel) for sentinel in deployment.sentinels), 30)
    hide(deployment, "redis-3")
    deployment.write_inventory()
    assert examined(deployment)["plan"]["shards"][MASTER]["target_host"] == "redis-6"
    before = followed(deployment)
    with Application(deployment) as application:
        done = run(deployment, "upgrade")
    output = words(done.stdout)
    assert done.returncode == 0, output[-4000:]
    assert "redis-5: 6.2.9 -> 6.2.14" in output
    assert {deployment.info(name)["redis_version"] for name in deployment.ports} == {WANTED}
    assert followed(deployment) == before
    assert lost(application, same_everywhere(deployment)) == []
    assert deployment.command("redis-3", "CONFIG", "GET", "replica-announced")[1] == "no"
    again = run(deployment, "upgrade")
    assert (again.returncode, "Nothing to do" in words(again.stdout)) == (0, True), words(again.stdout)[-3000:]
