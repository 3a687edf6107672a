# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state that the phases of one handover share, and the copies that outlive this process."""

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
    """One handover: its servers, request, clock, timeline, and the result that the phases fill."""

    servers: ShardServers
    request: HandoverRequest
    clock: Clock
    timeline: Timeline
    result: HandoverResult

    @property
    def left_s(self) -> float:
        """The seconds that are left of the request's ``wait_s``, in which others had no turn."""
        return max(0.0, self.request.wait_s + self.timeline.missed_turns_s - self.timeline.elapsed_s)


class StandbyLike(Protocol):
    """A standby process (see _host/standby)."""

    def note(self, **state: Any) -> None: ...

    def dismiss(self) -> None: ...


NewStandby = Callable[[Callable[[Mapping[str, Any]], None]], StandbyLike]


class Progress:
    """The record of a handover: its state with the standby, its overrides in the undo file.

    Both are written before the step that they would have to finish or revert begins.
    """

    def __init__(self, undo_file: UndoFile | None) -> None:
        self.state = HandoverState()
        self.undo_file = undo_file
        self.standby: StandbyLike | None = None
        self._overrides: list[SettingOverride] = []

    def enter(self, phase: str, **changes: Any) -> None:
        """Record the phase that begins now.

        The state is written right before SENTINEL FAILOVER. From then on a later run needs the
        numbers that prove a promotion, if this process and its standby have died.
        """
        self.state = replace(self.state, phase=phase, **changes)
        if phase == "failing over" and self.undo_file:
            self.undo_file.note(self.state)
        if self.standby is not None:
            self.standby.note(**self.state.as_dict())

    def save_overrides(self, overrides: Sequence[SettingOverride]) -> None:
        """Persist the overrides, before any setting changes."""
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
        """Hold the lock that excludes a second handover of this master on this host."""
        if self.undo_file:
            self.undo_file.take(who)
        try:
            yield
        finally:
            if self.undo_file:
                self.undo_file.release()


def urgent_timeout_ms(shard: Shard) -> int:
    """Return the time limit of a reply while writes are stopped, in milliseconds.

    Two such replies must fit into the rest of a pause.
    """
    return max(100, min(500, pause_budget_ms(shard.down_after_ms) // 4))


def node_state(shard: Shard, address: str, what: str) -> NodeState:
    """Return a node of the survey; raise PreconditionFailed if ``what`` is not in the survey."""
    node = shard.node(address)
    if node is None:
        raise PreconditionFailed(f"{what} is gone, or was not surveyed", node=address)
    return node
