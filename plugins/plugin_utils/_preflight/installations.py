# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight of installations: what several instances share, and who else runs from it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...module_utils._install.copy_files import inside
from .._finding import WARNING, Finding
from .._plan.model import Instance, Plan

__all__ = ["files_findings", "machine_findings", "shared_by", "shared_place_findings", "stranger_findings"]


def _activation(instance: Instance) -> Mapping[str, Any]:
    return instance.record.get("activation") or {}


def _machine(instance: Instance) -> str:
    """Return the boot id of the instance's machine, or its inventory host if that is unknown."""
    return str(instance.record.get("machine") or instance.host).partition(":")[0]


def shared_by(owned: Sequence[tuple[Instance, tuple[str, str]]]) -> list[tuple[tuple[str, str], str]]:
    """Return what several instances share, with the names of these instances."""
    users: dict[tuple[str, str], list[str]] = {}
    for instance, what in owned:
        users.setdefault(what, []).append(instance.key)
    return [(what, ", ".join(keys)) for what, keys in users.items() if len(keys) > 1]


def shared_place_findings(pending: Sequence[Instance], instances: Sequence[Instance]) -> Iterator[Finding]:
    """Yield what cannot be replaced for several instances at once.

    ``pending``: the instances that are upgraded or rolled back, out of ``instances``.
    """

    def place(instance: Instance, name: str) -> tuple[str, str]:
        return str(instance.record.get("machine") or instance.host), str(_activation(instance).get(name) or instance.record.get("folder"))

    whole = [i for i in pending if _activation(i).get("method", "folder") == "folder"]
    links = [i for i in pending if _activation(i).get("method") == "symlink"]
    for (_machine_id, folder), keys in shared_by([(i, place(i, "folder")) for i in whole]):
        yield Finding(
            keys,
            f"they share the version folder {folder}",
            "The folder would be replaced as a whole, and take the files of one instance away while the other is upgraded",
            "Set redis_upgrade_activation: files, or remove the setting; or give each instance a version folder of its own",
        )
    yield from _link_findings(links, place)
    yield from _nested_findings(whole, instances)


def _link_findings(links: Sequence[Instance], place: Any) -> Iterator[Finding]:
    same_link = shared_by([(i, place(i, "folder")) for i in links])
    shared_keys = [keys for _what, keys in same_link]
    for (_machine_id, staged), keys in shared_by([(i, place(i, "staged")) for i in links]):
        if keys not in shared_keys:
            yield Finding(
                keys,
                f"their links would point to the same new release {staged}",
                "One instance would overwrite the files that the other has copied there",
                "Give each instance a folder of releases of its own, or let both run through the same link",
            )
    sharing = {key for keys in shared_keys for key in keys.split(", ")}
    for instance in links:
        own, config_file = _activation(instance), str(instance.record.get("config_file") or "")
        holds = config_file and any(inside(config_file, str(folder)) for folder in (own["folder"], own.get("kept")) if folder)
        if instance.key in sharing and holds:
            yield Finding(
                instance.key,
                f"its configuration file {config_file} is in the release that it shares with other instances",
                "A server that runs on writes into one release, while the next start reads the other",
                "Move the file out of the release, and restart the instance once with the new path",
            )


def _nested_findings(whole: Sequence[Instance], instances: Sequence[Instance]) -> Iterator[Finding]:
    """Yield version folders that hold the running programs of another instance."""
    for instance in whole:
        folder = str(_activation(instance).get("folder") or "")
        for other in instances:
            executable = str(other.record.get("executable") or "")
            is_other = _machine(other) == _machine(instance) and folder != _activation(other).get("folder")
            if is_other and folder and executable and inside(executable, folder):
                yield Finding(
                    f"{instance.key}, {other.key}",
                    f"the version folder {folder} of the one holds {executable}, from which the other runs",
                    "Both would put a new version into the same place, each in its own way",
                    f"Give each a version folder of its own (redis_upgrade_{instance.kind}_folder)",
                )


def files_findings(instance: Instance) -> Iterator[Finding]:
    """Yield why programs cannot be replaced one by one."""
    record = instance.record
    if not record.get("folder_writable", True):
        yield Finding(
            instance.host,
            f"the folder {record.get('folder')} of its programs is not writable",
            "The new programs are placed there",
            "Run with become; a read-only file system must be mounted for writing",
        )


def noexec_findings(instance: Instance) -> Iterator[Finding]:
    """Yield why the new version could not be started from where it is placed."""
    folder = instance.record.get("noexec_folder")
    if folder and _activation(instance).get("method") in ("folder", "symlink", "files"):
        yield Finding(
            instance.host,
            f"the file system of {folder} is mounted with noexec",
            "The new version is placed there, and could not be started",
            "Mount it with exec",
        )


def stranger_findings(plan: Plan) -> Iterator[Finding]:
    """Yield processes that run from an installation of this run, but are not in the inventory."""
    for own in plan.installations:
        if own.strangers and own.stager and own.method in ("files", "symlink"):
            one = len(own.strangers) == 1
            who = f"{'process' if one else 'processes'} {', '.join(map(str, own.strangers))}"
            yield Finding(
                ", ".join(own.users),
                f"{who} also {'runs' if one else 'run'} from {own.folder}, and {'belongs' if one else 'belong'} to no instance of this run",
                "What runs keeps its version until it is restarted, and then comes up with the new one",
                "Nothing, if that may be upgraded so; else give it, or these instances, a version folder of its own",
                severity=WARNING,
            )


def machine_findings(instances: Sequence[Instance], plan: Plan) -> Iterator[Finding]:
    """Yield shards whose data nodes are all on one machine, so that its failure ends them all."""
    for shard in plan.shards.values():
        machines = {_machine(i) for i in instances if i.kind == "redis" and i.host in shard.nodes and i.record.get("machine")}
        if len(shard.nodes) > 1 and len(machines) == 1 and all(i.record.get("machine") for i in instances if i.host in shard.nodes):
            yield Finding(
                f"shard {shard.name}",
                f"its {len(shard.nodes)} data nodes are on one machine",
                "If that machine fails, there is no replica that could become master",
                "Nothing for this run; put the nodes on different machines",
                severity=WARNING,
            )
