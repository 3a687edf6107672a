# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Free the clients that would stay on the old master.

redis-py's transactions and WATCH loops reconnect to the same address without asking a Sentinel. A
client that only reads, and asked the leader too early, was sent back to the old master and gets no
error there. A client whose connection ends before the reply to its first command asks a Sentinel
again. A burst of kills, as fast as round trips allow, does that to all of these clients.
"""

from __future__ import annotations

from .._errors import SentinelOpsError
from .._topology.sentinel import parse_replica
from .._wait import until
from .context import HandoverContext
from .promotion import KILL_CLIENTS, KILL_SUBSCRIBERS

__all__ = ["free_clients"]

RECONNECTED_S = 5.0


def free_clients(context: HandoverContext) -> None:
    """Disconnect the old master's clients repeatedly, for the request's ``disconnect_ms``.

    Then wait until the Sentinels' own connections are back. Links of replicas are not closed.
    """
    duration_s, clock = context.request.disconnect_ms / 1000, context.clock
    if not duration_s:
        return
    old, killed, kills = context.servers.node(context.result.old_master), 0, 0
    begun_s = clock.now_s()
    try:
        # a subscriber that was sent back by the leader asks again once; Sentinels subscribe again
        killed, kills = int(old.command(*KILL_SUBSCRIBERS)), 1
        while clock.now_s() - begun_s < duration_s:
            killed, kills = killed + int(old.command(*KILL_CLIENTS)), kills + 1
    except SentinelOpsError as error:
        context.result.warnings.append(f"clients may have stayed on {old.address}: {error}")
    waited = until(
        lambda: _cut_off(context),
        lambda found: not found,
        deadline_s=RECONNECTED_S,
        interval_s=0.05,
        clock=clock,
        says=lambda found: f"{old.address} is not connected to {', '.join(found)} again",
    )
    if waited.seen:
        context.result.warnings.append(f"{', '.join(waited.seen)} have not connected to {old.address} again within {RECONNECTED_S:g} s")
    context.timeline.add(f"freed: {killed} connections of clients to {old.address} were closed, by {kills} kills")


def _cut_off(context: HandoverContext) -> list[str]:
    """Return the Sentinels whose own connection to the old master is not back yet.

    These Sentinels flag the node as ``disconnected``.
    """
    found = []
    for sentinel in context.servers.sentinels:
        try:
            replies = sentinel.command("SENTINEL", "REPLICAS", context.request.master_name)
        except SentinelOpsError:
            continue
        for replica in map(parse_replica, replies):
            if context.servers.names.of(replica.address) == context.result.old_master and "disconnected" in replica.flags:
                found.append(f"Sentinel {sentinel.address}")
    return found
