# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The copy of a backup on the controller. A copy is complete, or not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...module_utils._errors import PreconditionFailed
from ...module_utils._host.disk_space import existing_folder, free_bytes
from ...module_utils._instance.backup import DATA, MANIFEST, read_backup
from ...module_utils._instance.rdb_check import check_rdb
from ...module_utils._records.own_folder import require_own_folder
from ...module_utils._sizes import readable_size
from .._finding import Finding, named

__all__ = ["copy_backup", "copy_findings", "copy_of"]

_CHECK_S = 3600.0


def copy_of(backup: Mapping[str, Any], folder: str) -> str:
    """Return the path of the copy of a backup in a folder on the controller."""
    return os.path.join(folder, os.path.basename(backup["folder"]))


def copy_backup(backup: Mapping[str, Any], folder: str, program: str, read: Callable[[str, int], bytes]) -> tuple[str, bool]:
    """Copy and check a backup unless there is a copy; return its path, and whether it is new.

    ``program``: a check program on the controller, or empty. ``read``: returns a part of a file on
    the host from an offset on, and nothing at its end. Raises PreconditionFailed if the folder is
    too small, or the copy is not the backup.
    """
    target = copy_of(backup, folder)
    require_own_folder(target)
    if os.path.isdir(target):
        _require_whole(target, backup, "", "Move that folder out of the way")
        return target, False
    needed, free = int(backup.get("data", {}).get("bytes", 0)), free_bytes(folder)
    if needed > free:
        raise PreconditionFailed(f"{folder} has {readable_size(free)} free, and the data file has {readable_size(needed)}")
    partial = target + ".partial"
    shutil.rmtree(partial, ignore_errors=True)  # a killed run left it
    os.makedirs(partial, mode=0o700)
    try:
        for name in _names(backup):
            _copy(os.path.join(backup["folder"], name), os.path.join(partial, name), read)
        _require_whole(partial, backup, program, "Run again")
        os.rename(partial, target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return target, True


def _names(backup: Mapping[str, Any]) -> Sequence[str]:
    return [*map(os.path.basename, backup["files"]), *([DATA] if "data" in backup else []), MANIFEST]


def _copy(source: str, target: str, read: Callable[[str, int], bytes]) -> None:
    with open(target, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        while part := read(source, file.tell()):
            file.write(part)
        file.flush()
        os.fsync(file.fileno())


def _require_whole(folder: str, backup: Mapping[str, Any], program: str, advice: str) -> None:
    missing = [name for name in _names(backup) if not os.path.isfile(os.path.join(folder, name))]
    if missing:
        raise PreconditionFailed(f"{folder} lacks {', '.join(missing)}", advice=advice)
    if "data" not in backup:
        return
    found = read_backup(folder, advice)["data"]
    if found != backup["data"]:
        raise PreconditionFailed(f"{folder} is another backup than {backup['folder']}", advice=advice)
    if program:
        check_rdb(program, os.path.join(folder, DATA), _CHECK_S)


def copy_findings(folder: str, program: str, needed: int) -> list[Finding]:
    """Return why backups cannot be copied to this controller.

    ``needed``: the bytes of all data files, as far as known.
    """
    found = []
    if not os.path.isabs(folder):
        seen, do = f"{folder} is not an absolute path", "Write {{ inventory_dir }} or {{ playbook_dir }} before the path"
    elif not os.access(existing_folder(folder), os.W_OK | os.X_OK):
        seen, do = f"this user may not write {existing_folder(folder)} on the controller", "Name a folder that this user may write"
    elif free_bytes(folder) < needed:
        seen = f"there are {readable_size(free_bytes(folder))} free on the controller, and the copies of the backups need "
        seen, do = seen + readable_size(needed), "Free disk space there, or name a folder on another file system"
    else:
        seen, do = "", ""
    if seen:
        found.append(Finding("redis_upgrade_backup_controller_folder", seen, "The backup could not be copied to the controller", do))
    if program and not os.access(program, os.X_OK):
        found.append(
            Finding(
                "redis_upgrade_backup_controller_check",
                f"{program} is no program on the controller",
                "The copy of the backup could not be checked",
                "Name redis-check-rdb, or the server, of the version before the upgrade, or nothing",
            )
        )
    return named("operator", found)
