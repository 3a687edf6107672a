"""The standby and the undo file of a handover whose process may be killed, in memory."""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.sentinelops.redis.plugins.module_utils._errors import SentinelOpsError
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.overrides import SettingOverride
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.side_by_side import SharedPeriod
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.state import HandoverState
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.undo_file import UndoFile
from ansible_collections.sentinelops.redis.tests.unit.support.deployment import Deployment
from ansible_collections.sentinelops.redis.tests.unit.support.servers import Killed, Wire

TakeOver = Callable[[Mapping[str, Any]], None]


class Standby:
    """The standby of a handover: it keeps the recorded states while the recording process lives.

    Like a fork, it has a copy of that process's memory.
    """

    def __init__(self, wire: Wire) -> None:
        self.notes: list[Mapping[str, Any]] = []
        self.dismissed = False
        self._wire = wire
        self._take_over: TakeOver | None = None

    def __call__(self, take_over: TakeOver) -> Standby:
        self._take_over = copy.deepcopy(take_over)
        return self

    def note(self, **state: Any) -> None:
        if not self._wire.sender_is_dead:
            self.notes.append(state)

    def dismiss(self) -> None:
        self.dismissed = self.dismissed or not self._wire.sender_is_dead

    def awake(self) -> None:
        """Take over, if the other process died without dismissing this standby."""
        self._wire.sender_is_dead = False
        if self.notes and not self.dismissed and self._take_over:
            with contextlib.suppress(SentinelOpsError, Killed):
                self._take_over(self.notes[-1])
        self._wire.sender_is_dead = False


class ProcessUndoFile(UndoFile):
    """The undo file of a process that may be killed: a dead process writes and erases nothing.

    The lock ends with the process and its standby: a test calls ``release()`` then.
    """

    def __init__(self, folder: str, wire: Wire) -> None:
        super().__init__(folder, "mymaster")
        self._wire = wire

    def __deepcopy__(self, _memo: object) -> ProcessUndoFile:
        return self  # a fork has the same file and the same lock

    def write(self, overrides: Sequence[SettingOverride], state: HandoverState) -> None:
        if not self._wire.sender_is_dead:
            super().write(overrides, state)

    def note(self, state: HandoverState) -> None:
        if not self._wire.sender_is_dead:
            super().note(state)

    def erase(self) -> None:
        if not self._wire.sender_is_dead:
            super().erase()

    def share_period(self, sentinel: str) -> SharedPeriod:
        self._period = ProcessPeriod(os.path.dirname(self._path), sentinel, self._wire)
        return self._period

    def release(self) -> None:
        if not self._wire.sender_is_dead:
            super().release()


class ProcessPeriod(SharedPeriod):
    """The INFO period that a process shares: a fork has its descriptor, a dead one has none."""

    def __init__(self, folder: str, sentinel: str, wire: Wire) -> None:
        super().__init__(folder, sentinel)
        self._wire = wire

    def __deepcopy__(self, _memo: object) -> ProcessPeriod:
        return self

    def leave(self, restore: Callable[[], None]) -> None:
        if not self._wire.sender_is_dead:
            super().leave(restore)


def killed(deployment: Deployment, standby: Standby | None = None, undo_file: UndoFile | None = None, **request: Any) -> None:
    """Run a handover that may be killed or fail; its standby has not taken over yet."""
    with contextlib.suppress(Killed, SentinelOpsError):
        handover = deployment.handover(new_standby=standby, undo_file=undo_file, **request)
        handover.survey()
        handover.run()
