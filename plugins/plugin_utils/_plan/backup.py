# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups before a format barrier is crossed: which node of a shard is backed up, and when. Pure.

A backup has the data as of one moment: right before the last replica with the old version is
restarted, or right before the handover on the master. Its facts are in the journal of that node
(``backup``, see _instance/backup), and stay with the rollback record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .._finding import WARNING, Finding
from .model import Instance, Plan, Record, Settings, ShardPlan
from .versions import crosses_barrier

__all__ = ["backup_finding", "backup_lines", "plan_backup"]


def _existing_backup(nodes: Sequence[Instance], version: str) -> Instance | None:
    """Return the node that was backed up before the upgrade to this version, if there is one."""
    return next((node for node in nodes if _backup_of(node.record).get("new_version") == version), None)


def _backup_of(record: Record) -> Mapping[str, Any]:
    return (record.get("journal") or {}).get("backup") or {}


def _may_be_made_again(plan: Plan, shard: ShardPlan, made: Instance, nodes: Sequence[Instance], version: str) -> bool:
    """Return whether an earlier run stopped between the backup of a node and its restart.

    A new one has the writes since then. Once the master runs the new version there is none.
    """
    master_is_old = any(crosses_barrier(node.record, version) for node in nodes if node.host == shard.master_host)
    return master_is_old and plan.steps[made.key].do == "upgrade"


def plan_backup(plan: Plan, shard: ShardPlan, nodes: Sequence[Instance], replicas: Sequence[str], settings: Settings) -> bool:
    """Choose the node to back up; return whether there is, or will be, a backup as a way back.

    ``replicas``: the hosts of the replicas to restart, in order.
    """
    wanted = settings.backup == "true" or (settings.backup == "auto" and not settings.accept_no_way_back and not shard.reserve)
    if not wanted or not any(crosses_barrier(node.record, settings.version) for node in nodes):
        return False
    made = _existing_backup(nodes, settings.version)
    if made is not None and _may_be_made_again(plan, shard, made, nodes, settings.version):
        made = None
    if made is not None:
        shard.backup_host, shard.backup_version = made.host, str(_backup_of(made.record)["version"])
    if made is not None or settings.canary:
        return True  # a canary ends before the barrier, and a later run makes the backup
    linked = [node.host for node in nodes if node.record.get("link_up")]
    old = [host for host in replicas if plan.steps[f"{host}/redis"].do == "upgrade" and host in linked]
    from_master = settings.backup_from == "master" or not old
    if from_master and not shard.handover:
        return False
    host = shard.master_host if from_master else old[-1]
    record = next(node.record for node in nodes if node.host == host)
    if (record.get("activation") or {}).get("method") == "command":
        plan.problems.append(_elsewhere(host))
        return True
    shard.backup_host, shard.backup_version = host, str(record.get("version", ""))
    (plan.backup_hosts if from_master else plan.replica_backup_hosts).append(host)
    return True


def _elsewhere(host: str) -> Finding:
    return Finding(
        host,
        "a backup is wanted (redis_upgrade_backup), and its data file may not be on this host, as the user's own commands activate it",
        "The run could not copy the file, nor restore it",
        "Back it up with means of your own, and set redis_upgrade_backup: false and redis_upgrade_accept_no_way_back: true",
        "format",
    )


def backup_finding(shard: ShardPlan, wanted: str) -> Finding:
    """Return the warning that only the backup leads back."""
    return Finding(
        f"shard {shard.name}",
        f"the only way back from {wanted} to {shard.backup_version} is the backup of {shard.backup_host}",
        f"Once the master runs {wanted}, a node with {shard.backup_version} cannot read its data. A restore lacks every write since the "
        f"backup, which is made {_moment(shard.backup_host, shard.master_host)}",
        "Nothing, or redis_upgrade_reserve: true, a way back without a loss. The playbook restore goes back to the backup",
        "format",
        WARNING,
    )


def _moment(host: str, master_host: str) -> str:
    return "right before the handover" if host == master_host else "right before its restart"


def backup_lines(plan: Mapping[str, Any], hosts: Sequence[str]) -> Iterator[str]:
    """Yield a line for each shard that is backed up on one of these hosts."""
    for name, shard in plan["shards"].items():
        host = shard["backup_host"]
        if host in hosts:
            moment = _moment(host, shard["master_host"])
            yield f"{name}: {host} is backed up on {shard['backup_version']}, {moment}; later writes are not in the backup"
