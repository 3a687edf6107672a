# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask Sentinels and data nodes for a whole deployment, or raise."""

from __future__ import annotations

from collections.abc import Sequence

from ...module_utils._errors import AccessDenied, CommandRefused, ConnectionFailed, PreconditionFailed
from ...module_utils._server.address import Address
from ...module_utils._server.commands import Connector, Server
from ...module_utils._server.info import is_sentinel, node_info, parse_info, server_of
from ...module_utils._topology.sentinel import SentinelView, monitored_masters, read_view
from .agreement import require_agreement, require_answers, require_one_set, require_one_shard_each, require_roles
from .facts import MASTER, REPLICA, SENTINEL, AskedNode, AskedSentinel, Instance, SentinelSet, ShardNodes

__all__ = ["discover"]


def discover(
    first: Sequence[Address], sentinels: Connector, nodes: Connector, wanted: Sequence[str] = (), keep_down_sentinels: bool = False
) -> list[Instance]:
    """Return all data nodes and Sentinels of a deployment, in the order of their addresses.

    ``first``: Sentinels of the deployment; all others that they know are asked, too. ``sentinels``
    and ``nodes`` connect to servers of their kind. ``wanted``: names of masters, or none for all.

    Raises SentinelOpsError if an instance is missing or the Sentinels disagree; see agreement.py.
    """
    found = _ask_all(first, sentinels, wanted)
    require_one_set(found)
    shards = [_ask_shard(found, name, nodes) for name in found.master_names()]
    for shard in shards:
        require_agreement(found, shard)
        require_roles(found, shard)
    require_one_shard_each(shards)
    require_answers(found, shards, keep_down_sentinels)
    instances = [*_sentinel_instances(found), *(one for shard in shards for one in _node_instances(found, shard))]
    return sorted(instances, key=lambda one: (one.host, one.port))


def _ask_all(first: Sequence[Address], connect: Connector, wanted: Sequence[str]) -> SentinelSet:
    """Ask the first Sentinels, and those that they know, and those that these know."""
    found = SentinelSet()
    waiting = [str(address) for address in first]
    while waiting:
        address = waiting.pop(0)
        if address in found.leads_to or address in found.silent:
            continue
        try:
            one = _ask_sentinel(connect(Address.parse(address)), wanted)
        except ConnectionFailed as error:
            found.silent[address] = error
            continue
        found.leads_to[address] = one.run_id
        if found.asked.setdefault(one.run_id, one) is one:
            waiting += [peer.address for view in one.views.values() for peer in view.peers]
    return found


def _ask_sentinel(server: Server, wanted: Sequence[str]) -> AskedSentinel:
    """Return one Sentinel with its views; raises ConnectionFailed if it does not answer."""
    node = str(server.address)
    try:
        info = parse_info(server.command("INFO"))
        if not is_sentinel(info):
            raise PreconditionFailed(
                "the server at this address is no Sentinel",
                node=node,
                advice="Name Sentinels in the option sentinels, for example 10.0.0.1:26379; data nodes are found by themselves",
            )
        names = _names(server, wanted)
        views = {name: read_view(server, name) for name in names}
    except AccessDenied as error:
        raise _denied(error, "Sentinel", "login_user, login_password and the TLS options") from error
    finally:
        server.close()
    product, version = server_of(info)
    return AskedSentinel(node, product, version, info.get("run_id", "") or node, views)


def _names(server: Server, wanted: Sequence[str]) -> list[str]:
    """Return the wanted masters that a Sentinel monitors; raises PreconditionFailed for none."""
    monitored = [master.name for master in monitored_masters(server)]
    names = [name for name in monitored if not wanted or name in wanted]
    missing = [name for name in wanted if name not in monitored]
    if missing or not names:
        said = f"monitors no master named {' or '.join(missing)}" if missing else "monitors no master"
        raise PreconditionFailed(
            f"this Sentinel {said} (it monitors: {', '.join(sorted(monitored)) or 'none'})",
            node=str(server.address),
            advice="Correct the options sentinels and master_names, or have the Sentinel monitor the master",
        )
    return names


def _denied(error: AccessDenied, kind: str, options: str) -> AccessDenied:
    """Return the same error for a reader who sets options of the inventory plugin."""
    advice = f"{error.advice}. The options for each {kind} are {options}"
    return AccessDenied(f"the {kind} refused the login or a command: {error.message}", node=error.node, advice=advice)


def _ask_shard(found: SentinelSet, name: str, connect: Connector) -> ShardNodes:
    """Ask the data nodes that Sentinels list, the replicas that these name, and so on."""
    shard = ShardNodes(name)
    views = [one.views[name] for one in found.watching(name)]
    waiting = sorted({address for view in views for address in _listed(view)})
    while waiting:
        for address in waiting:
            _ask_node(shard, connect(Address.parse(address)))
        waiting = sorted(shard.followers() - set(shard.leads_to) - set(shard.silent))
    return shard


def _listed(view: SentinelView) -> list[str]:
    return [view.master.address, *(replica.address for replica in view.replicas)]


def _ask_node(shard: ShardNodes, server: Server) -> None:
    address = str(server.address)
    try:
        info = node_info(parse_info(server.command("INFO")))
    except ConnectionFailed as error:
        shard.silent[address] = error
        return
    except AccessDenied as error:
        options = "node_login_user, node_login_password, the node_* TLS options, and the TLS options without that prefix"
        raise _denied(error, "data node", options) from error
    except CommandRefused as error:
        raise PreconditionFailed(
            error.message, node=address, advice="Wait until the data node can be asked for INFO, then run again"
        ) from error
    finally:
        server.close()
    run_id = info.run_id or address
    shard.leads_to[address] = run_id
    shard.asked.setdefault(run_id, AskedNode(address, info))


def _sentinel_instances(found: SentinelSet) -> list[Instance]:
    answering = [
        Instance(found.address_of(one), SENTINEL, sorted(one.views), one.server, one.version, one.run_id) for one in found.asked.values()
    ]
    silent = {found.identity(address): address for address in sorted(found.silent, reverse=True)}
    return answering + [Instance(address, SENTINEL, _watched_by(found, address), answers=False) for address in silent.values()]


def _watched_by(found: SentinelSet, address: str) -> list[str]:
    """Return the masters that a silent Sentinel monitors, as the others say."""
    identity = found.identity(address)
    return sorted(
        {
            name
            for one in found.asked.values()
            for name, view in one.views.items()
            if any(found.identity(peer.address) == identity for peer in view.peers)
        }
    )


def _node_instances(found: SentinelSet, shard: ShardNodes) -> list[Instance]:
    masters = {shard.identity(one.views[shard.name].master.address) for one in found.watching(shard.name)}
    answering = [
        Instance(node.address, _role(identity, masters), [shard.name], node.info.server, node.info.version, node.info.run_id)
        for identity, node in shard.asked.items()
    ]
    silent = {shard.identity(address): address for address in sorted(shard.silent, reverse=True)}
    return answering + [Instance(address, _role(identity, masters), [shard.name], answers=False) for identity, address in silent.items()]


def _role(identity: str, masters: set[str]) -> str:
    return MASTER if identity in masters else REPLICA
