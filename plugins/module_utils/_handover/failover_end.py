# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let Sentinel end its failover when every node follows the new master.

The leader waits for an INFO reply of each replica, and asks once in a second. Until then its
SENTINEL MASTERS names the old master: clients that read this reply (redis-py) reconnect there. A
failover that is older than failover-timeout ends within 0.1 s (``+failover-end-for-timeout``).
"""

from __future__ import annotations

import contextlib
from typing import Callable

from .._errors import AccessDenied, CommandRefused, SentinelOpsError
from .context import HandoverContext
from .naming import names_master
from .steering import Steering

__all__ = ["FailoverEnd"]


class FailoverEnd:
    """The early end of the failover on its leader. Use: ``hasten()`` or ``restore()`` in each look.

    ``record``: records the overrides that are planned, and its keywords in the state. If anything
    fails, Sentinel ends the failover by itself.
    """

    def __init__(self, context: HandoverContext, steering: Steering, record: Callable[..., None]) -> None:
        self._context = context
        self._steering = steering
        self._record = record
        self._tried = False

    def hasten(self, leader: str) -> None:
        """Shorten the leader's failover-timeout, once; call it when only the leader is waited for.

        Waits until the leader names the new master: the timeout would abort a failover that still
        waits for the promotion.
        """
        context, steering = self._context, self._steering
        with contextlib.suppress(SentinelOpsError):
            if self._tried or names_master(context, context.servers.sentinel(leader)) != context.result.new_master:
                return
            self._tried = True
            if not steering.plan_to_end(leader):
                return
            self._record(ending=leader)
            try:
                steering.end_failover()
            except (AccessDenied, CommandRefused):
                steering.plan_to_end("")  # nothing to restore
                return
            context.timeline.add(f"ended: every replica follows, so Sentinel {leader} does not wait for their next INFO")

    def restore(self) -> None:
        """Restore failover-timeout at once, for the failover that is needed if a node dies now.

        If that fails, the next look or the end of the handover restores it.
        """
        with contextlib.suppress(SentinelOpsError):
            self._steering.restore_timeout()
