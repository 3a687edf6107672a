# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a run is, and whether a run that was started on this controller is still alive. Only used on
the controller.

A run is one ansible-playbook process: its id follows from the machine, the process id and when that
process began, so it is the same wherever in the run it is asked for.
"""

from __future__ import annotations

import getpass
import hashlib
import multiprocessing
import os
import platform
import subprocess
from typing import Any, Callable, Mapping

__all__ = ["has_terminal", "machine", "main_pid", "process_start_time", "run_of", "run_state"]


def main_pid() -> int:
    """The process id of ansible-playbook: tasks are templated in it, or in workers that it forks."""
    parent = multiprocessing.parent_process()
    return parent.pid if parent is not None and parent.pid else os.getpid()


def machine() -> str:
    """What tells this machine since its last boot, and the container on it, from all others whose
    process ids mean nothing here.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:  # not Linux
        return platform.node()


def process_start_time(pid: int) -> str:
    """When the process began, as the system tells it; empty if there is none. Process ids are used
    again, together with this not.
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
    """Who the run of an ansible-playbook process is: ``id``, ``user``, ``controller``, ``pid``,
    ``process_start_time``, ``machine``.
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
    """What has become of a run: ``alive`` or ``dead`` if it was started on this machine, else
    ``unknown``.
    """
    if not run.get("machine") or run["machine"] != here():
        return "unknown"
    return "alive" if began(int(run["pid"])) == run.get("begun") else "dead"


def has_terminal(pid: int) -> bool:
    """Whether the process reads from a terminal; also true where that cannot be found out."""
    try:
        descriptor = os.open(f"/proc/{pid}/fd/0", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        # a pipe or socket whose other end is gone, or nothing at all; without /proc nobody can tell
        return not os.path.exists("/proc/self/fd")
    try:
        return os.isatty(descriptor)
    finally:
        os.close(descriptor)
