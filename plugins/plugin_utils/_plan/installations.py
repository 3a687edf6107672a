# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installations: what is installed at one place of one machine, and which instances run from it.

Pure functions of the survey. Inventory hosts may be aliases of one machine, so an installation is
known by the machine and the inode of its folder.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ...module_utils._install.own_commands import filled
from .model import Instance, Record, Step

__all__ = ["Installation", "installation_lines", "installations_of", "stage_words"]


@dataclass
class Installation:
    """One installation.

    ``machine`` and ``folder``: its place; with the method ``command``, the folder is the stage
    command. ``method``: how a new version takes the place of the old one. ``users``: the keys of
    the instances that run from it, in the order of the inventory. ``stager``: the instance that
    stages the new version. ``keeper``: the instance whose running version is kept; empty if no
    instance needs that. ``strangers``: processes that run from it, and belong to no instance of
    this run.
    """

    machine: str
    folder: str
    method: str
    kept: str
    users: list[str] = field(default_factory=list)
    stager: str = ""
    keeper: str = ""
    strangers: list[int] = field(default_factory=list)


def _place(instance: Instance, step: Step | None) -> tuple[str, str]:
    """Return machine and folder; the stage command instead of the folder if commands activate."""
    record = instance.record
    activation, machine = record.get("activation") or {}, str(record.get("machine") or instance.host)
    if activation.get("method") == "command" and step is not None:
        return machine, shlex.join(stage_words(record, step.wanted))
    return machine, str(activation.get("folder") or record.get("folder") or "")


def stage_words(record: Record, version: str) -> list[str]:
    """Return the stage command of an instance for a version; empty if there is none."""
    words = ((record.get("commands") or {}).get("stage") or {}).get("words") or []
    return filled(words, version, str(record.get("version", "")))


def installations_of(instances: Sequence[Instance], steps: Mapping[str, Step]) -> list[Installation]:
    """Return the installations of all instances whose files are known."""
    found: dict[tuple[str, str], Installation] = {}
    pids: dict[tuple[str, str], set[int]] = {}
    for instance in instances:
        record = instance.record
        machine, folder = _place(instance, steps.get(instance.key))
        if not folder:
            continue
        activation = record.get("activation") or {}
        own = found.setdefault(
            (machine, folder), Installation(machine, folder, str(activation.get("method", "folder")), str(activation.get("kept", "")))
        )
        own.users.append(instance.key)
        step = steps.get(instance.key)
        if step is not None and step.do != "skip":
            own.stager = own.stager or instance.key
            own.keeper = own.keeper or (instance.key if own.method in ("files", "package_update") and step.running != step.wanted else "")
        pids.setdefault((machine, folder), set()).update(record.get("neighbours") or [])
        pids[machine, folder].discard(int(record.get("pid") or 0))
    known = {int(instance.record.get("pid") or 0) for instance in instances}
    for place, installation in found.items():
        installation.strangers = sorted(pids[place] - known)
    return list(found.values())


def installation_lines(installations: Sequence[Mapping[str, object]], steps: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    """Yield a line for each installation that several pending instances share, and what that means.

    The instance that is restarted first comes first.
    """
    found = False
    for own in installations:
        users = [str(key) for key in own["users"]]  # type: ignore[attr-defined]
        pending = [key for key in users if steps.get(key, {}).get("do", "skip") != "skip"]
        if len(users) > 1 and pending and own["method"] != "command":
            found = True
            users.sort(key=lambda key: not key.endswith("/sentinel"))
            yield f"shared: {own['folder']}, by {', '.join(users)}; gets the new version, and the old one is kept in {own['kept']}"
    if found:
        yield "shared: each is replaced once, at the first restart; what restarts by itself after that comes up with the new version"
