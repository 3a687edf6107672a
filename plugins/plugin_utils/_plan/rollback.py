# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Going back: what of a deployment can return to the version before, and what stands against it.
Pure functions of the survey.

An instance goes back if it runs the version that the deployment was upgraded to, and its ``before``
(see _survey/survey) tells another one. Data nodes go back as replicas of whoever is master then: of
one that has the old version already, which any node can follow that has followed it until now, or
of one that still has the new version, which only works where the old one reads its data.
"""

from __future__ import annotations

from typing import Any, Iterator, Mapping

from ...module_utils._server.versions import can_downgrade, rdb_version
from .._finding import WARNING, Finding

__all__ = [
    "has_no_record",
    "missing_previous",
    "previous_version",
    "rollback_barriers",
    "rolls_back",
    "set_aside_warning",
    "version_to_run",
]

Record = Mapping[str, Any]


def previous_version(record: Record) -> tuple[str, str]:
    """``(server, version)`` that the instance ran before the upgrade; version empty if that is not
    known.
    """
    before = record.get("before") or {}
    return str(before.get("server") or record.get("server", "redis")), str(before.get("version", ""))


def rolls_back(record: Record, left: str) -> bool:
    """Whether the instance runs the version that is to be ``left``, and ran another one before."""
    return bool(record.get("answers")) and record.get("version") == left and previous_version(record)[1] not in ("", left)


def version_to_run(record: Record, left: str) -> str:
    """What the instance shall run when the deployment has gone back; one that runs another version
    than the one left stays as it is.
    """
    return previous_version(record)[1] if rolls_back(record, left) else str(record.get("version", ""))


def has_no_record(record: Record, left: str) -> bool:
    """Whether the instance runs the version to leave, and nothing tells what it ran before."""
    return bool(record.get("answers")) and record.get("version") == left and not previous_version(record)[1]


def rollback_barriers(shard: str, master: tuple[str, Record], nodes: Mapping[str, Record], left: str) -> Iterator[Finding]:
    """Why data nodes of a shard could not follow their master. ``master``: its host and record;
    ``nodes``: all, by their host.
    """
    host, record = master
    if not rolls_back(record, left):
        return  # it has the old version: whoever goes back has followed it before
    theirs = (str(record.get("server", "redis")), str(record.get("version", "")))
    for node in nodes.values():
        old = previous_version(node)
        if (rolls_back(node, left) or node.get("stopped")) and not can_downgrade(old, theirs):
            yield Finding(
                f"shard {shard}",
                f"there is no way back from {left} to {old[1]}: the master {host} runs {left} already, and {old[1]} cannot read its data",
                "A node that goes back could not follow the master any more",
                "Go on with the upgrade; only a restore from a backup leads back, without all that was written since",
                "format",
            )
            return


def missing_previous(host: str, kind: str, record: Record, left: str) -> Iterator[Finding]:
    """What is missing of the version before."""
    before = record.get("before") or {}
    name = f"its {'Sentinel' if kind == 'sentinel' else 'data node'}"
    if has_no_record(record, left):
        yield Finding(
            host,
            f"{name} runs {left}, and nothing is noted of a version before",
            "It is not known what to go back to, nor how that was started",
            "Put it back by hand (docs/installations.md), or leave it, and go on with the upgrade",
            "files",
        )
    elif (rolls_back(record, left) or record.get("stopped")) and not before.get("there"):
        yield Finding(
            host,
            f"{name} ran {before.get('version')} before, and {before.get('kept') or 'its folder'} does not hold that any more",
            "There is nothing to go back to",
            "Put that version there again, or go on with the upgrade",
            "files",
        )


def set_aside_warning(host: str, record: Record, left: str, master_host: str) -> Iterator[Finding]:
    """A data file that the new version will have written is of no use to the old one."""
    old, new = previous_version(record), (str(record.get("server", "redis")), left)
    if rolls_back(record, left) and rdb_version(*new) > rdb_version(*old):
        yield Finding(
            host,
            f"{old[1]} cannot read the data file that {left} writes when it is stopped",
            f"It is set aside (renamed, which needs room for both), and the node gets all data from the master {master_host} again",
            "Nothing; remove that file when all is well",
            "full-sync",
            WARNING,
        )
