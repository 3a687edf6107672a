# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process of a server that may run in a pid namespace of its own (Linux, /proc).

A server reports its process id as its own namespace counts: often 1 in a container, where process 1
of this host is something else. So a reported id is used only once the process proves to be the
server: it holds the listening socket of the server's port.
"""

from __future__ import annotations

import contextlib
import os
from typing import Iterator

__all__ = ["HIDDEN", "OTHER_PIDS", "OTHER_ROOT", "is_same_file_for", "isolation_of", "visible_pid"]

# How a server is isolated from this host: its process cannot be found; it has another root folder;
# it only has process ids of its own.
HIDDEN, OTHER_ROOT, OTHER_PIDS = "hidden", "root", "pids"
_LISTEN = "0A"  # TCP_LISTEN in /proc/net/tcp


def visible_pid(reported: int, port: int, proc: str = "/proc") -> int:
    """Return the process id, as this host counts, of the server that reports a pid and a port.

    0 if no process that this process can see is that server. ``port``: ``tcp_port`` of INFO; 0 if
    unknown, and then the reported id is returned.
    """
    if not port or _is_server(proc, reported, reported, port):
        return reported
    ids = (int(name) for name in os.listdir(proc) if name.isdigit() and int(name) != reported)
    return next((pid for pid in ids if _is_server(proc, pid, reported, port)), 0)


def _is_server(proc: str, pid: int, reported: int, port: int) -> bool:
    ids = _namespace_ids(proc, pid)
    if not ids or ids[-1] != reported:
        return False
    sockets = set(_listening(proc, pid, port))
    held = _held(proc, pid)
    if held is None:
        return bool(sockets) and pid == reported and _is_named_like_a_server(proc, pid)
    return bool(held & sockets)


def _held(proc: str, pid: int) -> set[str] | None:
    """Return the open files and sockets of a process, as links name them.

    None if they may not be read: the process has another user, or a user namespace above ours.
    """
    found = set()
    try:
        for name in os.listdir(f"{proc}/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                found.add(os.readlink(f"{proc}/{pid}/fd/{name}"))
    except OSError:
        return None
    return found


def _namespace_ids(proc: str, pid: int) -> list[int]:
    """Return a process's ids from this pid namespace to its own; empty if the process is gone."""
    with contextlib.suppress(OSError, ValueError):
        with open(f"{proc}/{pid}/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("NSpid:"):
                    return [int(word) for word in line.split()[1:]]
        return [pid]  # a kernel without pid namespaces
    return []


def _listening(proc: str, pid: int, port: int) -> Iterator[str]:
    """Yield the sockets that listen on a port in a process's network namespace, as links name them.

    The kernel lists listening sockets before all others.
    """
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError, ValueError, IndexError), open(f"{proc}/{pid}/net/{table}", encoding="ascii") as file:
            next(file, "")
            for line in file:
                words = line.split()
                if words[3] != _LISTEN:
                    break
                if int(words[1].rpartition(":")[2], 16) == port:
                    yield f"socket:[{words[9]}]"


def _is_named_like_a_server(proc: str, pid: int) -> bool:
    with contextlib.suppress(OSError):
        with open(f"{proc}/{pid}/comm", encoding="utf-8", errors="replace") as file:
            name = file.read()
        return "redis" in name or "valkey" in name
    return False


def isolation_of(reported: int, pid: int) -> str:
    """Return how a server is isolated: HIDDEN, OTHER_ROOT, OTHER_PIDS, or empty if it is not.

    ``pid``: its id as this host counts, from ``visible_pid``.
    """
    if not pid:
        return HIDDEN
    if pid == reported:
        return ""
    return OTHER_PIDS if is_same_file_for(pid, "/") else OTHER_ROOT


def is_same_file_for(pid: int, path: str) -> bool:
    """Return whether a path names the same file or folder for a process as for this one."""
    if not pid or not path:
        return False
    try:
        theirs, ours = os.stat(f"/proc/{pid}/root{path}"), os.stat(path)
    except OSError:
        return False
    return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)
