# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state that the phases of one handover share, in this process and where the state outlives it."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Callable, Mapping, Protocol, Sequence

from .._errors import PreconditionFailed
from .._topology.limits import pause_budget_ms
from .._topology.shard import NodeState, Shard, ShardServers
from .._wait import Clock
from .overrides import SettingOverride
from .result import HandoverRequest, HandoverResult, Timeline
from .undo_file import UndoFile

__all__ = ["HandoverContext", "HandoverState", "NewStandby", "Progress", "StandbyLike", "node_state", "urgent_timeout_ms"]


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


@dataclass(frozen=True)
class HandoverState:
    """How far a handover has come: the record from which another process finishes or reverts it.

    ``phase``: ``steering`` (settings are overridden, writes go on), ``pausing`` (writes are
    stopped), ``failing over`` (SENTINEL FAILOVER may have been accepted) or ``settling`` (the old
    master is a replica, clients were released). ``paused_until_s``: end of CLIENT PAUSE on this
    host's monotonic clock. ``kept_out``: replicas that must not be promoted.
    """

    phase: str = ""
    leader: str = ""
    paused_until_s: float = 0.0
    kept_out: Sequence[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> HandoverState:
        return cls(**{name: fields[name] for name in cls.__dataclass_fields__ if name in fields})


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

    def enter(self, phase: str, **changes: Any) -> None:
        """Record the phase that begins now."""
        self.state = replace(self.state, phase=phase, **changes)
        if self.standby is not None:
            self.standby.note(**self.state.as_dict())

    def save_overrides(self, overrides: Sequence[SettingOverride]) -> None:
        """Persist what must be restored, before anything is changed."""
        if self.undo_file:
            self.undo_file.write(overrides)

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
