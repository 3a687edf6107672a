"""SIGKILL for a controller: for ansible-playbook and its workers, with or without the modules that they have started."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from deployment import Deployment
from states import wait_until


def kill_controller(deployment: Deployment, *, modules: bool) -> None:
    """At once, as when the machine dies. With ``modules``: also what runs on the hosts, but for the standby of a handover.

    Repeated until nobody is left who could start something new.
    """

    def none_left() -> bool:
        victims = [pid for pid in deployment.handing_over() if is_victim(pid, modules)]
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not victims

    wait_until(none_left)


def is_victim(pid: int, modules: bool) -> bool:
    with contextlib.suppress(OSError):
        is_controller = b"ansible-playbook" in Path(f"/proc/{pid}/cmdline").read_bytes()
        # the standby leads a session of its own, and so do Ansible's workers
        return is_controller or (modules and os.getsid(pid) != pid)
    return False
