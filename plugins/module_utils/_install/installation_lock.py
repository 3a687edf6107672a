# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of an installation: instances that share it are switched one after the other."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import Iterator

from .._errors import PreconditionFailed
from .._host.disk_space import existing_folder
from .._wait import Clock, until
from .activation import Activation

__all__ = ["installation_lock"]


@contextlib.contextmanager
def installation_lock(activation: Activation, wait_s: float, clock: Clock) -> Iterator[None]:
    """Hold the lock of the folder that an activation changes, flock(2) of the folder itself.

    The kernel releases the lock when the process ends. Raises PreconditionFailed if another process
    holds the lock for longer than ``wait_s`` seconds.
    """
    folder = existing_folder(activation.changed_folders()[-1])
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        waited = until(
            lambda: _locked(handle),
            bool,
            deadline_s=wait_s,
            interval_s=0.1,
            clock=clock,
            says=lambda _held: f"another instance that runs from {folder} is in the middle of its step",
        )
        if not waited.satisfied:
            raise PreconditionFailed(
                f"another instance that runs from {folder} has been in the middle of its step for {wait_s:g} s",
                state="This instance was not touched",
                advice="Run again when the step has ended",
            )
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
