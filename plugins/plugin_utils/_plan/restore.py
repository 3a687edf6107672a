# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The restore of a backup: the way back that loses all writes since the backup. Pure.

It is a rollback in which the node with the backup becomes the master first, and is then restarted
with the old version and the data of the backup. The other nodes go back as its replicas. They must
not become the master while it is down, so they have ``replica-priority 0`` meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...module_utils._sizes import readable_size
from .._finding import Finding
from .model import Instance, Plan, Record, Settings, ShardPlan

__all__ = ["plan_restore", "restore_lines"]


def _backup_of(record: Record) -> Mapping[str, Any]:
    """Return the facts of the backup of an instance that was made before its upgrade."""
    return (record.get("before") or {}).get("backup") or {}


def plan_restore(plan: Plan, shard: ShardPlan, known: Mapping[str, Instance], settings: Settings) -> None:
    """Choose the node to restore; none where the master runs the old version already."""
    nodes = list(known.values())
    held = [node for node in nodes if (node.record.get("reserve") or {}).get("role") == "bystander"]
    plan.unhold_hosts += [node.host for node in held]
    if plan.steps[known[shard.master].key].do == "skip":
        return
    found = {address: _backup_of(node.record) for address, node in known.items()}
    backups = {address: one for address, one in found.items() if one.get("new_version") == settings.version}
    if not backups:
        plan.problems.append(_no_backup(shard, settings))
        return
    shard.restore = max(backups, key=lambda address: int(backups[address]["made_s"]))
    node = known[shard.restore]
    shard.restore_host, shard.backup = node.host, dict(backups[shard.restore])
    if shard.name not in settings.accept_loss:
        plan.problems.append(_loss(shard, known[shard.master].record))
    plan.restore_hosts.append(node.host)
    others = [other.host for other in nodes if other is not node and other.record.get("answers")]
    plan.hold_hosts += others
    plan.unhold_hosts += [host for host in others if host not in plan.unhold_hosts]


def _no_backup(shard: ShardPlan, settings: Settings) -> Finding:
    return Finding(
        f"shard {shard.name}",
        f"no node has the record of a backup that was made before the upgrade to {settings.version}",
        "There is nothing to restore",
        "If there is a good reserve, or the old version can read the data, use the playbook rollback",
        "format",
    )


def _loss(shard: ShardPlan, master: Record) -> Finding:
    return Finding(
        f"shard {shard.name}",
        f"a restore loses all writes since the backup of {shard.restore_host}: {_since(shard.backup, master)}",
        "They have been acknowledged to clients, and are in the newer data only, which is set aside",
        f"Stop the application if you can, and accept the loss with redis_upgrade_restore_accept_loss: [{shard.name}]",
        "format",
    )


def _since(backup: Mapping[str, Any], master: Record) -> str:
    """Return time and offset of a backup, and how far the master has come since."""
    at = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(int(backup["made_s"])))
    minutes = max(0, int(time.time()) - int(backup["made_s"])) // 60
    offset, now = int(backup["data"]["offset"]), int((master.get("replication") or {}).get("offset") or 0)
    streamed = f", {readable_size(now - offset)} of writes" if 0 <= offset <= now else ""
    return f"it is of {at} (offset {offset}), {minutes} minutes ago{streamed}"


def restore_lines(plan: Mapping[str, Any], name: str, hosts: Sequence[str]) -> Iterator[str]:
    """Yield a line of the plan for each shard with a restore; ``name``: the play."""
    for shard in plan["shards"].values():
        own = [host for host in shard["nodes"] if host in hosts]
        if own and name == "restore":
            backup = shard["backup"]
            data = f"{backup['data']['keys']} keys, offset {backup['data']['offset']}"
            yield f"{shard['name']}: {own[0]} -> {backup['version']} with the data of {backup['folder']} ({data})"
        elif own and name == "hold":
            yield f"{shard['name']}: {', '.join(own)} cannot become the master meanwhile (replica-priority 0)"
        elif own:
            yield f"{shard['name']}: {', '.join(own)} may become the master again"
