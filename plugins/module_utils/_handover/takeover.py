# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finish or revert the handover of a module that died, in the standby process."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping

from .._topology.shard import Shard
from .context import HandoverContext, Progress, urgent_timeout_ms
from .critical_section import CriticalSection, new_write_stop
from .promotion import Promotion
from .settling import Settling
from .state import HandoverState
from .steering import Steering

__all__ = ["Takeover", "restore"]


def restore(context: HandoverContext, progress: Progress, section: CriticalSection, steering: Steering, accepted: bool) -> None:
    """Restore every override, and remove the undo file if that has worked."""
    section.restore()
    rewritten = [context.result.old_master] if accepted else []
    context.result.warnings += steering.restore(*rewritten)
    progress.erase(context.result.warnings)


class Takeover:
    """The standby's copy of the handover that it would take over. Use: ``run(state)``."""

    def __init__(self, context: HandoverContext, progress: Progress, shard: Shard, target: str, steering: Steering) -> None:
        self._context = context
        self._progress = progress
        self._shard = shard
        self._target = target
        self._steering = steering

    def run(self, fields: Mapping[str, Any]) -> None:
        """Continue from the last recorded state, over the standby's own connections."""
        state = HandoverState.from_dict(fields)
        context = replace(self._context, servers=self._context.servers.again())
        context.servers.set_timeout(urgent_timeout_ms(self._shard))
        self._progress.standby, self._progress.state = None, state
        steering = self._steering.with_servers(context.servers)
        steering.plan_to_keep_out(*state.kept_out)
        steering.plan_to_end(state.ending)
        section = CriticalSection(context, self._progress, self._shard)
        try:
            if state.phase in ("pausing", "failing over"):
                self._finish_or_revert(context, section, state)
            if state.phase in ("failing over", "settling"):
                overrides = new_write_stop(context, self._shard).overrides()
                Settling(context, self._progress, self._shard, self._target, steering, overrides).wait()
        finally:
            restore(context, self._progress, section, steering, state.phase in ("failing over", "settling"))
            if self._progress.undo_file:
                self._progress.undo_file.release()

    def _finish_or_revert(self, context: HandoverContext, section: CriticalSection, state: HandoverState) -> None:
        """Finish a failover that may have been accepted; else release the old master."""
        if context.result.mode != "coordinated":
            section.adopt(state.paused_until_s)
        if state.phase == "pausing":
            section.take_back()
            return
        context.result.leader = state.leader
        context.result.changed = True
        Promotion(context, section, self._shard, state.point).follow(context.servers.sentinel(state.leader))
