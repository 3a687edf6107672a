# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hand the master role to a named replica without losing an acknowledged write.

SENTINEL FAILOVER alone promotes the target and leaves the old master writable for about ten
seconds. Writes that the old master accepts in that time are lost. A handover stops the writes until
the target has all of them, and makes the old master a replica before writes resume. The phases:
steer, align, pause, catch up, arm, fail over, demote, agree, release, settle.

Invariants, whichever process or server dies, stalls or is partitioned:

- No acknowledged write is lost.
- At most one node accepts writes.
- After an accepted failover, a node that says role:master is not released, unless the leader has
  aborted the failover.
- Every override is in the undo file before the setting changes.
- Every wait has a deadline.
"""

from __future__ import annotations

import os

from .._errors import OperationFailed, SentinelOpsError
from .._topology.shard import Shard, ShardServers, named_node, read_shard
from .._wait import Clock, until
from .alignment import MasterMoved
from .attempt import Attempts
from .context import HandoverContext, NewStandby, Progress, node_state, urgent_timeout_ms
from .critical_section import new_write_stop
from .leaders import ordered_leaders
from .leftovers import Leftovers
from .modes import can_coordinate, chosen_mode, mode_warnings
from .promotion import Promotion
from .proof import StopPoint, promotion_doubt, read_replication
from .readiness import handover_refused, mode_problems, permanent_problems, transient_problems
from .result import HandoverRequest, HandoverResult, Timeline
from .settling import Settling
from .state import HandoverState
from .steering import STEERED_PRIORITY, Steering
from .takeover import Takeover, restore
from .undo_file import UndoFile
from .watch import Promoted

__all__ = ["Handover", "HandoverRequest", "HandoverResult", "NewStandby"]


class Handover:
    """One handover on one shard. Use: ``survey()``, then ``run()``."""

    def __init__(
        self,
        servers: ShardServers,
        request: HandoverRequest,
        clock: Clock,
        new_standby: NewStandby | None = None,
        undo_file: UndoFile | None = None,
    ) -> None:
        self.result = HandoverResult()
        self.context = HandoverContext(servers, request, clock, Timeline(self.result, clock), self.result)
        self.shard = Shard((), (), ())
        self.target = request.target
        self.leftovers = Leftovers()
        self._new_standby = new_standby
        self._progress = Progress(undo_file)
        self._accepted = False

    # -- survey -----------------------------------------------------------------------------------

    def survey(self) -> bool:
        """Read the shard until it is ready; return whether the target is the master already.

        Changes nothing. ``leftovers`` holds the remains of an earlier handover, which ``run()``
        restores first. Raises PreconditionFailed with every reason that excludes the handover.
        """
        self._read()
        self._judge()
        undo_file = self._progress.undo_file
        noted, state = undo_file.left_behind() if undo_file else ([], HandoverState())
        self.leftovers = Leftovers.of(self.context.servers, self.context.request.master_name, self.shard, noted, state)
        self._name_masters()
        if not self.leftovers:
            self._await_readiness()
        return self.shard.master == self.target

    def _read(self) -> None:
        servers = self.context.servers
        self.shard = read_shard(servers, self.context.request.master_name)
        self.target = named_node(servers, self.shard, self.context.request.target)

    def _name_masters(self) -> None:
        self.result.old_master, self.result.new_master = self.shard.master, self.target

    def _judge(self) -> None:
        """Raise if waiting cannot help; otherwise choose the mode."""
        problems = permanent_problems(self.shard, self.target, self.context.request.wanted_version)
        if not problems and self.shard.master != self.target:
            problems = self._choose_mode()
        if problems:
            raise handover_refused(problems, self.shard.master)

    def _choose_mode(self) -> list[str]:
        """Choose the mode; return what excludes that mode on this shard, a sentence each."""
        master, result = self.shard.node(self.shard.master), self.result
        if master is None:
            return []  # the master may come back: _await_readiness() waits for it
        result.mode, result.mode_reason = chosen_mode(self.context.request.mode, master.info.server, master.info.version)
        problems, warnings = mode_problems(self.context.servers, self.shard, self.target, result.mode, self.context.clock)
        result.warnings = mode_warnings(result.mode, master.info) + warnings
        return problems

    def _await_readiness(self) -> None:
        """Wait until the handover may begin; raise PreconditionFailed at the deadline."""
        judged, context = self.shard.master, self.context

        def observe() -> list[str]:
            self._read()
            return transient_problems(self.shard, self.target, context.request.max_lag_bytes)

        waited = until(observe, lambda found: not found, deadline_s=context.left_s, interval_s=0.25, clock=context.clock, says="; ".join)
        if waited.seen:
            raise handover_refused(waited.seen, self.shard.master)
        if self.shard.master != judged or not self.result.mode_reason:
            self._judge()
        self._name_masters()

    # -- run --------------------------------------------------------------------------------------

    def run(self) -> HandoverResult:
        """Restore leftovers, then hand the role over; call ``survey()`` first.

        Raises OperationFailed or PreconditionFailed, with the state of the deployment.
        """
        with self._progress.locked(pid=os.getpid(), since=self.result.begun_at, target=self.target):
            try:
                self._recover()
                if self.shard.master != self.target:
                    self._hand_over()
            except SentinelOpsError as error:
                self._explain(error)
                raise
        return self.result

    def _recover(self) -> None:
        """Finish an earlier handover that was interrupted, and restore its overrides."""
        context = self.context
        if not self.leftovers:
            return
        self.result.recovered = self.leftovers.recover(context.servers, context.request.master_name, context.clock, context.left_s)
        self.result.changed = bool(self.result.recovered)
        for sentence in self.result.recovered:
            context.timeline.add(f"recovered: {sentence}")
        self._progress.erase(self.result.warnings)
        self.leftovers = Leftovers()
        self._await_readiness()

    def _hand_over(self) -> None:
        context, shard, progress = self.context, self.shard, self._progress
        node_state(shard, self.target, "the target")
        steering = self._new_steering()
        stop_overrides = new_write_stop(context, shard).overrides()
        progress.save_overrides([*steering.overrides, *stop_overrides])
        if self._new_standby is not None:
            progress.standby = self._new_standby(Takeover(context, progress, shard, self.target, steering).run)
        # after the fork: a shared connection outlives its end here, with what was not delivered
        context.servers.set_timeout(urgent_timeout_ms(shard))
        before = self._survey_point()
        attempts = Attempts(context, progress, shard, self.target, steering)
        try:
            progress.enter("steering")
            self._steer(steering)
            self._move_role(attempts, before)
            Settling(context, progress, shard, self.target, steering, stop_overrides).wait()
        finally:
            restore(context, progress, attempts.section, steering, self._accepted)
            attempts.section.close()
            progress.dismiss_standby()
        context.timeline.add("restored: priorities and Sentinel settings are as before")
        if self.result.loss == "found":
            raise self._loss_found()

    def _survey_point(self) -> StopPoint:
        """Return the master's replication id, and the least offset of a promoted replica."""
        try:
            state = read_replication(self.context.servers.node(self.shard.master))
        except SentinelOpsError:
            return StopPoint("unknown")  # a promotion by another failover cannot be proved then
        return StopPoint(state.replid, min(node.info.offset for node in self.shard.nodes))

    def _move_role(self, attempts: Attempts, before: StopPoint) -> None:
        """Fail over; or adopt the result of another failover that came in between."""
        try:
            leader = attempts.until_accepted()
        except MasterMoved as moved:
            self._accepted = self.result.changed = True
            self._adopt(attempts, moved.address, before)
            return
        self._accepted = self.result.changed = True
        if self.result.mode != "plain":
            Promotion(self.context, attempts.section, self.shard, attempts.point).follow(leader)

    def _adopt(self, attempts: Attempts, address: str, before: StopPoint) -> None:
        """Make the old master follow, at once, the node that another failover promoted."""
        state = read_replication(self.context.servers.node(address))
        doubt = promotion_doubt(state, before)
        if doubt:
            raise OperationFailed(
                f"a failover that this run did not start names {address} as the master, and {doubt}",
                node=address,
                state=f"{self.shard.master} was not made to follow it, and takes writes until a Sentinel makes it a replica",
                advice=f"Keep {self.shard.master}, which has all writes; stop {address} and find out why it came up as a master",
            )
        self.context.timeline.add(f"moved: a failover that this run did not start has made {address} the master")
        self.result.foreign = True
        Promotion(self.context, attempts.section, self.shard, before).complete(Promoted(address, state.promoted_at))
        self.result.pause_ms = 0.0
        self.result.warnings.append(
            f"a failover that this run did not start has made {address} the master, without a pause: "
            + (self.result.loss_reason or "how many bytes diverged is not known")
        )

    def _loss_found(self) -> OperationFailed:
        return OperationFailed(
            f"acknowledged writes were lost: {self.result.loss_reason}",
            node=self.result.old_master,
            state=f"{self.result.new_master} is the master and takes writes, all others follow it",
            advice="Find out what let writes through while they were stopped: CLIENT UNPAUSE by somebody, or a clock that jumped",
        )

    def _new_steering(self) -> Steering:
        views = enumerate(self.shard.views)
        able = [index for index, view in views if self.result.mode != "coordinated" or can_coordinate(view)]
        leaders = ordered_leaders(self.context.servers, self.shard, able, self.context.request.leader)
        share = self._progress.undo_file.share_period if self._progress.undo_file else None
        return Steering(self.context.servers, self.shard, self.context.request.master_name, self.target, leaders, share)

    def _steer(self, steering: Steering) -> None:
        timeline = self.context.timeline
        steering.prefer()
        before = steering.priority_before(self.target)
        timeline.add(f"steered: replica-priority of {self.target} is {STEERED_PRIORITY} (was {before})")
        phase_s = steering.phase_s(self.context.clock.now_s())
        if phase_s:
            self.context.clock.sleep_s(phase_s)
        for sentence in steering.tune():
            timeline.add(f"tuned: {sentence}")

    def _explain(self, error: SentinelOpsError) -> None:
        """Add the timeline, the state of the deployment and advice to an error."""
        error.facts.setdefault("timeline", self.result.timeline)
        error.facts.setdefault("warnings", self.result.warnings)
        if not error.state:
            if self._accepted:
                error.state = f"The failover to {self.target} was accepted, and its outcome is not known"
            else:
                error.state = f"Nothing was handed over, {self.shard.master} is the master"
        if not error.advice:
            error.advice = "Fix the problem above and run again: the next run finishes or restores what this run left"
