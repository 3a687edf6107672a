# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which replica a Sentinel would promote, and when it next asks that replica for INFO: pure
functions of its view.

Rules read in sentinel.c of Redis 6.2 and 7.0 (sentinelSelectSlave, compareSlavesForPromotion).
"""

from __future__ import annotations

from typing import Sequence

from .sentinel import ReplicaView

__all__ = ["ALIGNED_FROM_MS", "ALIGNED_TO_MS", "alignment_wait_ms", "ineligible_because", "to_outrank", "will_promote"]

MAX_PING_AGE_MS = 5000
MAX_INFO_AGE_MS = 30000
# During a failover Sentinel sends INFO at the first of its ticks (53 to 100 ms) at which the last
# one is 1 s old. It promotes at the third tick, just before it looks after the replicas; so the
# INFO that tells it of the promotion goes out at the earliest in that tick, and must not go out in
# the second one, which comes after 200 ms at the latest, and mostly after 160. An INFO that is 0.77
# s old when the writes are paused leaves a few milliseconds for the catching up; up to 0.82 s for a
# busy machine.
ALIGNED_FROM_MS = 770
ALIGNED_TO_MS = 820


def ineligible_because(replica: ReplicaView) -> str:
    """Why this Sentinel would not promote the replica; empty if it is eligible."""
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
    """The target as this Sentinel sees it, if it will promote no other replica; None if it may.

    A tie does not do: by the cached offsets the target may win it now, and lose it with the next
    INFO of another replica, which Sentinel asks for once more before it elects. Nor does it matter
    whether another one is eligible now: it may be then.
    """
    seen = next((replica for replica in replicas if replica.address == target), None)
    if seen is None or ineligible_because(seen):
        return None
    rivals = [replica.priority for replica in replicas if replica.address != target and replica.priority > 0]
    return seen if all(seen.priority < priority for priority in rivals) else None


def to_outrank(replicas: Sequence[ReplicaView], target: str) -> list[str]:
    """The addresses of the other replicas whose priority of 1 would tie with a target steered to 1."""
    return [replica.address for replica in replicas if replica.address != target and replica.priority == 1]


def alignment_wait_ms(info_age_ms: int, info_period_ms: int) -> int:
    """How long until the target's INFO has the age at which a failover is shortest; 0 if it has it
    now.
    """
    if info_age_ms < ALIGNED_FROM_MS:
        return ALIGNED_FROM_MS - info_age_ms
    if info_age_ms <= ALIGNED_TO_MS:
        return 0
    return max(0, info_period_ms - info_age_ms) + ALIGNED_FROM_MS
