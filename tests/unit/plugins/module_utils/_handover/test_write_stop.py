"""Stop the writes on one node in memory, to which clients write all the time."""

from __future__ import annotations

from itertools import repeat

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import CommandRefused
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.write_stop import WriteStop
from ansible_collections.sentinelops.redis.plugins.module_utils._server.info import node_info, parse_info
from ansible_collections.sentinelops.redis.plugins.module_utils._topology.fence import (
    before_ping_delay,
    is_ping_delay,
    original_min_replicas,
)
from ansible_collections.sentinelops.redis.plugins.module_utils._topology.shard import NodeState
from ansible_collections.sentinelops.redis.tests.unit.support.clock import FakeClock
from ansible_collections.sentinelops.redis.tests.unit.support.data_node import DataNode
from ansible_collections.sentinelops.redis.tests.unit.support.servers import Wire


class Node(DataNode):
    """A master with two replicas, and its clock."""

    def __init__(self) -> None:
        super().__init__("10.0.0.1:6379", Wire(FakeClock()))
        self.clock.on_step = [self.step]
        self.replicas = [DataNode(f"10.0.0.{n}:6379", self.wire, self) for n in (2, 3)]
        self.wire.nodes = {str(node.address): node for node in (self, *self.replicas)}

    def written_in(self, seconds: float) -> float:
        before = self.offset
        self.clock.pass_s(seconds)
        return self.offset - before


def state_of(node: Node) -> NodeState:
    """Return the node's state before its writes are stopped."""
    return NodeState(
        address=str(node.address),
        info=node_info(parse_info(node.command("INFO"))),
        priority=100,
        min_replicas_to_write=int(node.config["min-replicas-to-write"]),
        min_replicas_max_lag=int(node.config["min-replicas-max-lag"]),
        ping_period_s=int(node.config["repl-ping-replica-period"]),
    )


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def stop(node: Node) -> WriteStop:
    return WriteStop(node, state_of(node), node.clock)


def test_nothing_is_stopped_yet(node: Node, stop: WriteStop) -> None:
    assert node.written_in(1) > 0
    assert (stop.fenced, node.wire.changing()) == (False, [])


def test_a_pause_and_the_offset_after_the_last_write(node: Node, stop: WriteStop) -> None:
    point, replicas = stop.pause(2000)
    assert (int(node.offset), node.replid, int(node.changes), replicas) == (point.offset, point.replid, point.changes, 2)
    assert node.written_in(1.9) == 0
    assert node.written_in(0.5) > 0, "it ends by itself"


def test_a_pause_is_ended(node: Node, stop: WriteStop) -> None:
    stop.pause(4000)
    assert stop.end() == []
    assert node.written_in(0.1) > 0


@pytest.mark.parametrize("stopping", ["pause", "fence"])
@pytest.mark.parametrize("period", ["10", "1", "3600"])
def test_no_ping_is_sent_while_writes_are_stopped(node: Node, stopping: str, period: str) -> None:
    node.config["repl-ping-replica-period"] = period
    before = dict(node.config)
    stop = WriteStop(node, state_of(node), node.clock)
    if stopping == "pause":
        stop.pause(1000)
    else:
        stop.refuse_writes(1000)
    delayed = int(node.config["repl-ping-replica-period"])
    assert (is_ping_delay(delayed), before_ping_delay(delayed)) == (True, int(period)), "it says itself what was before"
    assert WriteStop(node, state_of(node), node.clock).overrides()[0].original == int(period), "nor is a delay taken for what was before"
    assert stop.end() == []
    assert node.config == before


@pytest.mark.parametrize(("seconds", "soon"), [(0.0, False), (1.5, False), (1.9, True), (5.0, True)])
def test_a_pause_that_ends_soon(node: Node, stop: WriteStop, seconds: float, soon: bool) -> None:
    stop.pause(2000)
    node.clock.pass_s(seconds)
    assert stop.ends_soon() is soon


def test_a_fence_has_no_end(node: Node, stop: WriteStop) -> None:
    stop.pause(1000)
    stop.fence()
    assert node.written_in(60) == 0
    assert (stop.fenced, stop.ends_soon()) == (True, False)


@pytest.mark.parametrize("max_lag", ["10", "0", "30"])
@pytest.mark.parametrize("to_write", ["0", "1"])
def test_a_fence_is_lifted(node: Node, to_write: str, max_lag: str) -> None:
    node.config.update({"min-replicas-to-write": to_write, "min-replicas-max-lag": max_lag})
    before = dict(node.config)
    stop = WriteStop(node, state_of(node), node.clock)
    stop.fence()
    assert node.fenced
    now = int(node.config["min-replicas-to-write"]), int(node.config["min-replicas-max-lag"])
    assert original_min_replicas(*now) == (int(to_write), int(max_lag)), "it says itself what was before"
    assert stop.end() == []
    assert (node.config, stop.fenced) == (before, False)
    assert node.written_in(0.1) > 0


@pytest.mark.parametrize("max_lag", ["10", "0"])
@pytest.mark.parametrize("to_write", ["0", "1"])
def test_what_a_fence_changes_is_known_beforehand(node: Node, to_write: str, max_lag: str) -> None:
    node.config.update({"min-replicas-to-write": to_write, "min-replicas-max-lag": max_lag})
    before = dict(node.config)
    stop = WriteStop(node, state_of(node), node.clock)
    changes = {change.setting: (str(change.original), str(change.temporary)) for change in stop.overrides()}
    stop.refuse_writes(1000)
    stop.arm(2)
    stop.fence()
    changed = {name: (value, node.config[name]) for name, value in before.items() if node.config[name] != value}
    assert changes == changed


def test_a_pause_behind_a_fence(node: Node, stop: WriteStop) -> None:
    stop.refuse_writes(2000)
    assert "CLIENT PAUSE 2000 WRITE" in [sent.text for sent in node.wire.sent]
    assert node.written_in(5) == 0, "the fence stays when the pause has ended"
    assert (stop.ends_soon(), stop.is_half_over()) == (False, False), "nothing depends on the pause"
    assert stop.end() == []
    assert node.wire.sent[-1].text == "CLIENT UNPAUSE"


@pytest.mark.parametrize("quiet_ms", [0, 2000])
def test_a_fence_where_no_pause_is_possible(node: Node, stop: WriteStop, quiet_ms: int) -> None:
    """A user without the right gets an error; with 0 nothing is asked for."""
    node.refuses["CLIENT PAUSE"] = repeat("NOPERM this user has no permissions to run the 'client|pause' command")
    point = stop.refuse_writes(quiet_ms)
    assert (point.offset, stop.fenced) == (int(node.offset), True)
    assert ("CLIENT PAUSE" in str(node.wire.tried)) is bool(quiet_ms)
    node.refuses["CLIENT UNPAUSE"] = repeat("NOPERM this user has no permissions to run the 'client|unpause' command")
    assert (stop.end(), stop.pending) == ([], False), "what was not paused is not unpaused"
    assert node.written_in(0.1) > 0


def test_what_has_to_be_done_before_the_pause_ends(node: Node, stop: WriteStop) -> None:
    stop.pause(4000)
    stop.end(["CLIENT", "KILL", "TYPE", "normal"])
    assert [sent.text for sent in node.wire.sent[-2:]] == ["CLIENT KILL TYPE normal", "CLIENT UNPAUSE"]


def test_a_command_that_fails_does_not_keep_the_others(node: Node, stop: WriteStop) -> None:
    stop.pause(4000)
    node.refuses["CLIENT KILL"] = repeat("ERR no")
    (failed,) = stop.end(["CLIENT", "KILL", "TYPE", "normal"])
    assert isinstance(failed, CommandRefused)
    assert node.written_in(0.1) > 0


def test_a_pause_that_is_refused(node: Node, stop: WriteStop) -> None:
    node.refuses["CLIENT PAUSE"] = repeat("ERR syntax error")
    with pytest.raises(CommandRefused):
        stop.pause(4000)
    assert stop.end() == []
    assert node.written_in(0.1) > 0
