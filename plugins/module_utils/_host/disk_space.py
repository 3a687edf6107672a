# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disk space on this host, and the checks that a built version fits and runs here (Linux)."""

from __future__ import annotations

import os
from typing import Any

from .._errors import PreconditionFailed
from .._server.config_file import read_text
from .._sizes import readable_size

__all__ = ["existing_folder", "file_system_of", "free_bytes", "is_noexec", "require_machine", "require_space"]

_STATE = "Nothing was placed and no server was touched"


def existing_folder(path: str) -> str:
    """Return the path itself or the nearest folder above it that exists, as an absolute path."""
    path = os.path.abspath(path)
    while not os.path.isdir(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def free_bytes(path: str) -> int:
    """Return the bytes that every user may use on the file system of an existing or future path."""
    found = os.statvfs(existing_folder(path))
    return found.f_bavail * found.f_frsize


def is_noexec(path: str) -> bool:
    """Return whether no program can be started from an existing or future path (noexec)."""
    return bool(os.statvfs(existing_folder(path)).f_flag & os.ST_NOEXEC)


def file_system_of(path: str) -> dict[str, Any]:
    """Describe the file system on which the path is, or would be made: ``{"path", "device",
    "free"}``.

    ``path``: the nearest existing folder. ``device``: equal for two paths on one file system of
    one host. ``free``: bytes that every user may use.
    """
    folder = existing_folder(path)
    device = f"{read_text('/proc/sys/kernel/random/boot_id').strip()}:{os.stat(folder).st_dev}"
    return {"path": folder, "device": device, "free": free_bytes(folder)}


def require_space(path: str, needed: int, spare: int, free: int) -> None:
    """Raise PreconditionFailed unless the path has ``needed + spare`` bytes of ``free``."""
    if needed + spare > free:
        raise PreconditionFailed(
            f"{path} needs {readable_size(needed)}, and {readable_size(spare)} must stay free, "
            f"but there are only {readable_size(free)} free",
            state=_STATE,
            advice="Free space on the file system of that folder; redis_binaries_spare_mb sets how much must stay free",
        )


def require_machine(program: str, machine: str, here: str) -> None:
    """Raise PreconditionFailed if a program is built for another machine than this host.

    ``machine`` and ``here`` are names of ``uname -m``; an empty name means unknown and passes.
    """
    if machine and here and machine != here:
        raise PreconditionFailed(
            f"{program} is built for {machine}, this host is {here}",
            state=_STATE,
            advice="Give a build for this host; redis_binaries_source and redis_binaries_build_host may differ from host to host",
        )
