# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight of the cost of restarting a shard's data nodes: full synchronisations, memory, risks.

Pure functions of the survey; sizes in bytes. The duration of a restart is an estimate. Measured on
real servers: a few seconds, and for each GiB of data up to 9 s to load it and as much again to save
it and stop.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...module_utils._sizes import readable_size
from .._finding import WARNING, Finding
from .._plan.data_speed import LOAD_S_PER_GIB, SAVE_S_PER_GIB
from .._plan.full_sync import appends, full_copy_because, full_sync_because, saves
from .._plan.model import Instance, Plan, ShardPlan

__all__ = ["restart_findings", "restart_s"]

GIB = 1 << 30
MIB = 1 << 20
RESTART_S, S_PER_GIB = 5.0, LOAD_S_PER_GIB + SAVE_S_PER_GIB


def restart_s(used_memory: int) -> float:
    """Return for how many seconds a data node is away when it is restarted."""
    return RESTART_S + S_PER_GIB * used_memory / GIB


def restart_findings(shard: ShardPlan, nodes: Sequence[Instance], plan: Plan) -> Iterator[Finding]:
    """Yield what the restarts will cost; ``nodes``: all data nodes of the shard."""
    known = [node for node in nodes if "used_memory" in _examined(node)]
    restarted = [node for node in known if node.key in plan.pending]
    master = next((node for node in known if node.host == shard.master_host), None)
    for node in restarted:
        yield from _saving_findings(node)
    if master is None or not restarted:
        return
    yield from _persistence_findings(master, shard)
    reasons = {node.key: full_sync_because(node) or full_copy_because(node, master, shard, plan) for node in restarted}
    empty = [node for node in restarted if reasons[node.key]]
    for node in empty:
        yield _full_sync(node, master, reasons[node.key])
    behind = list(_backlog_findings(shard, master, [node for node in restarted if node not in empty], known))
    yield from behind
    if empty or behind:
        yield from _output_buffer_findings(master)
        yield from _memory_findings(master)
    target = next((node for node in known if shard.handover and node.host == shard.target_host), None)
    if target is not None:
        yield from _maxmemory_findings(target, master)


def _examined(node: Instance) -> Mapping[str, Any]:
    return node.record.get("examined") or {}


def _saving_findings(node: Instance) -> Iterator[Finding]:
    failed = [what for what, name in (("BGSAVE", "save_failed"), ("write to the AOF", "aof_failed")) if _examined(node).get(name)]
    if failed and (saves(node) or appends(node)):
        yield Finding(
            node.host,
            f"its last {' and '.join(failed)} failed",
            "It cannot be stopped without losing its data: SHUTDOWN saves first, and refuses if that fails",
            "Read its log: often the disk is full, or the data folder is missing or not writable. Then run BGSAVE",
            "save-failed",
        )


def _persistence_findings(master: Instance, shard: ShardPlan) -> Iterator[Finding]:
    if saves(master) or appends(master):
        return
    yield Finding(
        master.host,
        'the master has no persistence (save "", appendonly no)',
        "Its data is in memory only. If the master crashes and is started again before a failover, it comes back empty and its "
        f"replicas empty themselves. The run restarts it as a replica only, after {shard.target_host or 'another node'} has taken over",
        "Make sure that nothing restarts the server automatically, or let it save: CONFIG SET save '3600 1'",
        "persistence",
        WARNING,
    )


def _full_sync(node: Instance, master: Instance, reason: str) -> Finding:
    data = _examined(master)["used_memory"]
    remedy = ""
    if reason == full_sync_because(node):
        settings = "CONFIG SET appendonly no and save '3600 1'" if appends(node) else "CONFIG SET save '3600 1'"
        remedy = f". For a partial synchronisation: {settings} before the upgrade, and put the settings back after it"
    return Finding(
        node.host,
        f"it will need a full synchronisation after its restart: {reason}",
        f"The master forks and sends {readable_size(data)} of data, about {restart_s(data):.0f} s, for which the run waits",
        f"Nothing, if that is acceptable{remedy}",
        "full-sync",
        WARNING,
    )


def _backlog_findings(shard: ShardPlan, master: Instance, partial: Sequence[Instance], known: Sequence[Instance]) -> Iterator[Finding]:
    """Yield a warning if the backlog is too small for a partial synchronisation after a restart."""
    rate, data = float(_examined(master).get("rate_bytes_s", 0)), _examined(master)["used_memory"]
    needed, smallest = rate * restart_s(data), min(int(_examined(node).get("backlog_bytes", 0)) for node in known)
    if not partial or needed <= smallest:
        return
    wanted = max(MIB, 1 << (int(2 * needed) - 1).bit_length())
    yield Finding(
        f"shard {shard.name}",
        f"the backlog holds {readable_size(smallest)}, which is {smallest / rate:.0f} s of the writes now "
        f"({readable_size(rate)} per second), and a restart takes about {restart_s(data):.0f} s",
        f"A replica that is away for longer needs a full synchronisation: {readable_size(data)} of data, for which the master forks",
        f"CONFIG SET repl-backlog-size {wanted} on {', '.join(node.host for node in known)}, or upgrade when less is written",
        "backlog",
        WARNING,
    )


def _output_buffer_findings(master: Instance) -> Iterator[Finding]:
    seen = _examined(master)
    hard, soft, soft_s = seen.get("output_buffer") or [0, 0, 0]
    sync_s = restart_s(seen["used_memory"])
    gathered = float(seen.get("rate_bytes_s", 0)) * sync_s
    backlog = int(seen.get("backlog_bytes", 0))  # the servers grant a replica at least that much
    over_soft = soft and sync_s > soft_s and gathered > max(soft, backlog)
    if not over_soft and not (hard and gathered > max(hard, backlog)):
        return
    wanted = max(64 * MIB, 1 << (int(2 * gathered) - 1).bit_length())
    yield Finding(
        master.host,
        f"client-output-buffer-limit for replicas is {hard} {soft} {soft_s}, and about {readable_size(gathered)} are written during a full "
        "synchronisation",
        "The master would disconnect the replica before it has caught up, again and again",
        f"CONFIG SET client-output-buffer-limit 'replica {wanted} {wanted} 60' on every data node of the shard",
        "output-buffer",
        WARNING,
    )


def _memory_findings(master: Instance) -> Iterator[Finding]:
    seen = _examined(master)
    available, used = int(seen.get("available_memory") or 0), max(seen["used_memory"], int(seen.get("resident_memory") or 0))
    if available and available < used:
        yield Finding(
            master.host,
            f"{readable_size(available)} of memory are available on its host, and it uses {readable_size(used)}",
            "The master forks for a full synchronisation and copies memory that is written meanwhile, so the kernel may kill it",
            "Free memory on that host, or upgrade when less is written",
            "memory",
            WARNING,
        )


def _maxmemory_findings(target: Instance, master: Instance) -> Iterator[Finding]:
    limit, others = int(_examined(target).get("maxmemory", 0)), int(_examined(master).get("maxmemory", 0))
    used = int(_examined(master).get("counted_memory", 0))
    if limit and limit < used and (not others or limit < others):
        policy = _examined(target).get("maxmemory_policy", "")
        refuses = policy in ("", "noeviction")
        yield Finding(
            target.host,
            f"maxmemory is {readable_size(limit)}, and the data of the master {master.host} takes {readable_size(used)}",
            f"As a master it would {'refuse writes (OOM)' if refuses else f'delete keys ({policy})'}",
            f"CONFIG SET maxmemory {others} on {target.host}, as on the master",
            "maxmemory",
        )
