# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making Sentinel choose the replica that is wanted, choose it soon, and end soon; and putting back
what was changed for that.
"""

from __future__ import annotations

import copy
from typing import Sequence

from .._errors import AccessDenied, CommandRefused, ConnectionFailed
from .._server.commands import send_all
from .._topology.election import to_outrank
from .._topology.shard import Shard, ShardServers
from .overrides import INFO_PERIOD_MS, SettingOverride, info_period_ms, restore_overrides

__all__ = ["FAILOVER_TIMEOUT_MS", "INFO_PERIOD_MS", "QUICK_INFO_PERIOD_MS", "STEERED_PRIORITY", "Steering"]

QUICK_INFO_PERIOD_MS = 1000
STEERED_PRIORITY = 1
# a target that dies in the middle keeps the deployment without writes for so long
FAILOVER_TIMEOUT_MS = 5000


class Steering:
    """What is changed for one handover: priorities of replicas, and how the Sentinels that may lead
    it go about it.

    All that must be put back is known before anything is changed, so that whoever has to can put it
    back. ``leaders``: the Sentinels that can be asked for the failover, by their index.
    """

    def __init__(self, servers: ShardServers, shard: Shard, name: str, target: str, leaders: Sequence[int]) -> None:
        self._servers = servers
        self._name = name
        self._before = {node.address: node.priority for node in shard.nodes}
        self._leaders = list(leaders)
        quick = self._quickest()
        self._quick = quick is not None
        if quick is not None:
            self._leaders = [index for index in self._leaders if str(servers.sentinels[index].address) == quick.address]
        self._priorities = _priorities(shard, target)
        self._kept_out: list[SettingOverride] = []
        self._tuning = ([quick] if quick else []) + self._failover_settings(shard)
        self._restored = False

    def _quickest(self) -> SettingOverride | None:
        """A Sentinel whose INFO period can be changed (7.0 on)."""
        for index in self._leaders:
            sentinel = self._servers.sentinels[index]
            try:
                period_ms = info_period_ms(sentinel)
            except (CommandRefused, AccessDenied, ConnectionFailed):
                continue
            before_ms = period_ms if period_ms != QUICK_INFO_PERIOD_MS else INFO_PERIOD_MS
            return SettingOverride("sentinel", str(sentinel.address), "info-period", before_ms, QUICK_INFO_PERIOD_MS)
        return None

    def _failover_settings(self, shard: Shard) -> list[SettingOverride]:
        """A shorter failover-timeout, and all replicas reconfigured at once: they have all writes,
        so that costs little.
        """
        found = []
        others = len(shard.nodes) - 2
        for index in self._leaders:
            view, address = shard.views[index].master, str(self._servers.sentinels[index].address)
            if view.failover_timeout_ms > FAILOVER_TIMEOUT_MS:
                found.append(SettingOverride("sentinel", address, "failover-timeout", view.failover_timeout_ms, FAILOVER_TIMEOUT_MS))
            if 0 < view.parallel_syncs < others:
                found.append(SettingOverride("sentinel", address, "parallel-syncs", view.parallel_syncs, others))
        return found

    def with_servers(self, servers: ShardServers) -> Steering:
        """The same, over other connections."""
        other = copy.copy(self)
        other._servers = servers
        return other

    @property
    def overrides(self) -> Sequence[SettingOverride]:
        """All that is changed, and what it was before."""
        return [*self._priorities, *self._kept_out, *self._tuning]

    def priority_before(self, address: str) -> int:
        return self._before[address]

    def prefer(self) -> None:
        """Gives the target the best priority (1, never 0) and ends ties."""
        for change in self._priorities:
            if change.original != change.temporary:
                self._servers.node(change.address).command(*change.words(change.temporary, self._name))

    def plan_to_keep_out(self, *rivals: str) -> None:
        """From now on the priority of these replicas is among what is put back. Known before
        anything is changed.
        """
        self._kept_out = [SettingOverride("node", address, "replica-priority", self._before[address], 0) for address in rivals]

    def keep_out(self) -> list[str]:
        """Lets no Sentinel choose those that are to be kept out: replica-priority 0. Returns what
        could not be done.
        """
        commands = [(self._servers.node(change.address), change.words(change.temporary, self._name)) for change in self._kept_out]
        return [f"{server.address} may still be promoted: {error}" for server, words in commands for error in send_all(server, [words])]

    def tune(self) -> list[str]:
        """Prepares the Sentinels that may lead; returns what was done, a sentence each. One that
        refuses goes on as usual.
        """
        done = []
        for change in list(self._tuning):
            try:
                change.server(self._servers).command(*change.words(change.temporary, self._name))
            except (CommandRefused, AccessDenied):
                self._tuning.remove(change)
                self._quick = self._quick and change.setting != "info-period"
                continue
            except ConnectionFailed:
                pass  # it may have been heard: it is put back in the end
            done.append(f"Sentinel {change.address}: {change.setting} is {change.temporary} (was {change.original})")
        return done

    def info_periods_ms(self) -> list[tuple[int, int]]:
        """The Sentinels worth asking, by index, with their INFO period: the quick one, or all that
        may lead.
        """
        return [(index, QUICK_INFO_PERIOD_MS if self._quick else INFO_PERIOD_MS) for index in self._leaders]

    def restore(self, *rewritten_too: str) -> list[str]:
        """Puts everything back; returns what could not be put back. See put_back."""
        if self._restored:
            return []
        self._restored = True
        return restore_overrides(self._servers, self._name, self.overrides, *rewritten_too)


def _priorities(shard: Shard, target: str) -> list[SettingOverride]:
    tied = to_outrank(shard.views[0].replicas, target)
    wanted = {node.address: STEERED_PRIORITY + 1 for node in shard.nodes if node.address in tied and node.priority == STEERED_PRIORITY}
    wanted[target] = STEERED_PRIORITY
    return [
        SettingOverride("node", node.address, "replica-priority", node.priority, wanted[node.address])
        for node in shard.nodes
        if node.address in wanted
    ]
