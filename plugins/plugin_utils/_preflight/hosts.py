# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight of the hosts: rights, files, disks and clocks. Pure functions of the survey."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...module_utils._server.versions import version_key
from ...module_utils._sizes import readable_size
from .._finding import WARNING, Finding
from .._plan.model import Instance, Plan

__all__ = [
    "backup_space_findings",
    "clock_findings",
    "disk_findings",
    "rewrite_findings",
    "rights_findings",
    "unknown_findings",
    "unreachable_findings",
]

MAX_CLOCK_S = 3.0
# Rights that a run can do without: STOPPING if servers are stopped in another way, PAUSING if no
# handover pauses writes, SAVING on a node that is not backed up, USEFUL always.
STOPPING = ("+shutdown",)
SAVING = ("+bgsave",)
PAUSING = ("+client|pause", "+client|unpause")
USEFUL = {
    "+command|info": "Commands that the server's arguments rename cannot be found, and a restart would make them available again",
    "+sentinel|set": "A failed handover ends later, since failover-timeout cannot be shortened for it",
    "+sentinel|debug": "A handover begins later, since Sentinel cannot be told to ask for INFO every second",
}


def unreachable_findings(instance: Instance) -> Iterator[Finding]:
    """Yield why an instance could not be surveyed."""
    record = instance.record
    refused: Mapping[str, Any] = record.get("refused") or {}
    if refused.get("right") or refused.get("unknown"):
        return  # rights_findings and unknown_findings name all of them
    if refused:
        advice = refused.get("advice") or "Fix the cause, and run again when the server answers"
        group = "sentinel" if instance.kind == "sentinel" else "redis"
        variables = f" (redis_upgrade_{group}_user, redis_upgrade_{group}_password)" if refused.get("denied") else ""
        yield Finding(
            instance.host,
            f"the {instance.noun} cannot be surveyed: {refused['message']}",
            "Its state is unknown",
            f"{advice}{variables}",
            "access" if refused.get("denied") else "answers",
        )
        return
    yield Finding(
        instance.host,
        f"the {instance.noun} does not answer ({record.get('error')})",
        "A deployment that lacks a node is not safe to upgrade",
        "Start it, or take it out of the inventory and run SENTINEL RESET on each Sentinel",
        "answers",
    )


def rights_findings(instance: Instance, pauses: bool, backed_up: bool) -> Iterator[Finding]:
    """Yield which rights our user lacks on an instance.

    ``pauses``: whether a handover from this node would pause writes. ``backed_up``: whether this
    run backs the node up.
    """
    record, noun = instance.record, instance.noun
    denied: Mapping[str, str] = (record.get("examined") or {}).get("rights") or {}
    manager = (record.get("service") or {}).get("manager", "process")
    spared = [*STOPPING * (manager != "process"), *PAUSING * (not pauses), *SAVING * (not backed_up)]
    needed = [right for right in denied if right not in (*spared, *USEFUL)]
    if needed:
        yield Finding(
            instance.host,
            f"our user lacks {_rights(needed)} on the {noun} ({denied[needed[0]]})",
            "The run would stop half way, where such a right is needed first",
            f"ACL SETUSER with {' '.join(needed)}, and ACL SAVE or CONFIG REWRITE; docs/rights.md lists all rights",
            "rights",
        )
    for right, why in USEFUL.items():
        unused = (right == "+sentinel|debug" and version_key(str(record.get("version", "7"))) < (7,)) or (
            right == "+command|info" and manager != "process"
        )
        if right in denied and not unused:
            yield Finding(
                instance.host,
                f"our user lacks the right {right} on the {noun}",
                why,
                f"Nothing, or ACL SETUSER with {right}",
                "rights",
                WARNING,
            )


def unknown_findings(instance: Instance, backed_up: bool) -> Iterator[Finding]:
    """Yield which commands that the run needs are renamed or disabled on an instance.

    ``backed_up``: whether this run backs the node up.
    """
    unknown: Mapping[str, str] = (instance.record.get("examined") or {}).get("unknown") or {}
    manager = (instance.record.get("service") or {}).get("manager", "process")
    spared = ("COMMAND", *["SHUTDOWN"] * (manager != "process"), *["BGSAVE"] * (not backed_up))
    needed = [name for name in unknown if name not in spared]
    if needed:
        yield Finding(
            instance.host,
            f"the {instance.noun} does not know {' '.join(needed)}: renamed or disabled by rename-command",
            "The run and the Sentinels use these commands by their own names, and would stop half way",
            "Remove these rename-command lines, and restart one instance after the other, the master last after a failover; "
            "from Redis 6.0 on an ACL can keep such commands from applications",
            "renamed-commands",
        )


def _rights(rights: Sequence[str]) -> str:
    return f"the right {rights[0]}" if len(rights) == 1 else f"the rights {' '.join(rights)}"


def rewrite_findings(instance: Instance) -> Iterator[Finding]:
    """Yield why the server itself cannot save its configuration."""
    record = instance.record
    seen: Mapping[str, Any] = (record.get("examined") or {}).get("writable") or {}
    path, old = record.get("config_file"), record.get("server") == "redis" and version_key(str(record.get("version", ""))) < (6,)
    do = "Make the folder of the file writable for the server's user, also in its unit (ReadWritePaths) or container"
    if seen.get("mounted"):
        what, do = f"its configuration file {path} is a mount", "Mount the folder instead of the file"
    elif seen.get("folder") is False and not old:
        what = f"the server may not write the folder of its configuration file {path}"
    elif seen.get("file") is False and (old or instance.kind == "sentinel"):
        what, do = f"the server may not write its configuration file {path}", "Make the file writable for the server's user"
    else:
        return
    why = "Sentinel keeps its state there, and does not start without it" if instance.kind == "sentinel" else "CONFIG REWRITE fails"
    yield Finding(instance.host, what, f"{why}, so settings made at run time would be lost at the restart", do, "config-rewrite")


def disk_findings(instances: Sequence[Instance], plan: Plan) -> Iterator[Finding]:
    """Yield which file systems are too small.

    The new version is placed on all hosts at once. The nodes save their data one after the other,
    beside the previous data file.
    """
    devices: dict[str, list[tuple[Instance, Mapping[str, Any], int, int, int]]] = {}
    for instance in instances:
        seen: Mapping[str, Any] = instance.record.get("examined") or {}
        versions, data = seen.get("versions"), seen.get("data")
        if instance.key not in plan.pending:
            continue
        if versions:
            devices.setdefault(versions["device"], []).append((instance, versions, int(versions["needed"]), 0, 0))
        if data and instance.kind == "redis" and instance.record.get("save"):
            used = int(seen.get("used_memory", 0))
            devices.setdefault(data["device"], []).append((instance, data, 0, int(seen.get("rdb_bytes", 0)), used))
    for users in devices.values():
        yield from _disk_findings(users)


def _disk_findings(users: Sequence[tuple[Instance, Mapping[str, Any], int, int, int]]) -> Iterator[Finding]:
    free, path = min((place["free"], place["path"]) for _instance, place, *_sizes in users)
    programs, saved, used = sum(user[2] for user in users), max(user[3] for user in users), max(user[4] for user in users)
    needed, at_most = programs + saved, programs + max(saved, used)
    if free >= at_most:
        return
    parts = [f"{readable_size(programs)} for the programs of the new version"] * bool(programs)
    parts += [f"{readable_size(saved if free < needed else used)} for a data file"] * bool(saved or used)
    certain = free < needed
    yield Finding(
        ", ".join(dict.fromkeys(user[0].key for user in users)),
        f"there are {readable_size(free)} free at {path}, and {'' if certain else 'up to '}"
        f"{readable_size(needed if certain else at_most)} are needed ({', '.join(parts)})",
        "The new version could not be placed, or a node could not save its data when it is stopped",
        "Free disk space on that file system",
        "disk",
        "refusal" if certain else WARNING,
    )


def backup_space_findings(instances: Sequence[Instance], plan: Plan) -> Iterator[Finding]:
    """Yield which file systems are too small for the backups of this run."""
    for instance in instances:
        seen: Mapping[str, Any] = instance.record.get("examined") or {}
        place = seen.get("backup")
        if instance.kind != "redis" or instance.host not in plan.backed_up_hosts or not place:
            continue
        saved, at_most = int(seen.get("rdb_bytes", 0)), int(seen.get("used_memory", 0))
        if place["free"] < max(saved, at_most):
            certain = place["free"] < saved
            yield Finding(
                instance.host,
                f"there are {readable_size(place['free'])} free at {place['path']}, and {'' if certain else 'up to '}"
                f"{readable_size(saved if certain else at_most)} are needed for the backup",
                "The run would stop before a server is stopped, since the only way back cannot be made",
                "Free disk space, or set redis_upgrade_backup_folder to a folder on another file system",
                "disk",
                "refusal" if certain else WARNING,
            )


def clock_findings(instances: Sequence[Instance], now_s: float) -> Iterator[Finding]:
    """Yield which hosts have a wrong clock.

    ``now_s``: the controller's time of day after the survey. The time of day of a host must lie
    between the controller's times before and after the question.
    """
    judged = set()
    for instance in instances:
        clock: Mapping[str, Any] = (instance.record.get("examined") or {}).get("clock") or {}
        asked_s, host_s = float(clock.get("asked_at_s") or 0), float(clock.get("host_s") or 0)
        if not asked_s or not now_s or instance.host in judged:
            continue
        judged.add(instance.host)
        off_s, where = max((host_s - now_s, "ahead of"), (asked_s - host_s, "behind"))
        if off_s > MAX_CLOCK_S:
            yield Finding(
                instance.host,
                f"its clock is {off_s:.0f} s or more {where} the controller's",
                "Keys expire by the clock of the master, so after a handover they expire too early or too late",
                "Correct the clock (chrony, systemd-timesyncd) slowly: Sentinels go into TILT if it jumps",
                "clock",
                WARNING,
            )
