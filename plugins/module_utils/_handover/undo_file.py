# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Persist the overrides of a handover for the next handover, and lock out a second one.

All files are on the host where the module runs. The kernel releases the lock when its holders
die. The standby inherits the lock with the fork, so the lock is held until both have ended.

While writes are stopped a disk must not be waited for. So the state is then written to a file of
its own beside the undo file, which a loss of power may leave empty: the undo file stays whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import json
import os
import re
import secrets
import time
from typing import Any, Mapping, Sequence

from .._errors import PreconditionFailed
from .._records.journal import SCHEMA, read_journal, write_journal
from .._records.own_folder import require_own_folder
from .overrides import SettingOverride
from .side_by_side import SharedPeriod, Turn, sweep_periods
from .state import HandoverState

__all__ = ["UndoFile", "undo_file_name"]


def undo_file_name(master_name: str, sentinel_port: int | str) -> str:
    """Return the name of a master's undo file; a host may have Sentinels of several deployments."""
    return _file_name(f"{master_name}-{sentinel_port}")


def _file_name(name: str) -> str:
    return f"handover-{re.sub(r'[^A-Za-z0-9._-]', '_', name)}.json"


class UndoFile:
    """The undo file of one master name, in a folder.

    Use: ``take()`` the lock and ``write()`` before the first override, ``erase()`` once all are
    restored. ``master_name``: the name, and a suffix that is unique among deployments.
    """

    def __init__(self, folder: str, master_name: str) -> None:
        self._path = os.path.join(folder, _file_name(master_name))
        self._state_path = self._path + ".state"
        self._lock_path = self._path + ".lock"
        self._lock: int | None = None
        self._handover = secrets.token_hex(8)
        self.turn = Turn(folder)
        self._period: SharedPeriod | None = None

    def take(self, who: Mapping[str, Any]) -> None:
        """Take the lock; ``who`` describes the holder.

        Raises PreconditionFailed if another handover is in progress, or if the folder cannot be
        written.
        """
        require_own_folder(os.path.dirname(self._path))
        try:
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            while self._lock is None:
                self._lock = self._locked(who)
        except OSError as error:
            raise self._cannot_be_written(error) from error

    def _cannot_be_written(self, error: OSError) -> PreconditionFailed:
        return PreconditionFailed(
            f"a handover records its overrides in {self._path}, which cannot be written: {error.strerror or error}",
            state="Nothing was changed",
            advice="Run with become, free some disk space, or set another journal_folder",
        )

    def _locked(self, who: Mapping[str, Any]) -> int | None:
        """Return the lock's descriptor; None if the last holder has just removed the file."""
        descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 4096).decode(errors="replace").strip()
            os.close(descriptor)
            raise PreconditionFailed(
                f"another handover of this master is under way on this host ({holder or 'it has just begun'})",
                state="This handover changed nothing",
                advice="Wait until that handover has ended; if its process was killed, its standby ends within about a minute",
            ) from None
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == os.stat(self._lock_path).st_ino:
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, json.dumps(dict(who)).encode(), 0)
                return descriptor
        os.close(descriptor)
        return None

    def left_behind(self) -> tuple[list[SettingOverride], HandoverState]:
        """Return the overrides of an earlier handover that died, and its progress."""
        found = read_journal(self._path)
        if not found:
            return [], HandoverState()
        overrides = [SettingOverride.from_dict(fields) for fields in found["overrides"]]
        noted = self._noted()
        is_later = noted.get("handover", "") == found.get("handover") and noted["written_ns"] > found["written_ns"]
        return overrides, HandoverState.from_dict((noted if is_later else found).get("state", {}))

    def _noted(self) -> dict[str, Any]:
        """Return what ``note()`` has written; empty if a loss of power has left nothing of it."""
        try:
            return read_journal(self._state_path) or {}
        except PreconditionFailed:
            return {}

    def write(self, overrides: Sequence[SettingOverride], state: HandoverState) -> None:
        """Persist overrides and progress; raise PreconditionFailed if that fails."""
        self._write(self._path, {"state": state.as_dict(), "overrides": [override.as_dict() for override in overrides]}, synced=True)

    def note(self, state: HandoverState) -> None:
        """Write progress without a wait for the disk; raise PreconditionFailed if that fails.

        It survives our death, but perhaps not a loss of power.
        """
        self._write(self._state_path, {"state": state.as_dict()}, synced=False)

    def _write(self, path: str, content: Mapping[str, Any], *, synced: bool) -> None:
        try:
            # the standby, a fork, writes after its process: by a clock that both have
            identity = {"schema": SCHEMA, "handover": self._handover, "written_ns": time.monotonic_ns()}
            write_journal(path, {**identity, **content}, synced=synced)
        except OSError as error:
            raise self._cannot_be_written(error) from error

    def erase(self) -> None:
        """Remove the files, once every setting is restored."""
        for path in (self._path, self._state_path):
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)
        folder = os.path.dirname(self._path)
        if not glob.glob(os.path.join(glob.escape(folder), "handover-*.json")):
            sweep_periods(folder)

    def share_period(self, sentinel: str) -> SharedPeriod:
        """Return the INFO period that handovers on this host share, held until ``release``."""
        self._period = SharedPeriod(os.path.dirname(self._path), sentinel)
        return self._period

    def release(self) -> None:
        """Release all locks, as the death of the process does, and remove the lock's file."""
        self.turn.give_back()
        if self._period is not None:
            self._period.drop()
        if self._lock is not None:
            with contextlib.suppress(FileNotFoundError):
                os.remove(self._lock_path)
            os.close(self._lock)
            self._lock = None
