# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployments of an inventory: which Sentinels belong together, whatever their masters are
called. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ...module_utils._topology.sentinel import view_from_dict
from .._finding import Finding
from .model import Instance
from .unlisted import follows, is_node

__all__ = [
    "deployment_lines",
    "deployments_of",
    "mixed_deployments",
    "named_deployments",
    "not_chosen",
    "plan_deployments",
    "several_lines",
]


def deployments_of(sentinels: Sequence[Instance]) -> list[list[Instance]]:
    """Return the Sentinels of each deployment, in the order of the inventory.

    Two Sentinels belong together if one knows the other one (the id in SENTINEL SENTINELS), or if
    both monitor the same server. Those that do not answer are left out.
    """
    found: list[tuple[set[Any], list[Instance]]] = []
    for sentinel in sentinels:
        marks, members = set(_marks(sentinel)), [sentinel]
        if not marks:
            continue
        apart = []
        for others, theirs in found:
            if marks & others:
                marks |= others
                members = theirs + members
            else:
                apart.append((others, theirs))
        found = [*apart, (marks, members)]
    order = {sentinel.key: position for position, sentinel in enumerate(sentinels)}
    return sorted((sorted(members, key=lambda one: order[one.key]) for _marks, members in found), key=lambda one: order[one[0].key])


def _marks(sentinel: Instance) -> Iterator[Any]:
    """Yield what a Sentinel shares with the others of its deployment."""
    for view in map(view_from_dict, sentinel.record.get("views", [])):
        yield view.run_id
        yield from (peer.run_id for peer in view.peers if peer.run_id)
        yield view.master.run_id or (view.master.name, view.master.address)


def plan_deployments(instances: Sequence[Instance]) -> tuple[list[dict[str, Any]], list[Finding]]:
    """Return the deployments of an inventory, and the data nodes that belong to none.

    Each has its ``name`` (the host of its first Sentinel), its ``redis_hosts`` and
    ``sentinel_hosts``, and the number of its ``shards``. A data node belongs to the deployment
    whose Sentinels list it, or to that of the node that it follows.
    """
    sets = deployments_of([one for one in instances if one.kind == "sentinel"])
    nodes = [one for one in instances if one.kind == "redis"]
    members, rest = _members([_listed(sentinels) for sentinels in sets], nodes)
    found = [
        {
            "name": sentinels[0].host,
            "redis_hosts": [one.host for one in own],
            "sentinel_hosts": [one.host for one in sentinels],
            "shards": len({view.master.name for one in sentinels for view in map(view_from_dict, one.record.get("views", []))}),
        }
        for sentinels, own in zip(sets, members, strict=True)
    ]
    return found, [_homeless(rest)] if rest else []


def _listed(sentinels: Sequence[Instance]) -> dict[str, set[str]]:
    """Return the run ids of the data nodes that a deployment's Sentinels list, by address."""
    listed: dict[str, set[str]] = {}
    for view in (view_from_dict(one) for sentinel in sentinels for one in sentinel.record.get("views", [])):
        for address, run_id in [(view.master.address, view.master.run_id), *((one.address, one.run_id) for one in view.replicas)]:
            listed.setdefault(address, set()).update([run_id] if run_id else [])
    return listed


def _members(listed: Sequence[Mapping[str, set[str]]], nodes: Sequence[Instance]) -> tuple[list[list[Instance]], list[Instance]]:
    """Return the data nodes of each deployment, in the order of the inventory, and the others.

    The run id decides. Without it the address does, or whom a node follows: two deployments in
    different networks may have the same addresses, so that counts for what no other one has.
    """
    members = [[node for node in nodes if any(node.record.get("run_id") in ids for ids in own.values())] for own in listed]
    rest = [node for node in nodes if not any(node in own for own in members)]
    while True:
        found = {
            node.key: [
                position
                for position, own in enumerate(listed)
                if any(is_node(node, address) for address in own) or _follows_one(node, members[position])
            ]
            for node in rest
        }
        if not any(len(places) == 1 for places in found.values()):
            return [[node for node in nodes if node in own] for own in members], rest
        for node in rest:
            if len(found[node.key]) == 1:
                members[found[node.key][0]].append(node)
        rest = [node for node in rest if len(found[node.key]) != 1]


def _follows_one(node: Instance, others: Iterable[Instance]) -> bool:
    return any(follows(node, str(other.record.get("login") or ""), other) for other in others)


def _homeless(nodes: Sequence[Instance]) -> Finding:
    return Finding(
        "inventory",
        f"it has several deployments, and no Sentinel of any knows {', '.join(node.host for node in nodes)}",
        "Nobody can tell to which of them that belongs",
        "Remove it from the inventory, or say it with redis_upgrade_deployment_name for all hosts",
        "inventory",
    )


def named_deployments(names: Mapping[str, str], redis_hosts: Sequence[str], sentinel_hosts: Sequence[str]) -> list[dict[str, Any]]:
    """Return the same from ``names``, redis_upgrade_deployment_name by host; empty without names.

    The number of ``shards`` is not known (0). Raises ValueError if some hosts have a name and
    others have none, or if a deployment has no Sentinel or no data node.
    """
    if not any(names.values()):
        return []
    unnamed = [host for host in dict.fromkeys([*sentinel_hosts, *redis_hosts]) if not names.get(host)]
    if unnamed:
        raise ValueError(f"redis_upgrade_deployment_name is set for some hosts, and not for {', '.join(unnamed)}")
    found = []
    for name in dict.fromkeys(names[host] for host in [*sentinel_hosts, *redis_hosts]):
        own = {
            "redis_hosts": [host for host in redis_hosts if names[host] == name],
            "sentinel_hosts": [host for host in sentinel_hosts if names[host] == name],
        }
        for kind, hosts in zip(("data node", "Sentinel"), own.values(), strict=True):
            if not hosts:
                raise ValueError(f"the deployment {name} (redis_upgrade_deployment_name) has no {kind}")
        found.append({"name": name, **own, "shards": 0})
    return found


def deployment_lines(deployments: Sequence[Mapping[str, Any]], wanted: Sequence[str] = ()) -> list[str]:
    """Return the plan of a run over several deployments as lines for a person to read.

    ``wanted``: the names of those that are chosen; empty means all.
    """
    deployments = [one for one in deployments if not wanted or one["name"] in wanted]
    shards = sum(one["shards"] for one in deployments)
    instances = sum(len(one["redis_hosts"]) + len(one["sentinel_hosts"]) for one in deployments)
    counted = f"{len(deployments)} deployment{'' if len(deployments) == 1 else 's'}"
    counted += f", {shards} shards" * bool(shards) + f", {instances} instances"
    return [
        f"{counted}; each has a run of its own, with its own plan, lock, gates and report:",
        *(f"{one['name']}: {', '.join([*one['redis_hosts'], *one['sentinel_hosts']])}" for one in deployments),
    ]


def not_chosen(name: str, wanted: Sequence[str]) -> list[Finding]:
    """Return the refusal of an inventory's only deployment that is not among the wanted ones."""
    if not wanted or name in wanted:
        return []
    return [
        Finding(
            "inventory",
            f"its only deployment is {name} (the host of its first Sentinel), and redis_upgrade_deployments is {', '.join(wanted)}",
            "The chosen deployment is not in the inventory",
            "Correct or remove redis_upgrade_deployments",
            "inventory",
        )
    ]


def several_lines(deployments: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return why several deployments cannot be told of at once; empty if there is one."""
    if not deployments:
        return []
    names = ", ".join(one["name"] for one in deployments)
    return [
        f"The inventory has {len(deployments)} deployments ({names}), so nothing is said. Put the data nodes and the Sentinels of one into "
        "two groups of their own, and ask for these: -e redis_upgrade_redis_group=... -e redis_upgrade_sentinel_group=..."
    ]


def mixed_deployments(sentinels: Sequence[Instance], name: str) -> list[Finding]:
    """Return the refusal of what is named as one deployment, and is several; empty otherwise."""
    found = deployments_of(sentinels)
    if len(found) < 2:
        return []
    named = "; ".join(f"{number}: {_words(members)}" for number, members in enumerate(found, 1))
    return [
        Finding(
            "inventory",
            f"the deployment {name} is {len(found)} deployments, whose Sentinels do not know each other: {named}",
            "A deployment is upgraded as one",
            "Correct redis_upgrade_deployment_name. If all these Sentinels should be one set, mend the network between them first",
            "inventory",
        )
    ]


def _words(members: Sequence[Instance]) -> str:
    masters = dict.fromkeys(
        f"{view.master.name} at {view.master.address}" for one in members for view in map(view_from_dict, one.record.get("views", []))
    )
    return f"{', '.join(one.host for one in members)} ({', '.join(masters)})"
