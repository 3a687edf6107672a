# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handing the master role to a named replica without losing an acknowledged write.

SENTINEL FAILOVER alone promotes the target and leaves the old master writable for about ten
seconds; what it accepts in that time is lost. Here the writes are stopped until the target has them
all, and the old master is made a replica before they go on: steer, align, pause, catch up, fail
over, demote, agree, release, settle.

Until SENTINEL FAILOVER has been accepted everything can be taken back. What comes then is in
_rolechange.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any, Callable, Mapping, Protocol

from .._errors import CommandRefused, ConnectionFailed, OperationFailed, PreconditionFailed, SentinelOpsError
from .._server.acl import missing_on_node, missing_on_sentinel, missing_to_coordinate
from .._server.commands import Server
from .._server.info import node_info, parse_info
from .._signals import uninterrupted
from .._topology.election import alignment_wait_ms, will_promote
from .._topology.sentinel import parse_replica
from .._topology.shard import (
    NodeState,
    Shard,
    ShardServers,
    handover_refused,
    named_node,
    pause_budget_ms,
    pause_refusals,
    permanent_problems,
    read_shard,
    renamed_replica,
    transient_problems,
)
from .._wait import Clock, until
from .leftovers import Leftovers
from .modes import can_coordinate, chosen_mode, mode_refusals, mode_warnings
from .overrides import SettingOverride
from .promotion import Promotion
from .result import HandoverRequest, HandoverResult, Timeline
from .steering import STEERED_PRIORITY, Steering
from .undo_file import UndoFile
from .write_stop import WriteStop

__all__ = ["Handover", "HandoverRequest", "HandoverResult"]

MAX_REST_S = 4.0  # between two attempts
# With down-after-milliseconds on top: if the leading Sentinel dies after the promotion, the others
# find out, after two INFO periods (10 s) and that time, that their master is a replica, and fail
# over once more.
SETTLE_S = 50.0


class StandbyLike(Protocol):
    """A standby process (see _host/standby)."""

    def note(self, **state: Any) -> None: ...

    def dismiss(self) -> None: ...


NewStandby = Callable[[Callable[[Mapping[str, Any]], None]], StandbyLike]


class AttemptFailed(Exception):
    """This attempt was taken back; another one may do."""


class Handover:
    """One handover on one shard. Use: ``survey()``, then ``run()``."""

    def __init__(
        self,
        servers: ShardServers,
        request: HandoverRequest,
        clock: Clock,
        new_standby: NewStandby | None = None,
        note: UndoFile | None = None,
    ) -> None:
        self.servers = servers
        self.request = request
        self.clock = clock
        self.outcome = HandoverResult()
        self.story = Timeline(self.outcome, clock)
        self.shard = Shard((), (), ())
        self.target = request.target
        self.leftovers = Leftovers()
        self._new_standby = new_standby
        self._standby: StandbyLike | None = None
        self._disk_note = note
        self._steering: Steering | None = None
        self._stop: WriteStop | None = None
        self._paused_at_ms = 0.0
        self._missed = ""
        self._accepted = False
        self._rivals_kept_out = False
        self._stop_changes: list[SettingOverride] = []
        self._in_critical_section = contextlib.ExitStack()

    # -- survey and judgement
    # -------------------------------------------------------------------------------------

    def survey(self) -> bool:
        """Reads the shard until it is ready for a handover; returns whether the target is the
        master already.

        Changes nothing. What an earlier handover has left is in ``leftovers`` then, and ``run()``
        puts it back first. Raises PreconditionFailed with every reason that excludes the handover.
        """
        self._read()
        self._judge()
        noted = self._disk_note.left_behind() if self._disk_note else []
        self.leftovers = Leftovers.of(self.servers, self.request.master_name, self.shard, noted)
        self.outcome.old_master, self.outcome.new_master = self.shard.master, self.target
        if not self.leftovers:
            self._await_readiness()
        return self.shard.master == self.target

    def _read(self) -> None:
        self.shard = read_shard(self.servers, self.request.master_name)
        self.target = named_node(self.servers, self.shard, self.request.target)

    def _judge(self) -> None:
        """Refuses what no waiting mends; chooses the mode."""
        problems = permanent_problems(self.shard, self.target, self.request.wanted_version)
        if not problems and self.shard.master != self.target:
            problems = self._excluded_by_mode()
        if problems:
            raise handover_refused(problems, self.shard.master)

    def _await_readiness(self) -> None:
        """Until all is in order for a handover, or the time is up; PreconditionFailed says what is
        not.
        """
        judged = self.shard.master

        def observe() -> list[str]:
            self._read()
            return transient_problems(self.shard, self.target, self.request.max_lag_bytes)

        waited = until(observe, lambda found: not found, deadline_s=self._left_s(), interval_s=0.25, clock=self.clock)
        if waited.seen:
            raise handover_refused(waited.seen, self.shard.master)
        if self.shard.master != judged or not self.outcome.mode_reason:
            self._judge()
        self.outcome.old_master, self.outcome.new_master = self.shard.master, self.target

    def _excluded_by_mode(self) -> list[str]:
        """Chooses the mode; returns why it cannot be used here: versions, time limits, rights."""
        master = self.shard.node(self.shard.master)
        if master is None:
            return []  # it may come back: that is waited for
        mode, self.outcome.mode_reason = chosen_mode(self.request.mode, master.info.server, master.info.version)
        self.outcome.mode = mode
        self.outcome.warnings = mode_warnings(mode, master.info)
        problems = mode_refusals(mode, master.info, self.shard.master, self.shard.views)
        if mode == "pause":
            problems += pause_refusals(self.shard)
        for address in (self.shard.master, self.target):
            problems += missing_on_node(self.servers.node(address), mode)
        for sentinel in self.servers.sentinels:
            problems += missing_on_sentinel(sentinel)
        if mode == "coordinated" and not problems:
            problems, unknown = missing_to_coordinate(self.servers.node(self.shard.master))
            self.outcome.warnings += unknown
        return problems

    def _left_s(self) -> float:
        return max(0.0, self.request.wait_s - self.story.elapsed_s)

    def _target_state(self) -> NodeState:
        node = self.shard.node(self.target)
        if node is None:
            raise PreconditionFailed("survey() was not called, or the target is gone", node=self.target)
        return node

    def _old_master_state(self) -> NodeState:
        node = self.shard.node(self.outcome.old_master)
        if node is None:
            raise PreconditionFailed("the master is gone", node=self.outcome.old_master)
        return node

    # -- steer and align
    # ------------------------------------------------------------------------------------------

    def _steer(self, steering: Steering) -> None:
        steering.prefer()
        before = steering.priority_before(self.target)
        self.story.tell(f"steered: replica-priority of {self.target} is {STEERED_PRIORITY} (was {before})")
        for sentence in steering.tune():
            self.story.tell(f"tuned: {sentence}")

    def _ranked(self, steering: Steering) -> list[tuple[int, int]]:
        """``(wait_ms, index)`` of every Sentinel that will promote the target, soonest alignment
        first.
        """
        ranked = []
        for index, period_ms in steering.info_periods_ms():
            replies = self.servers.sentinels[index].command("SENTINEL", "REPLICAS", self.request.master_name)
            replicas = [renamed_replica(parse_replica(reply), self.servers.names) for reply in replies]
            choice = will_promote(replicas, self.target)
            if choice is not None and choice.flags == ("slave",):
                ranked.append((alignment_wait_ms(choice.info_age_ms, period_ms), index))
        return sorted(ranked)

    def _align(self, steering: Steering) -> Server:
        """Waits for a Sentinel that will promote the target, and (if wanted) for the moment when
        that is quickest.
        """
        while True:
            ranked = self._ranked(steering)
            if ranked:
                wait_ms, index = ranked[0]
                # a machine too busy for the right moment: a longer pause is better than no handover
                late = self.outcome.attempts == 0 and self._left_s() < self.request.wait_s / 2
                if wait_ms == 0 or late or not self.request.align:
                    self.outcome.aligned = wait_ms == 0
                    self.outcome.leader = str(self.servers.sentinels[index].address)
                    return self.servers.sentinels[index]
                self.clock.sleep_s(min(wait_ms / 1000 + 0.002, 0.25))
            else:
                self._missed = (
                    f"no Sentinel would promote {self.target}; it was steered to replica-priority {STEERED_PRIORITY}, which "
                    "Sentinels read every 10 s"
                )
                self.clock.sleep_s(0.1)
            self._give_up_if_late()

    def _give_up_if_late(self) -> None:
        if self._left_s() <= 0:
            raise self._too_late()

    def _too_late(self) -> PreconditionFailed:
        return PreconditionFailed(
            f"no attempt succeeded within {self.request.wait_s:g} s, the last one because: {self._missed or 'no time was left'}",
            node=self.target,
            state="Nothing was handed over, and no writes are held up",
            advice="Mend what is named (a slow replica, a high write rate), then run again",
        )

    # -- pause, catch up, fail over
    # -------------------------------------------------------------------------------

    def _attempt(self, steering: Steering) -> Server:
        """From the alignment to the accepted SENTINEL FAILOVER; anything before that is taken back
        here. Returns the leader.
        """
        leader = self._align(steering)
        self.outcome.attempts += 1
        if self.outcome.mode == "plain":
            self._fail_over(leader)
            return leader
        self._in_critical_section.enter_context(uninterrupted())
        try:
            if self.outcome.mode != "coordinated":
                self._stop_writes()
            self._write_down("failing over", paused_until_s=self._stop.paused_until_s if self._stop else 0.0)
            self._fail_over(leader)
        except BaseException:
            self._take_back()
            raise
        return leader

    def _stop_writes(self) -> None:
        """Until every replica has all writes."""
        old, mode = self.servers.node(self.shard.master), self.outcome.mode
        budget_ms = pause_budget_ms(self.shard.down_after_ms)
        stop = self._stop = self._write_stop()
        self._write_down("pausing")
        if mode == "fence":
            self._paused_at_ms = self.story.tell(f"fence: {old.address} refuses writes")
            self._catch_up(stop.refuse_writes())
        else:
            self._paused_at_ms = self.story.tell(f"pause: writes on {old.address} wait for at most {budget_ms} ms")
            self._catch_up(stop.pause(budget_ms))

    def _write_stop(self) -> WriteStop:
        return WriteStop(self.servers.node(self.shard.master), self._old_master_state(), self.clock, 2 * self._urgent_ms() / 1000 + 0.1)

    def _urgent_ms(self) -> int:
        """How long a reply may take while the writes are stopped: two of them must fit into what is
        left of a pause.
        """
        return max(100, min(500, pause_budget_ms(self.shard.down_after_ms) // 4))

    def _take_back(self) -> None:
        """The old master stays the master: its writes go on."""
        failed = self._stop.end() if self._stop else []
        self._in_critical_section.close()
        self._write_down("steering")
        self.story.tell("released: nothing was handed over")
        self.outcome.warnings += [f"{error}; a pause ends by itself" for error in failed]

    def _catch_up(self, offset: int) -> None:
        replicas = [node.address for node in self.shard.nodes if not node.info.is_master]

        def behind() -> list[str]:
            found = []
            for address in replicas:
                try:
                    info = node_info(parse_info(self.servers.node(address).command("INFO", "replication")))
                except (ConnectionFailed, CommandRefused) as error:
                    found.append(str(error).rstrip("."))
                    continue
                if info.offset < offset:
                    found.append(f"{address} lacks {offset - info.offset} bytes")
            return found

        waited = until(
            behind,
            lambda found: not found,
            deadline_s=self.request.catch_up_ms / 1000,
            interval_s=0.004,
            clock=self.clock,
        )
        if not waited.satisfied:
            self.story.tell(f"not caught up within {self.request.catch_up_ms} ms: {'; '.join(waited.seen)}")
            raise AttemptFailed("; ".join(waited.seen))
        self.story.tell(f"caught up: every replica has all writes (offset {offset})")

    def _fail_over(self, leader: Server) -> None:
        words = ["SENTINEL", "FAILOVER", self.request.master_name]
        if self.outcome.mode == "coordinated":
            words.append("COORDINATED")
            self._paused_at_ms = self.story.tell("the master pauses writes until the target has them all, and the two swap roles")
        try:
            leader.command(*words)
        except ConnectionFailed as lost:
            if not lost.sent:
                raise
            # It may have been accepted: go on as if it had been, the old master stays paused until
            # that is known.
            self.outcome.warnings.append(f"the answer to SENTINEL FAILOVER was lost: {lost}")
        except CommandRefused as refused:
            self.story.tell(f"Sentinel {leader.address} refused: {refused.reply}")
            raise AttemptFailed(refused.reply) from refused
        self.story.tell(f"failover accepted by Sentinel {leader.address}")

    def _until_accepted(self, steering: Steering) -> Server:
        """Attempts, each at its own alignment, until Sentinel accepts or the time is up. Returns
        the leader.

        Between two attempts the writes go on for ever longer, and all must be in order again.
        """
        rest_s = 0.25
        while True:
            try:
                return self._attempt(steering)
            except (AttemptFailed, ConnectionFailed, CommandRefused) as missed:
                self._missed = str(missed)
                self._give_up_if_late()
            self.clock.sleep_s(rest_s)
            rest_s = min(2 * rest_s, MAX_REST_S)
            self._ready_again()

    def _ready_again(self) -> None:
        master, target = self.shard.master, self.target

        def observe() -> list[str]:
            shard = read_shard(self.servers, self.request.master_name)
            found = transient_problems(shard, target, self.request.max_lag_bytes)
            return found + [f"{shard.master} is the master now"] * bool(shard.master and shard.master != master)

        waited = until(observe, lambda found: not found, deadline_s=self._left_s(), interval_s=0.25, clock=self.clock)
        if waited.seen:
            self._missed = "; ".join(waited.seen)
            raise self._too_late()

    # -- finish and settle
    # ----------------------------------------------------------------------------------------

    def _finish(self, leader: Server) -> None:
        """From the accepted SENTINEL FAILOVER on; in mode plain there is nothing to finish."""
        if self.outcome.mode != "plain":
            nodes = [node.address for node in self.shard.nodes]
            change = Promotion(
                self.servers, nodes, self.request, self.outcome, self.clock, self.story, self._stop, self._take_back, self._released
            )
            change.follow(leader)

    def _released(self) -> None:
        self._in_critical_section.close()
        self._write_down("settling")
        self.outcome.pause_ms = round(self.story.elapsed_s * 1000 - self._paused_at_ms, 1)

    def _settle(self, sync_full_before: int) -> None:
        """Waits until the failover has ended on every Sentinel and every replica follows the new
        master.
        """
        name, target = self.request.master_name, self.outcome.new_master

        def pending() -> list[str]:
            self.shard = read_shard(self.servers, name)
            self._keep_rivals_out_if_forgotten()
            found = [*self.shard.unreachable]
            for view in self.shard.views:
                if view.master.failover_in_progress:
                    found.append(f"Sentinel {view.address} has not ended the failover")
                if view.master.address != target:
                    found.append(f"Sentinel {view.address} names {view.master.address}")
            for node in self.shard.nodes:
                if node.address == target:
                    continue
                if node.info.is_master or not node.info.link_up or node.info.master != target:
                    found.append(f"{node.address} does not follow {target} yet")
            return found

        settle_s = SETTLE_S + self.shard.down_after_ms / 1000
        waited = until(pending, lambda found: not found, deadline_s=settle_s, interval_s=0.1, clock=self.clock)
        if not waited.satisfied:
            raise OperationFailed(
                f"the handover is done but has not settled within {settle_s:g} s: {'; '.join(waited.seen)}",
                node=target,
                state=f"{target} is the master and takes writes",
                advice="Do not stop a node before this is mended",
            )
        if target != self.target:
            raise OperationFailed(
                f"Sentinel {self.outcome.leader} promoted {target}, not {self.target}",
                node=self.target,
                state=f"{target} is the master and takes writes, all others follow it; nothing was lost",
                advice="See who else starts failovers or sets replica-priority, then run again: the role goes on from there",
            )
        self.outcome.full_resyncs = self._target_state().info.sync_full - sync_full_before
        self.story.tell("settled: no failover in progress, every replica is linked to the new master")

    def _keep_rivals_out_if_forgotten(self) -> None:
        """No Sentinel knows of the promotion: the leading one has died, and the others will fail
        over once more.

        They must choose the same node. Another one would be a second master beside it; and since a
        FAILOVER that was asked for needs no votes, it would have the same epoch as the one that the
        dead Sentinel has kept, and Sentinels would disagree for good (6.2).
        """
        steering, target = self._steering, self.outcome.new_master
        views = [view.master for view in self.shard.views]
        forgotten = views and not any(view.failover_in_progress or self.servers.names.of(view.address) == target for view in views)
        if steering is None or not forgotten or self._rivals_kept_out:
            return
        self._rivals_kept_out = True
        rivals = [node.address for node in self.shard.nodes if node.address not in (target, self.outcome.old_master)]
        steering.plan_to_keep_out(*rivals)
        try:
            self._note_changes(steering)
        except SentinelOpsError as error:
            self.outcome.warnings.append(f"{', '.join(rivals)} may still be promoted: {error}")
            steering.plan_to_keep_out()  # nobody, since nobody would know what to put back
            return
        self._write_down("settling", kept_out=rivals)
        self.outcome.warnings += steering.keep_out()
        self.story.tell(f"no Sentinel knows of the promotion: {', '.join(rivals) or 'nobody'} must not be chosen when they fail over again")

    # -- all of it
    # ------------------------------------------------------------------------------------------------

    def run(self) -> HandoverResult:
        """Puts back what was left, then the whole handover; call ``survey()`` first.

        Raises OperationFailed or PreconditionFailed, with what state the deployment is in.
        """
        if self._disk_note:
            self._disk_note.take({"pid": os.getpid(), "since": self.outcome.begun_at, "target": self.target})
        try:
            self._mend()
            if self.shard.master != self.target:
                self._hand_over()
        except SentinelOpsError as error:
            self._explain(error)
            raise
        finally:
            if self._disk_note:
                self._disk_note.release()
        return self.outcome

    def _mend(self) -> None:
        if not self.leftovers:
            return
        self.outcome.mended = self.leftovers.mend(self.servers, self.request.master_name, self.clock, self._left_s())
        self.outcome.changed = bool(self.outcome.mended)
        for sentence in self.outcome.mended:
            self.story.tell(f"mended: {sentence}")
        self._erase_note()
        self.leftovers = Leftovers()
        self._await_readiness()

    def _hand_over(self) -> None:
        sync_full_before = self._target_state().info.sync_full
        leaders = [index for index, view in enumerate(self.shard.views) if self.outcome.mode != "coordinated" or can_coordinate(view)]
        steering = self._steering = Steering(self.servers, self.shard, self.request.master_name, self.target, leaders)
        self._stop_changes = self._write_stop().changes()
        self._note_changes(steering)
        self.servers.set_timeout(self._urgent_ms())
        if self._new_standby is not None:
            self._standby = self._new_standby(self._take_over)
        try:
            self._write_down("steering")
            self._steer(steering)
            leader = self._until_accepted(steering)
            self._accepted = self.outcome.changed = True
            self._finish(leader)
            self._settle(sync_full_before)
        finally:
            self._restore(steering)
            self._in_critical_section.close()
            self._erase_note()
            if self._standby is not None:
                self._standby.dismiss()
        self.story.tell("restored: priorities and Sentinel settings are as before")

    def _note_changes(self, steering: Steering) -> None:
        """For whoever finds what is left if everything of ours dies; before it is changed."""
        if self._disk_note:
            self._disk_note.write([*steering.changes, *self._stop_changes])

    def _restore(self, steering: Steering) -> None:
        rewritten = [self.outcome.old_master] if self._accepted else []
        self.outcome.warnings += steering.restore(*rewritten)

    def _erase_note(self) -> None:
        if self._disk_note and not any(text.startswith("not restored") for text in self.outcome.warnings):
            self._disk_note.erase()

    def _explain(self, error: SentinelOpsError) -> None:
        """Every failure tells what was done until then, what state the deployment is in, and what
        to do.
        """
        error.facts.setdefault("timeline", self.outcome.timeline)
        error.facts.setdefault("warnings", self.outcome.warnings)
        if not error.state:
            if self._accepted:
                error.state = f"The failover to {self.target} was accepted, and how it ended is not known"
            else:
                error.state = f"Nothing was handed over, {self.shard.master} is the master"
        if not error.advice:
            error.advice = "Mend what is named and run again: it finishes, or puts back, what this run has left"

    # -- the standby
    # --------------------------------------------------------------------------------------------------

    def _write_down(self, phase: str, **facts: Any) -> None:
        """Tells the standby what it would have to finish, before that is begun."""
        if self._standby is not None:
            self._standby.note(phase=phase, leader=self.outcome.leader, **facts)

    def _take_over(self, state: Mapping[str, Any]) -> None:
        """What the standby does when the process that began this handover is dead."""
        if self._steering is None:
            return
        phase, sync_full_before = state["phase"], self._target_state().info.sync_full
        self.servers, self._standby = self.servers.again(), None
        steering = self._steering = self._steering.with_servers(self.servers)
        steering.plan_to_keep_out(*state.get("kept_out", ()))
        try:
            if phase in ("pausing", "failing over"):
                self._adopt(phase, state)
            if phase in ("failing over", "settling"):
                self._settle(sync_full_before)
        finally:
            self._restore(steering)
            self._erase_note()
            if self._disk_note:
                self._disk_note.release()

    def _adopt(self, phase: str, state: Mapping[str, Any]) -> None:
        """Finishes, or takes back, what the dead process had begun while the writes were stopped."""
        if self.outcome.mode != "coordinated":
            stop = self._stop = self._write_stop()
            stop.adopt(state.get("paused_until_s", 0.0), may_be_paused=self.outcome.mode == "pause")
        if phase == "pausing":
            self._take_back()
            return
        self.outcome.leader = state["leader"]
        self._accepted = self.outcome.changed = True
        self._finish(self.servers.sentinel(state["leader"]))
