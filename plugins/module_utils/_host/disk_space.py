# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host can take a built version: room on the disk, and the machine that it is built for."""

from __future__ import annotations

import os

from .._errors import PreconditionFailed
from .._sizes import readable_size

__all__ = ["free_bytes", "require_machine", "require_room"]

_STATE = "Nothing was placed and no server was touched"


def require_room(path: str, needed: int, spare: int, free: int) -> None:
    """Raises PreconditionFailed unless ``needed`` bytes fit at the path and ``spare`` bytes stay
    free; all in bytes.
    """
    if needed + spare > free:
        raise PreconditionFailed(
            f"{path} needs {readable_size(needed)}, and {readable_size(spare)} are to stay free, but there are {readable_size(free)} free",
            state=_STATE,
            advice="Make room on the file system of that folder; how much is to stay free is set with redis_binaries_spare_mb",
        )


def require_machine(what: str, machine: str, here: str) -> None:
    """Raises PreconditionFailed if a program is built for another machine than this one; an empty
    name is unknown.
    """
    if machine and here and machine != here:
        raise PreconditionFailed(
            f"{what} is built for {machine}, this host is {here}",
            state=_STATE,
            advice="Give what is built for this host; redis_binaries_source and redis_binaries_build_host may differ from host to host",
        )


def free_bytes(path: str) -> int:
    """What is free for all users on the file system where the path is, or would be made."""
    while not os.path.exists(path):
        path = os.path.dirname(os.path.abspath(path))
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize
