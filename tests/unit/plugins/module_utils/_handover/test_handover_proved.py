"""Handovers whose processes all die, stall or are cut off, or with a node that is an impostor."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import OperationFailed, PreconditionFailed, SentinelOpsError
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.leaders import ordered_leaders
from ansible_collections.sentinelops.redis.plugins.module_utils._topology.shard import read_shard
from ansible_collections.sentinelops.redis.tests.unit.support.data_node import DataNode
from ansible_collections.sentinelops.redis.tests.unit.support.deployment import MASTER, OTHER, SENTINELS, TARGET, Deployment
from ansible_collections.sentinelops.redis.tests.unit.support.standby import ProcessUndoFile, Standby, killed

AFTERWARDS = {MASTER: TARGET, TARGET: "master", OTHER: TARGET}
BEFORE = {MASTER: "master", TARGET: MASTER, OTHER: MASTER}


def position(event: str, **request: object) -> int:
    """Return the number of the first command with this text in a handover without accidents."""
    deployment = Deployment()
    deployment.hand_over(**request)
    return next(number for number, command in enumerate(deployment.wire.tried) if event in command)


def start_empty(node: DataNode) -> None:
    """Boot the node with no data and no replicaof: it is a master that accepts writes."""
    node.master, node.replid, node.replid2, node.second_offset, node.offset = None, f"new-{node.name}", "0" * 40, -1, 0.0


# -- the dead man's fence


@pytest.mark.parametrize("again", [TARGET, MASTER], ids=["the same target", "back"])
def test_everything_dies_after_the_accepted_failover(tmp_path: Path, again: str) -> None:
    deployment = Deployment()
    before = deployment.settings()
    deployment.wire.accidents[position("SENTINEL FAILOVER mymaster")] = "killed after"
    undo_file = ProcessUndoFile(str(tmp_path), deployment.wire)
    killed(deployment, undo_file=undo_file)  # no standby
    deployment.wire.sender_is_dead = False
    undo_file.release()
    deployment.clock.pass_s(20)
    assert deployment.roles() == AFTERWARDS, "Sentinel has demoted it after 11 s"
    assert deployment.lost_bytes == 0
    assert deployment.master.config["min-replicas-max-lag"] == "1000000010"
    handover = deployment.handover(again, undo_file=ProcessUndoFile(str(tmp_path), deployment.wire))
    handover.survey()
    handover.run()
    assert deployment.settings() == before
    assert (deployment.roles()[again], deployment.lost_bytes) == ("master", 0)


def test_a_later_run_on_another_host_reads_what_was_set_before() -> None:
    """Without the undo file, the fence itself encodes the original values."""
    deployment = Deployment()
    deployment.master.config.update({"min-replicas-to-write": "1", "min-replicas-max-lag": "30"})
    deployment.wire.accidents[position("SENTINEL FAILOVER mymaster")] = "killed after"
    killed(deployment)
    deployment.wire.sender_is_dead = False
    deployment.clock.pass_s(20)
    handover = deployment.handover(TARGET)
    handover.survey()
    handover.run()
    node = deployment.master.config
    assert (node["min-replicas-to-write"], node["min-replicas-max-lag"]) == ("1", "30")
    assert deployment.master.saved_config == node
    assert deployment.lost_bytes == 0


@pytest.mark.parametrize("stall_s", [1.0, 4.0, 8.0, 30.0])
def test_the_module_stands_still_after_the_accepted_failover(stall_s: float) -> None:
    deployment = Deployment()
    handover = deployment.surveyed()
    leader = deployment.sentinels[0]
    original = leader._begin

    def begin_and_stall(coordinated: bool) -> None:
        original(coordinated)
        deployment.clock.pass_s(stall_s)

    leader._begin = begin_and_stall  # type: ignore[method-assign]
    result = handover.run()
    assert deployment.roles() == AFTERWARDS
    assert deployment.lost_bytes == 0
    assert result.loss == "none"


@pytest.mark.parametrize("seconds", [5.0, 12.0, 18.0])
def test_only_the_way_to_the_old_master_is_cut(seconds: float) -> None:
    deployment = Deployment()
    before = deployment.settings()
    handover = deployment.surveyed()
    deployment.master.before["REPLICAOF"] = lambda: vars(deployment.master).update(out_of_reach_until_s=deployment.clock.now_s() + seconds)
    result = handover.run()
    assert deployment.roles() == AFTERWARDS
    assert (deployment.lost_bytes, result.loss) == (0, "none")
    assert deployment.settings() == before


def test_the_way_to_the_old_master_is_cut_for_longer() -> None:
    """Sentinel demotes the old master after 11 s; its settings are restored once we reach it."""
    deployment = Deployment()
    before = deployment.settings()
    handover = deployment.surveyed()
    deployment.master.before["REPLICAOF"] = lambda: vars(deployment.master).update(out_of_reach_until_s=deployment.clock.now_s() + 25)
    result = handover.run()
    assert (deployment.roles(), deployment.lost_bytes, result.loss) == (AFTERWARDS, 0, "none")
    assert not any(warning.startswith("not restored") for warning in result.warnings)
    assert deployment.settings() == before


def test_the_way_to_the_old_master_stays_cut() -> None:
    """The remains on the old master are named, and the next run restores them."""
    deployment = Deployment()
    before = deployment.settings()
    handover = deployment.surveyed()
    deployment.master.before["REPLICAOF"] = lambda: vars(deployment.master).update(out_of_reach_until_s=deployment.clock.now_s() + 90)
    with pytest.raises(OperationFailed, match="has not settled") as caught:
        handover.run()
    assert (deployment.roles(), deployment.lost_bytes) == (AFTERWARDS, 0)
    assert any(warning.startswith(f"not restored on {MASTER}") for warning in caught.value.facts["warnings"])
    deployment.clock.limit(200)
    deployment.clock.sleep_s(30)
    again = deployment.handover(TARGET)
    again.survey()
    again.run()
    assert deployment.settings() == before


def test_the_failover_never_comes_and_everything_is_dead() -> None:
    """Writes go on after the pause: the fence engages only if a replica leaves."""
    deployment = Deployment()
    for sentinel in deployment.sentinels:
        sentinel.aborts = True
    deployment.wire.accidents[position("SENTINEL FAILOVER mymaster")] = "killed after"
    killed(deployment)
    deployment.wire.sender_is_dead = False
    deployment.clock.pass_s(10)
    assert deployment.master.takes_writes
    assert deployment.roles() == BEFORE


def test_a_replica_that_leaves_between_the_pause_and_the_fence() -> None:
    deployment = Deployment()
    deployment.master.before["CONFIG SET min-replicas-to-write 2"] = lambda: vars(deployment.replicas[1]).update(link_up=False)
    deployment.clock.at(20, lambda: vars(deployment.replicas[1]).update(link_up=True))
    result = deployment.hand_over()
    assert result.attempts > 1
    assert any(
        "counts 1 linked replicas, and must count 2" in str(entry["event"]) or "released" in entry["event"] for entry in result.timeline
    )
    assert (deployment.roles(), deployment.lost_bytes) == (AFTERWARDS, 0)


def test_settings_that_the_fence_cannot_say() -> None:
    deployment = Deployment()
    deployment.master.config["min-replicas-max-lag"] = "86400"
    with pytest.raises(PreconditionFailed, match="use mode fence"):
        deployment.hand_over()
    assert deployment.hand_over(mode="fence").changed


# -- who was promoted


def test_the_target_hangs_and_another_replica_boots_as_an_empty_master() -> None:
    deployment = Deployment()
    handover = deployment.surveyed()
    other = deployment.replicas[1]

    def accident() -> None:
        deployment.target.frozen_until_s = deployment.clock.now_s() + 120
        start_empty(other)

    deployment.clock.on_step.append(lambda _s: accident() if deployment.sentinels[0].running and other.master else None)
    with pytest.raises(OperationFailed) as caught:
        handover.run()
    assert f"{OTHER} was not promoted: it says role:master, but its data do not come from the old master" in str(caught.value)
    assert f"{MASTER} is still the master and takes writes" in str(caught.value)
    assert deployment.roles()[MASTER] == "master", "the one node that has everything follows nobody"
    assert deployment.master.offset >= 10000


@pytest.mark.parametrize("kind", ["empty", "stale", "of another data set"])
def test_the_target_comes_back_as_another_node(kind: str) -> None:
    deployment = Deployment()
    handover = deployment.surveyed()
    for sentinel in deployment.sentinels:
        sentinel.aborts = True
    target = deployment.target

    def come_back() -> None:
        start_empty(target)
        if kind == "stale":
            target.replid2, target.second_offset = deployment.master.replid, 500

    deployment.clock.on_step.append(lambda _s: come_back() if deployment.sentinels[0].running and target.master else None)
    with pytest.raises(OperationFailed, match=f"{TARGET} was not promoted: it says role:master, but its data"):
        handover.run()
    assert deployment.roles()[MASTER] == "master"
    assert deployment.master.takes_writes


def test_a_target_that_does_not_let_us_in_is_vouched_for_by_a_replica() -> None:
    """The other replica proves the promotion.

    Sentinel has reconfigured that replica, which continued the old master's stream.
    """
    deployment = Deployment()
    handover = deployment.surveyed()
    for sentinel in deployment.sentinels:
        sentinel.demotion_s = 1000
    leader = deployment.sentinels[0]
    leader.before["SENTINEL FAILOVER"] = lambda: vars(deployment.target).update(out_of_reach_until_s=deployment.clock.now_s() + 8)
    result = handover.run()
    assert (deployment.roles(), deployment.lost_bytes, result.loss) == (AFTERWARDS, 0, "none")


# -- another failover


def test_another_failover_during_the_steering_makes_the_target_the_master() -> None:
    deployment = Deployment(has_debug=False)
    handover = deployment.surveyed()
    deployment.clock.at(1.0, lambda: deployment.sentinels[0]._begin(coordinated=False))
    begun_s = deployment.clock.now_s()
    result = handover.run()
    demoted_at = next(entry["at_ms"] for entry in result.timeline if str(entry["event"]).startswith("demoted"))
    moved_at = next(entry["at_ms"] for entry in result.timeline if str(entry["event"]).startswith("moved"))
    assert demoted_at - moved_at < 50, "at once"
    assert deployment.clock.now_s() - begun_s < 30
    assert (result.foreign, result.new_master, deployment.roles()) == (True, TARGET, AFTERWARDS)
    assert result.loss == "unknown"
    assert result.diverged_bytes is not None
    assert "a failover that this run did not start has made" in result.warnings[-1]


# -- the proof of each handover


def test_an_ordinary_handover_is_proved() -> None:
    result = Deployment().hand_over()
    assert (result.loss, result.diverged_bytes, result.warnings) == ("none", 0, [])


def test_writes_that_got_through_the_pause_are_a_failure() -> None:
    """A clock that jumps ends the pause, and somebody lifts the fence."""
    deployment = Deployment()
    handover = deployment.surveyed()

    def break_it() -> None:
        deployment.master.paused_until_s = 0.0
        deployment.master.config["min-replicas-to-write"] = "0"

    deployment.sentinels[0].before["SENTINEL FAILOVER"] = break_it
    with pytest.raises(OperationFailed, match=r"acknowledged writes were lost: the old master accepted \d+ changes") as caught:
        handover.run()
    assert f"{TARGET} is the master and takes writes, all others follow it" in str(caught.value)
    assert deployment.roles() == AFTERWARDS
    assert deployment.lost_bytes > 0


def test_half_of_the_pause_is_over_before_the_failover() -> None:
    deployment = Deployment()
    deployment.master.before["CONFIG SET min-replicas-to-write 2"] = lambda: deployment.clock.pass_s(2.5)
    result = deployment.hand_over()
    assert (result.attempts, result.loss, deployment.lost_bytes) == (2, "none", 0)
    assert deployment.roles() == AFTERWARDS


def test_a_leader_that_names_another_master_by_now() -> None:
    deployment = Deployment()
    leader = deployment.sentinels[0]

    def rename() -> None:
        leader.master = deployment.replicas[1]
        deployment.clock.at(0.5, lambda: vars(leader).update(master=deployment.master))

    deployment.master.before["CLIENT PAUSE"] = rename
    with contextlib.suppress(SentinelOpsError):
        deployment.hand_over()
    assert deployment.lost_bytes == 0
    assert not deployment.wire.begins(SENTINELS[0], "SENTINEL FAILOVER mymaster")


# -- who leads


def test_the_leader_is_on_a_host_without_a_replica() -> None:
    """The old master's host qualifies: hosts .2 and .3 have the replicas."""
    assert Deployment().hand_over().leader == SENTINELS[0]


@pytest.mark.parametrize(("clients", "leader"), [((3, 9, 9), 2), ((9, 3, 9), 1), ((9, 9, 3), 2), ((9, 9, 9), 2)])
def test_else_it_has_the_fewest_clients_or_is_the_last(clients: tuple[int, ...], leader: int) -> None:
    """Sentinels 1 and 2 are beside a replica; Sentinel 0 is not, and cannot lead."""
    deployment = Deployment()
    for sentinel, number in zip(deployment.sentinels, clients, strict=True):
        sentinel.connected_clients = number
    servers = deployment.servers()
    order = ordered_leaders(servers, read_shard(servers, "mymaster"), [1, 2], "")
    assert order[0] == leader


@pytest.mark.parametrize("leader", SENTINELS)
def test_the_leader_that_is_asked_for(leader: str) -> None:
    deployment = Deployment()
    result = deployment.hand_over(leader=leader)
    assert (result.leader, deployment.lost_bytes) == (leader, 0)


def test_a_leader_that_is_no_sentinel() -> None:
    with pytest.raises(PreconditionFailed, match=r"leader is 10\.0\.0\.9:26379, which is none of the Sentinels"):
        Deployment().hand_over(leader="10.0.0.9:26379")


# -- clients that stay behind


def test_clients_are_disconnected_again_and_again_once_the_leader_has_switched() -> None:
    deployment = Deployment()
    result = deployment.hand_over(disconnect_ms=300)
    kills = deployment.wire.begins(MASTER, "CLIENT KILL TYPE normal")
    sent = deployment.wire.sent
    assert len(kills) > 100
    assert len(deployment.wire.begins(MASTER, "CLIENT KILL TYPE pubsub")) == 2, "subscribers, too, once more"
    assert 0.25 < sent[kills[-1]].at_s - sent[kills[1]].at_s < 0.35
    ended = deployment.wire.begins(result.leader, "SENTINEL SET mymaster failover-timeout 60000")[0]
    assert ended < kills[1], "the leader has switched"
    assert any(str(entry["event"]).startswith("freed:") for entry in result.timeline)


# -- slow answers


@pytest.mark.parametrize("slow", [MASTER, TARGET, SENTINELS[1]])
def test_round_trips_that_are_too_long_for_a_pause(slow: str) -> None:
    deployment = Deployment()
    server = next(server for server in [*deployment.nodes, *deployment.sentinels] if server.name == slow)
    server.takes_s = 0.9
    with pytest.raises(
        PreconditionFailed, match=rf"a round trip to [a-zA-Z ]+ {re.escape(slow)} takes 90[0-9] ms, more than a fifth of the pause"
    ):
        deployment.hand_over()
    assert deployment.wire.changing() == []


def test_the_standby_finishes_with_the_proof() -> None:
    deployment = Deployment()
    standby = Standby(deployment.wire)
    deployment.wire.accidents[position("SENTINEL FAILOVER mymaster")] = "killed after"
    killed(deployment, standby)
    standby.awake()
    assert (deployment.roles(), deployment.lost_bytes) == (AFTERWARDS, 0)
    assert deployment.settings() == Deployment().settings()
