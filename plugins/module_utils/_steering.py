# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making Sentinel choose the replica that is wanted, and choose it soon; and putting back what was changed for that."""

from __future__ import annotations

from typing import Any

from ._connection import Server
from ._election import to_outrank
from ._errors import AccessDenied, CommandRefused, ConnectionFailed, SentinelOpsError
from ._shard import Shard, ShardServers

__all__ = ["INFO_PERIOD_MS", "QUICK_INFO_PERIOD_MS", "STEERED_PRIORITY", "Steering"]

INFO_PERIOD_MS = 10000
QUICK_INFO_PERIOD_MS = 1000
STEERED_PRIORITY = 1


class Steering:
    """What was changed for one handover: priorities of replicas, and the INFO period of a Sentinel."""

    def __init__(self, servers: ShardServers) -> None:
        self._servers = servers
        self._priorities: dict[str, int] = {}
        self._quickened: dict[int, int] = {}

    def prefer(self, target: str, shard: Shard) -> int:
        """Gives the target the best priority (1, never 0) and ends ties; returns the priority that it had."""
        before = 0
        tied = to_outrank(shard.views[0].replicas, target)
        for node in shard.nodes:
            if node.address == target:
                before = self._priorities[target] = node.priority
                self._set_priority(target, node.priority, STEERED_PRIORITY)
            elif node.address in tied and node.priority == STEERED_PRIORITY:
                self._priorities[node.address] = node.priority
                self._set_priority(node.address, node.priority, STEERED_PRIORITY + 1)
        return before

    def _set_priority(self, address: str, found: int, wanted: int) -> None:
        if found != wanted:
            self._servers.node(address).command("CONFIG", "SET", "replica-priority", wanted)

    def quicken(self) -> str:
        """Where a Sentinel can (7.0 on), has one ask for INFO every second instead of every ten; returns its address."""
        for index, sentinel in enumerate(self._servers.sentinels):
            try:
                reply = sentinel.command("SENTINEL", "DEBUG")
                values = {str(name).lower(): value for name, value in zip(reply[::2], reply[1::2])}
                self._quickened[index] = int(values.get("info-period", INFO_PERIOD_MS))
                sentinel.command("SENTINEL", "DEBUG", "INFO-PERIOD", QUICK_INFO_PERIOD_MS)
                return str(sentinel.address)
            except (CommandRefused, AccessDenied, ConnectionFailed):
                self._quickened.pop(index, None)
        return ""

    def info_periods_ms(self) -> list[tuple[int, int]]:
        """The Sentinels worth asking, by index, with their INFO period: the quick one, or all."""
        if self._quickened:
            return [(index, QUICK_INFO_PERIOD_MS) for index in self._quickened]
        return [(index, INFO_PERIOD_MS) for index in range(len(self._servers.sentinels))]

    def restore(self, *rewritten_too: str) -> list[str]:
        """Puts everything back and has the nodes save it; returns what could not be put back, a sentence each.

        ``rewritten_too``: further nodes that have something to save.
        """
        commands: list[tuple[Server, list[Any]]] = []
        for index, period in self._quickened.items():
            commands.append((self._servers.sentinels[index], ["SENTINEL", "DEBUG", "INFO-PERIOD", period]))
        for address, priority in self._priorities.items():
            commands.append((self._servers.node(address), ["CONFIG", "SET", "replica-priority", priority]))
        for address in sorted({*self._priorities, *rewritten_too}):
            commands.append((self._servers.node(address), ["CONFIG", "REWRITE"]))
        self._quickened, self._priorities = {}, {}
        failed = []
        for server, words in commands:
            try:
                server.command(*words)
            except SentinelOpsError as error:
                failed.append(f"not restored on {server.address} ({' '.join(map(str, words))}): {error}")
        return failed
