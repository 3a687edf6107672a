# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request of a handover, its result, and the timeline of its events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .._wait import Clock
from .proof import LossProof

__all__ = ["HandoverRequest", "HandoverResult", "Timeline"]


@dataclass(frozen=True)
class HandoverRequest:
    """The options of one handover. ``mode`` is ``auto`` or one of MODES.

    ``leader``: the Sentinel (``host:port``) that should lead the failover; empty: any Sentinel.
    ``disconnect_ms``: the duration of the final burst that disconnects the old master's clients.
    """

    master_name: str
    target: str
    mode: str = "pause"
    leader: str = ""
    align: bool = True
    wanted_version: str = ""
    max_lag_bytes: int = 1048576
    wait_s: float = 60.0
    catch_up_ms: int = 300
    disconnect_ms: int = 300


@dataclass
class HandoverResult:
    """The result of the module. ``timeline`` has entries ``{"at_ms": float, "event": str}``.

    ``loss``: ``none``, ``found`` or ``unknown`` (see LossProof); ``foreign``: a failover that this
    run did not start has moved the role.
    """

    changed: bool = False
    begun_at: str = ""
    mode: str = "pause"
    mode_reason: str = ""
    old_master: str = ""
    new_master: str = ""
    leader: str = ""
    attempts: int = 0
    aligned: bool = False
    pause_ms: float = 0.0
    full_resyncs: int = 0
    loss: str = "unknown"
    loss_reason: str = ""
    diverged_bytes: int | None = None
    foreign: bool = False
    recovered: list[str] = field(default_factory=list)
    timeline: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def note_loss(self, proof: LossProof) -> None:
        """Record the proof of loss."""
        self.loss, self.diverged_bytes, self.loss_reason = proof.loss, proof.diverged_bytes, proof.reason

    def as_result(self) -> dict[str, Any]:
        return dict(vars(self))


class Timeline:
    """The timeline of a result: events with their time in milliseconds since the beginning.

    ``missed_turns_s``: how long the handover has waited for others on this host.
    """

    def __init__(self, result: HandoverResult, clock: Clock) -> None:
        self._result = result
        self._clock = clock
        self._start_s = clock.now_s()
        self.missed_turns_s = 0.0
        result.begun_at = clock.utc()

    @property
    def elapsed_s(self) -> float:
        return self._clock.now_s() - self._start_s

    def add(self, event: str) -> float:
        """Add an event that happens now; return its time in milliseconds."""
        at_ms = self.elapsed_s * 1000
        self._result.timeline.append({"at_ms": round(at_ms, 1), "event": event})
        return at_ms
