# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight of who follows whom in a shard, and who could. Pure functions of survey and plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...module_utils._server.address import same_node
from .._finding import REFUSAL, WARNING, Finding
from .._plan.model import Instance, ShardPlan

__all__ = ["following_findings", "unlisted_findings"]


def following_findings(shard: ShardPlan, nodes: Sequence[Instance]) -> Iterator[Finding]:
    """Yield which node could not follow which other one, by the trial logins of the survey."""
    for node in nodes:
        for refused in (node.record.get("examined") or {}).get("cannot_follow") or []:
            other = next((host for host, address in shard.nodes.items() if same_node(refused["address"], address)), refused["address"])
            if other == node.host:
                continue  # a replica is in the list that its master gave
            yield Finding(
                node.host,
                f"it could not follow {other}: {refused['why']}",
                "Every data node becomes a replica of another one in a handover or a rollback; it would then miss all writes",
                f"Set masterauth and masteruser of {node.host} to what {other} accepts (CONFIG SET, CONFIG REWRITE); "
                "or fix tls-replication, bind, protected-mode or the network between them",
                "cannot-follow",
                about=refused["address"],
            )


def unlisted_findings(shard: ShardPlan) -> Iterator[Finding]:
    """Yield what becomes of the nodes that no Sentinel lists."""
    for host, followed in shard.upstreams.items():
        yield Finding(
            host,
            f"it follows {followed}, which is a replica; no Sentinel knows it",
            f"It is restarted before {followed}, and follows it afterwards as well. If {followed} fails, nothing gives it another master",
            "Nothing, if that is meant",
            "cascade",
            WARNING,
        )
    for host in shard.hidden:
        priority, severity = shard.priorities.get(host, 100), WARNING
        why = "A handover never chooses it; a failover that a Sentinel begins by itself may, unless its priority is 0"
        do = "Nothing, if that is meant"
        if priority == 1:
            why = "A handover gives the next master priority 1, and cannot see whether a Sentinel would take this one instead"
            do = "CONFIG SET replica-priority 0 (or above 1) on it"
            severity = REFUSAL if shard.handover or shard.fail_back else WARNING
        seen = f"the Sentinels count it and do not list it (replica-announced no), and its replica-priority is {priority}"
        yield Finding(host, seen, why, do, "hidden", severity)
