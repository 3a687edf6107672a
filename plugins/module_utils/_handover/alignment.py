# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for a Sentinel that would promote the target, and for the shortest possible failover."""

from __future__ import annotations

import contextlib

from .._errors import PreconditionFailed, SentinelOpsError
from .._progress_file import PROGRESS
from .._server.commands import Server
from .._topology.election import ALIGNED_FROM_MS, ALIGNED_TO_MS, alignment_wait_ms, will_promote
from .._topology.sentinel import parse_replica
from .._topology.shard import renamed_replica
from .context import HandoverContext
from .naming import names_master
from .proof import read_replication
from .side_by_side import Turn
from .steering import STEERED_PRIORITY, Steering

__all__ = ["Alignment", "MasterMoved"]

PREFERENCE_MS = 2000  # the extra wait that the preferred leader is worth
MOST_MISSED_S = 600.0  # a handover that has its turn may hang
MOMENT_S = (ALIGNED_TO_MS - ALIGNED_FROM_MS) / 1000 + 0.01


class MasterMoved(Exception):
    """The signal that a failover of somebody else has made ``address`` the master."""

    def __init__(self, address: str) -> None:
        super().__init__(f"{address} is the master now")
        self.address = address


class Alignment:
    """The choice of the leading Sentinel, before each attempt. Use: ``wait()``.

    ``missed``: the reason why the last attempt failed, for the error at the deadline.
    """

    def __init__(self, context: HandoverContext, target: str, steering: Steering, turn: Turn) -> None:
        self._context = context
        self._target = target
        self._steering = steering
        self._turn = turn
        self.missed = ""

    def wait(self) -> Server:
        """Return the Sentinel to ask; raise PreconditionFailed at the request's deadline."""
        context, result = self._context, self._context.result
        while True:
            ranked = self._ranked()
            if ranked:
                soonest_ms = min(wait_ms for wait_ms, _index in ranked)
                wait_ms, index = next(one for one in ranked if one[0] <= soonest_ms + PREFERENCE_MS)
                # this machine is too busy to hit the moment: better a longer pause than no handover
                late = result.attempts == 0 and context.left_s < context.request.wait_s / 2
                if wait_ms == 0 or late or not context.request.align:
                    if self._turn.take():
                        result.aligned = wait_ms == 0
                        result.leader = str(context.servers.sentinels[index].address)
                        return context.servers.sentinels[index]
                    self._miss_turn(wait_ms == 0)
                    continue
                PROGRESS.tell("a short failover is possible in {:.0f} s".format, wait_ms / 1000)
                context.clock.sleep_s(min(wait_ms / 1000 + 0.002, 0.25))
            else:
                self.missed = (
                    f"no Sentinel would promote {self._target}; it was steered to replica-priority {STEERED_PRIORITY}, which "
                    "Sentinels read every 10 s"
                )
                PROGRESS.tell("no Sentinel would promote {} yet".format, self._target)
                self._raise_if_moved()
                context.clock.sleep_s(0.1)
            self.refuse_if_late()

    def _miss_turn(self, aligned: bool) -> None:
        """Let the moment pass that another handover uses; the deadline waits for the next one."""
        period_ms = max(period_ms for _index, period_ms in self._steering.info_periods_ms())
        timeline = self._context.timeline
        timeline.missed_turns_s = min(MOST_MISSED_S, timeline.missed_turns_s + (period_ms / 1000 if aligned else MOMENT_S))
        self.missed = "other handovers on this host had their turn"
        PROGRESS.tell(str, self.missed)
        self._context.clock.sleep_s(MOMENT_S)
        self.refuse_if_late()

    def _raise_if_moved(self) -> None:
        """Raise MasterMoved if the target, or another node that a Sentinel names, is the master."""
        context, old = self._context, self._context.result.old_master
        with contextlib.suppress(SentinelOpsError):
            if read_replication(context.servers.node(self._target)).is_master:
                raise MasterMoved(self._target)
        for sentinel in context.servers.sentinels:
            with contextlib.suppress(SentinelOpsError):
                named = names_master(context, sentinel)
                if named not in ("", old):
                    raise MasterMoved(named)

    def _ranked(self) -> list[tuple[int, int]]:
        """Return ``(wait_ms, index)`` of each Sentinel that would promote the target.

        The best leader comes first.
        """
        servers, ranked = self._context.servers, []
        for index, period_ms in self._steering.info_periods_ms():
            replies = servers.sentinels[index].command("SENTINEL", "REPLICAS", self._context.request.master_name)
            replicas = [renamed_replica(parse_replica(reply), servers.names) for reply in replies]
            choice = will_promote(replicas, self._target)
            if choice is not None and choice.flags == ("slave",):
                ranked.append((alignment_wait_ms(choice.info_age_ms, period_ms), index))
        return ranked

    def refuse_if_late(self) -> None:
        if self._context.left_s <= 0:
            raise self.too_late()

    def too_late(self) -> PreconditionFailed:
        """Return the error for a handover that has reached its deadline."""
        wait_s = self._context.request.wait_s
        return PreconditionFailed(
            f"no attempt succeeded within {wait_s:g} s, the last one because: {self.missed or 'no time was left'}",
            node=self._target,
            state="Nothing was handed over, and no writes are held up",
            advice="Fix the problem above (a slow replica, a high write rate), then run again",
        )
