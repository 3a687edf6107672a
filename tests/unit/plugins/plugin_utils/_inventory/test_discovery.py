"""Reading a whole deployment, and every reason to refuse one, with replies of real servers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import (
    AccessDenied,
    CommandRefused,
    PreconditionFailed,
    SentinelOpsError,
)
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address
from ansible_collections.sentinelops.redis.plugins.module_utils._server.commands import Server
from ansible_collections.sentinelops.redis.plugins.plugin_utils._inventory.discovery import discover
from ansible_collections.sentinelops.redis.plugins.plugin_utils._inventory.facts import Instance, instances_from
from ansible_collections.sentinelops.redis.tests.unit.support.recorded import VERSIONS
from ansible_collections.sentinelops.redis.tests.unit.support.recorded_deployment import MACHINES, RecordedDeployment

V = "7.0.15"
NODES = ["10.0.0.1:6379", "10.0.0.2:6379", "10.0.0.3:6379"]
SENTINELS = ["10.0.0.1:26379", "10.0.0.2:26379", "10.0.0.3:26379"]
WHOLE = sorted([*NODES, *SENTINELS], key=lambda text: (text.partition(":")[0], int(text.partition(":")[2])))


@pytest.fixture
def deployment() -> RecordedDeployment:
    return RecordedDeployment(V)


def found(deployment: RecordedDeployment, *first: str, **options: Any) -> list[Instance]:
    addresses = [Address.parse(text) for text in first or SENTINELS[:1]]
    return discover(addresses, deployment.sentinel, deployment.node, **options)


def refused(deployment: RecordedDeployment, *first: str, **options: Any) -> str:
    with pytest.raises(PreconditionFailed) as raised:
        found(deployment, *first, **options)
    assert raised.value.advice
    return str(raised.value)


@pytest.mark.parametrize("version", VERSIONS)
def test_one_sentinel_leads_to_all(version: str) -> None:
    instances = found(RecordedDeployment(version))
    assert [one.address for one in instances] == WHOLE
    roles = ["master", "sentinel", "replica", "sentinel", "replica", "sentinel"]
    assert [one.role for one in instances] == roles
    assert {(one.server, one.version, tuple(one.masters), one.answers) for one in instances} == {("redis", version, ("mymaster",), True)}
    assert len({one.run_id for one in instances}) == 6
    assert {len(one.run_id) for one in instances} == {40}


def test_instances_survive_the_cache(deployment: RecordedDeployment) -> None:
    instances = found(deployment)
    assert instances_from([one.as_dict() for one in instances]) == instances


def test_each_instance_is_asked_once(deployment: RecordedDeployment) -> None:
    found(deployment, *SENTINELS)
    assert sorted(deployment.asked) == sorted([*NODES, *SENTINELS])


def test_a_sentinel_that_is_asked_at_another_address_is_the_same(deployment: RecordedDeployment) -> None:
    """The others know where it is; so 127.0.0.1 or a forwarded port may be given."""
    deployment.sentinels["127.0.0.1:5000"] = deployment.sentinels[SENTINELS[0]]
    assert found(deployment, "127.0.0.1:5000") == found(deployment)


def test_a_lone_sentinel_has_the_address_that_was_given(deployment: RecordedDeployment) -> None:
    for address in SENTINELS[1:]:
        del deployment.sentinels[address]
    deployment.sentinels[SENTINELS[0]]["sentinels"] = []
    assert [one.address for one in found(deployment)] == [*NODES[:1], SENTINELS[0], *NODES[1:]]


# -- Sentinels that do not answer


def test_a_sentinel_that_does_not_answer(deployment: RecordedDeployment) -> None:
    deployment.gone = {SENTINELS[2]}
    text = refused(deployment)
    assert "a Sentinel does not answer: 10.0.0.3:26379: no answer to INFO: connection refused" in text
    assert "Start it, or restore the network from the controller" in text
    assert "keep_down_sentinels" in text


def test_a_given_sentinel_that_does_not_answer(deployment: RecordedDeployment) -> None:
    """Also one that no Sentinel knows, whatever the options are."""
    deployment.gone = {"10.0.0.9:26379"}
    assert "10.0.0.9:26379: no answer" in refused(deployment, SENTINELS[0], "10.0.0.9:26379", keep_down_sentinels=True)


def test_no_sentinel_answers(deployment: RecordedDeployment) -> None:
    deployment.gone = set(SENTINELS)
    text = refused(deployment, *SENTINELS[:2])
    assert "no Sentinel answered: 10.0.0.1:26379: no answer to INFO: connection refused; 10.0.0.2:26379: " in text


def test_a_sentinel_that_is_known_to_be_down_is_kept_if_that_is_wanted(deployment: RecordedDeployment) -> None:
    deployment.gone = {SENTINELS[2]}
    deployment.flag("sentinels", SENTINELS[2], "s_down,sentinel,disconnected")
    assert "a Sentinel does not answer: 10.0.0.3:26379" in refused(deployment)
    instances = found(deployment, keep_down_sentinels=True)
    assert [one.address for one in instances] == WHOLE
    assert [one for one in instances if not one.answers] == [Instance(SENTINELS[2], "sentinel", ["mymaster"], answers=False)]


def test_a_sentinel_that_only_the_controller_cannot_reach_is_not_kept(deployment: RecordedDeployment) -> None:
    deployment.gone = {SENTINELS[2]}
    deployment.listed("sentinels", SENTINELS[2])[0]["flags"] = "s_down,sentinel"
    assert "a Sentinel does not answer: 10.0.0.3:26379" in refused(deployment, keep_down_sentinels=True)


# -- Sentinels that disagree


def test_they_disagree_about_the_master(deployment: RecordedDeployment) -> None:
    view = deployment.sentinels[SENTINELS[1]]
    view["master"].update(ip="10.0.0.2", port="6379")
    (listed,) = [one for one in view["replicas"] if one["ip"] == "10.0.0.2"]
    listed.update(ip="10.0.0.1", port="6379")
    text = refused(deployment)
    assert "the Sentinels disagree about the master 'mymaster': the master: " in text
    assert "10.0.0.1:6379 says 10.0.0.1:26379, 10.0.0.3:26379" in text
    assert "10.0.0.2:6379 says 10.0.0.2:26379" in text
    assert "then run again" in text


def test_one_lacks_a_replica(deployment: RecordedDeployment) -> None:
    del deployment.sentinels[SENTINELS[1]]["replicas"][0]
    assert "the replicas: " in refused(deployment)


def test_one_does_not_know_another_sentinel(deployment: RecordedDeployment) -> None:
    view = deployment.sentinels[SENTINELS[1]]
    view["sentinels"] = [peer for peer in view["sentinels"] if peer["ip"] != "10.0.0.3"]
    text = refused(deployment)
    assert "the Sentinels: 10.0.0.1:26379, 10.0.0.2:26379, 10.0.0.3:26379 says 10.0.0.1:26379, 10.0.0.3:26379" in text
    assert "10.0.0.1:26379, 10.0.0.2:26379 says 10.0.0.2:26379" in text


def test_all_list_a_sentinel_that_monitors_something_else(deployment: RecordedDeployment) -> None:
    """It monitors another master with the same Sentinels, and not this one."""
    for address in SENTINELS:
        said = deployment.sentinels[address]
        said["more"] = [copy.deepcopy({key: said[key] for key in ("master", "replicas", "sentinels")})]
        said["more"][0]["master"]["name"] = "other"
    stranger = deployment.sentinels[SENTINELS[2]]
    stranger.update(stranger.pop("more")[0])
    assert "10.0.0.3:26379 is listed as a Sentinel of it and does not monitor it" in refused(deployment)


def test_two_deployments(deployment: RecordedDeployment) -> None:
    """Sentinels that do not know each other, although their masters have one name."""
    others = {address: f"10.1{address.removeprefix('10.0')}" for address in MACHINES.values()}
    other = RecordedDeployment(V, moves={old: others[new] for old, new in MACHINES.items()})
    for said in [*other.sentinels.values(), *other.nodes.values()]:
        said["info"] = [line[:-4] + "ffff" if line.startswith("run_id:") else line for line in said["info"]]
    deployment.sentinels |= other.sentinels
    deployment.nodes |= other.nodes
    text = refused(deployment, SENTINELS[0], "10.1.0.2:26379")
    assert "10.0.0.1:26379, 10.0.0.2:26379, 10.0.0.3:26379 / 10.1.0.1:26379, 10.1.0.2:26379, 10.1.0.3:26379" in text
    assert "a file of its own" in text


def test_a_failover_is_in_progress(deployment: RecordedDeployment) -> None:
    deployment.sentinels[SENTINELS[1]]["master"]["flags"] = "master,failover_in_progress"
    assert "a failover of the master 'mymaster' is in progress, say the Sentinels 10.0.0.2:26379" in refused(deployment)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_recorded_failover_is_refused(version: str) -> None:
    text = refused(RecordedDeployment(version, "failover promoted"))
    assert "disagree" in text or "failover" in text


# -- data nodes


def test_a_node_with_another_role_than_the_sentinels_say(deployment: RecordedDeployment) -> None:
    deployment.tell(NODES[1], role="master")
    assert "10.0.0.2:6379 is a replica for the Sentinels, and itself a master" in refused(deployment)


def test_a_master_that_is_a_replica(deployment: RecordedDeployment) -> None:
    deployment.tell(NODES[0], role="slave", master_host="10.0.0.2", master_port="6379")
    assert "10.0.0.1:6379 is the master for the Sentinels, and itself a replica of 10.0.0.2:6379" in refused(deployment)


def test_a_node_that_only_the_controller_cannot_reach(deployment: RecordedDeployment) -> None:
    deployment.gone = {NODES[2]}
    deployment.listed("replicas", NODES[2])[0]["flags"] = "s_down,slave"
    text = refused(deployment)
    assert "a data node of 'mymaster' does not answer the controller, and not all Sentinels know it to be down: 10.0.0.3:6379: " in text
    assert "Restore the network from the controller" in text


@pytest.mark.parametrize("role", ["master", "replica"])
def test_a_node_that_is_known_to_be_down_is_kept(deployment: RecordedDeployment, role: str) -> None:
    """An interrupted upgrade may have stopped it; the run that completes the upgrade starts it."""
    address = NODES[0] if role == "master" else NODES[2]
    deployment.gone = {address}
    deployment.flag("replicas", address, "s_down,slave,disconnected")
    for said in deployment.sentinels.values():
        said["master"]["flags"] = "s_down,o_down,master" if role == "master" else "master"
    instances = found(deployment)
    assert [one.address for one in instances] == WHOLE
    assert [one for one in instances if not one.answers] == [Instance(address, role, ["mymaster"], answers=False)]


def test_replicas_that_no_sentinel_lists(deployment: RecordedDeployment) -> None:
    """A hidden replica of the master, and a replica of a replica."""
    for number, follows in ((4, NODES[0]), (5, NODES[2])):
        deployment.nodes[f"10.0.0.{number}:6379"] = copy.deepcopy(deployment.nodes[NODES[1]])
        deployment.tell(f"10.0.0.{number}:6379", run_id=str(number) * 40)
        deployment.tell(follows, slave7=f"ip=10.0.0.{number},port=6379,state=online,offset=1,lag=0")
    deployment.tell(NODES[1], slave0="ip=10.0.0.9,port=0,state=online,offset=1,lag=0")
    instances = {one.address: one for one in found(deployment)}
    assert set(instances) == {*WHOLE, "10.0.0.4:6379", "10.0.0.5:6379"}
    assert {instances["10.0.0.4:6379"].role, instances["10.0.0.5:6379"].role} == {"replica"}
    deployment.gone = {"10.0.0.5:6379"}
    assert "does not answer the controller" in refused(deployment)


def test_two_names_for_one_master(deployment: RecordedDeployment) -> None:
    for said in deployment.sentinels.values():
        said["more"] = [copy.deepcopy({key: said[key] for key in ("master", "replicas", "sentinels")})]
        said["more"][0]["master"]["name"] = "other"
    assert "under two master names, 'mymaster' and 'other'" in refused(deployment)
    assert {tuple(one.masters) for one in found(deployment, wanted=["other"])} == {("other",)}


# -- what the first Sentinel is


def test_a_data_node_is_no_sentinel(deployment: RecordedDeployment) -> None:
    deployment.sentinels[NODES[0]] = {**deployment.sentinels[SENTINELS[0]], "info": deployment.nodes[NODES[0]]["info"]}
    assert "10.0.0.1:6379: the server at this address is no Sentinel" in refused(deployment, NODES[0])


def test_a_master_that_is_not_monitored(deployment: RecordedDeployment) -> None:
    text = refused(deployment, wanted=["mymaster", "sessions"])
    assert "10.0.0.1:26379: this Sentinel monitors no master named sessions (it monitors: mymaster)" in text


class Broken:
    """A server that answers each command with an error."""

    def __init__(self, address: Address, error: SentinelOpsError) -> None:
        self.address, self.error = address, error

    def command(self, *words: Any) -> Any:
        raise self.error

    def set_timeout(self, timeout_ms: int) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def broken(error: SentinelOpsError) -> Callable[[Address], Server]:
    return lambda address: Broken(address, error)


def test_a_wrong_login_names_the_options(deployment: RecordedDeployment) -> None:
    denied = AccessDenied("INFO: WRONGPASS", node="n", advice="Check user and password")
    with pytest.raises(AccessDenied, match=r"the Sentinel refused .*Check user and password.*login_user, login_password"):
        discover([Address.parse(SENTINELS[0])], broken(denied), deployment.node)
    with pytest.raises(AccessDenied, match=r"the data node refused .*node_login_user, node_login_password"):
        discover([Address.parse(SENTINELS[0])], deployment.sentinel, broken(denied))


def test_a_node_that_refuses_the_command(deployment: RecordedDeployment) -> None:
    error = CommandRefused("BUSY", node="n", command="INFO")
    with pytest.raises(PreconditionFailed, match="INFO was answered with: BUSY"):
        discover([Address.parse(SENTINELS[0])], deployment.sentinel, broken(error))
