# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The critical section of a handover: writes are stopped from its begin to its end."""

from __future__ import annotations

import contextlib
from typing import Any

from .._errors import SentinelOpsError
from .._server.commands import Server, send_all
from .._signals import uninterrupted
from .._topology.limits import pause_budget_ms
from .._topology.shard import Shard
from .context import HandoverContext, Progress, node_state, urgent_timeout_ms
from .proof import StopPoint, read_replication
from .side_by_side import Turn
from .write_stop import WriteStop

__all__ = ["CriticalSection", "new_write_stop"]


def new_write_stop(context: HandoverContext, shard: Shard) -> WriteStop:
    """Return the WriteStop of the shard's master; nothing is stopped yet."""
    before = node_state(shard, context.result.old_master, "the master")
    return WriteStop(context.servers.node(shard.master), before, context.clock, 2 * urgent_timeout_ms(shard) / 1000 + 0.1)


class CriticalSection:
    """The time in which writes are stopped: signals are deferred, and the duration is measured.

    ``stop``: the means that stop the old master's writes; None in mode coordinated, where the
    servers stop the writes themselves. ``turn``: given back at its end.
    """

    def __init__(self, context: HandoverContext, progress: Progress, shard: Shard, turn: Turn | None = None) -> None:
        self._turn = turn or Turn()
        self._context = context
        self._progress = progress
        self._shard = shard
        self._signals = contextlib.ExitStack()
        self._begun_at_ms = 0.0
        self._may_release = False
        self.stop: WriteStop | None = None

    def enter(self) -> None:
        """Defer signals from now on."""
        self._signals.enter_context(uninterrupted())

    def note_begin(self, event: str) -> None:
        """Add the event with which the writes stop, and begin to measure."""
        self._begun_at_ms = self._context.timeline.add(event)

    def stop_writes(self) -> tuple[StopPoint, int]:
        """Stop the writes; return the stop point and the linked replicas (0 in mode fence)."""
        self.stop = new_write_stop(self._context, self._shard)
        self._progress.enter("pausing")
        address = self.stop.server.address
        budget_ms = pause_budget_ms(self._shard.down_after_ms)
        if self._context.result.mode == "fence":
            self.note_begin(f"fence: {address} refuses writes")
            return self.stop.refuse_writes(max(budget_ms, 0) if self.stop.can_pause else 0), 0
        self.note_begin(f"pause: writes on {address} wait for at most {budget_ms} ms")
        return self.stop.pause(budget_ms)

    def adopt(self, paused_until_s: float) -> None:
        """Take over the pause and the fences of another process."""
        self.stop = new_write_stop(self._context, self._shard)
        self.stop.adopt(paused_until_s)

    @property
    def writes_are_safe(self) -> bool:
        """True if writes stay stopped even while this process waits for Sentinels that hang."""
        return self.stop is None or self.stop.fenced

    def fence_if_pause_ends(self) -> None:
        """Set the explicit fence if the pause is about to end."""
        if self.stop and self.stop.ends_soon():
            self.fence()

    def fence(self) -> None:
        """Set the explicit fence, unless it is set."""
        if self.stop is None or self.stop.fenced:
            return
        # the node is down, or busy with a script: the caller retries
        with contextlib.suppress(SentinelOpsError):
            self.stop.fence()
            self._context.timeline.add(f"fenced: {self.stop.server.address} refuses writes, also after the end of the pause")

    def release_old_master(self, *kills: list[Any]) -> list[SentinelOpsError]:
        """Lift the fences, run the kills, end the pause; return the errors."""
        self._may_release = True
        return self.stop.end(*kills) if self.stop else send_all(self._context.servers.node(self._context.result.old_master), kills)

    def restore(self) -> None:
        """Restore what is pending if the node may take writes or is a replica by now; else warn."""
        if self.stop is None or not self.stop.pending:
            return
        address, warnings = self.stop.server.address, self._context.result.warnings
        if self._may_release or self._is_replica(self.stop.server):
            warnings += [f"not restored on {address}: {error}" for error in self.stop.end()]
        else:
            warnings.append(f"not restored on {address}: it is not known to be a replica; if it is fenced it stays so")

    def _is_replica(self, server: Server) -> bool:
        with contextlib.suppress(SentinelOpsError):
            return not read_replication(server).is_master
        return False

    def take_back(self) -> None:
        """Release the old master, which stays the master: its writes resume."""
        self._may_release = True
        failed = self.stop.end() if self.stop else []
        self.close()
        self._progress.enter("steering")
        self._context.timeline.add("released: nothing was handed over")
        self._context.result.warnings += [f"{error}; a pause ends by itself" for error in failed]

    def leave(self) -> None:
        """Record that the clients were released to the new master."""
        self.close()
        self._progress.enter("settling")
        self._context.result.pause_ms = round(self._context.timeline.elapsed_s * 1000 - self._begun_at_ms, 1)

    def close(self) -> None:
        """Deliver the deferred signals, and let another handover stop writes."""
        self._turn.give_back()
        self._signals.close()
