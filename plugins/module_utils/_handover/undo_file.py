# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a handover that was cut short must leave behind for the next one: a note on disk, and a lock
that dies with its holder.

Both are on the host where the module runs. The standby inherits the lock with the fork, so it is
held until the last of the two has ended.
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
from .overrides import SettingOverride
from .state import HandoverState

__all__ = ["UndoFile", "undo_file_name"]


def undo_file_name(master_name: str, sentinel_port: int | str) -> str:
    """Return the name of a master's undo file; a host may have Sentinels of several deployments."""
    return _file_name(f"{master_name}-{sentinel_port}")


def _file_name(name: str) -> str:
    return f"handover-{re.sub(r'[^A-Za-z0-9._-]', '_', name)}.json"


class UndoFile:
    """The note of one master name, in a folder. ``take()`` it before anything is changed,
    ``erase()`` it when all is as before.

    ``master_name``: with what tells deployments of the same name apart.
    """

    def __init__(self, folder: str, master_name: str) -> None:
        self._path = os.path.join(folder, _file_name(master_name))
        self._lock_path = self._path + ".lock"
        self._lock: int | None = None

    def take(self, who: Mapping[str, Any]) -> None:
        """Locks it; PreconditionFailed if another handover is under way, or if the folder cannot be
        written.
        """
        try:
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            while self._lock is None:
                self._lock = self._locked(who)
        except OSError as error:
            raise self._cannot_be_written(error) from error

    def _cannot_be_written(self, error: OSError) -> PreconditionFailed:
        return PreconditionFailed(
            f"a handover notes what it has to put back in {self._path}, which cannot be written: {error.strerror or error}",
            state="Nothing was changed",
            advice="Run with become, make room, or give another journal_folder",
        )

    def _locked(self, who: Mapping[str, Any]) -> int | None:
        """The lock's descriptor; None if the file was removed by its last holder meanwhile."""
        descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 4096).decode(errors="replace").strip()
            os.close(descriptor)
            raise PreconditionFailed(
                f"another handover of this master is under way on this host ({holder or 'it has only begun'})",
                state="Nothing was changed by this one",
                advice="Wait until it has ended; a handover whose process was killed ends by itself within about a minute",
            ) from None
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == os.stat(self._lock_path).st_ino:
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, json.dumps(dict(who)).encode(), 0)
                return descriptor
        os.close(descriptor)
        return None

    def left_behind(self) -> tuple[list[SettingOverride], HandoverState]:
        """Return what an earlier handover has overridden and not restored, and how far it came."""
        found = read_journal(self._path)
        if not found:
            return [], HandoverState()
        overrides = [SettingOverride.from_dict(fields) for fields in found["overrides"]]
        return overrides, HandoverState.from_dict(found.get("state", {}))

    def write(self, overrides: Sequence[SettingOverride], state: HandoverState) -> None:
        """Persist both; raise PreconditionFailed if that is not possible."""
        content = {"schema": SCHEMA, "state": state.as_dict(), "overrides": [override.as_dict() for override in overrides]}
        try:
            write_journal(self._path, content)
        except OSError as error:
            raise self._cannot_be_written(error) from error

    def erase(self) -> None:
        """Everything is as it was before."""
        with contextlib.suppress(FileNotFoundError):
            os.remove(self._path)

    def release(self) -> None:
        """Lets others begin. The file goes with the last holder of the lock."""
        if self._lock is not None:
            with contextlib.suppress(FileNotFoundError):
                os.remove(self._lock_path)
            os.close(self._lock)
            self._lock = None
