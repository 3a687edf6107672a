"""SIGKILL for a controller: ansible-playbook, its workers, and the modules that they started."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from deployment import Deployment
from states import wait_until

# The processes to kill. The standby of a handover survives: that is its purpose.
VICTIMS = ("ansible-playbook", "the controller", "the controller and its modules")


def kill_controller(deployment: Deployment, victims: str) -> None:
    """Kill the ``victims``, one of VICTIMS, until none is left that could start another process."""

    def none_left() -> bool:
        found = [pid for pid in deployment.handing_over() if _is_one(pid, victims)]
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not found

    wait_until(none_left)


def _is_one(pid: int, victims: str) -> bool:
    with contextlib.suppress(OSError):
        if _is_ansible(pid):
            return victims != VICTIMS[0] or not _is_ansible(parent(pid))
        # the standby leads a session of its own; a module is in that of the worker that has started
        # it
        return victims == VICTIMS[2] and os.getsid(pid) != pid
    return False


def _is_ansible(pid: int) -> bool:
    return b"ansible-playbook" in Path(f"/proc/{pid}/cmdline").read_bytes()


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
