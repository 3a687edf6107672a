# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping a master from accepting writes for a moment: by CLIENT PAUSE, and by a fence that has no time limit.

The pause blocks clients (Redis 6.2 and later), the fence lets their writes fail with -NOREPLICAS. The pause also blocks the
PUBLISH that Sentinels live on, so it must be shorter than down-after-milliseconds.
"""

from __future__ import annotations

from typing import Any

from ._connection import Server, transaction
from ._errors import SentinelOpsError
from ._info import node_info, parse_info
from ._shard import FENCE, config_values
from ._wait import Clock

__all__ = ["WriteStop"]

FENCE_MARGIN_S = 0.2


class WriteStop:
    """What stops the writes on one node now."""

    def __init__(self, server: Server, clock: Clock) -> None:
        self.server = server
        self._clock = clock
        self._paused_until_s = 0.0
        self._before_fence: dict[str, str] = {}

    @property
    def fenced(self) -> bool:
        return bool(self._before_fence)

    def pause(self, budget_ms: int) -> int:
        """Pauses writes for at most ``budget_ms``; returns the offset (bytes of the stream) after the last one."""
        self._paused_until_s = self._clock.now_s() + budget_ms / 1000
        replies = transaction(self.server, ["CLIENT", "PAUSE", budget_ms, "WRITE"], ["INFO", "replication"])
        return node_info(parse_info(replies[1])).offset

    def ends_soon(self) -> bool:
        """Whether the pause is about to end, and no fence stands behind it."""
        return not self.fenced and self._clock.now_s() > self._paused_until_s - FENCE_MARGIN_S

    def fence(self) -> None:
        """Refuses every write from now on."""
        values = config_values(self.server, "min-replicas-to-write", "min-replicas-max-lag")
        if values["min-replicas-max-lag"] == "0":  # 0 would switch the check off
            self.server.command("CONFIG", "SET", "min-replicas-max-lag", 10)
        self.server.command("CONFIG", "SET", "min-replicas-to-write", FENCE)
        self._before_fence = values

    def end(self, *before_the_pause_ends: list[Any]) -> list[SentinelOpsError]:
        """Lifts the fence and ends the pause, and runs the given commands between the two; returns what failed.

        A command that fails does not keep the ones after it from being sent.
        """
        commands = [["CONFIG", "SET", name, value] for name, value in self._before_fence.items()]
        failed = []
        for words in [*commands, *before_the_pause_ends, ["CLIENT", "UNPAUSE"]]:
            try:
                self.server.command(*words)
            except SentinelOpsError as error:
                failed.append(error)
        self._before_fence = {}
        return failed
