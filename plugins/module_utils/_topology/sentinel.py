# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The views that Sentinels have of a master: parsing SENTINEL replies, and comparing views.

Replies are those of SENTINEL MASTER, REPLICAS, SENTINELS and CKQUORUM (Redis 5.0 and later,
Valkey). Ages and periods are milliseconds. All fields are JSON types, so that Ansible facts keep a
view unchanged.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Callable, Iterable, Mapping, Sequence

from .._errors import CommandRefused, PreconditionFailed
from .._server.address import Address, is_run_id, same_node
from .._server.commands import Server
from .._server.info import parse_info, server_of

__all__ = [
    "MasterView",
    "PeerView",
    "ReplicaView",
    "SentinelView",
    "disagreements",
    "master_name_of",
    "monitored_masters",
    "parse_master",
    "parse_peer",
    "parse_replica",
    "read_view",
    "sentinel_set",
    "sentinels_of",
    "view_from_dict",
]

NEVER_MS = 10**9  # the age of a message that was never received


def _pairs(reply: Sequence[str]) -> dict[str, str]:
    return dict(zip(reply[::2], reply[1::2]))


def _number(fields: Mapping[str, str], name: str, default: int = 0) -> int:
    try:
        return int(fields[name])
    except (KeyError, ValueError):
        return default


def _address(fields: Mapping[str, str], host: str = "ip", port: str = "port") -> str:
    return str(Address(fields.get(host, ""), _number(fields, port)))


def _flags(fields: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(flag for flag in fields.get("flags", "").split(",") if flag)


@dataclass(frozen=True)
class MasterView:
    """One Sentinel's SENTINEL MASTER reply."""

    name: str
    address: str
    run_id: str
    flags: tuple[str, ...]
    replicas: int
    other_sentinels: int
    quorum: int
    config_epoch: int
    down_after_ms: int
    failover_timeout_ms: int
    parallel_syncs: int
    ping_pending_ms: int

    @property
    def failover_in_progress(self) -> bool:
        return "failover_in_progress" in self.flags


@dataclass(frozen=True)
class ReplicaView:
    """One replica in a Sentinel's SENTINEL REPLICAS reply.

    ``reported_role``: the role in the last INFO reply that this Sentinel has got.
    """

    address: str
    run_id: str
    flags: tuple[str, ...]
    link_up: bool
    priority: int
    offset: int
    info_age_ms: int
    ping_age_ms: int
    ping_pending_ms: int
    master: str
    reported_role: str = "slave"


@dataclass(frozen=True)
class PeerView:
    """Another Sentinel in a Sentinel's SENTINEL SENTINELS reply."""

    address: str
    run_id: str
    flags: tuple[str, ...]
    hello_age_ms: int
    ping_age_ms: int
    ping_pending_ms: int


@dataclass(frozen=True)
class SentinelView:
    """One Sentinel's view of one master, its replicas and the other Sentinels."""

    address: str
    server: str
    version: str
    run_id: str
    tilt: bool
    master: MasterView
    replicas: tuple[ReplicaView, ...]
    peers: tuple[PeerView, ...]
    quorum_ok: bool
    quorum_reply: str

    def stale_links(self) -> list[str]:
        """Return a sentence for each node to which this Sentinel has no working connection.

        A Sentinel that has just started claims that every node answered a moment ago. The pending
        PING (last-ping-sent is not 0) shows that a node has not answered yet.
        """
        nodes: list[tuple[str, MasterView | ReplicaView | PeerView]] = [("master", self.master)]
        nodes += [("replica", replica) for replica in self.replicas]
        nodes += [("Sentinel", peer) for peer in self.peers]
        found = []
        for kind, node in nodes:
            bad = [flag for flag in node.flags if flag in ("disconnected", "s_down", "o_down")]
            if bad:
                found.append(f"{kind} {node.address} is flagged {', '.join(bad)}")
            elif node.ping_pending_ms > 0:
                found.append(f"{kind} {node.address} has not answered a PING for {node.ping_pending_ms} ms")
        return found

    def replica(self, address: str) -> ReplicaView | None:
        return next((replica for replica in self.replicas if replica.address == address), None)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def parse_master(reply: Sequence[str]) -> MasterView:
    fields = _pairs(reply)
    return MasterView(
        name=fields.get("name", ""),
        address=_address(fields),
        run_id=fields.get("runid", ""),
        flags=_flags(fields),
        replicas=_number(fields, "num-slaves"),
        other_sentinels=_number(fields, "num-other-sentinels"),
        quorum=_number(fields, "quorum"),
        config_epoch=_number(fields, "config-epoch"),
        down_after_ms=_number(fields, "down-after-milliseconds"),
        failover_timeout_ms=_number(fields, "failover-timeout"),
        parallel_syncs=_number(fields, "parallel-syncs"),
        ping_pending_ms=_number(fields, "last-ping-sent"),
    )


def parse_replica(reply: Sequence[str]) -> ReplicaView:
    fields = _pairs(reply)
    return ReplicaView(
        address=_address(fields),
        run_id=fields.get("runid", ""),
        flags=_flags(fields),
        link_up=fields.get("master-link-status") == "ok",
        priority=_number(fields, "slave-priority", 100),
        offset=_number(fields, "slave-repl-offset"),
        info_age_ms=_number(fields, "info-refresh", NEVER_MS),
        ping_age_ms=_number(fields, "last-ok-ping-reply", NEVER_MS),
        ping_pending_ms=_number(fields, "last-ping-sent"),
        master=_address(fields, "master-host", "master-port"),
        reported_role=fields.get("role-reported", "slave"),
    )


def parse_peer(reply: Sequence[str]) -> PeerView:
    fields = _pairs(reply)
    return PeerView(
        address=_address(fields),
        run_id=fields.get("runid", ""),
        flags=_flags(fields),
        hello_age_ms=_number(fields, "last-hello-message", NEVER_MS),
        ping_age_ms=_number(fields, "last-ok-ping-reply", NEVER_MS),
        ping_pending_ms=_number(fields, "last-ping-sent"),
    )


def monitored_masters(sentinel: Server) -> list[MasterView]:
    """Return every master that this Sentinel monitors (SENTINEL MASTERS)."""
    return [parse_master(reply) for reply in sentinel.command("SENTINEL", "MASTERS")]


def read_view(sentinel: Server, name: str) -> SentinelView:
    """Return one Sentinel's view of the master with this name.

    Raises CommandRefused if the Sentinel monitors no such master.
    """
    info = parse_info(sentinel.command("INFO"))
    server, version = server_of(info)
    master = parse_master(sentinel.command("SENTINEL", "MASTER", name))
    try:
        quorum_ok, quorum_reply = True, str(sentinel.command("SENTINEL", "CKQUORUM", name))
    except CommandRefused as refused:
        quorum_ok, quorum_reply = False, refused.reply
    return SentinelView(
        address=str(sentinel.address),
        server=server,
        version=version,
        run_id=info.get("run_id", ""),
        tilt=info.get("sentinel_tilt", "0") == "1",
        master=master,
        replicas=tuple(parse_replica(reply) for reply in sentinel.command("SENTINEL", "REPLICAS", name)),
        peers=tuple(parse_peer(reply) for reply in sentinel.command("SENTINEL", "SENTINELS", name)),
        quorum_ok=quorum_ok,
        quorum_reply=quorum_reply,
    )


def sentinels_of(sentinel: Server, name: str) -> list[Address]:
    """Return this Sentinel and the others that it knows for a master (SENTINEL SENTINELS)."""
    try:
        replies = sentinel.command("SENTINEL", "SENTINELS", name)
    except CommandRefused as refused:
        monitored = ", ".join(master.name for master in monitored_masters(sentinel)) or "none"
        raise PreconditionFailed(
            f"this Sentinel monitors no master named '{name}' (it monitors: {monitored}); it said: {refused.reply}",
            node=str(sentinel.address),
            advice="Check master_name",
        ) from refused
    return [sentinel.address, *(Address.parse(parse_peer(reply).address) for reply in replies)]


def master_name_of(sentinel: Server, target: str) -> str:
    """Return the master name of a node's shard, as this Sentinel sees it.

    The node is given as ``host:port`` or as its run id.
    """
    masters = monitored_masters(sentinel)
    if len(masters) == 1:
        return masters[0].name
    for master in masters:
        replicas = [parse_replica(reply) for reply in sentinel.command("SENTINEL", "REPLICAS", master.name)]
        known = [(master.address, master.run_id), *((replica.address, replica.run_id) for replica in replicas)]
        if any(target == run_id or (not is_run_id(target) and same_node(address, target)) for address, run_id in known):
            return master.name
    monitored = ", ".join(f"{master.name} ({master.address})" for master in masters) or "none"
    raise PreconditionFailed(
        f"this Sentinel knows no node {target} (it monitors: {monitored})",
        node=str(sentinel.address),
        state="Nothing was changed",
        advice="Check target, or name its master with master_name",
    )


def sentinel_set(addresses: Sequence[str], first: Server, name: str) -> list[Address]:
    """Return the Sentinels with these addresses; without any, the first one and those it knows."""
    if addresses:
        return [Address.parse(text) for text in addresses]
    found = sentinels_of(first, name)
    first.close()
    return found


def _tuple_flags(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {**fields, "flags": tuple(fields["flags"])}


def view_from_dict(fields: Mapping[str, Any]) -> SentinelView:
    """Return the view of which SentinelView.as_dict made these fields."""
    return SentinelView(
        **{
            **fields,
            "master": MasterView(**_tuple_flags(fields["master"])),
            "replicas": tuple(ReplicaView(**_tuple_flags(replica)) for replica in fields["replicas"]),
            "peers": tuple(PeerView(**_tuple_flags(peer)) for peer in fields["peers"]),
        }
    )


def _identity(address: str) -> str:
    """Return a text that is the same for the name and the numeric address of a node."""
    return min(Address.parse(address).resolved())


def _differing(
    views: Sequence[SentinelView], what: str, values: Iterable[Any], identity: Callable[[Any], Any] = lambda value: value
) -> list[str]:
    texts: dict[Any, Any] = {}
    seen: dict[Any, list[str]] = {}
    for view, value in zip(views, values):
        texts.setdefault(identity(value), value)
        seen.setdefault(identity(value), []).append(view.address)
    if len(seen) < 2:
        return []
    return [f"{what}: " + "; ".join(f"{texts[one]} says {', '.join(by)}" for one, by in seen.items())]


def disagreements(views: Sequence[SentinelView]) -> list[str]:
    """Return a sentence for each difference between the views; empty if the Sentinels agree."""
    return [
        *_differing(views, "address of the master", (view.master.address for view in views), _identity),
        *_differing(views, "config epoch", (view.master.config_epoch for view in views)),
        *_differing(views, "quorum", (view.master.quorum for view in views)),
        *_differing(views, "number of Sentinels", (view.master.other_sentinels + 1 for view in views)),
        *_differing(
            views,
            "replicas",
            (", ".join(sorted(replica.address for replica in view.replicas)) for view in views),
            lambda texts: ", ".join(sorted(map(_identity, filter(None, texts.split(", "))))),
        ),
    ]
