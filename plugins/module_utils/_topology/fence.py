# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fence: a min-replicas-to-write that no deployment can satisfy, so that a master refuses every
write.

It holds even if everything of ours is dead. The number itself says what was there before, so that
any later run, from any host, can lift it.

The hush: while the writes are stopped a master must not send its replicas its periodic PING either.
That is a part of the stream, so one that the new master has not got any more would cost every other
node a full resync. Its period says what was there before, too.
"""

from __future__ import annotations

__all__ = ["FENCE", "PING_PERIOD", "before_fence", "before_ping_delay", "fence_for", "is_fence", "is_ping_delay", "ping_delay_for"]

FENCE = 2147483647  # the largest value that the servers take
_LOWEST = 2000000000  # a fence is above it
PING_PERIOD = "repl-ping-replica-period"  # in seconds, 10 by default
_PING_DELAY = 1000000  # seconds, added to the period


def fence_for(to_write: int, max_lag: int) -> int:
    """The min-replicas-to-write to set on a node that has these values of min-replicas-to-write and
    -max-lag now.
    """
    return FENCE - 2 * min(to_write, 10**6) - (max_lag == 0)


def is_fence(to_write: int) -> bool:
    """Whether a node with this min-replicas-to-write is fenced."""
    return to_write > _LOWEST


def before_fence(to_write: int, max_lag: int) -> tuple[int, int]:
    """``(min-replicas-to-write, min-replicas-max-lag)`` as they were before this fence was set."""
    return (FENCE - to_write) // 2, 0 if (FENCE - to_write) % 2 else max_lag


def ping_delay_for(period_s: int) -> int:
    """The repl-ping-replica-period to set on a node that has this one now."""
    return _PING_DELAY + period_s


def is_ping_delay(period_s: int) -> bool:
    return period_s > _PING_DELAY


def before_ping_delay(period_s: int) -> int:
    """The repl-ping-replica-period as it was before this hush was set, or as it is if it is none."""
    return period_s - _PING_DELAY if is_ping_delay(period_s) else period_s
