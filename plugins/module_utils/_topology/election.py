# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Predict which replica a Sentinel would promote, and the next INFO that Sentinel asks of it.

Pure functions of a Sentinel's view. The rules are those of sentinel.c of Redis 6.2 and 7.0
(sentinelSelectSlave, compareSlavesForPromotion).
"""

from __future__ import annotations

from typing import Sequence

from .sentinel import ReplicaView

__all__ = ["ALIGNED_FROM_MS", "ALIGNED_TO_MS", "alignment_wait_ms", "ineligible_because", "to_outrank", "will_promote"]

MAX_PING_AGE_MS = 5000
MAX_INFO_AGE_MS = 30000
# During a failover Sentinel sends INFO at the first of its ticks (53 to 100 ms apart) at which the
# last INFO is 1 s old. Sentinel promotes the target at the third tick, just before it sends INFO to
# the replicas. So the INFO that shows the promotion is sent in the third tick at the earliest. It
# must not be sent in the second tick, which comes after 200 ms at most, and mostly after 160 ms.
# If the last INFO is 0.77 s old when the writes are paused, a few milliseconds are left for the
# replicas to catch up; up to 0.82 s allows for a busy machine.
ALIGNED_FROM_MS = 770
ALIGNED_TO_MS = 820


def ineligible_because(replica: ReplicaView) -> str:
    """Return the reason why this Sentinel would not promote the replica; empty if eligible."""
    bad = [flag for flag in replica.flags if flag in ("s_down", "o_down", "disconnected")]
    if bad:
        return f"it is flagged {', '.join(bad)}"
    if replica.priority == 0:
        return "its replica-priority is 0 (never promote)"
    if replica.ping_age_ms > MAX_PING_AGE_MS:
        return f"it last answered a PING {replica.ping_age_ms} ms ago (at most {MAX_PING_AGE_MS} ms)"
    if replica.info_age_ms > MAX_INFO_AGE_MS:
        return f"its last INFO is {replica.info_age_ms} ms old (at most {MAX_INFO_AGE_MS} ms)"
    if not replica.link_up:
        return "its link to the master is down"
    return ""


def will_promote(replicas: Sequence[ReplicaView], target: str) -> ReplicaView | None:
    """Return this Sentinel's view of the target if the target is the only possible choice.

    Returns None if the Sentinel may promote another replica. A tie in priority is not enough: the
    cached offsets decide a tie, and Sentinel asks all replicas for INFO again before it chooses. A
    replica that is not eligible now counts too, since it may be eligible by then.
    """
    seen = next((replica for replica in replicas if replica.address == target), None)
    if seen is None or ineligible_because(seen):
        return None
    rivals = [replica.priority for replica in replicas if replica.address != target and replica.priority > 0]
    return seen if all(seen.priority < priority for priority in rivals) else None


def to_outrank(replicas: Sequence[ReplicaView], target: str) -> list[str]:
    """Return the addresses of the other replicas that would tie with a target of priority 1."""
    return [replica.address for replica in replicas if replica.address != target and replica.priority == 1]


def alignment_wait_ms(info_age_ms: int, info_period_ms: int) -> int:
    """Return the time until the target's INFO has the best age for a failover; 0 if it has now."""
    if info_age_ms < ALIGNED_FROM_MS:
        return ALIGNED_FROM_MS - info_age_ms
    if info_age_ms <= ALIGNED_TO_MS:
        return 0
    return max(0, info_period_ms - info_age_ms) + ALIGNED_FROM_MS
