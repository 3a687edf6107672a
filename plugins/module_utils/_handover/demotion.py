# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the old master a replica of the promoted node, and judge whether a write was lost."""

from __future__ import annotations

from typing import Any

from .._errors import ConnectionFailed, OperationFailed, SentinelOpsError
from .._server.address import Address
from .._server.commands import Server, transaction
from .._server.info import NodeInfo, parse_info
from .._wait import until
from .context import HandoverContext
from .critical_section import CriticalSection
from .modes import can_pause_writes
from .proof import StopPoint, loss_of, read_replication, replication_state
from .watch import Promoted

__all__ = ["Demotion", "make_replica"]

DEMOTION_S = 20.0  # Sentinel demotes an old master 8 s later, at the master's next INFO


def make_replica(server: Server, node: NodeInfo, master: Address) -> list[str]:
    """Make a node a replica; return its INFO replication and INFO persistence right before.

    All of that is one transaction. Before 6.2 a transaction that has INFO in it is a part of the
    replication stream (MULTI), which the new master would lack: such a node is only demoted, and
    the list is empty.
    """
    replicaof: list[Any] = ["REPLICAOF", master.host, master.port]
    if not can_pause_writes(node):
        server.command(*replicaof)
        return []
    return transaction(server, ["INFO", "replication"], ["INFO", "persistence"], replicaof)[:2]


class Demotion:
    """The demotion of ``result.old_master``. Use: ``demote(promoted)``, or ``await_sentinel()``.

    ``done``: True once the old master is known to be a replica.
    """

    def __init__(self, context: HandoverContext, section: CriticalSection, old: NodeInfo, point: StopPoint) -> None:
        self._context = context
        self._section = section
        self._point = point
        self._old = context.servers.node(context.result.old_master)
        self._old_info = old
        self.done = False

    def demote(self, promoted: Promoted) -> None:
        """Make the old master follow the promoted node while its writes are still stopped.

        Retries for DEMOTION_S if the old master does not answer: a dead node may be started again,
        and a node that only this host cannot reach may accept writes when its pause ends.
        """
        if promoted.old_is_replica:
            self._note_done(f"demoted by Sentinel: {self._old.address} follows {promoted.address}")
            return
        clock = self._context.clock
        begun_s = clock.now_s()
        while True:
            try:
                self._follow(promoted)
                return
            except ConnectionFailed as error:
                reason: SentinelOpsError = error
                if clock.now_s() - begun_s > DEMOTION_S:
                    break
                clock.sleep_s(0.05)
            except SentinelOpsError as error:
                reason = error
                break
        self._context.result.warnings.append(f"{self._old.address} could not be made a replica: {reason}; Sentinel will demote it")
        if not isinstance(reason, ConnectionFailed):
            self.await_sentinel()

    def _follow(self, promoted: Promoted) -> None:
        """Demote the old master, and judge its last numbers."""
        last = make_replica(self._old, self._old_info, self._context.servers.node(promoted.address).address)
        if last and promoted.promoted_at >= 0:
            old = replication_state(last[0])
            if old.is_master:
                self._context.result.note_loss(loss_of(self._point, old, parse_info(last[1]), promoted.promoted_at))
        self._note_done(f"demoted: {self._old.address} follows {promoted.address}")

    def _note_done(self, event: str) -> None:
        self.done = True
        self._context.timeline.add(event)

    def await_sentinel(self) -> None:
        """Wait until Sentinel, or in mode coordinated the servers, have demoted the old master.

        The old master stays fenced until then. Raises OperationFailed after DEMOTION_S.
        """

        def demoted() -> bool:
            self._section.fence()
            try:
                return not read_replication(self._old).is_master
            except SentinelOpsError:
                return False

        waited = until(
            demoted,
            bool,
            deadline_s=DEMOTION_S,
            interval_s=0.02,
            clock=self._context.clock,
            says=lambda _done: f"{self._old.address} is not a replica yet",
        )
        if not waited.satisfied:
            raise OperationFailed(
                f"{self._old.address} has not become a replica within {DEMOTION_S:g} s",
                node=str(self._old.address),
                state=f"{self._context.result.new_master} is the master and takes writes; {self._old.address} still says role:master"
                + (" and is fenced" if self._section.stop else ""),
                advice="Make that node a replica by hand (REPLICAOF) and run again: the next run restores what is left",
            )
        self._note_done(f"demoted by Sentinel: {self._old.address}")
