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
from typing import Sequence

from .._errors import AccessDenied, CommandRefused, SentinelOpsError
from .context import HandoverContext, Progress
from .naming import names_master
from .overrides import SettingOverride
from .steering import Steering

__all__ = ["FailoverEnd"]


class FailoverEnd:
    """The early end of the failover on its leader. Use: ``hasten()`` or ``restore()`` in each look.

    ``stop_overrides``: the overrides of the write stop, which are in the undo file too. If anything
    fails, Sentinel ends the failover by itself.
    """

    def __init__(self, context: HandoverContext, progress: Progress, steering: Steering, stop_overrides: Sequence[SettingOverride]) -> None:
        self._context = context
        self._progress = progress
        self._steering = steering
        self._stop_overrides = stop_overrides
        self._tried = self._shortened = False

    def hasten(self, leader: str) -> None:
        """Shorten the leader's failover-timeout, once; call it when only the leader is waited for.

        Waits until the leader names the new master: the timeout would abort a failover that still
        waits for the promotion.
        """
        context, steering = self._context, self._steering
        index = [str(sentinel.address) for sentinel in context.servers.sentinels].index(leader)
        with contextlib.suppress(SentinelOpsError):
            if self._tried or names_master(context, index) != context.result.new_master:
                return
            self._tried = True
            steering.plan_to_end(leader)
            self._progress.save_overrides([*steering.overrides, *self._stop_overrides])
            self._progress.enter("settling", ending=leader)
            self._shortened = True  # first: the answer may be lost
            try:
                steering.end_failover()
            except (AccessDenied, CommandRefused):
                steering.plan_to_end("")  # nothing to restore
                return
            context.timeline.add(f"ended: every replica follows, so Sentinel {leader} does not wait for their next INFO")

    def restore(self) -> None:
        """Restore failover-timeout at once, for the failover that is needed if a node dies now.

        The end of the handover restores it in any case.
        """
        if self._shortened:
            self._shortened = False
            with contextlib.suppress(SentinelOpsError):
                self._steering.end_failover(done=True)
