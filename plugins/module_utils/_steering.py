# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making Sentinel choose the replica that is wanted, and choose it soon; and putting back what was changed for that."""

from __future__ import annotations

import copy
from typing import Any

from ._connection import Server, again_if_lost
from ._election import to_outrank
from ._errors import AccessDenied, CommandRefused, ConnectionFailed, SentinelOpsError
from ._shard import Shard, ShardServers

__all__ = ["INFO_PERIOD_MS", "QUICK_INFO_PERIOD_MS", "STEERED_PRIORITY", "Steering"]

INFO_PERIOD_MS = 10000
QUICK_INFO_PERIOD_MS = 1000
STEERED_PRIORITY = 1


class Steering:
    """What is changed for one handover: priorities of replicas, and the INFO period of a Sentinel.

    All that must be put back is known before anything is changed, so that whoever has to can put it back.
    """

    def __init__(self, servers: ShardServers, shard: Shard, target: str) -> None:
        self._servers = servers
        tied = to_outrank(shard.views[0].replicas, target)
        wanted = {node.address: STEERED_PRIORITY + 1 for node in shard.nodes if node.address in tied and node.priority == STEERED_PRIORITY}
        wanted[target] = STEERED_PRIORITY
        self._wanted = wanted
        self._before = {node.address: node.priority for node in shard.nodes if node.address in wanted}
        self._quick, self._period_before_ms = self._quickest()
        self._restored = False

    def _quickest(self) -> tuple[int | None, int]:
        """A Sentinel whose INFO period can be changed (7.0 on), by index, and the period that it has."""
        for index, sentinel in enumerate(self._servers.sentinels):
            try:
                reply = sentinel.command("SENTINEL", "DEBUG")
            except (CommandRefused, AccessDenied, ConnectionFailed):
                continue
            values = {str(name).lower(): value for name, value in zip(reply[::2], reply[1::2])}
            return index, int(values.get("info-period", INFO_PERIOD_MS))
        return None, INFO_PERIOD_MS

    def with_servers(self, servers: ShardServers) -> Steering:
        """The same, over other connections."""
        other = copy.copy(self)
        other._servers = servers
        return other

    def priority_before(self, address: str) -> int:
        return self._before[address]

    def prefer(self) -> None:
        """Gives the target the best priority (1, never 0) and ends ties."""
        for address, priority in self._wanted.items():
            if self._before[address] != priority:
                self._servers.node(address).command("CONFIG", "SET", "replica-priority", priority)

    def quicken(self) -> str:
        """Has one Sentinel ask for INFO every second instead of every ten, if it can; returns its address."""
        if self._quick is None:
            return ""
        sentinel = self._servers.sentinels[self._quick]
        try:
            sentinel.command("SENTINEL", "DEBUG", "INFO-PERIOD", QUICK_INFO_PERIOD_MS)
        except (CommandRefused, AccessDenied):
            self._quick = None
            return ""
        except ConnectionFailed:
            pass  # it may have been heard: it is put back in the end
        return str(sentinel.address)

    def info_periods_ms(self) -> list[tuple[int, int]]:
        """The Sentinels worth asking, by index, with their INFO period: the quick one, or all."""
        if self._quick is not None:
            return [(self._quick, QUICK_INFO_PERIOD_MS)]
        return [(index, INFO_PERIOD_MS) for index in range(len(self._servers.sentinels))]

    def restore(self, *rewritten_too: str) -> list[str]:
        """Puts everything back and has the nodes save it; returns what could not be put back, a sentence each.

        ``rewritten_too``: further nodes that have something to save.
        """
        commands: list[tuple[Server, list[Any]]] = []
        if self._restored:
            return []
        self._restored = True
        if self._quick is not None:
            period = self._period_before_ms if self._period_before_ms != QUICK_INFO_PERIOD_MS else INFO_PERIOD_MS
            commands.append((self._servers.sentinels[self._quick], ["SENTINEL", "DEBUG", "INFO-PERIOD", period]))
        for address, priority in self._before.items():
            commands.append((self._servers.node(address), ["CONFIG", "SET", "replica-priority", priority]))
        for address in sorted({*self._before, *rewritten_too}):
            commands.append((self._servers.node(address), ["CONFIG", "REWRITE"]))
        failed = []
        for server, words in commands:
            try:
                again_if_lost(server, *words)
            except SentinelOpsError as error:
                failed.append(f"not restored on {server.address} ({' '.join(map(str, words))}): {error}")
        return failed
