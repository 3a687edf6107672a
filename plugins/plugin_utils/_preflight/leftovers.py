# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight of leftovers of earlier runs, and of other runs. Pure functions of the survey."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .._finding import WARNING, Finding
from .._plan.model import Instance, Plan

__all__ = ["leftover_findings", "other_run_findings"]


def other_run_findings(instances: Sequence[Instance]) -> Iterator[Finding]:
    """Yield signs of another run on this deployment; every such sign belongs here."""
    for host, undo in _undo_files(instances):
        if undo.get("held_by"):
            yield Finding(
                host,
                f"another handover is under way: process {undo['held_by']} holds {undo['path']}.lock",
                "Two runs would undo each other's steps",
                "Wait until that handover has ended; without its controller it ends within about a minute",
                "other-run",
            )


def leftover_findings(instances: Sequence[Instance], plan: Plan) -> Iterator[Finding]:
    """Yield leftovers: refusals if a person must fix them, warnings if this run fixes them."""
    for instance in instances:
        if instance.record.get("journal_error"):
            yield Finding(
                instance.host,
                f"the journal of its {instance.noun} is not usable: {str(instance.record['journal_error']).rstrip('.')}",
                "It records the state before an earlier run: the places of files, the master, the priorities",
                "Inspect the journal. Then move it away, so that the run starts from the current state",
                "leftovers",
            )
    yield from _journal_findings(instances, plan)
    for shard in plan.shards.values():
        for host in shard.fenced:
            yield Finding(
                host,
                "it has a fence (min-replicas-to-write), since a handover was interrupted",
                f"Shard {shard.name} may take no writes as long as {host} is the master",
                "Run the upgrade, which finishes that handover first; or run sentinelops.redis.handover",
                "leftovers",
                WARNING,
            )
    yield from _undo_file_findings(instances, plan)
    for instance in [] if plan.rollback else instances:
        yield from _staged_findings(instance, plan)


def _journal_findings(instances: Sequence[Instance], plan: Plan) -> Iterator[Finding]:
    open_ones = [instance for instance in instances if instance.record.get("journal")]
    if not open_ones:
        return
    stopped = [instance.key for instance in open_ones if instance.record.get("stopped")]
    steered = [
        f"the replica-priority of {instance.host} is {instance.record['priority']}, and was {instance.record['journal']['priority']}"
        for instance in open_ones
        if "priority" in instance.record
        and instance.record["journal"].get("priority", instance.record["priority"]) != instance.record["priority"]
    ]
    details = "".join(f"; {text}" for text in ([f"{', '.join(stopped)} was stopped and not started"] if stopped else []) + steered)
    masters = sorted({shard.original_master_host for shard in plan.shards.values() if shard.original_master_host})
    yield Finding(
        ", ".join(instance.key for instance in open_ones),
        f"an earlier run has not ended, its journals are open{details}",
        f"This run continues there, restores priorities, and the original master is still {', '.join(masters) or 'unknown'}",
        "Nothing",
        "leftovers",
        WARNING,
    )


def _undo_files(instances: Sequence[Instance]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the undo files of handovers, each with the first host on which it was seen."""
    found: dict[tuple[str, str], tuple[str, Mapping[str, Any]]] = {}
    for instance in instances:
        seen: Mapping[str, Any] = instance.record.get("examined") or {}
        for undo in seen.get("notes") or []:
            machine = str((seen.get("versions") or {}).get("device") or instance.host).partition(":")[0]
            found.setdefault((machine, str(undo["path"])), (instance.host, undo))
    return list(found.values())


def _undo_file_findings(instances: Sequence[Instance], plan: Plan) -> Iterator[Finding]:
    hands_over = any(shard.handover or shard.fail_back or shard.recovery_host for shard in plan.shards.values())
    for host, undo in _undo_files(instances):
        if undo.get("held_by"):
            continue
        if undo.get("error"):
            yield Finding(
                host,
                f"the undo file of an earlier handover {undo['path']} cannot be read ({undo['error']})",
                "It records the settings that the handover has changed and not restored",
                "Inspect the file, check replica-priority of the data nodes and failover-timeout of the Sentinels, then move the file away",
                "leftovers",
            )
        else:
            yield Finding(
                host,
                f"an earlier handover was interrupted; its undo file {undo['path']} names {', '.join(undo['changes']) or 'no change'}",
                "Settings that the handover has changed for its duration may still be in force",
                "Nothing, since the next handover of this run restores them"
                if hands_over
                else "Run sentinelops.redis.handover to the current master",
                "leftovers",
                WARNING,
            )


def _staged_findings(instance: Instance, plan: Plan) -> Iterator[Finding]:
    record, seen = instance.record, (instance.record.get("examined") or {}).get("versions") or {}
    if not seen.get("left") or record.get("journal") or record.get("staged_version") == plan.version or instance.key not in plan.pending:
        return
    yield Finding(
        instance.host,
        f"there is a folder {record.get('folder')}.new of an earlier run, with {record.get('staged_version') or 'no server that runs'}",
        f"The new version {plan.version} is placed there; files of the same name are replaced, others stay",
        "Nothing, or remove that folder",
        "leftovers",
        WARNING,
    )
