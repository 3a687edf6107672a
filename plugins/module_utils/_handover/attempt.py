# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attempts of a handover: stop writes, let all replicas catch up, and ask for the failover.

An attempt can be reverted until a Sentinel has accepted SENTINEL FAILOVER.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Sequence

from .._errors import AccessDenied, CommandRefused, ConnectionFailed
from .._server.commands import Server
from .._server.info import node_info, parse_info
from .._topology.shard import Shard, read_shard
from .._wait import until
from .alignment import Alignment, MasterMoved
from .context import HandoverContext, Progress
from .critical_section import CriticalSection
from .naming import names_master
from .proof import StopPoint, stop_point
from .readiness import transient_problems
from .side_by_side import Turn
from .steering import Steering
from .watch import LOST_ANSWER

__all__ = ["AttemptFailed", "Attempts"]

MAX_REST_S = 4.0  # between two attempts


class AttemptFailed(Exception):
    """The error of an attempt that was reverted; another attempt may succeed."""


class Attempts:
    """The attempts at one failover to ``target``. Use: ``until_accepted()``."""

    def __init__(self, context: HandoverContext, progress: Progress, shard: Shard, target: str, steering: Steering) -> None:
        self._context = context
        self._progress = progress
        self._shard = shard
        self._target = target
        self._turn = progress.undo_file.turn if progress.undo_file else Turn()
        self._alignment = Alignment(context, target, steering, self._turn)
        self.section = CriticalSection(context, progress, shard, self._turn)
        self.point = StopPoint()

    def until_accepted(self) -> Server:
        """Return the Sentinel that accepted the failover.

        The interval between attempts doubles, and the shard must be ready before each attempt.
        Raises PreconditionFailed at the deadline, and MasterMoved if another failover has moved
        the role. Writes go on in both cases.
        """
        rest_s = 0.25
        while True:
            try:
                return self._attempt()
            except (AttemptFailed, ConnectionFailed, CommandRefused) as missed:
                self._alignment.missed = str(missed)
                self._alignment.refuse_if_late()
            self._context.clock.sleep_s(rest_s)
            rest_s = min(2 * rest_s, MAX_REST_S)
            self._await_readiness()

    def _attempt(self) -> Server:
        """Go from the alignment to the accepted SENTINEL FAILOVER, or revert the attempt."""
        leader, result = self._alignment.wait(), self._context.result
        result.attempts += 1
        if result.mode == "plain":
            self._turn.give_back()  # nothing is stopped
            self._fail_over(leader)
            return leader
        section = self.section
        section.enter()
        try:
            self.point, replicas = self._stopped()
            self._check_leader(leader)
            if result.mode == "pause":
                self._arm(replicas)
            paused_until_s = section.stop.paused_until_s if section.stop else 0.0
            self._progress.enter("failing over", leader=result.leader, paused_until_s=paused_until_s, **asdict(self.point))
            self._check_pause()
            self._fail_over(leader)
        except BaseException:
            section.take_back()
            raise
        return leader

    def _stopped(self) -> tuple[StopPoint, int]:
        """Stop the writes and wait until every replica has all of them.

        Returns the stop point and the number of linked replicas.
        """
        if self._context.result.mode == "coordinated":
            # the servers stop the writes later: the target must reach this offset at least
            old = self._context.servers.node(self._shard.master)
            return stop_point(old.command("INFO", "replication"), ""), 0
        point, replicas = self.section.stop_writes()
        self._catch_up(point.offset)
        return point, replicas

    def _check_leader(self, leader: Server) -> None:
        """Raise AttemptFailed if the leader names another master by now."""
        try:
            named = names_master(self._context, leader)
        except AccessDenied:
            return  # the leader's SENTINEL REPLICAS, just before the pause, was of this master
        if named != self._shard.master:
            raise AttemptFailed(f"Sentinel {leader.address} names {named or 'no master'} by now")

    def _arm(self, replicas: int) -> None:
        """Arm the dead man's fence; raise AttemptFailed if a replica is missing."""
        stop = self.section.stop
        if stop is None:
            return
        needed, state = stop.needed(replicas), stop.arm(replicas)
        if state.good < needed:
            raise AttemptFailed(f"{stop.server.address} counts {state.good} linked replicas, and must count {needed}")
        self._context.timeline.add(f"armed: {stop.server.address} refuses writes as soon as one of {needed} replicas drops its link")

    def _check_pause(self) -> None:
        """Raise AttemptFailed if half of the pause is over: this host or a server has stalled."""
        if self.section.stop and self.section.stop.is_half_over():
            raise AttemptFailed("half of the pause was over before the failover could be asked for")

    def _catch_up(self, offset: int) -> None:
        """Wait until every replica has the stream up to ``offset``, else raise AttemptFailed."""
        context = self._context
        replicas = [node.address for node in self._shard.nodes if not node.info.is_master]
        waited = until(
            lambda: self._behind(replicas, offset),
            lambda found: not found,
            deadline_s=context.request.catch_up_ms / 1000,
            interval_s=0.004,
            clock=context.clock,
            says="; ".join,
        )
        if not waited.satisfied:
            context.timeline.add(f"not caught up within {context.request.catch_up_ms} ms: {'; '.join(waited.seen)}")
            raise AttemptFailed("; ".join(waited.seen))
        context.timeline.add(f"caught up: every replica has all writes (offset {offset})")

    def _behind(self, replicas: Sequence[str], offset: int) -> list[str]:
        """Return the replicas that lack a part of the stream up to ``offset``, a sentence each."""
        found = []
        for address in replicas:
            try:
                info = node_info(parse_info(self._context.servers.node(address).command("INFO", "replication")))
            except (ConnectionFailed, CommandRefused) as error:
                found.append(str(error).rstrip("."))
                continue
            if info.offset < offset:
                found.append(f"{address} lacks {offset - info.offset} bytes")
        return found

    def _fail_over(self, leader: Server) -> None:
        """Send SENTINEL FAILOVER; raise AttemptFailed if it is refused."""
        timeline, result = self._context.timeline, self._context.result
        words = ["SENTINEL", "FAILOVER", self._context.request.master_name]
        if result.mode == "coordinated":
            words.append("COORDINATED")
            self.section.note_begin("the master pauses writes until the target has them all, and the two swap roles")
        try:
            leader.command(*words)
        except ConnectionFailed as lost:
            if not lost.sent:
                raise
            # It may have been accepted: the old master stays paused until that is known.
            result.warnings.append(f"{LOST_ANSWER}: {lost}")
            timeline.add(f"failover asked for: the answer of Sentinel {leader.address} was lost")
            return
        except CommandRefused as refused:
            timeline.add(f"Sentinel {leader.address} refused: {refused.reply}")
            raise AttemptFailed(refused.reply) from refused
        timeline.add(f"failover accepted by Sentinel {leader.address}")

    def _await_readiness(self) -> None:
        """Wait until another attempt may begin; raise PreconditionFailed at the deadline."""
        context, master = self._context, self._shard.master

        def observe() -> list[str]:
            shard = read_shard(context.servers, context.request.master_name)
            if shard.master and shard.master != master:
                raise MasterMoved(shard.master)
            return transient_problems(shard, self._target, context.request.max_lag_bytes)

        waited = until(observe, lambda found: not found, deadline_s=context.left_s, interval_s=0.25, clock=context.clock, says="; ".join)
        if waited.seen:
            self._alignment.missed = "; ".join(waited.seen)
            raise self._alignment.too_late()
