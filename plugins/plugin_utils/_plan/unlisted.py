# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Data nodes of a shard that no Sentinel lists: hidden replicas, and replicas of replicas. Pure.

A Sentinel learns the replicas of its master from the master's INFO, so it knows no replica of a
replica. SENTINEL REPLICAS leaves out a replica with ``replica-announced no`` (from 6.2 on), which
num-slaves of SENTINEL MASTER counts and a failover gives its new master, as all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...module_utils._server.address import same_node
from .._finding import Finding
from .model import Instance, ShardPlan

__all__ = ["Unlisted", "depth_in", "followers_in", "is_node", "outsiders", "promotion_problems", "unlisted_nodes"]

Members = Mapping[str, "Instance | None"]


@dataclass(frozen=True)
class Unlisted:
    """A data node of the inventory that no Sentinel lists.

    ``upstream``: the address of the replica that it follows; empty if it follows the master.
    """

    node: Instance
    address: str
    upstream: str


def is_node(node: Instance, address: str, run_ids: Sequence[str] = ()) -> bool:
    """Return whether an inventory host is the node at an address: by run id, else by address."""
    record = node.record
    if record.get("run_id") and record["run_id"] in run_ids:
        return True
    journal = record.get("journal") or {}
    return address in (journal.get("address"), record.get("login"), f"{node.host_address}:{node.port}")


def unlisted_nodes(shard: str, master: str, members: Members, nodes: Sequence[Instance]) -> list[Unlisted]:
    """Return the unlisted nodes, each after the node that it follows.

    ``members``: the nodes that the Sentinels list, by address.
    """
    known: dict[str, Instance | None] = dict(members)
    found: list[Unlisted] = []
    rest = [node for node in nodes if node not in known.values()]
    while True:
        new = [one for node in rest for one in [_unlisted(node, shard, master, known)] if one]
        if not new:
            return found
        found += new
        known.update({one.address: one.node for one in new})
        rest = [node for node in rest if node not in known.values()]


def _unlisted(node: Instance, shard: str, master: str, known: Members) -> Unlisted | None:
    record, journal = node.record, node.record.get("journal") or {}
    if record.get("stopped"):
        return Unlisted(node, str(journal["address"]), str(journal.get("upstream") or "")) if journal.get("shard") == shard else None
    if not record.get("answers") or record.get("role") != "replica":
        return None
    upstream = next((address for address, other in known.items() if follows(node, address, other)), None)
    if upstream is None:
        return None
    other = known[upstream]
    told = [address for address in (other.record.get("replicas") or [] if other else []) if is_node(node, address)]
    own = f"{node.host_address}:{node.port}" if node.host_address else str(record["login"])
    return Unlisted(node, (told or [own])[0], "" if upstream == master else upstream)


def follows(node: Instance, address: str, other: Instance | None) -> bool:
    """Return whether a node follows the one at an address (``other``, if in the inventory)."""
    followed = str(node.record.get("master") or "")
    return bool(followed) and (same_node(followed, address) or (other is not None and is_node(other, followed)))


def outsiders(shard: ShardPlan, members: Members, hidden: int, nodes: Sequence[Instance]) -> Iterator[Finding]:
    """Yield the nodes that follow a node of the shard, and are not in the inventory.

    ``members``: all nodes of the shard, by address. ``hidden``: the number of replicas that the
    Sentinels count and do not list, and that are not in the inventory.
    """
    for address, upstream in members.items():
        if upstream is None or not upstream.record.get("answers"):
            continue
        # port 0: a client that reads the replication stream, such as redis-cli --replica
        told = [one for one in upstream.record.get("replicas") or [] if not one.endswith(":0")]
        ours = [node for node in nodes if follows(node, address, upstream) and node.record.get("link_up")]
        foreign = [one for one in told if one not in members and not any(is_node(node, one) for node in nodes)]
        if not foreign or len(told) <= len(ours):
            continue
        if address != shard.master:
            yield _outside_cascade(upstream.host, foreign)
        elif hidden:
            yield _outside_hidden(upstream.host, foreign)


def _outside_cascade(host: str, foreign: Sequence[str]) -> Finding:
    return Finding(
        host,
        f"{', '.join(foreign)} follows it, and is not in the inventory",
        "No Sentinel knows a replica of a replica. Of an older version, it may not be able to read what the new one sends; "
        f"and if {host} becomes the master, it stays a replica of the master",
        "Add it to the inventory; or end its replication (REPLICAOF NO ONE) until after the upgrade",
        "cascade",
    )


def _outside_hidden(host: str, foreign: Sequence[str]) -> Finding:
    return Finding(
        host,
        f"its replica {', '.join(foreign)} is not in the inventory, and the Sentinels count but do not list one (replica-announced no)",
        "The run would leave out a node",
        "Add it to the inventory; or end its replication (REPLICAOF NO ONE), and run SENTINEL RESET on one Sentinel after the other",
        "hidden",
    )


def followers_in(shard: ShardPlan) -> dict[str, list[str]]:
    """Return the hosts of replicas of replicas, by the host that they follow."""
    found: dict[str, list[str]] = {}
    for host, followed in shard.upstreams.items():
        found.setdefault(followed, []).append(host)
    return found


def depth_in(shard: ShardPlan, host: str) -> int:
    """Return how many replicas are between a node and the master."""
    depth = 0
    while host in shard.upstreams and depth < len(shard.nodes):
        depth, host = depth + 1, shard.upstreams[host]
    return depth


def promotion_problems(shard: ShardPlan) -> Iterator[Finding]:
    """Yield which node would be promoted although other ones follow it."""
    followers = followers_in(shard)
    for host in sorted({shard.target_host if shard.handover else "", shard.original_master_host if shard.fail_back else ""}):
        if followers.get(host):
            names = ", ".join(followers[host])
            yield Finding(
                host,
                f"{names} follows it, and it is to become the master",
                f"From then on the Sentinels know {names}, and make it a replica of the master whenever the master changes: "
                "nothing would follow a replica any more",
                f"Let {names} follow another replica or the master (REPLICAOF), or give another replica a replica-priority other than 0; "
                f"afterwards it may follow {host} again",
                "cascade",
            )
