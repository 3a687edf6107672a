"""The standby and the undo file of a handover in memory, and handovers that are killed."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.sentinelops.redis.plugins.module_utils._errors import SentinelOpsError
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.overrides import SettingOverride
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.state import HandoverState
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.undo_file import UndoFile
from ansible_collections.sentinelops.redis.tests.unit.support.deployment import Deployment
from ansible_collections.sentinelops.redis.tests.unit.support.servers import Killed, Wire

TakeOver = Callable[[Mapping[str, Any]], None]


class Standby:
    """A standby: it keeps the state that the writer saves, while the writer lives.

    Like a forked process, the standby has a copy of the writer's memory.
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
        """Return whether the standby acts: the writer is dead and has not signed off."""
        self._wire.sender_is_dead = False
        if self.notes and not self.dismissed and self._take_over:
            with contextlib.suppress(SentinelOpsError, Killed):
                self._take_over(self.notes[-1])
        self._wire.sender_is_dead = False


class Note(UndoFile):
    """An undo file whose process may be dead: a dead process writes and erases nothing.

    The lock ends with the process and its standby: ``release()`` ends it.
    """

    def __init__(self, folder: str, wire: Wire) -> None:
        super().__init__(folder, "mymaster")
        self._wire = wire

    def __deepcopy__(self, _memo: object) -> Note:
        return self  # a forked process has the same file and the same lock

    def write(self, overrides: Sequence[SettingOverride], state: HandoverState) -> None:
        if not self._wire.sender_is_dead:
            super().write(overrides, state)

    def erase(self) -> None:
        if not self._wire.sender_is_dead:
            super().erase()

    def release(self) -> None:
        if not self._wire.sender_is_dead:
            super().release()


def killed(deployment: Deployment, standby: Standby | None = None, note: UndoFile | None = None, **request: Any) -> None:
    """Return a handover that may be killed or fail; no standby has taken over yet."""
    with contextlib.suppress(Killed, SentinelOpsError):
        handover = deployment.handover(new_standby=standby, note=note, **request)
        handover.survey()
        handover.run()
