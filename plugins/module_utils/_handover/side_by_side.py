# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handovers of several masters side by side on one host: what they share, and what takes turns.

They wait side by side, and only one at a time stops the writes of its master: the others would lack
the CPU then, and the write gap of each would grow. Both locks are the kernel's, which releases them
when their holders die.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import json
import os
import re
from typing import Callable

from .._records.own_folder import require_own_folder

__all__ = ["SharedPeriod", "Turn", "sweep_periods"]

_RECORD = "info-period-"


class Turn:
    """The turn to stop writes, which one handover on this host has at a time.

    The lock is on the folder of the undo files, and leaves no file behind. Without a folder it is
    always ours.
    """

    def __init__(self, folder: str = "") -> None:
        self._folder = folder
        self._lock: int | None = None

    def take(self) -> bool:
        """Take the turn if no other handover has it; return whether it is ours."""
        if self._lock is None and self._folder:
            self._lock = _locked(os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), fcntl.LOCK_EX | fcntl.LOCK_NB)
        return self._lock is not None or not self._folder

    def give_back(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _locked(descriptor: int, how: int) -> int | None:
    """Lock an open file, and return it; close it and return None if another process has it."""
    try:
        fcntl.flock(descriptor, how)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


class SharedPeriod:
    """The INFO period of one Sentinel, which is one value for all its masters.

    The first handover shortens it, and the last one restores it. Each holds a shared lock on a file
    with the value before the first one, as does its standby, which inherits the lock with the fork.
    """

    def __init__(self, folder: str, sentinel: str) -> None:
        self._folder = folder
        self._path = os.path.join(folder, f"{_RECORD}{re.sub(r'[^A-Za-z0-9._-]', '_', sentinel)}")
        self._lock: int | None = None
        self.is_first = self.has_others = False

    def join(self, now_ms: Callable[[], int], short_ms: int, usual_ms: int) -> int:
        """Hold the period from now on, and return its value before the first handover.

        ``now_ms``: returns the Sentinel's value now. ``short_ms``: the value during handovers.
        ``usual_ms``: the value to take if a dead handover has left the short one and no record.

        ``is_first``: whether this handover shortens the period; ``has_others``: whether handovers
        on this host have shortened the period of another Sentinel, or are about to do so.
        """
        require_own_folder(self._folder)
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        while self._lock is None:
            self._lock = self._open()
        found_ms = now_ms()
        self.is_first, self.has_others = found_ms != short_ms, len(_records(self._folder)) > 1
        # read after the question: whoever has shortened the period had written its value before
        before_ms = (self._recorded() or usual_ms) if found_ms == short_ms else found_ms
        os.pwrite(self._lock, json.dumps(before_ms).encode().ljust(16), 0)
        return before_ms

    def _open(self) -> int | None:
        """Return the locked file; None if the last holder has just removed it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == os.stat(self._path).st_ino:
                return descriptor
        os.close(descriptor)
        return None

    def _recorded(self) -> int:
        with contextlib.suppress(ValueError):
            return int(json.loads(os.pread(self._lock or 0, 16, 0).decode()))
        return 0

    def drop(self) -> None:
        """Hold the period no longer, and restore nothing."""
        if self._lock is not None:
            _unlock(self._lock)
            self._lock = None

    def leave(self, restore: Callable[[], None]) -> None:
        """Hold the period no longer; call ``restore`` if no other handover holds it.

        A handover that begins meanwhile waits until it has been restored.
        """
        if self._lock is None:
            restore()
            return
        descriptor, self._lock = self._lock, None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _unlock(descriptor)
            return
        try:
            restore()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
        finally:
            _unlock(descriptor)


def _records(folder: str) -> list[str]:
    return glob.glob(os.path.join(glob.escape(folder), f"{_RECORD}*"))


def sweep_periods(folder: str) -> None:
    """Remove the records of dead handovers, all of which are finished."""
    for path in _records(folder):
        with contextlib.suppress(FileNotFoundError):
            descriptor = _locked(os.open(path, os.O_RDWR | os.O_CLOEXEC), fcntl.LOCK_EX | fcntl.LOCK_NB)
            if descriptor is not None:
                os.unlink(path)
                _unlock(descriptor)


def _unlock(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_UN)  # the standby has the descriptor, too
    os.close(descriptor)
