# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The identity of a run, and whether a run that was started on this controller is still alive.

A run is one ansible-playbook process. Its id follows from the machine, the process id and the start
time of the process, so all parts of the run compute the same id.
"""

from __future__ import annotations

import getpass
import hashlib
import multiprocessing
import os
import platform
import subprocess
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["has_terminal", "machine", "main_pid", "process_start_time", "run_of", "run_state"]


def main_pid() -> int:
    """Return the process id of ansible-playbook, also from one of its forked workers."""
    parent = multiprocessing.parent_process()
    return parent.pid if parent is not None and parent.pid else os.getpid()


def machine() -> str:
    """Return a name for this boot of this machine, and for the container on it.

    Process ids are comparable only between processes with the same name.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:  # not Linux
        return platform.node()


def process_start_time(pid: int) -> str:
    """Return when the process began, in the system's own units; empty if there is no such process.

    A process id may be reused; a process id with its start time is unique.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    except FileNotFoundError:
        if os.path.exists("/proc/self/stat"):
            return ""
    except (OSError, IndexError):
        return ""
    done = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def run_of(pid: int) -> dict[str, Any]:
    """Return the identity of a run, given the process id of its ansible-playbook.

    Keys: ``id``, ``user``, ``controller``, ``pid``, ``machine`` and ``begun``, the start time.
    """
    where, when = machine(), process_start_time(pid)
    digest = hashlib.sha256(f"{where} {pid} {when}".encode()).hexdigest()[:8]
    return {"id": digest, "user": _user(), "controller": platform.node(), "pid": pid, "begun": when, "machine": where}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, in a container
        return f"user id {os.getuid()}"


def run_state(run: Mapping[str, Any], here: Callable[[], str] = machine, began: Callable[[int], str] = process_start_time) -> str:
    """Return ``alive`` or ``dead`` for a run that was started on this machine, else ``unknown``."""
    if not run.get("machine") or run["machine"] != here():
        return "unknown"
    return "alive" if began(int(run["pid"])) == run.get("begun") else "dead"


def has_terminal(pid: int) -> bool:
    """Return whether the process reads from a terminal, or true where the system cannot tell."""
    try:
        descriptor = os.open(f"/proc/{pid}/fd/0", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        # a closed descriptor, or a pipe whose other end is gone; without /proc it is unknown
        return not os.path.exists("/proc/self/fd")
    try:
        return os.isatty(descriptor)
    finally:
        os.close(descriptor)
