# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings that follow from another one, and findings that several nodes share. Pure functions.

Whoever mends the cause need not read what it leads to; the next preflight shows what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...module_utils._server.address import same_node
from .._finding import Finding
from .._plan.model import Instance, Plan

__all__ = ["causes", "merged"]

SHARD = ", shard "


def causes(findings: Sequence[Finding], instances: Sequence[Instance], plan: Plan) -> list[Finding]:
    """Return the findings without those that only follow from another one of them."""
    silent = [instance for instance in instances if _is_silent(instance)]
    troubled = _addresses([*silent, *_not_linked(findings, instances)], plan)
    incomplete = [shard for shard in plan.shards.values() if any(i.kind == "redis" and i.host in shard.nodes for i in silent)]
    counted_wrong = [("one-master", f"shard {shard.name}") for shard in incomplete]
    counted_wrong += [("min-replicas", shard.master_host) for shard in incomplete]
    if silent and not any(instance.record.get("views") for instance in instances):
        # no Sentinel tells the masters
        counted_wrong += [("answers", "plan"), ("inventory", "plan")]
    return [
        finding
        for finding in findings
        if (finding.check, finding.node) not in counted_wrong
        and not (finding.about and any(same_node(finding.about, address) for address in troubled))
    ]


def _is_silent(instance: Instance) -> bool:
    """Return whether an instance could not be surveyed, which is a finding of its own."""
    return not (instance.record.get("answers") or instance.record.get("stopped"))


def _not_linked(findings: Sequence[Finding], instances: Sequence[Instance]) -> list[Instance]:
    hosts = {finding.node for finding in findings if finding.check in ("link", "loading")}
    return [instance for instance in instances if instance.kind == "redis" and instance.host in hosts]


def _addresses(instances: Sequence[Instance], plan: Plan) -> list[str]:
    """Return the addresses at which Sentinels, and our login, know the instances."""
    found = [str(instance.record.get("login", "")) for instance in instances]
    found += [step.address for i in instances for step in [plan.steps.get(i.key)] if step and step.address]
    return [address for address in found if address]


def merged(findings: Sequence[Finding]) -> list[Finding]:
    """Return one finding for all nodes that have it, at the place of the first one."""
    groups: dict[Finding, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(replace(finding, node="", about=""), []).append(finding)
    return [
        replace(group[0], node=_joined([one.node for one in group]), nodes=tuple(one.node for one in group)) for group in groups.values()
    ]


def _joined(nodes: Sequence[str]) -> str:
    """Return the names of nodes as one text; Sentinels of one shard name the shard once."""
    names = list(dict.fromkeys(nodes))
    shards = {name.partition(SHARD)[2] for name in names}
    if len(names) == 1 or len(shards) != 1:
        return ", ".join(names)
    (shard,) = shards
    addresses = [name.partition(SHARD)[0] for name in names]
    if shard and all(address.startswith("Sentinel ") for address in addresses):
        return f"Sentinels {', '.join(address[len('Sentinel ') :] for address in addresses)}{SHARD}{shard}"
    return ", ".join(names)
