# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this host has and allows: free memory, room on its disks, and what a server's process may
write (Linux, /proc). Reads only.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import Any, Mapping, NamedTuple

from .._server.config_file import mount_points, read_text

__all__ = ["Identity", "available_memory", "identity_of", "lock_holder", "may_write", "memory_from", "programs_bytes", "room"]

_PROGRAM = re.compile(r"(redis|valkey)-(server|sentinel|cli|benchmark|check-\w+)$")


def memory_from(meminfo: str) -> int:
    """The bytes that are available for new processes, from the text of /proc/meminfo; 0 if it does
    not say.
    """
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", meminfo, re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0


def available_memory() -> int:
    return memory_from(read_text("/proc/meminfo"))


def room(path: str) -> dict[str, Any]:
    """The file system where a path is, or would be made: ``device`` tells it from others, ``free``
    in bytes for all users.
    """
    path = os.path.abspath(path)
    while not os.path.exists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    found = os.statvfs(path)
    device = f"{read_text('/proc/sys/kernel/random/boot_id').strip()}:{os.stat(path).st_dev}"
    return {"path": path, "device": device, "free": found.f_bavail * found.f_frsize}


def programs_bytes(folder: str, executable: str) -> int:
    """The size of the server programs in a version folder; of the executable alone if there are
    none.
    """
    sizes = {}
    for sub in ("", "bin", "src"):
        with contextlib.suppress(OSError):
            for entry in os.scandir(os.path.join(folder, sub)):
                if _PROGRAM.match(entry.name) and entry.is_file():
                    found = entry.stat()
                    sizes[found.st_ino] = found.st_size
    if not sizes:
        with contextlib.suppress(OSError):
            return os.stat(executable).st_size
    return sum(sizes.values())


class Identity(NamedTuple):
    """User, group and further groups that a process has on the file system."""

    uid: int
    gid: int
    groups: tuple[int, ...]


def identity_of(status: str) -> Identity:
    """From the text of /proc/<pid>/status."""
    fields: Mapping[str, str] = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    # real, effective, saved, file system
    return Identity(int(fields["Uid"].split()[3]), int(fields["Gid"].split()[3]), tuple(map(int, fields.get("Groups", "").split())))


def may_write(pid: int, path: str) -> dict[str, Any]:
    """Whether the process may write a file and its folder, as it sees them: with its user, and its
    own mounts.

    ``file``, ``folder``: None where that cannot be found out from here. ``mounted``: whether the
    file itself is a mount.
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
        allowed = _ask_as(owner, handle, os.path.basename(path))
    finally:
        os.close(handle)
    if allowed is None:
        return {**unknown, "mounted": mounted}
    return {"file": bool(allowed & 1), "folder": bool(allowed & 2), "mounted": mounted}


def _ask_as(owner: Identity, folder: int, name: str) -> int | None:
    """Asks the kernel in a child process that has become the owner: 1 for the file, 2 for the
    folder, 3 for both.
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
    """The id of the process that holds a lock (flock) on a file, 0 if nobody does. The lock itself
    is not tried.
    """
    try:
        found = os.stat(path)
        wanted = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
        lines = read_text("/proc/locks").splitlines()
    except OSError:
        return 0
    for line in lines:
        words = line.split()
        if "FLOCK" in words and wanted in words and "->" not in words:
            # -1 where the holder is in another namespace
            return max(int(words[words.index(wanted) - 1]), 1)
    return 0
