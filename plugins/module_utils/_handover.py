# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handing the master role to a named replica without losing an acknowledged write.

SENTINEL FAILOVER alone promotes the target and leaves the old master writable for about ten seconds; what it accepts
in that time is lost. Here the writes are paused until the target has them all, and the old master is made a replica
before they go on: steer, align, pause, catch up, fail over, demote, agree, release, settle.

Until SENTINEL FAILOVER has been accepted everything can be taken back. From then on a node that still says role:master
is never unpaused.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Protocol

from ._address import same_node
from ._connection import Server
from ._election import alignment_wait_ms, would_promote
from ._errors import CommandRefused, ConnectionFailed, OperationFailed, PreconditionFailed, SentinelOpsError
from ._info import node_info, parse_info
from ._sentinel import SentinelView, parse_master, parse_replica
from ._shard import NodeState, Shard, ShardServers, not_ready, pause_budget_ms, read_shard, refusals, refuse
from ._signals import uninterrupted
from ._steering import STEERED_PRIORITY, Steering
from ._wait import Clock, until
from ._writestop import WriteStop

__all__ = ["Handover", "HandoverRequest", "Outcome"]

PROMOTION_S = 60.0  # how long a promotion that was accepted, and neither happened nor was given up, is waited for
DEMOTION_S = 20.0  # Sentinel makes an old master a replica after 8 s, at its next INFO


@dataclass(frozen=True)
class HandoverRequest:
    """What is wanted. ``mode`` is ``pause`` or ``plain``; durations carry their unit."""

    master_name: str
    target: str
    mode: str = "pause"
    align: bool = True
    wanted_version: str = ""
    max_lag_bytes: int = 1048576
    wait_s: float = 60.0
    catch_up_ms: int = 300


@dataclass
class Outcome:
    """What was done: the result of the module. ``timeline`` has entries ``{"at_ms": float, "event": str}``."""

    changed: bool = False
    begun_at: str = ""
    mode: str = "pause"
    old_master: str = ""
    new_master: str = ""
    leader: str = ""
    attempts: int = 0
    aligned: bool = False
    pause_ms: float = 0.0
    full_resyncs: int = 0
    timeline: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def as_result(self) -> dict[str, Any]:
        return dict(vars(self))


class GuardLike(Protocol):
    """A standby process (see _guard)."""

    def note(self, **state: Any) -> None: ...

    def dismiss(self) -> None: ...


NewGuard = Callable[[Callable[[Mapping[str, Any]], None]], GuardLike]


class _Missed(Exception):
    """This attempt was taken back; another one may do."""


class Handover:
    """One handover on one shard. Use: ``survey()``, then ``run()``."""

    def __init__(self, servers: ShardServers, request: HandoverRequest, clock: Clock, new_guard: NewGuard | None = None) -> None:
        self.servers = servers
        self.request = request
        self.clock = clock
        self.outcome = Outcome(mode=request.mode, begun_at=clock.utc())
        if request.mode == "plain":
            self.outcome.warnings.append(
                "mode plain: the old master goes on accepting writes for about ten seconds after the promotion, and they are lost"
            )
        self.shard = Shard((), (), ())
        self.target = request.target
        self._start_s = clock.now_s()
        self._new_guard = new_guard
        self._guard: GuardLike | None = None
        self._steering: Steering | None = None
        self._stop: WriteStop | None = None
        self._paused_at_ms = 0.0
        self._missed = ""
        self._in_critical_section = contextlib.ExitStack()

    # -- survey and judgement -------------------------------------------------------------------------------------

    def survey(self) -> bool:
        """Reads the shard until it is ready for a handover; returns whether the target is the master already.

        Raises PreconditionFailed with every reason that excludes the handover.
        """
        name = self.request.master_name
        self.shard = read_shard(self.servers, name)
        self.target = self.shard.known_as(self.request.target) or self.request.target
        problems = refusals(self.shard, self.target, self.request.wanted_version)
        if problems:
            raise refuse(problems, self.shard.master)

        def observe() -> list[str]:
            self.shard = read_shard(self.servers, name)
            return not_ready(self.shard, self.target, self.request.max_lag_bytes)

        waited = until(observe, lambda found: not found, deadline_s=self._left_s(), interval_s=0.25, clock=self.clock)
        if not waited.satisfied:
            raise refuse(waited.seen, self.shard.master)
        self.outcome.old_master = self.shard.master
        self.outcome.new_master = self.target
        return self.shard.master == self.target

    def _left_s(self) -> float:
        return max(0.0, self.request.wait_s - (self.clock.now_s() - self._start_s))

    def _note(self, event: str) -> float:
        at_ms = (self.clock.now_s() - self._start_s) * 1000
        self.outcome.timeline.append({"at_ms": round(at_ms, 1), "event": event})
        return at_ms

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

    # -- steer and align ------------------------------------------------------------------------------------------

    def _steer(self, steering: Steering) -> None:
        steering.prefer()
        before = steering.priority_before(self.target)
        self._note(f"steered: replica-priority of {self.target} is {STEERED_PRIORITY} (was {before})")
        quick = steering.quicken()
        if quick:
            self._note(f"Sentinel {quick} asks for INFO every second")

    def _ranked(self, steering: Steering) -> list[tuple[int, int]]:
        """``(wait_ms, index)`` of every Sentinel that would promote the target, soonest alignment first."""
        ranked = []
        for index, period_ms in steering.info_periods_ms():
            replies = self.servers.sentinels[index].command("SENTINEL", "REPLICAS", self.request.master_name)
            view = _with_replicas(self.shard.views[index], [parse_replica(reply) for reply in replies])
            choice = would_promote(view)
            if choice is not None and choice.address == self.target and choice.flags == ("slave",):
                ranked.append((alignment_wait_ms(choice.info_age_ms, period_ms), index))
        return sorted(ranked)

    def _align(self, steering: Steering) -> Server:
        """Waits for a Sentinel that would promote the target, and (if wanted) for the moment when that is quickest."""
        while True:
            ranked = self._ranked(steering)
            if ranked:
                wait_ms, index = ranked[0]
                if wait_ms == 0 or not self.request.align:
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
            raise PreconditionFailed(
                f"no attempt succeeded within {self.request.wait_s:g} s, the last one because: {self._missed or 'no time was left'}",
                node=self.target,
                state=f"Nothing was handed over, {self.shard.master} is the master and takes writes",
                advice="Mend what is named (a slow replica, a high write rate), then run again",
                timeline=self.outcome.timeline,
            )

    # -- pause, catch up, fail over -------------------------------------------------------------------------------

    def _attempt(self, steering: Steering) -> None:
        """From the alignment to the accepted SENTINEL FAILOVER; anything before that is taken back here."""
        leader = self._align(steering)
        self.outcome.attempts += 1
        self._in_critical_section.enter_context(uninterrupted())
        old = self.servers.node(self.shard.master)
        stop = self._stop = WriteStop(old, self._old_master_state(), self.clock)
        budget_ms = pause_budget_ms(min(view.master.down_after_ms for view in self.shard.views))
        try:
            self._write_down("pausing")
            self._paused_at_ms = self._note(f"pause: writes on {old.address} wait for at most {budget_ms} ms")
            self._catch_up(stop.pause(budget_ms))
            self._write_down("failing over", paused_until_s=stop.paused_until_s)
            self._fail_over(leader)
        except BaseException:
            self._take_back(stop)
            raise

    def _take_back(self, stop: WriteStop) -> None:
        """The old master stays the master: its writes go on."""
        failed = stop.end()
        self._in_critical_section.close()
        self._write_down("steering")
        self._note("released: nothing was handed over")
        self.outcome.warnings += [f"{error}; a pause ends by itself" for error in failed]

    def _catch_up(self, offset: int) -> None:
        replicas = [node.address for node in self.shard.nodes if not node.info.is_master]

        def behind() -> list[str]:
            found = []
            for address in replicas:
                info = node_info(parse_info(self.servers.node(address).command("INFO", "replication")))
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
            self._note(f"not caught up within {self.request.catch_up_ms} ms: {'; '.join(waited.seen)}")
            raise _Missed("; ".join(waited.seen))
        self._note(f"caught up: every replica has all writes (offset {offset})")

    def _fail_over(self, leader: Server) -> None:
        name = self.request.master_name
        try:
            leader.command("SENTINEL", "FAILOVER", name)
        except ConnectionFailed as lost:
            # It may have been accepted: go on as if it had been, the old master stays paused until that is known.
            self.outcome.warnings.append(f"the answer to SENTINEL FAILOVER was lost: {lost}")
        except CommandRefused as refused:
            self._note(f"Sentinel {leader.address} refused: {refused.reply}")
            raise _Missed(refused.reply) from refused
        self._note(f"failover accepted by Sentinel {leader.address}")

    # -- demote, agree, release -----------------------------------------------------------------------------------

    def _await_promotion(self, leader: Server, stop: WriteStop) -> None:
        """Until the target is master; fences the old master if the pause would end before that."""
        target = self.servers.node(self.target)
        begun_s = self.clock.now_s()
        next_look_s, given_up = begun_s + 0.5, 0
        while not self._has_role(target, "master"):
            now_s = self.clock.now_s()
            if stop.ends_soon():
                self._fence(stop)
            if now_s > next_look_s:
                next_look_s = now_s + 0.25
                given_up = given_up + 1 if self._gave_up(leader) else 0
                if given_up >= 3:
                    self._give_back(stop)
            if now_s > begun_s + PROMOTION_S:
                raise OperationFailed(
                    f"Sentinel {leader.address} accepted the failover {PROMOTION_S:g} s ago, has neither promoted {self.target} nor "
                    "given it up, and does not answer",
                    node=str(stop.server.address),
                    state=f"{stop.server.address} is fenced and refuses writes, since the promotion may still come",
                    advice="End that Sentinel's process, see that only one node says role:master, set min-replicas-to-write back there, "
                    "and run again",
                    timeline=self.outcome.timeline,
                )
            self.clock.sleep_s(0.004)
        self._note(f"promoted: {self.target} is master")

    @staticmethod
    def _has_role(server: Server, role: str) -> bool:
        try:
            return bool(server.command("ROLE")[0] == role)
        except (ConnectionFailed, CommandRefused):
            return False  # Sentinel closes the target's connections as it promotes it

    def _gave_up(self, leader: Server) -> bool:
        """Whether the failover was given up: none in progress and the old master still named, or the leader is gone."""
        try:
            view = parse_master(leader.command("SENTINEL", "MASTER", self.request.master_name))
        except ConnectionFailed as error:
            return error.refused  # a Sentinel that ends forgets its failover; one that hangs may go on with it
        except CommandRefused:
            return False
        return not view.failover_in_progress and view.address == self.shard.master

    def _give_back(self, stop: WriteStop) -> None:
        """The failover did not happen: the old master is the master, so its writes go on."""
        self._take_back(stop)
        raise OperationFailed(
            f"Sentinel {self.outcome.leader} accepted the failover and gave it up (its log says why: -failover-abort-...)",
            state=f"{stop.server.address} is still the master and takes writes; nothing was lost",
            advice="Run again; if it happens again, look for what the log names",
            timeline=self.outcome.timeline,
        )

    def _fence(self, stop: WriteStop) -> None:
        try:
            stop.fence()
            self._note(f"fenced: the pause ends before the promotion, {stop.server.address} refuses writes instead")
        except ConnectionFailed:
            pass  # it is down: it takes no writes; it is tried again

    def _demote(self, stop: WriteStop) -> None:
        """Makes the old master a replica of the target, its writes still stopped."""
        old, (host, port) = stop.server, self.servers.node(self.target).address
        for _attempt in range(5):
            try:
                old.command("REPLICAOF", host, port)
                self._note(f"demoted: {old.address} follows {self.target}")
                return
            except ConnectionFailed as error:
                reason: SentinelOpsError = error
                self.clock.sleep_s(0.05)
            except SentinelOpsError as error:
                reason = error
                break
        self.outcome.warnings.append(f"{old.address} could not be made a replica: {reason}; that is left to Sentinel")
        if not isinstance(reason, ConnectionFailed):
            self._await_demotion(stop)

    def _await_demotion(self, stop: WriteStop) -> None:
        """For a node that refuses REPLICAOF from us: Sentinel demotes it after about ten seconds, fenced until then."""
        if not stop.fenced:
            stop.fence()
        waited = until(lambda: self._has_role(stop.server, "slave"), bool, deadline_s=DEMOTION_S, interval_s=0.1, clock=self.clock)
        if not waited.satisfied:
            raise OperationFailed(
                f"{stop.server.address} refuses to become a replica, and Sentinel has not made it one within {DEMOTION_S:g} s",
                node=str(stop.server.address),
                state=f"{self.target} is the master and takes writes; {stop.server.address} still says role:master and is fenced",
                advice="Make it a replica by hand (REPLICAOF), then set min-replicas-to-write back there",
                timeline=self.outcome.timeline,
            )
        self._note(f"demoted by Sentinel: {stop.server.address}")

    def _agree(self) -> None:
        """Waits until the Sentinels name the target: that is where clients ask."""
        total = len(self.servers.sentinels)
        address = self.servers.node(self.target).address

        def asked() -> tuple[int, int]:
            naming = silent = 0
            for sentinel in self.servers.sentinels:
                try:
                    reply = sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.request.master_name)
                except SentinelOpsError:
                    silent += 1
                    continue
                host, port = reply or ("", "0")
                naming += (host, int(port)) == (address.host, address.port)
            return naming, silent

        def enough(seen: tuple[int, int]) -> bool:
            """All that answer, and a majority of all: clients must not wait for a Sentinel that is dead."""
            naming, silent = seen
            return naming + silent == total and naming > total // 2

        waited = until(asked, enough, deadline_s=5.0, interval_s=0.01, clock=self.clock)
        naming = waited.seen[0]
        self._note(f"agreed: {naming} of {total} Sentinels name {self.target}")
        if naming < total:
            self.outcome.warnings.append(f"only {naming} of {total} Sentinels name {self.target}")

    def _release(self, stop: WriteStop) -> None:
        """Sends the clients of the old master, which is a replica now, to the new one, and lets it apply the stream."""
        failed = stop.end(["CLIENT", "KILL", "TYPE", "normal"], ["CLIENT", "KILL", "TYPE", "pubsub"])
        self._in_critical_section.close()
        self._write_down("settling")
        self.outcome.warnings += [f"releasing the old master: {error}" for error in failed]
        old = stop.server.address
        released_ms = self._note(f"released: the clients of {old} were disconnected, they find {self.target}")
        self.outcome.pause_ms = round(released_ms - self._paused_at_ms, 1)

    # -- settle ---------------------------------------------------------------------------------------------------

    def _settle(self, sync_full_before: int) -> None:
        """Waits until the failover has ended on every Sentinel and every replica follows the new master."""
        name = self.request.master_name

        def pending() -> list[str]:
            self.shard = read_shard(self.servers, name)
            found = [*self.shard.unreachable]
            for view in self.shard.views:
                if view.master.failover_in_progress:
                    found.append(f"Sentinel {view.address} has not ended the failover")
                if view.master.address != self.target:
                    found.append(f"Sentinel {view.address} names {view.master.address}")
            for node in self.shard.nodes:
                if node.address == self.target:
                    continue
                if node.info.is_master or not node.info.link_up or not same_node(node.info.master, self.target):
                    found.append(f"{node.address} does not follow {self.target} yet")
            return found

        waited = until(pending, lambda found: not found, deadline_s=30.0, interval_s=0.1, clock=self.clock)
        if not waited.satisfied:
            raise OperationFailed(
                f"the handover is done but has not settled within 30 s: {'; '.join(waited.seen)}",
                node=self.target,
                state=f"{self.target} is the master and takes writes",
                advice="Do not stop a node before this is mended",
                timeline=self.outcome.timeline,
            )
        self.outcome.full_resyncs = self._target_state().info.sync_full - sync_full_before
        self._note("settled: no failover in progress, every replica is linked to the new master")

    # -- all of it ------------------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """The whole handover; call ``survey()`` first. Raises OperationFailed or PreconditionFailed."""
        sync_full_before = self._target_state().info.sync_full
        steering = self._steering = Steering(self.servers, self.shard, self.target)
        if self._new_guard is not None:
            self._guard = self._new_guard(self._take_over)
        try:
            self._write_down("steering")
            self._steer(steering)
            leader = self._until_accepted(steering)
            self.outcome.changed = True
            self._finish(leader)
            self._settle(sync_full_before)
        finally:
            self._restore(steering)
            self._in_critical_section.close()
            if self._guard is not None:
                self._guard.dismiss()
        self._note("restored: priorities and INFO period are as before")
        return self.outcome

    def _finish(self, leader: Server) -> None:
        """From the accepted SENTINEL FAILOVER on; in mode plain there is nothing to finish."""
        if self._stop is not None:
            self._await_promotion(leader, self._stop)
            self._demote(self._stop)
            self._agree()
            self._release(self._stop)

    def _restore(self, steering: Steering) -> None:
        rewritten = [self.outcome.old_master] if self.outcome.changed else []
        self.outcome.warnings += steering.restore(*rewritten)

    # -- the standby --------------------------------------------------------------------------------------------------

    def _write_down(self, phase: str, **facts: Any) -> None:
        """Tells the standby what it would have to finish, before that is begun."""
        if self._guard is not None:
            self._guard.note(phase=phase, leader=self.outcome.leader, **facts)

    def _take_over(self, state: Mapping[str, Any]) -> None:
        """What the standby does when the process that began this handover is dead."""
        if self._steering is None:
            return
        phase, sync_full_before = state["phase"], self._target_state().info.sync_full
        self.servers, self._guard = self.servers.again(), None
        steering = self._steering.with_servers(self.servers)
        try:
            if phase in ("pausing", "failing over"):
                stop = self._stop = WriteStop(self.servers.node(self.shard.master), self._old_master_state(), self.clock)
                stop.paused_until_s = state.get("paused_until_s", 0.0)
                if phase == "pausing":
                    self._take_back(stop)
                else:
                    stop.adopt_fence()
                    self.outcome.leader = state["leader"]
                    self.outcome.changed = True
                    self._finish(next(s for s in self.servers.sentinels if str(s.address) == state["leader"]))
            if phase in ("failing over", "settling"):
                self._settle(sync_full_before)
        finally:
            self._restore(steering)

    def _until_accepted(self, steering: Steering) -> Server:
        """Attempts, each at its own alignment, until Sentinel accepts or the time is up. Returns the leader."""
        while True:
            try:
                if self.request.mode == "plain":
                    self._fail_over(self._align(steering))
                else:
                    self._attempt(steering)
                return next(s for s in self.servers.sentinels if str(s.address) == self.outcome.leader)
            except _Missed as missed:
                self._missed = str(missed)
                self._give_up_if_late()
                self.clock.sleep_s(0.2)


def _with_replicas(view: SentinelView, replicas: list[Any]) -> SentinelView:
    return SentinelView(**{**vars(view), "replicas": tuple(replicas)})
