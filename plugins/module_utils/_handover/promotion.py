# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Complete an accepted SENTINEL FAILOVER, until the clients are on the new master.

During this time a node that says role:master is never unpaused or unfenced, unless the leader has
aborted the failover.
"""

from __future__ import annotations

from .._server.commands import Server
from .._topology.shard import Shard
from .._wait import until
from .context import HandoverContext, node_state
from .critical_section import CriticalSection
from .demotion import Demotion
from .naming import sentinels_naming
from .proof import StopPoint
from .watch import Promoted, PromotionWatch

__all__ = ["KILL_CLIENTS", "KILL_SUBSCRIBERS", "Promotion"]

KILL_CLIENTS = ["CLIENT", "KILL", "TYPE", "normal"]
KILL_SUBSCRIBERS = ["CLIENT", "KILL", "TYPE", "pubsub"]


class Promotion:
    """The move of the role from ``result.old_master`` to ``result.new_master``.

    Use: ``follow(leader)``.

    ``point``: the old master when its writes stopped.
    """

    def __init__(self, context: HandoverContext, section: CriticalSection, shard: Shard, point: StopPoint) -> None:
        self._context = context
        self._section = section
        self._nodes = [node.address for node in shard.nodes]
        self._point = point
        old = node_state(shard, context.result.old_master, "the old master")
        self._demotion = Demotion(context, section, old.info, point)

    def follow(self, leader: Server) -> None:
        """Wait for the promotion, then ``complete()`` it."""
        watch = PromotionWatch(self._context, self._section, self._nodes, self._point)
        self.complete(watch.wait(leader))

    def complete(self, promoted: Promoted) -> None:
        """Demote the old master, wait until the Sentinels agree, and disconnect the clients."""
        self._context.result.new_master = promoted.address
        if self._context.result.mode == "coordinated":
            self._demotion.await_sentinel()
        else:
            self._demotion.demote(promoted)
        self._agree()
        self._release()

    def _agree(self) -> None:
        """Wait until the Sentinels, which clients ask, name the new master."""
        context, new_master = self._context, self._context.result.new_master
        total = len(context.servers.sentinels)

        def enough(seen: tuple[int, int]) -> bool:
            """Return whether every Sentinel that answers, and a majority of all, name the master.

            Dead Sentinels are not waited for.
            """
            naming, silent = seen
            return naming + silent == total and naming > total // 2

        waited = until(
            lambda: sentinels_naming(context, new_master),
            enough,
            deadline_s=5.0,
            interval_s=0.01,
            clock=context.clock,
            says=lambda seen: f"{seen[0]} of {total} Sentinels name {new_master}",
        )
        naming = waited.seen[0]
        context.timeline.add(f"agreed: {naming} of {total} Sentinels name {new_master}")
        if naming < total:
            context.result.warnings.append(f"only {naming} of {total} Sentinels name {new_master}")

    def _release(self) -> None:
        """Disconnect the clients of the old master, so that they find the new master."""
        context, old = self._context, self._context.servers.node(self._context.result.old_master)
        if not self._demotion.done:
            self._section.leave()  # restored in the end, if it is a replica by then
            return
        kills = [KILL_CLIENTS, KILL_SUBSCRIBERS]
        failed = self._section.release_old_master(*kills)
        self._section.leave()
        context.result.warnings += [f"releasing the old master: {error}" for error in failed]
        context.timeline.add(f"released: the clients of {old.address} were disconnected and find {context.result.new_master}")
