# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an earlier run has left, and what another one is doing now: pure functions of the survey."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from .._finding import WARNING, Finding
from .._plan.plan import Instance, Plan

__all__ = ["of_leftovers", "of_other_runs"]


def of_other_runs(instances: Sequence[Instance]) -> Iterator[Finding]:
    """Whoever is at work on this deployment already. Everything that tells of another run belongs
    here.
    """
    for host, note in _notes(instances):
        if note.get("held_by"):
            yield Finding(
                host,
                f"another handover is under way: process {note['held_by']} holds {note['path']}.lock",
                "Two runs would undo each other's steps",
                "Wait until it has ended; one whose controller was killed ends by itself within about a minute",
                "other-run",
            )


def of_leftovers(instances: Sequence[Instance], plan: Plan) -> Iterator[Finding]:
    """What needs a hand is a refusal, what this run finishes by itself a warning."""
    for instance in instances:
        if instance.record.get("journal_error"):
            yield Finding(
                instance.host,
                f"the journal of its {'Sentinel' if instance.kind == 'sentinel' else 'data node'} is not usable: "
                f"{str(instance.record['journal_error']).rstrip('.')}",
                "It tells what was there before an earlier run: where files are, who was master, priorities",
                "Look into it; then move it away, to start afresh from what is there now",
                "leftovers",
            )
    yield from _journals(instances, plan)
    for shard in plan.shards.values():
        for host in shard.fenced:
            yield Finding(
                host,
                "it is fenced: it refuses all writes (min-replicas-to-write), since a handover was cut short",
                f"Shard {shard.name} takes no writes as long as that is the master",
                "Run the upgrade: it finishes that handover first. Or run sentinelops.redis.handover",
                "leftovers",
                WARNING,
            )
    yield from _of_notes(instances, plan)
    for instance in [] if plan.rollback else instances:
        yield from _staged(instance, plan)


def _journals(instances: Sequence[Instance], plan: Plan) -> Iterator[Finding]:
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
    homes = sorted({shard.original_master_host for shard in plan.shards.values() if shard.original_master_host})
    yield Finding(
        ", ".join(instance.key for instance in open_ones),
        f"an earlier run has not ended, its journals are open{details}",
        f"This run goes on from there: it finishes what is left, puts priorities back, and home is still {', '.join(homes) or 'unknown'}",
        "Nothing",
        "leftovers",
        WARNING,
    )


def _notes(instances: Sequence[Instance]) -> list[tuple[str, Mapping[str, Any]]]:
    """The notes of handovers, each with the first host on which it was seen."""
    found: dict[tuple[str, str], tuple[str, Mapping[str, Any]]] = {}
    for instance in instances:
        seen: Mapping[str, Any] = instance.record.get("examined") or {}
        for note in seen.get("notes") or []:
            machine = str((seen.get("versions") or {}).get("device") or instance.host).partition(":")[0]
            found.setdefault((machine, str(note["path"])), (instance.host, note))
    return list(found.values())


def _of_notes(instances: Sequence[Instance], plan: Plan) -> Iterator[Finding]:
    hands_over = any(shard.handover or shard.fail_back or shard.fenced for shard in plan.shards.values())
    for host, note in _notes(instances):
        if note.get("held_by"):
            continue
        if note.get("error"):
            yield Finding(
                host,
                f"the note of an earlier handover {note['path']} cannot be read ({note['error']})",
                "It tells what that handover has changed and not put back",
                "Look into it, compare replica-priority of the data nodes and failover-timeout of the Sentinels, then move it away",
                "leftovers",
            )
        else:
            yield Finding(
                host,
                f"an earlier handover was cut short; its note {note['path']} names {', '.join(note['changes']) or 'no change'}",
                "What it has changed for its duration may still be set",
                "Nothing: the next handover of this run puts it back"
                if hands_over
                else "Run sentinelops.redis.handover to the present master",
                "leftovers",
                WARNING,
            )


def _staged(instance: Instance, plan: Plan) -> Iterator[Finding]:
    record, seen = instance.record, (instance.record.get("examined") or {}).get("versions") or {}
    if not seen.get("left") or record.get("journal") or record.get("staged_version") == plan.version or instance.key not in plan.pending:
        return
    yield Finding(
        instance.host,
        f"there is a folder {record.get('folder')}.new of an earlier run, with {record.get('staged_version') or 'no server that runs'}",
        f"The new version {plan.version} is placed there; files of the same name are replaced, others stay in it",
        "Nothing, or remove that folder",
        "leftovers",
        WARNING,
    )
