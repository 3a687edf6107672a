# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state that the phases of one handover share, in this process and where the state outlives it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import Any, Callable, Mapping, Protocol, Sequence

from .._errors import PreconditionFailed
from .._topology.limits import pause_budget_ms
from .._topology.shard import NodeState, Shard, ShardServers
from .._wait import Clock
from .overrides import SettingOverride
from .result import HandoverRequest, HandoverResult, Timeline
from .state import HandoverState
from .undo_file import UndoFile

__all__ = ["HandoverContext", "NewStandby", "Progress", "StandbyLike", "node_state", "urgent_timeout_ms"]


@dataclass(frozen=True)
class HandoverContext:
    """One handover: the servers it works on, the request, the clock, and the result it fills."""

    servers: ShardServers
    request: HandoverRequest
    clock: Clock
    timeline: Timeline
    result: HandoverResult

    @property
    def left_s(self) -> float:
        """Seconds that are left of the request's ``wait_s``."""
        return max(0.0, self.request.wait_s - self.timeline.elapsed_s)


class StandbyLike(Protocol):
    """A standby process (see _host/standby)."""

    def note(self, **state: Any) -> None: ...

    def dismiss(self) -> None: ...


NewStandby = Callable[[Callable[[Mapping[str, Any]], None]], StandbyLike]


class Progress:
    """Keeps the state of a handover with its standby, and its overrides in the undo file.

    Both are told before the step that they would have to finish or revert is begun.
    """

    def __init__(self, undo_file: UndoFile | None) -> None:
        self.state = HandoverState()
        self.undo_file = undo_file
        self.standby: StandbyLike | None = None
        self._overrides: list[SettingOverride] = []

    def enter(self, phase: str, **changes: Any) -> None:
        """Record the phase that begins now.

        The undo file is written when the failover is asked for: the numbers by which a promotion is
        proved are needed from then on, also by a run that finds both processes dead.
        """
        self.state = replace(self.state, phase=phase, **changes)
        if phase == "failing over" and self.undo_file:
            self.undo_file.write(self._overrides, self.state)
        if self.standby is not None:
            self.standby.note(**self.state.as_dict())

    def save_overrides(self, overrides: Sequence[SettingOverride]) -> None:
        """Persist what must be restored, before anything is changed."""
        self._overrides = list(overrides)
        if self.undo_file:
            self.undo_file.write(self._overrides, self.state)

    def erase(self, warnings: Sequence[str]) -> None:
        """Remove the undo file, unless a warning says that something was not restored."""
        if self.undo_file and not any(text.startswith("not restored") for text in warnings):
            self.undo_file.erase()

    def dismiss_standby(self) -> None:
        if self.standby is not None:
            self.standby.dismiss()

    @contextlib.contextmanager
    def locked(self, **who: Any) -> Any:
        """Hold the undo file's lock, which keeps a second handover of this master off this host."""
        if self.undo_file:
            self.undo_file.take(who)
        try:
            yield
        finally:
            if self.undo_file:
                self.undo_file.release()


def urgent_timeout_ms(shard: Shard) -> int:
    """Return how long a reply may take while writes are stopped, in milliseconds.

    Two such replies must fit into what is left of a pause.
    """
    return max(100, min(500, pause_budget_ms(shard.down_after_ms) // 4))


def node_state(shard: Shard, address: str, what: str) -> NodeState:
    """Return a node of the survey; raise PreconditionFailed if the survey lacks ``what``."""
    node = shard.node(address)
    if node is None:
        raise PreconditionFailed(f"{what} is gone, or was not surveyed", node=address)
    return node
