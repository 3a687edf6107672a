# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight of scripts: those that an upgraded replica could not run, and those that are only in
memory. Pure functions of the survey.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...module_utils._server.versions import replicates_scripts_verbatim
from .._finding import WARNING, Finding
from .._plan.model import Instance, Plan, ShardPlan
from .._plan.versions import wanted_server

__all__ = ["script_findings"]


def script_findings(shard: ShardPlan, nodes: Sequence[Instance], plan: Plan) -> Iterator[Finding]:
    """Yield what would become of the scripts of a shard whose data nodes are to be upgraded."""
    pending = [node for node in nodes if node.key in plan.pending]
    if plan.rollback or not pending:
        return
    forgets = not replicates_scripts_verbatim(wanted_server(pending[0].record), plan.version)
    if forgets:
        yield from _verbatim_findings(nodes, plan.version)
    yield from _cached_findings(shard, nodes, forgets)


def _verbatim_findings(nodes: Sequence[Instance], version: str) -> Iterator[Finding]:
    """Yield the nodes that would send EVALSHA to replicas that no longer learn scripts so."""
    for node in nodes:
        if _fact(node, "verbatim_scripts"):
            yield Finding(
                node.host,
                "lua-replicate-commands is no: as a master it sends its replicas scripts (EVALSHA) instead of what the scripts write",
                f"A replica that was restarted with {version} does not know these scripts, lacks their writes, and says so in its log only",
                "CONFIG SET lua-replicate-commands yes on each node that is named",
                "scripts",
            )


def _cached_findings(shard: ShardPlan, nodes: Sequence[Instance], forgets: bool) -> Iterator[Finding]:
    """Yield a warning if the future master will lack scripts that the current one has.

    Before 7.0, replicas and data files have the scripts of SCRIPT LOAD, but not those of EVAL.
    """
    cached = {node.host: int(_fact(node, "cached_scripts")) for node in nodes if node.record.get("answers")}
    known = cached.get(shard.master_host, 0)
    if known and (forgets or any(count < known for count in cached.values())):
        yield Finding(
            shard.master_host,
            f"it has {known} cached script{'s' if known > 1 else ''}",
            "They are only in memory, and the next master will not have all of them. Applications that answer NOSCRIPT with EVAL, as "
            "most client libraries do, notice nothing. Others get that error",
            "Nothing, if that is so. Otherwise load the scripts (SCRIPT LOAD) when the master has changed",
            "scripts",
            WARNING,
        )


def _fact(node: Instance, name: str) -> int:
    return int((node.record.get("examined") or {}).get(name) or 0)
