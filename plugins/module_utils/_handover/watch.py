# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for the promotion after an accepted SENTINEL FAILOVER, and prove the promotion.

A node that only says role:master does not count. Its own numbers (see proof), or those of a replica
that continued its stream, must prove that the node is the promoted replica of the old master.
"""

from __future__ import annotations

from dataclasses import dataclass

from .._errors import ConnectionFailed, OperationFailed, SentinelOpsError
from .._progress_file import PROGRESS
from .._server.commands import Server
from .._topology.sentinel import parse_master
from .context import HandoverContext
from .critical_section import CriticalSection
from .naming import sentinels_naming
from .proof import ReplicationState, StopPoint, continues_from, promotion_doubt, read_replication

__all__ = ["LOST_ANSWER", "Promoted", "PromotionWatch"]

PROMOTION_S = 60.0  # the deadline of a failover that is neither completed nor aborted
# three looks at a leader that has ended the failover; nine (two seconds) at a leader that refuses
# connections
GIVEN_UP = 9
LOOK_S = 0.25
LOST_ANSWER = "the answer to SENTINEL FAILOVER was lost"


@dataclass(frozen=True)
class Promoted:
    """The promoted node. ``promoted_at``: the offset of its promotion, -1 if only a witness told.

    ``old_is_replica``: Sentinel has already made the old master a replica.
    """

    address: str
    promoted_at: int = -1
    old_is_replica: bool = False


class PromotionWatch:
    """The wait for one promotion. Use: ``wait(leader)``."""

    def __init__(self, context: HandoverContext, section: CriticalSection, nodes: list[str], point: StopPoint) -> None:
        self._context = context
        self._section = section
        self._point = point
        self._old = context.result.old_master
        self._target = context.result.new_master
        self._others = [address for address in nodes if address not in (self._old, self._target)]
        self._impostors: dict[str, str] = {}

    def wait(self, leader: Server) -> Promoted:
        """Return the promoted node; fence the old master if its pause would end before that.

        Raises OperationFailed, with the old master released, if the leader aborts the failover.
        Raises OperationFailed, with the old master fenced, if neither happens within PROMOTION_S.
        """
        clock = self._context.clock
        begun_s = clock.now_s()
        next_look_s, given_up = begun_s + 2 * LOOK_S, 0
        while True:
            promoted = self._promoted(self._target)
            if promoted:
                break
            now_s = clock.now_s()
            self._section.fence_if_pause_ends()
            if now_s > next_look_s:
                next_look_s = now_s + LOOK_S
                PROGRESS.tell("{} must be promoted".format, self._target)
                looks_so = self._gave_up(leader)
                given_up = given_up + looks_so if looks_so else 0
                promoted = self._looked_further(given_up >= GIVEN_UP)
                if promoted:
                    break
                if given_up >= GIVEN_UP:
                    raise self._given_up()
            if now_s > begun_s + PROMOTION_S:
                raise self._neither(leader)
            clock.sleep_s(0.004)
        also = "" if promoted.address == self._target else f", and not {self._target}"
        self._context.timeline.add(f"promoted: {promoted.address} is master{also}")
        return promoted

    def _state(self, address: str) -> ReplicationState | None:
        """Return the replication state of a node; None if the node does not answer."""
        try:
            return read_replication(self._context.servers.node(address))
        except SentinelOpsError:
            return None  # a promotion closes the target's connections

    def _promoted(self, address: str) -> Promoted | None:
        """Return the node if its own numbers prove its promotion."""
        state = self._state(address)
        if state is None or not state.is_master:
            return None
        doubt = promotion_doubt(state, self._point)
        if doubt:
            self._note_impostor(address, doubt)
            return None
        return Promoted(address, state.promoted_at)

    def _note_impostor(self, address: str, doubt: str) -> None:
        if address not in self._impostors:
            self._context.timeline.add(f"not promoted: {address}: {doubt}")
        self._impostors[address] = doubt

    def _looked_further(self, given_up: bool) -> Promoted | None:
        """Return a promotion that other nodes prove; ask only if no pause can end meanwhile."""
        if not self._section.writes_are_safe and not given_up:
            return None
        for address in self._others:
            # twice: Sentinel may have closed the connection of the first try
            found = self._promoted(address) or self._promoted(address)
            if found:
                return found
        for promoted in (self._target, *self._others):
            if self._is_vouched_for(promoted):
                return Promoted(promoted)
        return self._promoted_by_sentinels()

    def _is_vouched_for(self, promoted: str) -> bool:
        """Return whether a replica proves the promotion of a node that this host cannot ask."""
        names = self._context.servers.names
        for address in self._others:
            state = self._state(address)
            if state is None or state.is_master or names.of(state.master) != promoted:
                continue
            if continues_from(state, state.master, self._point):
                return True
        return False

    def _promoted_by_sentinels(self) -> Promoted | None:
        """Return the master of the old master, once Sentinel has made the old master a replica."""
        state = self._state(self._old)
        if state is None or state.is_master:
            return None
        return Promoted(self._context.servers.names.of(state.master), old_is_replica=True)

    def _gave_up(self, leader: Server) -> int:
        """Return the weight of the signs of an aborted failover; a sum of GIVEN_UP is enough.

        A leader without a failover in progress that names the old master has more weight than a
        leader that refuses connections. A Sentinel that ended forgets its failover, but a Sentinel
        behind a broken network continues the failover.
        """
        try:
            view = parse_master(leader.command("SENTINEL", "MASTER", self._context.request.master_name))
        except ConnectionFailed as error:
            return int(error.refused)
        except SentinelOpsError:
            return 0
        ended = not view.failover_in_progress and self._context.servers.names.of(view.address) == self._old
        return 3 if ended else 0

    def _given_up(self) -> OperationFailed:
        """Release the old master, which has all writes; return the error."""
        self._section.take_back()
        result = self._context.result
        was = "accepted the failover and aborted it (its log says why: -failover-abort-...)"
        if any(text.startswith(LOST_ANSWER) for text in result.warnings):
            was = f"was asked for the failover and has none in progress; {LOST_ANSWER}"
        return OperationFailed(
            f"Sentinel {result.leader} {was}{self._impostors_text()}",
            node=next(iter(self._impostors), ""),
            state=f"{self._old} is still the master and takes writes; nothing was lost",
            advice=self._impostors_advice()
            or "Check the target and run again; if the failover is aborted again, fix the reason in the Sentinel's log",
        )

    def _neither(self, leader: Server) -> OperationFailed:
        named, _silent = sentinels_naming(self._context, self._target)
        named_text = f"; {named} Sentinels name {self._target}" if named else ""
        return OperationFailed(
            f"Sentinel {leader.address} accepted the failover {PROMOTION_S:g} s ago, and the promotion of {self._target} is not proved"
            f"{named_text}{self._impostors_text()}",
            node=next(iter(self._impostors), self._old),
            state=f"{self._old} is fenced and refuses writes, since the promotion may still come; that node was not made a replica",
            advice=self._impostors_advice() or "Stop that Sentinel and run again: the next run finishes or restores what is left",
        )

    def _impostors_text(self) -> str:
        return "".join(f"; {address} was not promoted: {doubt}" for address, doubt in self._impostors.items())

    def _impostors_advice(self) -> str:
        if not self._impostors:
            return ""
        return (
            f"Keep {self._old}, which has all writes. Stop {', '.join(self._impostors)}, find out why that node started as a master, "
            "make it a replica again, and run again"
        )
