# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stop the writes on a master: by CLIENT PAUSE, and by fences that have no time limit.

A pause blocks clients (Redis 6.2 and later); behind a fence their writes fail with -NOREPLICAS. A
pause also blocks the PUBLISH of the Sentinels, so it must be shorter than down-after-milliseconds.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

from .._errors import AccessDenied, CommandRefused, ConnectionFailed, SentinelOpsError
from .._server.commands import Server, send_all, transaction
from .._server.settings import config_values
from .._topology.fence import (
    PING_PERIOD,
    armed_max_lag,
    before_ping_delay,
    fence_for,
    is_armed,
    is_fence,
    original_min_replicas,
    ping_delay_for,
)
from .._topology.shard import NodeState
from .._wait import Clock
from .modes import can_pause_writes
from .overrides import SettingOverride
from .proof import ReplicationState, StopPoint, replication_state, stop_point

__all__ = ["WriteStop"]

FENCED_MAX_LAG = 10  # the servers' default
TO_WRITE, MAX_LAG = "min-replicas-to-write", "min-replicas-max-lag"


class WriteStop:
    """The pause and the fences of one node. ``before``: the node's state before the handover.

    ``can_pause``: whether the node knows CLIENT PAUSE ... WRITE.
    ``fence_margin_s``: the time before the end of a pause from which ``ends_soon()`` is true.
    """

    def __init__(self, server: Server, before: NodeState, clock: Clock, fence_margin_s: float = 0.2) -> None:
        self.server = server
        self.paused_until_s = 0.0
        self.armed = False
        self.fenced = False
        self._budget_s = 0.0
        self._fence_margin_s = fence_margin_s
        self._to_lift = False
        # a fence that is left over is never taken for the original setting
        to_write, max_lag = original_min_replicas(before.min_replicas_to_write, before.min_replicas_max_lag)
        period_s = before_ping_delay(before.ping_period_s)
        self._before = replace(before, min_replicas_to_write=to_write, min_replicas_max_lag=max_lag, ping_period_s=period_s)
        self._pings_delayed = False
        self._fence_value = fence_for(to_write, max_lag)
        self._clock = clock
        self.can_pause = can_pause_writes(before.info)

    # -- stop -------------------------------------------------------------------------------------

    def pause(self, budget_ms: int) -> tuple[StopPoint, int]:
        """Pause writes for at most ``budget_ms``; return the stop point and the linked replicas."""
        self._budget_s = budget_ms / 1000
        self.paused_until_s = self._clock.now_s() + self._budget_s  # first: the answer may be lost
        commands: list[list[Any]] = [
            self._delay_pings(),
            ["CLIENT", "PAUSE", budget_ms, "WRITE"],
            ["INFO", "replication"],
            ["INFO", "persistence"],
        ]
        replies = transaction(self.server, *commands)
        return stop_point(*replies[-2:]), replication_state(replies[-2]).online

    def refuse_writes(self, quiet_ms: int) -> StopPoint:
        """Fence the node; return its stop point.

        ``quiet_ms``: a pause behind the fence, 0 for none. Clients get -NOREPLICAS all the same,
        and the PUBLISH of the Sentinels, which no fence stops, waits.
        """
        self.server.command(*self._delay_pings())
        self.fence()
        if quiet_ms:
            self.paused_until_s = self._clock.now_s() + quiet_ms / 1000
            try:
                self.server.command("CLIENT", "PAUSE", quiet_ms, "WRITE")
            except (AccessDenied, CommandRefused):
                self.paused_until_s = 0.0  # the fence is enough, and there is no pause to end
        return stop_point(*(self.server.command("INFO", section) for section in ("replication", "persistence")))

    def arm(self, replicas: int) -> ReplicationState:
        """Arm the dead man's fence: writes fail as soon as one of ``replicas`` drops its link.

        Returns the node's state with the fence in place. Its ``good`` must be at least
        ``needed(replicas)``, else the node refuses writes at once.
        """
        self._to_lift = True
        lag = armed_max_lag(self._before.min_replicas_to_write, self._before.min_replicas_max_lag)
        commands: list[list[Any]] = [
            ["CONFIG", "SET", MAX_LAG, lag],
            ["CONFIG", "SET", TO_WRITE, self.needed(replicas)],
            ["INFO", "replication"],
        ]
        state = replication_state(transaction(self.server, *commands)[-1])
        self.armed = True
        return state

    def needed(self, replicas: int) -> int:
        """Return the replicas that a dead man's fence requires.

        The operator's own min-replicas-to-write counts if that number is larger.
        """
        return max(replicas, self._before.min_replicas_to_write)

    def fence(self) -> None:
        """Set the explicit fence: refuse every write from now on."""
        self._to_lift = True  # also if the answer is lost: the fence may be set
        if self._before.min_replicas_max_lag == 0 and not self.armed:  # 0 would disable the check
            self.server.command("CONFIG", "SET", MAX_LAG, FENCED_MAX_LAG)
        self.server.command("CONFIG", "SET", TO_WRITE, self._fence_value)
        self.fenced = True

    def _delay_pings(self) -> list[Any]:
        self._pings_delayed = True  # also if the answer is lost: the delay may be set
        return ["CONFIG", "SET", PING_PERIOD, ping_delay_for(self._before.ping_period_s)]

    # -- look -------------------------------------------------------------------------------------

    def overrides(self) -> list[SettingOverride]:
        """Return the overrides of this node, for the undo file."""
        address, before = str(self.server.address), self._before
        lag = armed_max_lag(before.min_replicas_to_write, before.min_replicas_max_lag)
        return [
            SettingOverride("node", address, PING_PERIOD, before.ping_period_s, ping_delay_for(before.ping_period_s)),
            SettingOverride("node", address, TO_WRITE, before.min_replicas_to_write, self._fence_value),
            SettingOverride("node", address, MAX_LAG, before.min_replicas_max_lag, lag),
        ]

    def ends_soon(self) -> bool:
        """Return whether the pause is about to end and no explicit fence is set."""
        return not self.fenced and self._clock.now_s() > self.paused_until_s - self._fence_margin_s

    def is_half_over(self) -> bool:
        """Return whether less than half of the pause is left."""
        return bool(self._budget_s) and self.paused_until_s - self._clock.now_s() < self._budget_s / 2

    def adopt(self, paused_until_s: float) -> None:
        """Take over the pause of another process, and its fences if the node has any.

        ``paused_until_s``: 0 if it is not known whether that process had paused the node.
        """
        self.paused_until_s = paused_until_s or (self._clock.now_s() if self.can_pause else 0.0)
        self._to_lift = self._pings_delayed = True  # the other process may have set either
        with contextlib.suppress(ConnectionFailed):  # a node that is down has no fence
            values = config_values(self.server, TO_WRITE, MAX_LAG)
            self.fenced, self.armed = is_fence(int(values[TO_WRITE])), is_armed(int(values[MAX_LAG]))

    # -- release ----------------------------------------------------------------------------------

    def end(self, *before_the_pause_ends: list[Any]) -> list[SentinelOpsError]:
        """Lift the fences, run the given commands, and end the pause.

        Returns the errors; each command is tried in any case.
        """
        commands: list[list[Any]] = []
        if self._pings_delayed:
            commands.append(["CONFIG", "SET", PING_PERIOD, self._before.ping_period_s])
        if self._to_lift:
            commands.append(["CONFIG", "SET", TO_WRITE, self._before.min_replicas_to_write])
            commands.append(["CONFIG", "SET", MAX_LAG, self._before.min_replicas_max_lag])
        commands += before_the_pause_ends
        if self.paused_until_s:
            commands.append(["CLIENT", "UNPAUSE"])
        failed = send_all(self.server, commands)
        if not failed:
            self.fenced = self.armed = self._to_lift = self._pings_delayed = False
        return failed

    @property
    def pending(self) -> bool:
        """True if ``end()`` has settings left to restore."""
        return self._to_lift or self._pings_delayed
