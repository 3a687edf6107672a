# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rollback: which instances can return to their previous version, and what forbids that.

Pure functions of the survey. An instance rolls back if it runs the version to leave, or its
previous version from the kept programs alone, and ``before`` of its record (see _survey/survey)
names another version than the one to leave. A data node rolls back as a replica of the current
master. If the master runs the previous version, every node can replicate from it, as before. If the
master still runs the version to leave, the previous version must be able to read its data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ...module_utils._server.versions import can_downgrade, is_newer_line, misses_in_silence, rdb_version
from .._finding import WARNING, Finding
from .model import Record

__all__ = [
    "has_no_record",
    "missed_writes_warning",
    "missing_previous",
    "previous_version",
    "rollback_barriers",
    "rolls_back",
    "set_aside_warning",
    "version_to_run",
]


def previous_version(record: Record) -> tuple[str, str]:
    """Return ``(server, version)`` before the upgrade; the version is empty if unknown."""
    before = record.get("before") or {}
    return str(before.get("server") or record.get("server", "redis")), str(before.get("version", ""))


def rolls_back(record: Record, leaving: str) -> bool:
    """Return whether the instance runs the version to leave, and ran another one before.

    An instance that was put back alone runs its previous version from the kept programs, which the
    rollback puts in use again and removes. So that instance is restarted, too.
    """
    leaves = record.get("version") == leaving or bool(record.get("runs_kept"))
    return bool(record.get("answers")) and leaves and previous_version(record)[1] not in ("", leaving)


def version_to_run(record: Record, leaving: str) -> str:
    """Return the version to run after a rollback: the previous version, or the current one."""
    return previous_version(record)[1] if rolls_back(record, leaving) else str(record.get("version", ""))


def has_no_record(record: Record, leaving: str) -> bool:
    """Return whether the instance runs the version to leave and its previous one is unknown."""
    return bool(record.get("answers")) and record.get("version") == leaving and not previous_version(record)[1]


def rollback_barriers(shard: str, master: tuple[str, Record], nodes: Mapping[str, Record], leaving: str) -> Iterator[Finding]:
    """Yield why data nodes of a shard could not replicate from their master after a rollback.

    ``master``: its host and record. ``nodes``: the records of all data nodes, by host.
    """
    host, record = master
    if not rolls_back(record, leaving):
        return  # the master runs the previous version: every node has replicated from it before
    theirs = (str(record.get("server", "redis")), str(record.get("version", "")))
    for node in nodes.values():
        old = previous_version(node)
        if (rolls_back(node, leaving) or node.get("stopped")) and not can_downgrade(old, theirs):
            yield Finding(
                f"shard {shard}",
                f"there is no way back from {leaving} to {old[1]}: the master {host} runs {leaving} already, "
                f"and {old[1]} cannot read its data",
                "A node that rolls back could not replicate from the master any more",
                _restorable(nodes.values())
                or "Continue with the upgrade. Only a restore from a backup leads back, without all later writes",
                "format",
            )
            return


def _restorable(nodes: Iterable[Record]) -> str:
    """Return how to restore the backup of this upgrade; empty if there is none."""
    backups = [(node.get("before") or {}).get("backup") for node in nodes]
    folders = ", ".join(str(backup["folder"]) for backup in backups if backup)
    return f"Continue with the upgrade; or lose all later writes, and restore the backup {folders} (playbook restore)" if folders else ""


def missing_previous(host: str, kind: str, record: Record, leaving: str) -> Iterator[Finding]:
    """Yield what an instance lacks of its previous version."""
    before = record.get("before") or {}
    name = f"its {'Sentinel' if kind == 'sentinel' else 'data node'}"
    if has_no_record(record, leaving):
        yield Finding(
            host,
            f"{name} runs {leaving}, and its previous version is not recorded",
            "The previous version, and how it was started, are unknown",
            "Revert it by hand (docs/installations.md), or leave it, and continue with the upgrade",
            "files",
        )
    elif (rolls_back(record, leaving) or record.get("stopped")) and not before.get("there"):
        yield Finding(
            host,
            f"{name} ran {before.get('version')} before, and {before.get('kept') or 'its folder'} does not hold that version any more",
            "There is no version to roll back to",
            "Put that version there again, or continue with the upgrade",
            "files",
        )


def set_aside_warning(host: str, record: Record, leaving: str, master_host: str) -> Iterator[Finding]:
    """Yield a warning if the previous version cannot read the data file of the version to leave."""
    old, new = previous_version(record), (str(record.get("server", "redis")), leaving)
    if record.get("version") == leaving and rolls_back(record, leaving) and rdb_version(*new) > rdb_version(*old):
        yield Finding(
            host,
            f"{old[1]} cannot read the data file that {leaving} writes when it is stopped",
            f"The file is set aside (renamed, so the disk must hold both), and the node gets all data from the master {master_host} again",
            "Nothing; remove that file once the deployment is healthy",
            "full-sync",
            WARNING,
        )


def missed_writes_warning(shard: str, nodes: Mapping[str, Record], leaving: str) -> Iterator[Finding]:
    """Yield a warning if a previous version does not understand all that the master sends.

    That is only known to be so while the master runs the version to leave. ``nodes``: the records
    of all data nodes, by host.
    """
    masters = [record for record in nodes.values() if record.get("role") == "master" and rolls_back(record, leaving)]
    for record in masters:
        theirs = (str(record.get("server", "redis")), leaving)
        olds = sorted({previous_version(node) for node in nodes.values() if node is not record and rolls_back(node, leaving)})
        for old in olds:
            if misses_in_silence(old) and is_newer_line(old, theirs):
                yield Finding(
                    f"shard {shard}",
                    f"{old[1]} does not understand all that a master with {leaving} sends, for example INCRBYFLOAT (as SET ... KEEPTTL)",
                    "A replica that was rolled back misses such writes in silence until the master is rolled back, too, and one of these "
                    "replicas is the next master",
                    "Stop the application for the rollback, or continue with the upgrade",
                    "format",
                    WARNING,
                )
