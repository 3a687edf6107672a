# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read one shard: the view of every Sentinel, and the own state of every data node."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import Mapping, Sequence

from .._errors import AccessDenied, ConnectionFailed, SentinelOpsError
from .._server.address import Address, is_run_id, same_node
from .._server.commands import Connector, Server
from .._server.info import NodeInfo, node_info, parse_info
from .._server.login import Login
from .._server.settings import config_values
from .fence import PING_PERIOD, is_armed, is_fence
from .sentinel import ReplicaView, SentinelView, read_view

__all__ = ["NodeState", "Shard", "ShardServers", "named_node", "read_shard", "renamed_replica"]


@dataclass(frozen=True)
class NodeState:
    """The INFO of a data node, and the settings that a handover overrides."""

    address: str
    info: NodeInfo
    priority: int
    min_replicas_to_write: int
    min_replicas_max_lag: int
    ping_period_s: int

    @property
    def fenced(self) -> bool:
        """True if the node has an explicit or a dead man's fence."""
        return is_fence(self.min_replicas_to_write) or is_armed(self.min_replicas_max_lag)


@dataclass(frozen=True)
class Shard:
    """One shard as it was read.

    ``unreachable``: a sentence for each Sentinel or data node that did not answer. ``denied``: the
    sentences of those that refused our user, which waiting cannot fix. Each node has one name in
    all of these, whatever addresses the Sentinels have for the node.
    """

    views: tuple[SentinelView, ...]
    nodes: tuple[NodeState, ...]
    unreachable: tuple[str, ...]
    denied: tuple[str, ...] = ()

    @property
    def master(self) -> str:
        """The master that the first Sentinel names; empty if no Sentinel answered."""
        return self.views[0].master.address if self.views else ""

    @property
    def down_after_ms(self) -> int:
        """The shortest down-after-milliseconds of all Sentinels."""
        return min(view.master.down_after_ms for view in self.views)

    def node(self, address: str) -> NodeState | None:
        return next((node for node in self.nodes if node.address == address), None)


class Names:
    """The name (``host:port``) of each data node. The run id identifies a node, not its address."""

    def __init__(self) -> None:
        self._of_text: dict[str, str] = {}
        self._of_run_id: dict[str, str] = {}

    def learn(self, text: str, run_id: str) -> str:
        """Record that an address leads to the process with this run id; return the node's name."""
        name = self._of_text.get(text) or self._of_run_id.get(run_id) or text
        self._of_text[text] = self._of_run_id[run_id] = name
        return name

    def of(self, text: str) -> str:
        """Return the name of the node at an address; the address itself if that is not known."""
        if text in self._of_text:
            return self._of_text[text]
        return next((name for known, name in self._of_text.items() if same_node(known, text)), text)


class ShardServers:
    """Connections to the Sentinels and data nodes of one shard, each opened once."""

    def __init__(self, sentinels: Sequence[Address], to_sentinel: Connector, to_node: Connector) -> None:
        self.sentinels: list[Server] = [to_sentinel(address) for address in sentinels]
        self._to_sentinel = to_sentinel
        self._to_node = to_node
        self._nodes: dict[str, Server] = {}
        self._timeout_ms = 0
        self.names = Names()
        # what the data nodes are reached with; None leaves out what needs another login
        self.node_login: Login | None = None

    def again(self) -> ShardServers:
        """Return the same servers over new connections, for another process.

        The connections of this process stay open.
        """
        other = ShardServers([sentinel.address for sentinel in self.sentinels], self._to_sentinel, self._to_node)
        other.names = self.names
        other.node_login = self.node_login
        if self._timeout_ms:
            other.set_timeout(self._timeout_ms)
        return other

    def node(self, address: str) -> Server:
        if address not in self._nodes:
            self._nodes[address] = self._to_node(Address.parse(address))
            if self._timeout_ms:
                self._nodes[address].set_timeout(self._timeout_ms)
        return self._nodes[address]

    def sentinel(self, address: str) -> Server:
        """Return the Sentinel at an address (``host:port``)."""
        return next(sentinel for sentinel in self.sentinels if str(sentinel.address) == address)

    def set_timeout(self, timeout_ms: int) -> None:
        """Limit the wait for each reply from now on, and open all connections now.

        So no later command has to wait for a connection.
        """
        self._timeout_ms = timeout_ms
        for server in [*self.sentinels, *self._nodes.values()]:
            server.set_timeout(timeout_ms)
            with contextlib.suppress(SentinelOpsError):
                server.command("INFO", "server")

    def close(self) -> None:
        for server in [*self.sentinels, *self._nodes.values()]:
            server.close()


def _read_node(server: Server) -> NodeState:
    values = config_values(server, "replica-priority", "min-replicas-to-write", "min-replicas-max-lag", PING_PERIOD)
    info = node_info(parse_info(server.command("INFO")))
    return NodeState(
        address=str(server.address),
        info=info,
        priority=int(values.get("replica-priority", "100")),
        min_replicas_to_write=int(values.get("min-replicas-to-write", "0")),
        min_replicas_max_lag=int(values.get("min-replicas-max-lag", "10")),
        ping_period_s=int(values.get(PING_PERIOD, "10")),
    )


def _read_again_if_lost(server: Server) -> NodeState:
    """Read a node; retry once if the connection was lost, since a role change closes connections.

    A refused connection and a timeout are not retried.
    """
    try:
        return _read_node(server)
    except ConnectionFailed as error:
        if error.refused or "Timeout" in error.message:
            raise
        return _read_node(server)


def _read_into(nodes: dict[str, NodeState], failed: list[tuple[str, SentinelOpsError]], servers: ShardServers, address: str) -> None:
    """Read the node at an address; add it to ``nodes`` by its name, or its error to ``failed``."""
    try:
        state = _read_again_if_lost(servers.node(address))
        known_as = servers.names.learn(address, state.info.run_id)
        nodes.setdefault(known_as, replace(state, address=known_as))
    except SentinelOpsError as error:
        failed.append(("data node", error))


def _hidden(views: Sequence[SentinelView], nodes: Mapping[str, NodeState]) -> list[str]:
    """Return the addresses of the master's replicas that Sentinels count and do not list.

    SENTINEL REPLICAS leaves out those with ``replica-announced no`` (from 6.2 on).
    """
    if not any(view.master.replicas > len(view.replicas) for view in views):
        return []
    told = {replica.address for node in nodes.values() if node.info.is_master for replica in node.info.replicas}
    # port 0: a client that reads the replication stream, such as redis-cli --replica
    return sorted(address for address in told if address not in nodes and not address.endswith(":0"))


def read_shard(servers: ShardServers, name: str) -> Shard:
    """Read every Sentinel, then every data node that a Sentinel names, and hidden replicas."""
    views: list[SentinelView] = []
    nodes: dict[str, NodeState] = {}
    failed: list[tuple[str, SentinelOpsError]] = []
    for sentinel in servers.sentinels:
        try:
            views.append(read_view(sentinel, name))
        except SentinelOpsError as error:
            failed.append(("Sentinel", error))
    for address in sorted({address for view in views for address in (view.master.address, *(r.address for r in view.replicas))}):
        _read_into(nodes, failed, servers, address)
    for address in _hidden(views, nodes):
        _read_into(nodes, failed, servers, address)
    return Shard(
        tuple(_renamed(view, servers.names) for view in views),
        tuple(_with_named_master(node, servers.names) for node in nodes.values()),
        tuple(f"{kind} {error}" for kind, error in failed),
        tuple(f"{kind} {error}" for kind, error in failed if isinstance(error, AccessDenied)),
    )


def _with_named_master(node: NodeState, names: Names) -> NodeState:
    master = names.of(node.info.master) if node.info.master else ""
    return replace(node, info=replace(node.info, master=master))


def renamed_replica(replica: ReplicaView, names: Names) -> ReplicaView:
    """Return the replica under the name of its node."""
    return replace(replica, address=names.of(replica.address))


def _renamed(view: SentinelView, names: Names) -> SentinelView:
    master = replace(view.master, address=names.of(view.master.address))
    return replace(view, master=master, replicas=tuple(renamed_replica(replica, names) for replica in view.replicas))


def named_node(servers: ShardServers, shard: Shard, text: str) -> str:
    """Return the name of the node that ``text`` leads to: a run id or an address.

    An address that no Sentinel has is asked for its run id.
    """
    if is_run_id(text):
        return next((node.address for node in shard.nodes if node.info.run_id == text), text)
    name = servers.names.of(text)
    if shard.node(name) is None:
        with contextlib.suppress(SentinelOpsError):
            run_id = parse_info(servers.node(text).command("INFO", "server")).get("run_id", "")
            if any(node.info.run_id == run_id for node in shard.nodes):
                return servers.names.learn(text, run_id)
    return name
