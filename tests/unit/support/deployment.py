"""A deployment in memory: one master, its replicas and three Sentinels, on a fake clock, with every command noted."""

from __future__ import annotations

from typing import Any

from ansible_collections.sentinelops.redis.plugins.module_utils._address import Address
from ansible_collections.sentinelops.redis.plugins.module_utils._connection import Server
from ansible_collections.sentinelops.redis.plugins.module_utils._handover import Handover, HandoverRequest, NewGuard, Outcome
from ansible_collections.sentinelops.redis.plugins.module_utils._shard import ShardServers
from ansible_collections.sentinelops.redis.tests.unit.support.clock import FakeClock
from ansible_collections.sentinelops.redis.tests.unit.support.data_node import DataNode
from ansible_collections.sentinelops.redis.tests.unit.support.sentinel import FakeSentinel
from ansible_collections.sentinelops.redis.tests.unit.support.servers import Wire

MASTER, TARGET, OTHER = "10.0.0.1:6379", "10.0.0.2:6379", "10.0.0.3:6379"
SENTINELS = ("10.0.0.1:26379", "10.0.0.2:26379", "10.0.0.3:26379")


class Deployment:
    """Clients write all the time. ``has_debug``: the Sentinels know SENTINEL DEBUG (7.0 and later)."""

    def __init__(self, replicas: int = 2, has_debug: bool = True) -> None:
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
        self.clock.on_step = [server.step for server in [*self.nodes, *self.sentinels]]

    @property
    def target(self) -> DataNode:
        return self.replicas[0]

    @property
    def lost_bytes(self) -> int:
        return int(sum(node.lost_bytes for node in self.nodes))

    def servers(self) -> ShardServers:
        return ShardServers([Address.parse(address) for address in SENTINELS], self._server, self._server)

    def _server(self, address: Address) -> Server:
        found = [server for server in [*self.nodes, *self.sentinels] if server.address == address]
        return found[0]

    def handover(self, target: str = TARGET, new_guard: NewGuard | None = None, **request: Any) -> Handover:
        return Handover(self.servers(), HandoverRequest("mymaster", target, **request), self.clock, new_guard)

    def hand_over(self, target: str = TARGET, **request: Any) -> Outcome:
        handover = self.handover(target, **request)
        assert not handover.survey()
        return handover.run()

    def roles(self) -> dict[str, str]:
        """Whom every node follows; ``master`` for one that follows nobody."""
        return {str(node.address): str(node.master.address) if node.master else "master" for node in self.nodes}

    def read_again(self) -> None:
        """Every Sentinel has just asked every node (after a test has changed something)."""
        for sentinel in self.sentinels:
            sentinel.know_everything(phase_s=1.3)
