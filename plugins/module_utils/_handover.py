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
from typing import Any, Callable

from ._address import same_node
from ._connection import Server, transaction
from ._election import alignment_wait_ms, to_outrank, would_promote
from ._errors import (
    AccessDenied,
    CommandRefused,
    ConnectionFailed,
    OperationFailed,
    PreconditionFailed,
    SentinelOpsError,
)
from ._info import node_info, parse_info
from ._sentinel import SentinelView, parse_master, parse_replica
from ._shard import FENCE, NodeState, Shard, ShardServers, config_values, not_ready, pause_budget_ms, read_shard, refusals, refuse
from ._signals import uninterrupted
from ._wait import Clock, until

__all__ = ["Handover", "HandoverRequest", "Outcome"]

INFO_PERIOD_MS = 10000
QUICK_INFO_PERIOD_MS = 1000
STEERED_PRIORITY = 1
FENCE_MARGIN_MS = 200


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


class _Missed(Exception):
    """This attempt was taken back; another one may do."""


class Handover:
    """One handover on one shard. Use: ``survey()``, then ``run()``."""

    def __init__(self, servers: ShardServers, request: HandoverRequest, clock: Clock) -> None:
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
        self._priorities: dict[str, int] = {}
        self._quickened: dict[int, int] = {}
        self._fence: dict[str, str] = {}
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

    # -- steer ----------------------------------------------------------------------------------------------------

    def _steer(self) -> None:
        """Gives the target the best priority (1, never 0) and ends ties."""
        before = self._target_state().priority
        self._priorities[self.target] = before
        if before != STEERED_PRIORITY:
            self.servers.node(self.target).command("CONFIG", "SET", "replica-priority", STEERED_PRIORITY)
        for address in to_outrank(self.shard.views[0].replicas, self.target):
            other = self.shard.node(address)
            if other is not None and other.priority == STEERED_PRIORITY:
                self._priorities[address] = other.priority
                self.servers.node(address).command("CONFIG", "SET", "replica-priority", STEERED_PRIORITY + 1)
        self._note(f"steered: replica-priority of {self.target} is {STEERED_PRIORITY} (was {before})")

    def _quicken(self) -> None:
        """Where the server can (7.0 on), one Sentinel asks for INFO every second instead of every ten."""
        for index, sentinel in enumerate(self.servers.sentinels):
            try:
                reply = sentinel.command("SENTINEL", "DEBUG")
                values = {str(name).lower(): value for name, value in zip(reply[::2], reply[1::2])}
                sentinel.command("SENTINEL", "DEBUG", "INFO-PERIOD", QUICK_INFO_PERIOD_MS)
                self._quickened[index] = int(values.get("info-period", INFO_PERIOD_MS))
                self._note(f"Sentinel {sentinel.address} asks for INFO every {QUICK_INFO_PERIOD_MS} ms")
                return
            except (CommandRefused, AccessDenied, ConnectionFailed):
                continue

    # -- align ----------------------------------------------------------------------------------------------------

    def _ranked(self) -> list[Any]:
        """``(wait_ms, Sentinel)`` for every Sentinel that would promote the target, soonest alignment first."""
        ranked = []
        for index, sentinel in enumerate(self.servers.sentinels):
            if self._quickened and index not in self._quickened:
                continue
            replies = sentinel.command("SENTINEL", "REPLICAS", self.request.master_name)
            view = _with_replicas(self.shard.views[index], [parse_replica(reply) for reply in replies])
            choice = would_promote(view)
            period = QUICK_INFO_PERIOD_MS if index in self._quickened else INFO_PERIOD_MS
            seen = view.replica(self.target)
            if choice is not None and seen is not None and choice.address == self.target and choice.flags == ("slave",):
                ranked.append((alignment_wait_ms(seen.info_age_ms, period), index, sentinel))
        return sorted(ranked, key=lambda entry: entry[:2])

    def _align(self) -> Server:
        """Waits for a Sentinel that would promote the target, and (if wanted) for the moment when that is quickest."""
        while True:
            ranked = self._ranked()
            if ranked:
                wait_ms, _index, sentinel = ranked[0]
                if wait_ms == 0 or not self.request.align:
                    self.outcome.aligned = wait_ms == 0
                    self.outcome.leader = str(sentinel.address)
                    return sentinel  # type: ignore[no-any-return]
                self.clock.sleep_s(min(wait_ms / 1000 + 0.002, 0.25))
            else:
                self.clock.sleep_s(0.1)
            if self._left_s() <= 0:
                raise refuse(
                    [
                        f"no Sentinel would promote {self.target} within {self.request.wait_s:g} s; it was steered to "
                        f"replica-priority {STEERED_PRIORITY}, which Sentinels read every 10 s"
                    ],
                    self.shard.master,
                )

    # -- pause, catch up, fail over -------------------------------------------------------------------------------

    def _attempt(self) -> None:
        """From the alignment to the accepted SENTINEL FAILOVER; anything before that is taken back here."""
        leader = self._align()
        self.outcome.attempts += 1
        self._in_critical_section.enter_context(uninterrupted())
        old = self.servers.node(self.shard.master)
        budget_ms = pause_budget_ms(min(view.master.down_after_ms for view in self.shard.views))
        try:
            self._paused_at_ms = self._note(f"pause: writes on {old.address} wait for at most {budget_ms} ms")
            self._pause_ends_s = self.clock.now_s() + budget_ms / 1000
            reply = transaction(old, ["CLIENT", "PAUSE", budget_ms, "WRITE"], ["INFO", "replication"])
            self._catch_up(node_info(parse_info(reply[1])).offset)
            self._fail_over(leader)
        except BaseException:
            self._take_back(old)
            raise

    def _take_back(self, old: Server) -> None:
        try:
            old.command("CLIENT", "UNPAUSE")
            self._in_critical_section.close()
            self._note("released: nothing was handed over")
        except SentinelOpsError as error:
            self.outcome.warnings.append(f"the pause on {old.address} ends by itself: {error}")

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

    def _demote(self, leader: Server) -> None:
        """Makes the old master a replica the moment the target is master; fences it if the pause ends before that."""
        old, target = self.servers.node(self.shard.master), self.servers.node(self.target)
        next_look_s = self.clock.now_s() + 0.5
        suspected = 0
        while not self._is_master(target):
            now = self.clock.now_s()
            if not self._fence and now > self._pause_ends_s - FENCE_MARGIN_MS / 1000:
                self._set_fence(old)
            if now > next_look_s:
                next_look_s = now + 0.25
                suspected = suspected + 1 if self._aborted(leader) else 0
                if suspected >= 3:
                    self._give_back(old)
            self.clock.sleep_s(0.004)
        self._note(f"promoted: {self.target} is master")
        host, port = target.address
        self._retried(lambda: old.command("REPLICAOF", host, port), f"REPLICAOF on {old.address}")
        self._note(f"demoted: {old.address} follows {self.target}")

    @staticmethod
    def _is_master(server: Server) -> bool:
        try:
            return bool(server.command("ROLE")[0] == "master")
        except (ConnectionFailed, CommandRefused):
            return False  # Sentinel closes the target's connections as it promotes it

    def _aborted(self, leader: Server) -> bool:
        """Whether the Sentinel has given the failover up: none in progress, and the old master still named."""
        try:
            view = parse_master(leader.command("SENTINEL", "MASTER", self.request.master_name))
        except (ConnectionFailed, CommandRefused):
            return False
        return not view.failover_in_progress and view.address == self.shard.master

    def _give_back(self, old: Server) -> None:
        """The failover did not happen: the old master is the master, so its writes go on."""
        self._lift_fence(old)
        self._take_back(old)
        raise OperationFailed(
            f"Sentinel {self.outcome.leader} accepted the failover and gave it up (its log says why: -failover-abort-...)",
            state=f"{old.address} is still the master and takes writes; nothing was lost",
            advice="Run again; if it happens again, look for what the log names",
            timeline=self.outcome.timeline,
        )

    def _set_fence(self, old: Server) -> None:
        values = config_values(old, "min-replicas-to-write", "min-replicas-max-lag")
        if values["min-replicas-max-lag"] == "0":
            old.command("CONFIG", "SET", "min-replicas-max-lag", 10)
        old.command("CONFIG", "SET", "min-replicas-to-write", FENCE)
        self._fence = values
        self._note(f"fenced: the pause ends before the promotion, {old.address} refuses writes instead")

    def _lift_fence(self, old: Server) -> None:
        for name, value in self._fence.items():
            old.command("CONFIG", "SET", name, value)
        self._fence = {}

    def _retried(self, act: Callable[[], Any], what: str, times: int = 5) -> None:
        for attempt in range(times):
            try:
                act()
                return
            except ConnectionFailed as error:
                if attempt + 1 == times:
                    self.outcome.warnings.append(f"{what} failed: {error}; Sentinel makes it a replica when it is back")
                self.clock.sleep_s(0.05)

    def _agree(self) -> None:
        """Waits until the Sentinels name the target: that is where clients ask."""
        total = len(self.servers.sentinels)

        def naming() -> int:
            found = 0
            for sentinel in self.servers.sentinels:
                try:
                    reply = sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.request.master_name)
                except (ConnectionFailed, CommandRefused):
                    continue
                host, port = reply or ("", "0")
                address = self.servers.node(self.target).address
                found += (host, int(port)) == (address.host, address.port)
            return found

        waited = until(naming, lambda found: found == total, deadline_s=5.0, interval_s=0.01, clock=self.clock)
        self._note(f"agreed: {waited.seen} of {total} Sentinels name {self.target}")
        if not waited.satisfied:
            self.outcome.warnings.append(f"after 5 s only {waited.seen} of {total} Sentinels name {self.target}")

    def _release(self) -> None:
        """Sends the clients of the old master to the new one, and lets the old one apply the stream."""
        old = self.servers.node(self.shard.master)

        def let_go() -> None:
            self._lift_fence(old)
            old.command("CLIENT", "KILL", "TYPE", "normal")
            old.command("CLIENT", "KILL", "TYPE", "pubsub")
            old.command("CLIENT", "UNPAUSE")

        self._retried(let_go, f"releasing {old.address}")
        self._in_critical_section.close()
        released_ms = self._note(f"released: the clients of {old.address} were disconnected, they find {self.target}")
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

    def _restore(self) -> None:
        """Puts back priorities and Sentinel's INFO period, and makes the nodes' configuration files say so."""
        for index, period in self._quickened.items():
            self._attempt_restore(self.servers.sentinels[index], ["SENTINEL", "DEBUG", "INFO-PERIOD", period])
        self._quickened = {}
        for address, priority in self._priorities.items():
            self._attempt_restore(self.servers.node(address), ["CONFIG", "SET", "replica-priority", priority])
        touched = set(self._priorities) | ({self.outcome.old_master} if self.outcome.changed else set())
        for address in sorted(touched):
            self._attempt_restore(self.servers.node(address), ["CONFIG", "REWRITE"])
        self._priorities = {}

    def _attempt_restore(self, server: Server, words: list[Any]) -> None:
        try:
            server.command(*words)
        except SentinelOpsError as error:
            self.outcome.warnings.append(f"not restored on {server.address} ({' '.join(map(str, words))}): {error}")

    # -- all of it ------------------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """The whole handover; call ``survey()`` first. Raises OperationFailed or PreconditionFailed."""
        sync_full_before = self._target_state().info.sync_full
        try:
            self._steer()
            self._quicken()
            leader = self._until_accepted()
            self.outcome.changed = True
            if self.request.mode == "pause":
                self._demote(leader)
                self._agree()
                self._release()
            self._settle(sync_full_before)
        finally:
            self._restore()
        self._note("restored: priorities and INFO period are as before")
        return self.outcome

    def _until_accepted(self) -> Server:
        """Attempts, each at its own alignment, until Sentinel accepts or the time is up. Returns the leader."""
        while True:
            try:
                if self.request.mode == "plain":
                    self._fail_over(self._align())
                else:
                    self._attempt()
                return next(s for s in self.servers.sentinels if str(s.address) == self.outcome.leader)
            except _Missed as missed:
                if self._left_s() <= 0:
                    raise PreconditionFailed(
                        f"no attempt succeeded within {self.request.wait_s:g} s, the last one because: {missed}",
                        node=self.target,
                        state=f"Nothing was handed over, {self.shard.master} is the master and takes writes",
                        advice="Lower the write rate or mend the slow replica, then run again",
                        timeline=self.outcome.timeline,
                    ) from missed
                self.clock.sleep_s(0.2)


def _with_replicas(view: SentinelView, replicas: list[Any]) -> SentinelView:
    return SentinelView(**{**vars(view), "replicas": tuple(replicas)})
