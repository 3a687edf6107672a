# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of this host: available memory, program sizes, a process's write access, and lock holders
(Linux, /proc). Reads only.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import Any, Mapping, NamedTuple

from .._server.config_file import mount_points, read_text
from .process import is_shipped_program

__all__ = ["Identity", "available_memory", "identity_of", "lock_holder", "may_write", "memory_from", "programs_bytes"]


def memory_from(meminfo: str) -> int:
    """Return the bytes available for new processes by the text of /proc/meminfo; 0 if unknown."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", meminfo, re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0


def available_memory() -> int:
    """Return the bytes available for new processes on this host; 0 if unknown."""
    return memory_from(read_text("/proc/meminfo"))


def programs_bytes(folder: str, executable: str) -> int:
    """Return the bytes of the programs in a version folder; without any, of the executable."""
    sizes = {}
    for sub in ("", "bin", "src"):
        with contextlib.suppress(OSError):
            for entry in os.scandir(os.path.join(folder, sub)):
                if is_shipped_program(entry.name) and entry.is_file():
                    found = entry.stat()
                    sizes[found.st_ino] = found.st_size
    if not sizes:
        with contextlib.suppress(OSError):
            return os.stat(executable).st_size
    return sum(sizes.values())


class Identity(NamedTuple):
    """User, group and supplementary groups with which a process accesses files."""

    uid: int
    gid: int
    groups: tuple[int, ...]


def identity_of(status: str) -> Identity:
    """Return the file system identity that the text of /proc/<pid>/status gives."""
    fields: Mapping[str, str] = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    # four ids each: real, effective, saved, file system
    return Identity(int(fields["Uid"].split()[3]), int(fields["Gid"].split()[3]), tuple(map(int, fields.get("Groups", "").split())))


def may_write(pid: int, path: str) -> dict[str, Any]:
    """Return whether a process may write a file and its folder, with the user and mounts of that
    process: ``{"file", "folder", "mounted"}``.

    ``file`` and ``folder`` are None if this process cannot find out. ``mounted``: whether the file
    itself is a mount point.
    """
    unknown: dict[str, Any] = {"file": None, "folder": None, "mounted": False}
    try:
        owner = identity_of(read_text(f"/proc/{pid}/status"))
        mounted = os.path.realpath(path) in mount_points(read_text(f"/proc/{pid}/mountinfo"))
        if os.geteuid() not in (0, owner.uid):
            return {**unknown, "mounted": mounted}
        handle = os.open(f"/proc/{pid}/root{os.path.dirname(path)}", os.O_RDONLY | os.O_DIRECTORY)
    except (OSError, KeyError, ValueError):
        return unknown
    try:
        allowed = _access_as(owner, handle, os.path.basename(path))
    finally:
        os.close(handle)
    if allowed is None:
        return {**unknown, "mounted": mounted}
    return {"file": bool(allowed & 1), "folder": bool(allowed & 2), "mounted": mounted}


def _access_as(owner: Identity, folder: int, name: str) -> int | None:
    """Return what the owner may write: 1 the file, 2 the folder, 3 both; None if unknown.

    A child process takes the owner's identity and asks the kernel.
    """
    child = os.fork()
    if child == 0:
        code = 64
        with contextlib.suppress(BaseException):
            os.fchdir(folder)
            if os.geteuid() == 0:
                os.setgroups(owner.groups)
                os.setgid(owner.gid)
                os.setuid(owner.uid)
            code = os.access(name, os.W_OK) | 2 * os.access(".", os.W_OK | os.X_OK)
        os._exit(code)
    status = os.waitpid(child, 0)[1]
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 64
    return code if code < 4 else None


def lock_holder(path: str) -> int:
    """Return the id of the process that holds a lock (flock) on a file, 0 if there is none.

    Reads /proc/locks, so the lock itself is never taken. A holder in another namespace counts as 1.
    """
    try:
        found = os.stat(path)
        lock_id = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
        lines = read_text("/proc/locks").splitlines()
    except OSError:
        return 0
    for line in lines:
        words = line.split()
        if "FLOCK" in words and lock_id in words and "->" not in words:
            # the kernel shows -1 for a holder in another namespace
            return max(int(words[words.index(lock_id) - 1]), 1)
    return 0
