# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an earlier handover, of which everything died, has left behind: recognised, finished and put
back.

A fence and a hush say themselves what was there before. Priorities and Sentinel settings are known
from the note on this host.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from .._errors import PreconditionFailed
from .._server.commands import retry_once
from .._topology.fence import PING_PERIOD, before_fence, before_ping_delay, is_ping_delay
from .._topology.sentinel import disagreements
from .._topology.shard import NodeState, Shard, ShardServers, read_shard
from .._wait import Clock, until
from .overrides import SettingOverride, restore_overrides, still_overridden

__all__ = ["Leftovers"]

# a fence that stands for so long, with no failover in progress, is nobody's any more
STEADY_S = 3.0


@dataclass(frozen=True)
class Leftovers:
    """``fenced``: data nodes with a fence; ``changes``: what the note names and is still changed.

    ``unsaved``: data nodes that the note names; what they have saved may be what the handover had
    set.
    """

    fenced: tuple[NodeState, ...] = ()
    changes: tuple[SettingOverride, ...] = ()
    unsaved: tuple[str, ...] = ()

    @classmethod
    def of(cls, servers: ShardServers, name: str, shard: Shard, noted: Sequence[SettingOverride]) -> Leftovers:
        fenced = tuple(node for node in shard.nodes if node.fenced)
        lifted_anyway = {(node.address, setting) for node in fenced for setting in ("min-replicas-to-write", "min-replicas-max-lag")}
        hushed = [
            SettingOverride("node", node.address, PING_PERIOD, before_ping_delay(node.ping_period_s), node.ping_period_s)
            for node in shard.nodes
            if is_ping_delay(node.ping_period_s)
        ]
        found = dict.fromkeys([*hushed, *still_overridden(servers, name, noted)])
        changed = [one for one in found if (one.address, one.setting) not in lifted_anyway]
        unsaved = sorted({one.address for one in noted if one.kind == "node" and shard.node(one.address)})
        return cls(fenced, tuple(changed), tuple(unsaved))

    def __bool__(self) -> bool:
        return bool(self.fenced or self.changes or self.unsaved)

    def sentences(self) -> list[str]:
        if not self.fenced and not self.changes:
            return [f"what {', '.join(self.unsaved)} has saved may be a setting of that handover"]
        found = [f"{node.address} is fenced (min-replicas-to-write {node.min_replicas_to_write})" for node in self.fenced]
        return found + [f"{change.setting} of {change.address} is {change.during} (was {change.before})" for change in self.changes]

    def mend(self, servers: ShardServers, name: str, clock: Clock, wait_s: float) -> list[str]:
        """Waits until the roles are beyond doubt, then demotes who must not be master and puts
        everything back.

        Returns what was done, a sentence each. Raises PreconditionFailed, with nothing changed, if
        the roles stay in doubt.
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
        )
        if not steady.satisfied:
            raise PreconditionFailed(
                "an earlier handover was cut short and cannot be finished yet: " + "; ".join(steady.seen or ["roles are still changing"]),
                state=f"Left by it: {'; '.join(self.sentences())}. Nothing was changed now",
                advice="Mend what is named and run again",
                problems=list(steady.seen),
            )
        return self._put_back(servers, name, shard)

    def _put_back(self, servers: ShardServers, name: str, shard: Shard) -> list[str]:
        done = []
        for node in [node for node in shard.nodes if node.fenced]:
            done += _lift(servers, node, shard.master)
        failed = restore_overrides(servers, name, self.changes, *self.unsaved)
        done += [
            f"{change.setting} of {change.address} is {change.before} again (an earlier handover had set {change.during})"
            for change in self.changes
        ]
        if not done and self.unsaved:
            done.append(f"{', '.join(self.unsaved)} saved its settings again")
        if failed:
            raise PreconditionFailed(
                "what an earlier handover has left could not be put back: " + "; ".join(failed),
                state=f"{shard.master} is the master",
                advice="Mend what is named and run again",
            )
        return done


def _doubts(shard: Shard) -> list[str]:
    """What keeps it from being certain who is, and stays, the master."""
    found = [*shard.unreachable]
    found += [text for text in disagreements(shard.views) if text.startswith("address of the master")]
    found += [f"Sentinel {view.address} has a failover in progress" for view in shard.views if view.master.failover_in_progress]
    master = shard.node(shard.master)
    if master is None or not master.info.is_master:
        found.append(f"the Sentinels name {shard.master}, which does not say role:master")
    return found


def _lift(servers: ShardServers, node: NodeState, master: str) -> list[str]:
    done = []
    server = servers.node(node.address)
    if node.info.is_master and node.address != master:
        host, port = servers.node(master).address
        retry_once(server, "REPLICAOF", host, port)
        done.append(f"{node.address} follows {master}: an earlier handover had not come to that")
    to_write, max_lag = before_fence(node.min_replicas_to_write, node.min_replicas_max_lag)
    for setting, value in (("min-replicas-to-write", to_write), ("min-replicas-max-lag", max_lag)):
        retry_once(server, "CONFIG", "SET", setting, value)
    retry_once(server, "CONFIG", "REWRITE")
    done.append(f"the fence of an earlier handover on {node.address} was lifted, min-replicas-to-write is {to_write} again")
    return done
