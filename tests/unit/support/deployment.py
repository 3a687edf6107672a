"""A deployment in memory, on a fake clock: one master, its replicas and three Sentinels.

Every command is recorded.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.sentinelops.redis.plugins.module_utils._handover.handover import (
    Handover,
    HandoverRequest,
    HandoverResult,
    NewStandby,
)
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.undo_file import UndoFile
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address
from ansible_collections.sentinelops.redis.plugins.module_utils._server.commands import Server
from ansible_collections.sentinelops.redis.plugins.module_utils._topology.shard import ShardServers
from ansible_collections.sentinelops.redis.tests.unit.support.clock import FakeClock
from ansible_collections.sentinelops.redis.tests.unit.support.data_node import DataNode
from ansible_collections.sentinelops.redis.tests.unit.support.recorded import Unreachable
from ansible_collections.sentinelops.redis.tests.unit.support.sentinel import FakeSentinel
from ansible_collections.sentinelops.redis.tests.unit.support.servers import Wire

MASTER, TARGET, OTHER = "10.0.0.1:6379", "10.0.0.2:6379", "10.0.0.3:6379"
SENTINELS = ("10.0.0.1:26379", "10.0.0.2:26379", "10.0.0.3:26379")


class Deployment:
    """A deployment to which clients write all the time.

    ``has_debug``: the Sentinels know SENTINEL DEBUG (7.0 and later). ``version``, of
    ``server``, is that of all servers if given.
    """

    def __init__(self, replicas: int = 2, has_debug: bool = True, server: str = "redis", version: str = "") -> None:
        self.clock = FakeClock()
        self.wire = Wire(self.clock)
        self.master = DataNode(MASTER, self.wire)
        self.replicas = [DataNode(f"10.0.0.{n + 2}:6379", self.wire, self.master) for n in range(replicas)]
        self.nodes = [self.master, *self.replicas]
        self.wire.nodes = {str(node.address): node for node in self.nodes}
        self.sentinels = [FakeSentinel(address, self.wire, self.nodes, has_debug) for address in SENTINELS]
        for number, sentinel in enumerate(self.sentinels):
            sentinel.others = [other for other in self.sentinels if other is not sentinel]
            sentinel.know_everything(phase_s=1.3 + 2.1 * number)
        for one in [*self.nodes, *self.sentinels]:
            one.server, one.version = server, version or one.version
        self.clock.on_step = [
            server.step for server in [*self.replicas, self.master, *self.sentinels]
        ]  # replicas first: they receive a write one step later

    @property
    def target(self) -> DataNode:
        return self.replicas[0]

    @property
    def lost_bytes(self) -> int:
        return int(sum(node.lost_bytes for node in self.nodes))

    def servers(self) -> ShardServers:
        return ShardServers([Address.parse(address) for address in SENTINELS], self._server, self._server)

    def _server(self, address: Address) -> Server:
        servers: list[DataNode | FakeSentinel] = [*self.nodes, *self.sentinels]
        found = next((server for server in servers if server.address == address), None)
        if found is None:
            return Unreachable(address)
        found.connection_lost = False  # of the previous connection
        return found

    def handover(
        self, target: str = TARGET, new_standby: NewStandby | None = None, undo_file: UndoFile | None = None, **request: Any
    ) -> Handover:
        request = {"disconnect_ms": 0, **request}  # a burst of kills is hundreds of commands
        return Handover(self.servers(), HandoverRequest("mymaster", target, **request), self.clock, new_standby, undo_file)

    def surveyed(self, target: str = TARGET, **request: Any) -> Handover:
        """Return a handover that is ready to run, so that a test can cause an accident first."""
        handover = self.handover(target, **request)
        assert not handover.survey()
        return handover

    def hand_over(self, target: str = TARGET, **request: Any) -> HandoverResult:
        return self.surveyed(target, **request).run()

    def settings(self) -> dict[str, Any]:
        """Return all settings that a handover overrides and restores."""
        found: dict[str, Any] = {str(node.address): (dict(node.config), dict(node.saved_config), node.paused) for node in self.nodes}
        for one in self.sentinels:
            found[str(one.address)] = (one.info_period_ms, one.failover_timeout_ms, one.parallel_syncs)
        return found

    def roles(self) -> dict[str, str]:
        """Return the master that each node follows; ``master`` for a node that follows none."""
        return {str(node.address): str(node.master.address) if node.master else "master" for node in self.nodes}

    def read_again(self) -> None:
        """Let every Sentinel ask every node for INFO (after a test has changed something)."""
        for sentinel in self.sentinels:
            sentinel.know_everything(phase_s=1.3)
