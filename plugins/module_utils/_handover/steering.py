# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make Sentinel promote the target, begin soon and end soon; restore the overrides for that."""

from __future__ import annotations

import copy
from functools import partial
from typing import Callable, Sequence

from .._errors import AccessDenied, CommandRefused, ConnectionFailed
from .._server.commands import send_all
from .._topology.election import to_outrank
from .._topology.shard import Shard, ShardServers
from .overrides import INFO_PERIOD_MS, SettingOverride, info_period_ms, restore_overrides
from .side_by_side import SharedPeriod

__all__ = ["FAILOVER_TIMEOUT_MS", "INFO_PERIOD_MS", "QUICK_INFO_PERIOD_MS", "STEERED_PRIORITY", "Steering"]

QUICK_INFO_PERIOD_MS = 1000
STEERED_PRIORITY = 1
# if the target dies before its promotion, writes are stopped for so long
FAILOVER_TIMEOUT_MS = 5000
# a failover that only waits for the next INFO of its replicas ends at once
ENDING_TIMEOUT_MS = 100


class Steering:
    """The overrides of one handover: priorities of replicas, and settings of possible leaders.

    All overrides are known before the first one is made, so that any process can restore them.
    ``leaders``: the Sentinels that can be asked for the failover, by their index. ``share``:
    returns the INFO period of a Sentinel, which handovers side by side share; None: there are none.
    """

    def __init__(
        self,
        servers: ShardServers,
        shard: Shard,
        name: str,
        target: str,
        leaders: Sequence[int],
        share: Callable[[str], SharedPeriod] | None = None,
    ) -> None:
        self._servers = servers
        self._name = name
        self._share = share
        self._shared: SharedPeriod | None = None
        self._before = {node.address: node.priority for node in shard.nodes}
        self._leaders = list(leaders)
        quick = self._quickest()
        self._quick = quick is not None
        if quick is not None:
            self._leaders = [index for index in self._leaders if str(servers.sentinels[index].address) == quick.address]
        self._priorities = _priorities(shard, target)
        self._kept_out: list[SettingOverride] = []
        self._ending: list[SettingOverride] = []
        self._timeouts_ms = {view.address: view.master.failover_timeout_ms for view in shard.views}
        self._tuning = ([quick] if quick else []) + self._failover_settings(shard)
        self._restored = False

    def _quickest(self) -> SettingOverride | None:
        """Return the override for the first Sentinel whose INFO period can be set (7.0 on)."""
        for index in self._leaders:
            sentinel = self._servers.sentinels[index]
            try:
                period_ms = info_period_ms(sentinel)
            except (CommandRefused, AccessDenied, ConnectionFailed):
                continue
            before_ms = period_ms if period_ms != QUICK_INFO_PERIOD_MS else INFO_PERIOD_MS
            if self._share:
                self._shared = self._share(str(sentinel.address))
                before_ms = self._shared.join(partial(info_period_ms, sentinel), QUICK_INFO_PERIOD_MS, INFO_PERIOD_MS)
            return SettingOverride("sentinel", str(sentinel.address), "info-period", before_ms, QUICK_INFO_PERIOD_MS)
        return None

    def _failover_settings(self, shard: Shard) -> list[SettingOverride]:
        """Return overrides for a shorter failover-timeout, and for a larger parallel-syncs.

        Sentinel then reconfigures all replicas at once. They have all writes, so each needs only a
        partial resync.
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
        """Return the same steering over other connections."""
        other = copy.copy(self)
        other._servers = servers
        return other

    @property
    def overrides(self) -> Sequence[SettingOverride]:
        """All overrides of this handover, but for those of the write stop."""
        return [*self._priorities, *self._kept_out, *self._tuning, *self._ending]

    def phase_s(self, now_s: float) -> float:
        """Return the seconds to wait before ``tune()``.

        A Sentinel whose INFO period is shortened asks all nodes at once, and then after every
        period. Two Sentinels that do so at the same moments would have handovers on one host wait
        for each other's turn. So each has its part of a second. ``now_s``: a clock of this host.
        """
        if not (self._shared and self._shared.is_first and self._shared.has_others):
            return 0.0
        addresses = sorted(str(sentinel.address) for sentinel in self._servers.sentinels)
        return float((addresses.index(self._tuning[0].address) / len(addresses) - now_s) % (QUICK_INFO_PERIOD_MS / 1000))

    def priority_before(self, address: str) -> int:
        return self._before[address]

    def prefer(self) -> None:
        """Give the target the best priority (1, never 0), and end ties."""
        for override in self._priorities:
            if override.original != override.temporary:
                self._servers.node(override.address).command(*override.words(override.temporary, self._name))

    def plan_to_keep_out(self, *rivals: str) -> None:
        """Add the priority of these replicas to the overrides, before ``keep_out()`` sets it."""
        self._kept_out = [SettingOverride("node", address, "replica-priority", self._before[address], 0) for address in rivals]

    def keep_out(self) -> list[str]:
        """Set replica-priority 0 on the planned replicas, so that no Sentinel promotes them.

        Returns a sentence for each command that failed.
        """
        commands = [(self._servers.node(one.address), one.words(one.temporary, self._name)) for one in self._kept_out]
        return [f"{server.address} may still be promoted: {error}" for server, words in commands for error in send_all(server, [words])]

    def plan_to_end(self, leader: str) -> bool:
        """Add the leader's failover-timeout to the overrides, before ``end_failover()`` sets it.

        Returns False, and plans nothing, for a Sentinel that has refused this setting or has a
        shorter timeout, and for no Sentinel (an empty text).
        """
        before_ms = self._timeouts_ms.get(leader, 0)
        tuned = [one.address for one in self._tuning if one.setting == "failover-timeout"]
        has_refused = before_ms > FAILOVER_TIMEOUT_MS and leader not in tuned
        planned = before_ms > ENDING_TIMEOUT_MS and not has_refused
        self._ending = [SettingOverride("sentinel", leader, "failover-timeout", before_ms, ENDING_TIMEOUT_MS)] if planned else []
        return planned

    def end_failover(self) -> None:
        """Set the planned timeout."""
        for one in self._ending:
            one.server(self._servers).command(*one.words(one.temporary, self._name))

    def restore_timeout(self) -> None:
        """Restore the timeout that was planned; it is an override no more."""
        for one in self._ending:
            one.server(self._servers).command(*one.words(one.original, self._name))
        self._ending = []

    def tune(self) -> list[str]:
        """Override the settings of the possible leaders; return the actions, a sentence each.

        A Sentinel that refuses keeps its settings.
        """
        done = []
        for override in list(self._tuning):
            try:
                override.server(self._servers).command(*override.words(override.temporary, self._name))
            except (CommandRefused, AccessDenied):
                self._tuning.remove(override)
                self._quick = self._quick and override.setting != "info-period"
                continue
            except ConnectionFailed:
                pass  # the command may have run: the setting is restored at the end
            done.append(f"Sentinel {override.address}: {override.setting} is {override.temporary} (was {override.original})")
        return done

    def info_periods_ms(self) -> list[tuple[int, int]]:
        """Return the Sentinels to ask, by index, with their INFO period.

        These are the Sentinel with the short period, or all that may lead.
        """
        return [(index, QUICK_INFO_PERIOD_MS if self._quick else INFO_PERIOD_MS) for index in self._leaders]

    def restore(self, *rewritten_too: str) -> list[str]:
        """Restore all overrides, once; return the errors as restore_overrides() does.

        The last of several handovers restores the INFO period that they share.
        """
        if self._restored:
            return []
        self._restored = True
        shared = [one for one in self.overrides if one.setting == "info-period" and self._shared]
        own = [one for one in self.overrides if one not in shared]
        failed = restore_overrides(self._servers, self._name, own, *rewritten_too)
        if self._shared:
            self._shared.leave(lambda: failed.extend(restore_overrides(self._servers, self._name, shared)))
        return failed


def _priorities(shard: Shard, target: str) -> list[SettingOverride]:
    tied = to_outrank(shard.views[0].replicas, target)
    wanted = {node.address: STEERED_PRIORITY + 1 for node in shard.nodes if node.address in tied and node.priority == STEERED_PRIORITY}
    wanted[target] = STEERED_PRIORITY
    return [
        SettingOverride("node", node.address, "replica-priority", node.priority, wanted[node.address])
        for node in shard.nodes
        if node.address in wanted
    ]
