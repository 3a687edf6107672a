# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program with which a reserve would be started again, for example after a reboot.

Where instances share an installation, the new version has taken the place of the old one, which the
reserve still runs. Its unit is then pointed to the kept program.
"""

from __future__ import annotations

import os
from typing import Any, Mapping

from .._errors import OperationFailed
from .._host.process import binary_version, executable_of
from .._host.service import THIS_HOST, Host, Start
from .._host.systemd import Systemd

__all__ = ["keep_start"]


def keep_start(
    instance: Mapping[str, Any], pid: int, version: str, check_mode: bool, host: Host = THIS_HOST
) -> tuple[list[str], list[str]]:
    """Make the next start of an instance use the version that it runs.

    ``instance``: its survey record, of before the upgrade. ``pid``: its process. Returns the
    changes, and what the user must see to, as sentences.
    """
    active, unit = str(instance.get("executable") or ""), str((instance.get("service") or {}).get("unit") or "")
    program = _program(instance, active, pid, version)
    if not active or not program:
        return [], [] if not active else [f"no program with {version} is left to start it again: {active} has another version"]
    if not unit:
        manual = f"it is not a unit of systemd: whatever starts it again must start {program}, since {active} is another version now"
        return [], [] if program == active else [manual]
    service = Systemd(unit, host)
    if program != active and not service.starts_other_path(program):
        return [], [f"its unit {unit} starts no server by name, so see that its next start uses {program}, and not the later version"]
    if check_mode:
        return [], []
    changed = service.point_to(Start(program, str(instance.get("config_file") or ""), False))
    return [f"its unit {unit} starts {program}"] if changed else [], []


def _program(instance: Mapping[str, Any], active: str, pid: int, version: str) -> str:
    """Return the first known program that has the version; empty if none has."""
    kept = str((instance.get("activation") or {}).get("kept") or "")
    places = [active, executable_of(pid, ""), os.path.join(kept, os.path.basename(active)) if kept else ""]
    return next((place for place in places if place and _version_of(place) == version), "")


def _version_of(program: str) -> str:
    try:
        return binary_version(program) if os.path.isfile(program) else ""
    except OperationFailed:
        return ""
