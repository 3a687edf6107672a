# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping a master from accepting writes for a moment: by CLIENT PAUSE, and by a fence that has no
time limit.

The pause blocks clients (Redis 6.2 and later), the fence lets their writes fail with -NOREPLICAS.
The pause also blocks the PUBLISH that Sentinels live on, so it must be shorter than
down-after-milliseconds.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

from .._errors import ConnectionFailed, SentinelOpsError
from .._server.commands import Server, send_all, transaction
from .._server.info import node_info, parse_info
from .._topology.fence import PING_PERIOD, before_fence, before_ping_delay, fence_for, is_fence, ping_delay_for
from .._topology.shard import NodeState, config_values
from .._wait import Clock
from .overrides import SettingOverride

__all__ = ["WriteStop"]

FENCED_MAX_LAG = 10  # the servers' default


class WriteStop:
    """What stops the writes on one node now. ``before`` is the node's state when nothing was
    stopped yet.

    ``fence_margin_s``: how long before its end a pause is said to end soon.
    """

    def __init__(self, server: Server, before: NodeState, clock: Clock, fence_margin_s: float = 0.2) -> None:
        self.server = server
        self.paused_until_s = 0.0
        self._fence_margin_s = fence_margin_s
        self.fenced = False
        self._to_lift = False
        to_write, max_lag = before.min_replicas_to_write, before.min_replicas_max_lag
        if before.fenced:  # never take a fence for what was there before
            to_write, max_lag = before_fence(to_write, max_lag)
        period_s = before_ping_delay(before.ping_period_s)
        self._before = replace(before, min_replicas_to_write=to_write, min_replicas_max_lag=max_lag, ping_period_s=period_s)
        self._hushed = False
        self._fence_value = fence_for(to_write, max_lag)
        self._clock = clock

    def pause(self, budget_ms: int) -> int:
        """Pauses writes for at most ``budget_ms``; returns the offset (bytes of the stream) after
        the last one.
        """
        # noted first: the answer may be lost
        self.paused_until_s = self._clock.now_s() + budget_ms / 1000
        replies = transaction(self.server, self._hush(), ["CLIENT", "PAUSE", budget_ms, "WRITE"], ["INFO", "replication"])
        return node_info(parse_info(replies[-1])).offset

    def refuse_writes(self) -> int:
        """Fences the node; returns the offset (bytes of the stream) after the last write."""
        self.server.command(*self._hush())
        self.fence()
        return node_info(parse_info(self.server.command("INFO", "replication"))).offset

    def _hush(self) -> list[Any]:
        self._hushed = True  # it is undone in the end, also if the answer is lost
        return ["CONFIG", "SET", PING_PERIOD, ping_delay_for(self._before.ping_period_s)]

    def changes(self) -> list[SettingOverride]:
        """What a hush and a fence change, for the note that outlives this process."""
        address, before = str(self.server.address), self._before
        found = [
            SettingOverride("node", address, PING_PERIOD, before.ping_period_s, ping_delay_for(before.ping_period_s)),
            SettingOverride("node", address, "min-replicas-to-write", before.min_replicas_to_write, self._fence_value),
        ]
        if before.min_replicas_max_lag == 0:
            found.append(SettingOverride("node", address, "min-replicas-max-lag", 0, FENCED_MAX_LAG))
        return found

    def ends_soon(self) -> bool:
        """Whether the pause is about to end, and no fence stands behind it."""
        return not self.fenced and self._clock.now_s() > self.paused_until_s - self._fence_margin_s

    def fence(self) -> None:
        """Refuses every write from now on."""
        # a fence that may be there is lifted in the end, also if the answer is lost
        self._to_lift = True
        if self._before.min_replicas_max_lag == 0:  # 0 would switch the check off
            self.server.command("CONFIG", "SET", "min-replicas-max-lag", FENCED_MAX_LAG)
        self.server.command("CONFIG", "SET", "min-replicas-to-write", self._fence_value)
        self.fenced = True

    def adopt(self, paused_until_s: float, may_be_paused: bool) -> None:
        """Takes over what another process has begun: its pause, and its fence if there is one; a
        node that is down has none.
        """
        self.paused_until_s = paused_until_s or (self._clock.now_s() if may_be_paused else 0.0)
        self._to_lift = self._hushed = True  # it may have come half way
        with contextlib.suppress(ConnectionFailed):
            values = config_values(self.server, "min-replicas-to-write")
            self.fenced = is_fence(int(values["min-replicas-to-write"]))

    def end(self, *before_the_pause_ends: list[Any]) -> list[SentinelOpsError]:
        """Lifts the fence and ends the pause, and runs the given commands between the two; returns
        what failed.
        """
        commands: list[list[Any]] = []
        if self._hushed:
            commands.append(["CONFIG", "SET", PING_PERIOD, self._before.ping_period_s])
        if self._to_lift:
            commands.append(["CONFIG", "SET", "min-replicas-to-write", self._before.min_replicas_to_write])
            commands.append(["CONFIG", "SET", "min-replicas-max-lag", self._before.min_replicas_max_lag])
        commands += before_the_pause_ends
        if self.paused_until_s:
            commands.append(["CLIENT", "UNPAUSE"])
        failed = send_all(self.server, commands)
        self.fenced = self._to_lift = self._hushed = False
        return failed
