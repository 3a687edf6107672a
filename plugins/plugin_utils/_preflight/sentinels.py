# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight of the Sentinels' views of a shard. Pure functions of these views."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from ...module_utils._topology.election import ineligible_because
from ...module_utils._topology.limits import MAX_HELLO_AGE_MS, MIN_PAUSE_BUDGET_MS, pause_budget_ms
from ...module_utils._topology.sentinel import SentinelView, disagreements
from .._finding import WARNING, Finding

__all__ = ["Expected", "other_master_findings", "time_limit_findings", "view_findings"]

# Sentinels send a PING every second. CKQUORUM counts a silent peer until down-after-milliseconds
# has passed.
MAX_PING_AGE_MS = 3000


@dataclass(frozen=True)
class Expected:
    """The Sentinels of the inventory, and the instances that an earlier run stopped."""

    sentinels: int
    stopped_sentinels: int = 0
    stopped_nodes: Collection[str] = ()


def view_findings(name: str, views: Sequence[SentinelView], expected: Expected) -> Iterator[Finding]:
    """Yield what is wrong in the views of a shard."""
    for difference in disagreements(views):
        yield Finding(
            f"shard {name}",
            f"the Sentinels disagree on the {difference}",
            "The master and the quorum must be beyond doubt",
            "Wait until they agree, or find the Sentinel that is cut off; set a quorum with SENTINEL SET on each Sentinel",
            "sentinels-agree",
        )
    for view in views:
        yield from _master_findings(f"Sentinel {view.address}, shard {name}", view, expected)
        if not expected.stopped_sentinels:
            yield from _peer_findings(f"Sentinel {view.address}, shard {name}", view)
        yield from _replica_findings(f"Sentinel {view.address}, shard {name}", view, expected)
    if views:
        yield from _spare_findings(name, views, expected)


def _spare_findings(name: str, views: Sequence[SentinelView], expected: Expected) -> Iterator[Finding]:
    needed = max(*(view.master.quorum for view in views), expected.sentinels // 2 + 1)
    if expected.sentinels - 1 < needed:
        yield Finding(
            f"shard {name}",
            f"there are {expected.sentinels} Sentinels, and {needed} are needed for a failover",
            "While one Sentinel restarts, no failover could replace a master that dies",
            "Add a Sentinel, or lower the quorum with SENTINEL SET on each Sentinel if the quorum is too high",
            "spare-sentinel",
        )


def _master_findings(node: str, view: SentinelView, expected: Expected) -> Iterator[Finding]:
    if view.tilt:
        yield Finding(node, "it is in TILT", "It does not act on failures now", "Wait 30 s; check the host's clock and load", "tilt")
    if view.master.failover_in_progress:
        yield Finding(node, "a failover is in progress", "The roles are about to change", "Wait until it has ended", "failover")
    bad = [flag for flag in view.master.flags if flag in ("s_down", "o_down", "disconnected")]
    if bad or view.master.ping_pending_ms > MAX_PING_AGE_MS:
        yield Finding(
            node,
            f"it flags the master {', '.join(bad)}"
            if bad
            else f"the master has not answered its PING for {view.master.ping_pending_ms} ms",
            "A failover may begin at any moment",
            "Fix the master, or the network between them, first",
            "master-flagged",
        )
    if not view.quorum_ok and not expected.stopped_sentinels:
        yield Finding(node, view.quorum_reply, "No failover could be agreed on", "Start the missing Sentinels", "quorum")
    if view.master.other_sentinels + 1 != expected.sentinels:
        yield Finding(
            node,
            f"it knows {view.master.other_sentinels + 1} Sentinels, the inventory has {expected.sentinels}",
            "A missing Sentinel, or a ghost that still counts as a voter, endangers the majority",
            "Complete the inventory, or remove ghosts with SENTINEL RESET on one Sentinel after the other",
            "sentinels-known",
        )


def _peer_findings(node: str, view: SentinelView) -> Iterator[Finding]:
    for peer in view.peers:
        if "s_down" in peer.flags or "disconnected" in peer.flags:
            seen, why = f"it does not reach the Sentinel {peer.address}", "All Sentinels must take part in the handover"
        elif max(peer.ping_age_ms, peer.ping_pending_ms) > MAX_PING_AGE_MS:
            age_ms = max(peer.ping_age_ms, peer.ping_pending_ms)
            seen = f"the Sentinel {peer.address} has not answered its PING for {age_ms} ms"
            why = "SENTINEL CKQUORUM still counts that Sentinel, which may be dead"
        elif peer.hello_age_ms > 5 * MAX_HELLO_AGE_MS:
            seen = f"it last heard of the Sentinel {peer.address} {peer.hello_age_ms} ms ago"
            why = "That Sentinel would learn of the new master late"
        else:
            continue
        yield Finding(node, seen, why, "Start that Sentinel, or fix the network between them", "sentinels-reach", about=peer.address)


def _replica_findings(node: str, view: SentinelView, expected: Expected) -> Iterator[Finding]:
    for replica in view.replicas:
        why = ineligible_because(replica)
        if why and replica.address not in expected.stopped_nodes and replica.priority != 0:
            yield Finding(
                node,
                f"the replica {replica.address} is not in order: {why}",
                "One replica after the other is restarted, so the others must be able to take over",
                "Fix the replica",
                "replica-eligible",
                about=replica.address,
            )


def other_master_findings(views: Sequence[SentinelView]) -> Iterator[Finding]:
    """Yield what is wrong with masters that the run leaves alone, in the views of one Sentinel."""
    for view in views:
        name = view.master.name
        down, total = "s_down" in view.master.flags, view.master.other_sentinels + 1
        if down or not view.quorum_ok:
            state = "which is down" if down else f"of which it says: {view.quorum_reply}"
            yield Finding(
                f"Sentinel {view.address}",
                f"it also monitors the master {name} at {view.master.address}, {state}",
                "This run leaves that master alone, and no failover of it is possible",
                f"Nothing for this run. If {name} is gone for good: SENTINEL REMOVE {name} on each Sentinel that monitors it",
                "other-masters",
                WARNING,
            )
        elif total - 1 < max(view.master.quorum, total // 2 + 1):
            yield Finding(
                f"Sentinel {view.address}",
                f"it also monitors the master {name} at {view.master.address} (Sentinels that monitor it: {total})",
                f"While this Sentinel restarts, no failover of {name} could be agreed on",
                f"Let another Sentinel monitor {name}, too, or SENTINEL REMOVE {name}",
                "spare-sentinel",
            )


def time_limit_findings(name: str, views: Sequence[SentinelView]) -> Iterator[Finding]:
    """Yield which Sentinels have a down-after-milliseconds that is too short for a write pause."""
    for view in views:
        if pause_budget_ms(view.master.down_after_ms) < MIN_PAUSE_BUDGET_MS:
            yield Finding(
                f"Sentinel {view.address}, shard {name}",
                f"down-after-milliseconds is {view.master.down_after_ms}",
                "A write pause that is long enough for the handover would look like a dead master",
                f"SENTINEL SET {name} down-after-milliseconds 2000 (or more), on every Sentinel; or set redis_upgrade_handover_mode: fence",
                "time-limits",
            )
