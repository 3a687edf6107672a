# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the programs of a running version aside, before another version replaces them."""

from __future__ import annotations

from typing import Any, Mapping

from .programs import Programs

__all__ = ["KEEP_SPEC", "NOT_KEPT", "keep_version"]

NOT_KEPT = "the running version cannot be kept in {kept}: {error}. Nothing was stopped."
KEEP_SPEC: dict[str, Any] = {
    "folder": {"type": "path", "required": True},
    "staged": {"type": "path", "required": True},
    "kept": {"type": "path", "required": True},
    "version": {"type": "str", "required": True},
    "executable": {"type": "path", "required": True},
    "pid": {"type": "int", "default": 0},
    "manager": {"type": "str", "choices": ["apt", "dnf"]},
}


def keep_version(params: Mapping[str, Any]) -> bool:
    """Keep the running programs by the options of KEEP_SPEC; return whether that changed anything.

    What another call has kept already stays.
    """
    places = (params["folder"], params["staged"], params["kept"])
    running = (params["executable"], params["pid"], params["version"])
    if params["manager"]:
        from .package_update import PackageUpdate, manager_named

        return PackageUpdate(*places, manager_named(params["manager"])).keep(*running)
    programs = Programs(*places)
    if programs.kept_version() == params["version"]:
        return False
    programs.keep(*running)
    return True
