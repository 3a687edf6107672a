# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks before a stop: refuse to stop an instance that the deployment needs now."""

from __future__ import annotations

from typing import Callable

from .._errors import PreconditionFailed
from .._server.address import Address
from .._server.commands import Server
from .._server.info import NodeInfo
from .._topology.sentinel import SentinelView, monitored_masters, read_view
from .._wait import Clock, until

__all__ = ["master_of", "refuse_unsafe_stop", "refuse_while_replicas_are_missing"]

# A master reports a replica as online a moment after the replica reports its link as up.
ONLINE_WITHIN_S = 5.0
# Another Sentinel that has just been restarted is connected to at the next of several attempts.
REACHED_WITHIN_S = 10.0


def master_of(node: NodeInfo) -> Address | None:
    """Return the address of the master that a replica follows; None for a master or Sentinel."""
    return Address.parse(node.master) if node.master and not node.master.startswith(":") else None


def refuse_unsafe_stop(server: Server, node: NodeInfo, sentinel: bool, clock: Clock) -> None:
    """Raise PreconditionFailed for a master, and for a Sentinel that the next failover needs."""
    if sentinel:
        _refuse_needed_sentinel(server, clock)
        return
    if node.is_master:
        replicas = ", ".join(replica.address for replica in node.replicas) or "nobody"
        raise PreconditionFailed(
            f"it is a master, followed by {replicas}, and will not be stopped",
            node=str(server.address),
            state="The master is still running",
            advice="Hand the master role over first (redis_sentinel_failover)",
            untouched=True,
        )


def _has_no_failover(view: SentinelView) -> bool:
    """Return whether no failover of a master is possible, although all its Sentinels are there.

    Its quorum is larger than the number of its Sentinels; or it is gone, and no replica is left.
    """
    gone = "s_down" in view.master.flags and all({"s_down", "disconnected"} & set(replica.flags) for replica in view.replicas)
    return gone or view.master.quorum > view.master.other_sentinels + 1


def _needed_because(view: SentinelView) -> str:
    """Return why a failover of a master needs this Sentinel now; empty if it does not."""
    total = view.master.other_sentinels + 1
    others = sum(1 for peer in view.peers if not {"s_down", "disconnected"} & set(peer.flags))
    needed = max(view.master.quorum, total // 2 + 1)
    if others == total - 1 and _has_no_failover(view):
        return ""
    if view.master.failover_in_progress:
        return f"a failover of {view.master.name} is in progress"
    if others < needed:
        return f"it reaches {others} of the {total - 1} other Sentinels of {view.master.name}, and {needed} are needed for a failover"
    return ""


def _refuse_needed_sentinel(server: Server, clock: Clock) -> None:
    def reasons() -> list[str]:
        return list(filter(None, (_needed_because(read_view(server, master.name)) for master in monitored_masters(server))))

    waited = until(reasons, lambda found: not found, deadline_s=REACHED_WITHIN_S, interval_s=0.25, clock=clock, says=lambda found: found[0])
    if waited.seen:
        raise PreconditionFailed(
            f"{waited.seen[0]}, so it will not be stopped",
            node=str(server.address),
            state="The Sentinel is still running",
            advice="Wait until the failover has ended, or start the other Sentinels, and run again",
            untouched=True,
        )


def refuse_while_replicas_are_missing(
    server: Server, node: NodeInfo, needed: int, node_at: Callable[[Address], NodeInfo | None], clock: Clock
) -> None:
    """Raise PreconditionFailed for a replica whose master has fewer than ``needed`` replicas
    online.

    ``needed`` includes the replica itself. Another replica that was restarted and proved healthy
    may have crashed since. ``node_at`` returns the node at an address; if that is None, the number
    of replicas is unknown, and the replica passes.
    """
    master = master_of(node)
    if master is None:
        return

    def online() -> list[str] | None:
        found = node_at(master)
        return None if found is None else sorted(replica.address for replica in found.replicas if replica.state == "online")

    def enough(seen: list[str] | None) -> bool:
        return seen is None or len(seen) >= needed

    waited = until(
        online,
        enough,
        deadline_s=ONLINE_WITHIN_S,
        interval_s=0.25,
        clock=clock,
        says=lambda seen: f"its master {master} has {len(seen or [])} of {needed} replicas online",
    )
    if not waited.satisfied:
        found = ", ".join(waited.seen or []) or "none"
        raise PreconditionFailed(
            f"its master {master} should have {needed} replicas, and has {found}, so this one will not be stopped",
            node=str(server.address),
            state="The replica is still running",
            advice="Find out from their logs why the other replicas are missing, and run again",
            untouched=True,
        )
