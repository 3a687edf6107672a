# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Persist the overrides of a handover for the next handover, and lock out a second one.

Both files are on the host where the module runs. The kernel releases the lock when its holders
die. The standby inherits the lock with the fork, so the lock is held until both have ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from typing import Any, Mapping, Sequence

from .._errors import PreconditionFailed
from .._records.journal import SCHEMA, read_journal, write_journal
from .._records.own_folder import require_own_folder
from .overrides import SettingOverride
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
        self._lock_path = self._path + ".lock"
        self._lock: int | None = None

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
        return overrides, HandoverState.from_dict(found.get("state", {}))

    def write(self, overrides: Sequence[SettingOverride], state: HandoverState, *, synced: bool = True) -> None:
        """Persist overrides and progress; raise PreconditionFailed if that fails.

        Without ``synced`` the file survives our death, but not a loss of power: while writes are
        stopped a disk must not be waited for.
        """
        content = {"schema": SCHEMA, "state": state.as_dict(), "overrides": [override.as_dict() for override in overrides]}
        try:
            write_journal(self._path, content, synced=synced)
        except OSError as error:
            raise self._cannot_be_written(error) from error

    def erase(self) -> None:
        """Remove the file, once every setting is restored."""
        with contextlib.suppress(FileNotFoundError):
            os.remove(self._path)

    def release(self) -> None:
        """Release the lock and remove its file."""
        if self._lock is not None:
            with contextlib.suppress(FileNotFoundError):
                os.remove(self._lock_path)
            os.close(self._lock)
            self._lock = None
