# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Place a built version in a version folder of the same host, and prove that it runs."""

from __future__ import annotations

import os
from typing import Any, Mapping

from .._errors import PreconditionFailed
from .._host.disk_space import free_bytes, is_noexec, require_machine, require_space
from .._host.process import binary_version
from .._owned_files import remove_tree
from .elf import machine_here, machine_of
from .folders import NO_SERVER, copy_version, origin_of, outdated_files, put_in_place, server_in

__all__ = ["NOT_PLACED", "PLACE_SPEC", "place_version"]

NOT_PLACED = "{source} cannot be put in place as {path}: {error}. No server was touched."
# The options of redis_version_folder; redis_stage has them in one option.
PLACE_SPEC: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "version": {"type": "str", "required": True},
    "source": {"type": "path"},
    "origin": {"type": "str"},
    "spare_bytes": {"type": "int", "default": 0},
}


def _require_version(folder: str, wanted: str) -> str:
    """Return the server's executable in the folder.

    Raises PreconditionFailed unless the server is of the wanted version and runs here.
    """
    executable = server_in(folder)
    if executable is None:
        raise PreconditionFailed(
            f"{folder} {NO_SERVER}",
            state="No server was touched",
            advice="Give the folder or archive of a built server version",
        )
    require_machine(executable, machine_of(executable), machine_here())
    found = binary_version(executable)
    if found != wanted:
        raise PreconditionFailed(
            f"{executable} is version {found}, announced was {wanted}",
            state="No server was touched",
            advice="Correct the version (redis_upgrade_version), or the source of the new version (redis_binaries_source)",
        )
    return executable


def _copied(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Copy the version, if a source is given, and check it; return the module's result."""
    path, source, wanted = params["path"], params["source"], params["version"]
    copied: list[str] = []
    if source:
        if not is_noexec(source):
            _require_version(source, wanted)
        copied = outdated_files(source, path)
        if copied:
            needed = sum(os.path.getsize(os.path.join(source, name)) for name in copied)
            require_space(path, needed, params["spare_bytes"], free_bytes(path))
        if not check_mode:
            copy_version(source, path, copied)
    executable = _require_version(source if copied and check_mode else path, wanted)
    return {"changed": bool(copied), "version": wanted, "executable": executable, "copied": copied}


def _renamed(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Copy the source beside the version folder and rename the copy, unless its origin is recorded
    there already.
    """
    path, source, wanted, origin = params["path"], params["source"], params["version"], params["origin"]
    if origin_of(path) == origin:
        return {"changed": False, "version": wanted, "executable": _require_version(path, wanted), "copied": []}
    if check_mode:
        executable = _require_version(source, wanted)
        return {"changed": True, "version": wanted, "executable": os.path.join(path, os.path.relpath(executable, source)), "copied": []}
    partial = path + ".partial"
    remove_tree(partial)  # of a killed run
    copied = outdated_files(source, partial)
    try:
        copy_version(source, partial, copied)
        # not in the source, where no program may run if its file system says so
        executable = _require_version(partial, wanted)
        put_in_place(partial, path, origin)
    finally:
        remove_tree(partial)
    return {"changed": True, "version": wanted, "executable": os.path.join(path, os.path.relpath(executable, partial)), "copied": copied}


def place_version(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Place a version by the options of PLACE_SPEC; return the result of redis_version_folder.

    Raises PreconditionFailed unless the server is of the wanted version and runs here, and has
    room.
    """
    return (_renamed if params["origin"] else _copied)(params, check_mode)
