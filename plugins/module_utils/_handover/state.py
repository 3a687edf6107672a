# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recorded progress of a handover, for the process that finishes or reverts it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Mapping, Sequence

from .proof import StopPoint

__all__ = ["HandoverState"]


@dataclass(frozen=True)
class HandoverState:
    """The progress of one handover, from which another process can finish or revert the handover.

    ``phase``: ``steering`` (settings are overridden, writes go on), ``pausing`` (writes are
    stopped), ``failing over`` (SENTINEL FAILOVER may have been accepted) or ``settling`` (the old
    master is a replica, its clients were released). ``paused_until_s``: end of CLIENT PAUSE on this
    host's monotonic clock. ``kept_out``: replicas that must not be promoted. ``ending``: the
    Sentinel that shall end its failover at once. ``replid``, ``offset``, ``changes`` and
    ``saved_at``: see StopPoint.
    """

    phase: str = ""
    leader: str = ""
    paused_until_s: float = 0.0
    kept_out: Sequence[str] = field(default_factory=list)
    ending: str = ""
    replid: str = ""
    offset: int = 0
    changes: int = -1
    saved_at: int = 0

    @property
    def point(self) -> StopPoint:
        """The old master at the moment when its writes stopped."""
        return StopPoint(self.replid, self.offset, self.changes, self.saved_at)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> HandoverState:
        return cls(**{name: fields[name] for name in cls.__dataclass_fields__ if name in fields})
