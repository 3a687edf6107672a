# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finish and restore an earlier handover all of whose processes died.

The value of a fence or a ping delay encodes the original setting, so that any host can restore it.
The original priorities and Sentinel settings are in the undo file on the host of that handover.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Sequence

from .._errors import ConnectionFailed, PreconditionFailed
from .._server.commands import Server, retry_once
from .._server.info import NodeInfo, parse_info
from .._topology.fence import PING_PERIOD, before_ping_delay, is_ping_delay, original_min_replicas
from .._topology.sentinel import disagreements
from .._topology.shard import NodeState, Shard, ShardServers, read_shard
from .._wait import Clock, until
from .demotion import make_replica
from .overrides import SettingOverride, restore_overrides, still_overridden
from .proof import StopPoint, loss_of, promotion_doubt, read_replication, replication_state
from .state import HandoverState

__all__ = ["Leftovers"]

STEADY_S = 3.0  # a fence that stands so long without a failover belongs to a dead handover


@dataclass(frozen=True)
class Leftovers:
    """The remains of an earlier handover.

    ``fenced``: data nodes with a fence. ``overrides``: overrides of the undo file, and ping delays,
    that are still in place. ``unsaved``: data nodes of the undo file, which may have saved an
    override in their configuration file. ``state``: the progress of that handover by the undo file.
    """

    fenced: tuple[NodeState, ...] = ()
    overrides: tuple[SettingOverride, ...] = ()
    unsaved: tuple[str, ...] = ()
    state: HandoverState = field(default_factory=HandoverState)

    @classmethod
    def of(
        cls,
        servers: ShardServers,
        name: str,
        shard: Shard,
        noted: Sequence[SettingOverride],
        state: HandoverState | None = None,
    ) -> Leftovers:
        """Find the remains on a shard; ``noted`` and ``state`` are from the undo file."""
        fenced = tuple(node for node in shard.nodes if node.fenced)
        lifted_anyway = {(node.address, setting) for node in fenced for setting in ("min-replicas-to-write", "min-replicas-max-lag")}
        delayed = [
            SettingOverride("node", node.address, PING_PERIOD, before_ping_delay(node.ping_period_s), node.ping_period_s)
            for node in shard.nodes
            if is_ping_delay(node.ping_period_s)
        ]
        found = dict.fromkeys([*delayed, *still_overridden(servers, name, noted)])
        overridden = [one for one in found if (one.address, one.setting) not in lifted_anyway]
        unsaved = sorted({one.address for one in noted if one.kind == "node" and shard.node(one.address)})
        return cls(fenced, tuple(overridden), tuple(unsaved), state or HandoverState())

    def __bool__(self) -> bool:
        return bool(self.fenced or self.overrides or self.unsaved)

    def sentences(self) -> list[str]:
        """Return the remains, a sentence each."""
        if not self.fenced and not self.overrides:
            return [f"the configuration file of {', '.join(self.unsaved)} may still have a setting of that handover"]
        found = [f"{node.address} is fenced (min-replicas-to-write {node.min_replicas_to_write})" for node in self.fenced]
        return found + [f"{one.setting} of {one.address} is {one.temporary} (was {one.original})" for one in self.overrides]

    def recover(self, servers: ShardServers, name: str, clock: Clock, wait_s: float) -> list[str]:
        """Wait until the roles are certain, then demote old masters and restore every setting.

        Returns the actions, a sentence each. Raises PreconditionFailed, with nothing changed, if
        the roles stay uncertain.
        """
        begun_s, quiet_since_s = clock.now_s(), clock.now_s()
        shard = Shard((), (), ())

        def observe() -> list[str]:
            nonlocal shard, quiet_since_s
            shard = read_shard(servers, name)
            doubts = _doubts(shard)
            if doubts:
                quiet_since_s = clock.now_s()
            return doubts

        steady = until(
            observe,
            lambda doubts: not doubts and (clock.now_s() - quiet_since_s >= STEADY_S or not self.fenced),
            deadline_s=max(STEADY_S + 1, wait_s - (clock.now_s() - begun_s)),
            interval_s=0.25,
            clock=clock,
            says=lambda doubts: "; ".join(doubts) or "the roles must stay the same for a moment",
        )
        if not steady.satisfied:
            raise PreconditionFailed(
                "an earlier handover was cut short and cannot be finished yet: " + "; ".join(steady.seen or ["roles are still changing"]),
                state=f"Left by it: {'; '.join(self.sentences())}. Nothing was changed now",
                advice="Fix the problems above and run again",
                problems=list(steady.seen),
            )
        return self._restore(servers, name, shard)

    def _restore(self, servers: ShardServers, name: str, shard: Shard) -> list[str]:
        done = []
        for node in [node for node in shard.nodes if node.fenced]:
            if node.info.is_master and node.address != shard.master:
                done.append(self._demote(servers, node.address, node.info, shard.master))
            done.append(_lift(servers.node(node.address), node))
        failed = restore_overrides(servers, name, self.overrides, *self.unsaved)
        done += [
            f"{one.setting} of {one.address} is {one.original} again (an earlier handover had set {one.temporary})"
            for one in self.overrides
        ]
        if not done and self.unsaved:
            done.append(f"{', '.join(self.unsaved)} saved its settings again")
        if failed:
            raise PreconditionFailed(
                "settings of an earlier handover could not be restored: " + "; ".join(failed),
                state=f"{shard.master} is the master",
                advice="Fix the problems above and run again",
            )
        return done

    def _demote(self, servers: ShardServers, address: str, node: NodeInfo, master: str) -> str:
        """Make a fenced old master follow the current master, if the latter was promoted from it.

        Returns the action and the proof of loss. Raises PreconditionFailed without the proof of
        promotion.
        """
        old, promoted = servers.node(address), read_replication(servers.node(master))
        point = self._point_of(read_replication(old).replid)
        doubt = promotion_doubt(promoted, point)
        if doubt:
            raise PreconditionFailed(
                f"an earlier handover was cut short, and {address} was not made to follow {master}: {doubt}",
                node=master,
                state=f"{address} is fenced and keeps its data; the Sentinels name {master}. Nothing was changed now",
                advice=f"Compare the data of both. If {address} has the data you need, stop {master}, make {master} a replica of "
                f"{address} and run again; else make {address} follow {master} by hand (REPLICAOF)",
            )
        address_of_master = servers.node(master).address
        try:
            last = make_replica(old, node, address_of_master)
        except ConnectionFailed:
            last = make_replica(old, node, address_of_master)
        done = f"{address} follows {master} now, as an earlier handover intended"
        if not last:
            return done
        proof = loss_of(point, replication_state(last[0]), parse_info(last[1]), promoted.promoted_at)
        return f"{done}; loss: {proof.loss}, {proof.reason}"

    def _point_of(self, replid: str) -> StopPoint:
        """Return the stop point of a master by the undo file; else only its id is known."""
        return self.state.point if self.state.replid == replid else StopPoint(replid)


def _doubts(shard: Shard) -> list[str]:
    """Return the reasons why the current master is uncertain, a sentence each."""
    found = [*shard.unreachable]
    found += [text for text in disagreements(shard.views) if text.startswith("address of the master")]
    found += [f"Sentinel {view.address} has a failover in progress" for view in shard.views if view.master.failover_in_progress]
    master = shard.node(shard.master)
    if master is None or not master.info.is_master:
        found.append(f"the Sentinels name {shard.master}, which does not say role:master")
    return found


def _lift(server: Server, node: NodeState) -> str:
    """Lift the fences of a node and save its configuration; return the action."""
    to_write, max_lag = original_min_replicas(node.min_replicas_to_write, node.min_replicas_max_lag)
    for setting, value in (("min-replicas-to-write", to_write), ("min-replicas-max-lag", max_lag)):
        retry_once(server, "CONFIG", "SET", setting, value)
    retry_once(server, "CONFIG", "REWRITE")
    return f"the fence of an earlier handover on {node.address} was lifted: min-replicas-to-write is {to_write} again"
