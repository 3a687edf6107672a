# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encode and decode the settings that stop the writes of a master.

Each value encodes the original setting, so that any later run, from any host, can restore it.

The explicit fence: a min-replicas-to-write that no deployment can satisfy. The master refuses every
write while the fence is set, even if all processes of the handover are dead.

The dead man's fence: a min-replicas-to-write of exactly the number of linked replicas. Writes go on
until one of these replicas drops its link. A promoted replica does that at once. The fence's
min-replicas-max-lag encodes both original values.

The ping delay: a longer repl-ping-replica-period. The periodic PING of a master is a part of its
replication stream, and a PING that the new master lacks would cost every other node a full resync.
"""

from __future__ import annotations

__all__ = [
    "FENCE",
    "LARGEST",
    "PING_PERIOD",
    "armed_max_lag",
    "before_ping_delay",
    "can_arm",
    "fence_for",
    "is_armed",
    "is_fence",
    "is_ping_delay",
    "original_min_replicas",
    "ping_delay_for",
]

FENCE = 2147483647  # the largest value that the servers accept
_LOWEST = 2000000000  # each explicit fence is above this number
_ARMED = 1000000000  # seconds: the lag of each dead man's fence is at least this long
LARGEST = 10000  # each of the two original values in such a lag is below this number
PING_PERIOD = "repl-ping-replica-period"  # in seconds, 10 by default
_PING_DELAY = 1000000  # seconds, added to the period


def fence_for(to_write: int, max_lag: int) -> int:
    """Return the min-replicas-to-write of an explicit fence on a node that has these values."""
    return FENCE - 2 * min(to_write, 10**6) - (max_lag == 0)


def is_fence(to_write: int) -> bool:
    """Return whether a node with this min-replicas-to-write has an explicit fence."""
    return to_write > _LOWEST


def can_arm(to_write: int, max_lag: int) -> bool:
    """Return whether a dead man's fence can encode these two original values."""
    return to_write < LARGEST and max_lag < LARGEST


def armed_max_lag(to_write: int, max_lag: int) -> int:
    """Return the min-replicas-max-lag of a dead man's fence on a node that has these values."""
    return _ARMED + LARGEST * to_write + max_lag


def is_armed(max_lag: int) -> bool:
    """Return whether a node with this min-replicas-max-lag has a dead man's fence."""
    return _ARMED <= max_lag < _ARMED + LARGEST * LARGEST


def original_min_replicas(to_write: int, max_lag: int) -> tuple[int, int]:
    """Return ``(min-replicas-to-write, min-replicas-max-lag)`` as they were before any fence."""
    if is_armed(max_lag):
        return divmod(max_lag - _ARMED, LARGEST)
    if is_fence(to_write):
        return (FENCE - to_write) // 2, 0 if (FENCE - to_write) % 2 else max_lag
    return to_write, max_lag


def ping_delay_for(period_s: int) -> int:
    """Return the repl-ping-replica-period of a ping delay on a node that has this period."""
    return _PING_DELAY + period_s


def is_ping_delay(period_s: int) -> bool:
    """Return whether this repl-ping-replica-period is a ping delay."""
    return period_s > _PING_DELAY


def before_ping_delay(period_s: int) -> int:
    """Return the repl-ping-replica-period without a ping delay."""
    return period_s - _PING_DELAY if is_ping_delay(period_s) else period_s
