# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The critical section: from the moment at which writes stop on the old master until they go on."""

from __future__ import annotations

import contextlib

from .._signals import uninterrupted
from .._topology.limits import pause_budget_ms
from .._topology.shard import Shard
from .context import HandoverContext, Progress, node_state, urgent_timeout_ms
from .write_stop import WriteStop

__all__ = ["CriticalSection", "new_write_stop"]


def new_write_stop(context: HandoverContext, shard: Shard) -> WriteStop:
    """Return what can stop the writes on the shard's master; nothing is stopped yet."""
    before = node_state(shard, context.result.old_master, "the master")
    return WriteStop(context.servers.node(shard.master), before, context.clock, 2 * urgent_timeout_ms(shard) / 1000 + 0.1)


class CriticalSection:
    """Writes are stopped in between, signals wait, and the duration is measured.

    ``stop``: what keeps the old master from accepting writes; None in mode coordinated, where the
    servers do that.
    """

    def __init__(self, context: HandoverContext, progress: Progress, shard: Shard) -> None:
        self._context = context
        self._progress = progress
        self._shard = shard
        self._signals = contextlib.ExitStack()
        self._begun_at_ms = 0.0
        self.stop: WriteStop | None = None

    def enter(self) -> None:
        """Hold signals back from here on."""
        self._signals.enter_context(uninterrupted())

    def note_begin(self, event: str) -> None:
        """Add the event with which the writes stop."""
        self._begun_at_ms = self._context.timeline.add(event)

    def stop_writes(self) -> int:
        """Stop the writes; return the master's offset (bytes of the stream) after the last one."""
        self.stop = new_write_stop(self._context, self._shard)
        self._progress.enter("pausing")
        address = self.stop.server.address
        if self._context.result.mode == "fence":
            self.note_begin(f"fence: {address} refuses writes")
            return self.stop.refuse_writes()
        budget_ms = pause_budget_ms(self._shard.down_after_ms)
        self.note_begin(f"pause: writes on {address} wait for at most {budget_ms} ms")
        return self.stop.pause(budget_ms)

    def adopt(self, paused_until_s: float) -> None:
        """Take over the writes that another process has stopped."""
        self.stop = new_write_stop(self._context, self._shard)
        self.stop.adopt(paused_until_s, may_be_paused=self._context.result.mode == "pause")

    def take_back(self) -> None:
        """Let the writes go on on the old master, which stays the master."""
        failed = self.stop.end() if self.stop else []
        self._signals.close()
        self._progress.enter("steering")
        self._context.timeline.add("released: nothing was handed over")
        self._context.result.warnings += [f"{error}; a pause ends by itself" for error in failed]

    def leave(self) -> None:
        """Note that clients were released to the new master."""
        self.close()
        self._progress.enter("settling")
        self._context.result.pause_ms = round(self._context.timeline.elapsed_s * 1000 - self._begun_at_ms, 1)

    def close(self) -> None:
        """Deliver the signals that were held back."""
        self._signals.close()
