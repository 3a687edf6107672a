# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an accepted SENTINEL FAILOVER to clients that are on the new master.

From here on a node that still says role:master is never unpaused or unfenced, unless the failover
was given up.
"""

from __future__ import annotations

from typing import Callable, Sequence

from .._errors import ConnectionFailed, OperationFailed, SentinelOpsError
from .._server.address import Address
from .._server.commands import Server, send_all
from .._topology.sentinel import parse_master
from .._topology.shard import ShardServers
from .._wait import Clock, until
from .result import HandoverRequest, HandoverResult, Timeline
from .write_stop import WriteStop

__all__ = ["Promotion", "has_role"]

# how long a promotion that was accepted, and neither happened nor was given up, is waited for
PROMOTION_S = 60.0
# three looks at a leader that has ended the failover, or nine (two seconds) at one that cannot be
# reached
GIVEN_UP = 9
DEMOTION_S = 20.0  # Sentinel makes an old master a replica after 8 s, at its next INFO


def has_role(server: Server, role: str) -> bool:
    """Whether the node says it has this role (``master`` or ``slave``, as ROLE does) now."""
    try:
        return bool(server.command("ROLE")[0] == role)
    except SentinelOpsError:
        return False  # Sentinel closes the target's connections as it promotes it


class Promotion:
    """The role moves from ``outcome.old_master`` to ``outcome.new_master``. Use:
    ``follow(leader)``.

    ``nodes``: the addresses of all data nodes. ``stop``: what keeps the old master from accepting
    writes; None in mode coordinated, where the servers do that. ``take_back`` is called if the
    failover was given up, ``released`` as soon as the clients may go on.
    """

    def __init__(
        self,
        servers: ShardServers,
        nodes: Sequence[str],
        request: HandoverRequest,
        outcome: HandoverResult,
        clock: Clock,
        story: Timeline,
        stop: WriteStop | None,
        take_back: Callable[[], None],
        released: Callable[[], None],
    ) -> None:
        self.servers = servers
        self.request = request
        self.outcome = outcome
        self.clock = clock
        self.stop = stop
        self._story = story
        self._take_back = take_back
        self._released = released
        self._nodes = nodes
        self._old = servers.node(outcome.old_master)
        self._target = servers.node(outcome.new_master)
        self._demoted = False

    def follow(self, leader: Server) -> None:
        """Waits for the promotion, demotes the old master, waits until the Sentinels agree, and
        sends the clients over.
        """
        self._await_promotion(leader)
        if self.stop is None:
            self._await_demotion(None)
        else:
            self._demote(self.stop)
        self._agree()
        self._release()

    def _await_promotion(self, leader: Server) -> None:
        """Until the target is master; fences the old master if the pause would end before that."""
        begun_s = self.clock.now_s()
        next_look_s, given_up = begun_s + 0.5, 0
        while not has_role(self._target, "master"):
            now_s = self.clock.now_s()
            if self.stop and self.stop.ends_soon():
                self._fence(self.stop)
            if now_s > next_look_s:
                next_look_s = now_s + 0.25
                if self._writes_are_safe() and self._asked()[0] > 0:
                    # a Sentinel that names the target has seen it as master, also where we are not
                    # let in
                    break
                looks_so = self._gave_up(leader)
                given_up = given_up + looks_so if looks_so else 0
                if (self._writes_are_safe() or given_up >= GIVEN_UP) and self._another_was_promoted():
                    return
                if given_up >= GIVEN_UP:
                    self._give_back()
            if now_s > begun_s + PROMOTION_S:
                raise OperationFailed(
                    f"Sentinel {leader.address} accepted the failover {PROMOTION_S:g} s ago, has neither promoted "
                    f"{self.outcome.new_master} nor given it up",
                    node=str(self._old.address),
                    state=f"{self._old.address} is fenced and refuses writes, since the promotion may still come",
                    advice="End that Sentinel's process and run again: what is left is recognised, finished and put back",
                )
            self.clock.sleep_s(0.004)
        self._story.tell(f"promoted: {self.outcome.new_master} is master")

    def _gave_up(self, leader: Server) -> int:
        """How much speaks for it that the failover was given up (GIVEN_UP is enough, 0 if nothing
        does).

        That none is in progress and the old master is named says more than that the leader cannot
        be connected to: a Sentinel that ends forgets its failover, but one behind a broken network
        goes on with it.
        """
        try:
            view = parse_master(leader.command("SENTINEL", "MASTER", self.request.master_name))
        except ConnectionFailed as error:
            return int(error.refused)
        except SentinelOpsError:
            return 0
        ended = not view.failover_in_progress and self.servers.names.of(view.address) == self.outcome.old_master
        return 3 if ended else 0

    def _another_was_promoted(self) -> bool:
        """Then that one, which has all writes too, is the master that everybody is sent to."""
        for address in self._nodes:
            node = self.servers.node(address)
            rival = node is not self._old and node is not self._target
            if rival and (has_role(node, "master") or has_role(node, "master")):  # the first time over a connection that was closed
                self._story.tell(f"promoted: {address} is master, and not {self.outcome.new_master}")
                self.outcome.new_master, self._target = address, node
                return True
        return False

    def _give_back(self) -> None:
        """The failover did not happen: the old master is the master, so its writes go on."""
        self._take_back()
        raise OperationFailed(
            f"Sentinel {self.outcome.leader} accepted the failover and gave it up (its log says why: -failover-abort-...)",
            state=f"{self._old.address} is still the master and takes writes; nothing was lost",
            advice="See that the target is in order and run again; if it happens again, look for what the log names",
        )

    def _fence(self, stop: WriteStop) -> None:
        try:
            stop.fence()
            self._story.tell(f"fenced: {stop.server.address} refuses writes, also after the end of the pause")
        except SentinelOpsError:
            pass  # it is down, or busy with a script: it is tried again

    def _demote(self, stop: WriteStop) -> None:
        """Makes the old master a replica of the target, its writes still stopped."""
        old, (host, port) = stop.server, self._target.address
        begun_s = self.clock.now_s()
        while True:
            try:
                old.command("REPLICAOF", host, port)
                self._demoted = True
                self._story.tell(f"demoted: {old.address} follows {self.outcome.new_master}")
                return
            except ConnectionFailed as error:
                reason: SentinelOpsError = error
                # one that is dead may be started again, and one that only we do not reach takes
                # writes as soon as its pause ends
                if self.clock.now_s() - begun_s > DEMOTION_S:
                    break
                self.clock.sleep_s(0.05)
            except SentinelOpsError as error:
                reason = error
                break
        self.outcome.warnings.append(f"{old.address} could not be made a replica: {reason}; that is left to Sentinel")
        if not isinstance(reason, ConnectionFailed):
            self._await_demotion(stop)

    def _await_demotion(self, stop: WriteStop | None) -> None:
        """For a node that refuses REPLICAOF from us, fenced until Sentinel demotes it after ten
        seconds; and for mode coordinated.
        """

        def demoted() -> bool:
            if stop and not stop.fenced:
                self._fence(stop)
            return has_role(self._old, "slave")

        waited = until(demoted, bool, deadline_s=DEMOTION_S, interval_s=0.02, clock=self.clock)
        if not waited.satisfied:
            raise OperationFailed(
                f"{self._old.address} has not become a replica within {DEMOTION_S:g} s",
                node=str(self._old.address),
                state=f"{self.outcome.new_master} is the master and takes writes; {self._old.address} still says role:master"
                + (" and is fenced" if stop else ""),
                advice="Make it a replica by hand (REPLICAOF) and run again: what is left is put back",
            )
        self._demoted = True
        self._story.tell(f"demoted by Sentinel: {self._old.address}")

    def _agree(self) -> None:
        """Waits until the Sentinels name the target: that is where clients ask."""
        total = len(self.servers.sentinels)

        def enough(seen: tuple[int, int]) -> bool:
            """All that answer, and a majority of all: clients must not wait for a Sentinel that is
            dead.
            """
            naming, silent = seen
            return naming + silent == total and naming > total // 2

        waited = until(self._asked, enough, deadline_s=5.0, interval_s=0.01, clock=self.clock)
        naming = waited.seen[0]
        self._story.tell(f"agreed: {naming} of {total} Sentinels name {self.outcome.new_master}")
        if naming < total:
            self.outcome.warnings.append(f"only {naming} of {total} Sentinels name {self.outcome.new_master}")

    def _writes_are_safe(self) -> bool:
        """Whether there is time to wait for Sentinels that hang: no pause can end meanwhile."""
        return self.stop is None or self.stop.fenced

    def _asked(self) -> tuple[int, int]:
        """How many Sentinels name the target as the master, and how many do not answer."""
        naming = silent = 0
        for sentinel in self.servers.sentinels:
            try:
                reply = sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.request.master_name)
            except SentinelOpsError:
                silent += 1
                continue
            host, port = reply or ("", "0")
            naming += self.servers.names.of(str(Address(host, int(port)))) == self.outcome.new_master
        return naming, silent

    def _release(self) -> None:
        """Sends the clients of the old master, which is a replica now, to the new one, and lets it
        apply the stream.
        """
        if not self._demoted:
            self._released()
            self.outcome.warnings.append(
                f"not restored on {self._old.address}: it does not answer, so it is not known to be a replica; if it is fenced it stays so"
            )
            return
        kills = [["CLIENT", "KILL", "TYPE", "normal"], ["CLIENT", "KILL", "TYPE", "pubsub"]]
        failed = self.stop.end(*kills) if self.stop else send_all(self._old, kills)
        self._released()
        self.outcome.warnings += [f"releasing the old master: {error}" for error in failed]
        self._story.tell(f"released: the clients of {self._old.address} were disconnected, they find {self.outcome.new_master}")
