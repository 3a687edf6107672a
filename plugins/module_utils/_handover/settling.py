# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until a handover has settled: no failover runs, every node follows the new master."""

from __future__ import annotations

from typing import Any

from .._errors import OperationFailed, SentinelOpsError
from .._topology.shard import Shard, read_shard
from .._wait import until
from .context import HandoverContext, Progress, node_state
from .failover_end import FailoverEnd
from .overrides import SettingOverride
from .proof import loss_by_resync
from .steering import Steering
from .stragglers import free_clients

__all__ = ["Settling"]

# plus down-after-milliseconds: if the leader dies after the promotion, the other Sentinels find
# that their master is a replica, after two INFO periods (10 s) and that time, and fail over again
SETTLE_S = 50.0


class Settling:
    """The end of one handover. Use: ``wait()``.

    ``stop_overrides``: the overrides of the write stop, which are in the undo file too.
    """

    def __init__(
        self,
        context: HandoverContext,
        progress: Progress,
        shard: Shard,
        target: str,
        steering: Steering,
        stop_overrides: list[SettingOverride],
    ) -> None:
        self._context = context
        self._progress = progress
        self._shard = self._surveyed = shard
        self._target = target
        self._steering = steering
        self._stop_overrides = stop_overrides
        self._end = FailoverEnd(context, steering, self._record)
        self._rivals: list[str] | None = None
        self._not_kept_out: list[str] = []

    def wait(self) -> None:
        """Wait until nothing is pending; raise OperationFailed at the deadline.

        Also raises OperationFailed if another node than the target was promoted.
        """
        context, target = self._context, self._context.result.new_master
        settle_s = SETTLE_S + self._shard.down_after_ms / 1000
        waited = until(self._pending, lambda found: not found, deadline_s=settle_s, interval_s=0.1, clock=context.clock, says="; ".join)
        context.result.warnings += self._not_kept_out
        if not waited.satisfied:
            raise OperationFailed(
                f"the handover is done but has not settled within {settle_s:g} s: {'; '.join(waited.seen)}",
                node=target,
                state=self._unsettled_state(target),
                advice="Do not stop a node before this is fixed",
            )
        self._note_resyncs(target)
        if context.result.mode != "plain":
            free_clients(context)
        if target != self._target:
            by = "Another failover" if context.result.foreign else f"Sentinel {context.result.leader}"
            raise OperationFailed(
                f"{by} promoted {target}, not {self._target}",
                node=self._target,
                state=f"{target} is the master and takes writes, all others follow it{self._loss_text()}",
                advice="Find out what else starts failovers or sets replica-priority, and run again: the role then moves from that node",
            )
        context.timeline.add("settled: no failover in progress, every replica is linked to the new master")

    def _unsettled_state(self, target: str) -> str:
        named = {self._context.servers.names.of(view.master.address) for view in self._shard.views}
        if named and target not in named:
            return f"the Sentinels name {', '.join(sorted(named))}, and not {target}, which was promoted"
        return f"{target} is the master and takes writes"

    def _note_resyncs(self, target: str) -> None:
        """Count the full resyncs; judge by them if the old master's numbers were not read."""
        result = self._context.result
        before, now = (node_state(shard, target, "the new master").info.sync_full for shard in (self._surveyed, self._shard))
        result.full_resyncs = now - before
        if not result.loss_reason:
            result.note_loss(loss_by_resync(result.full_resyncs))
        self._context.timeline.add(f"loss: {result.loss}, {result.loss_reason}")

    def _loss_text(self) -> str:
        return "; nothing was lost" if self._context.result.loss == "none" else ""

    def _pending(self) -> list[str]:
        """Return the reasons why the handover has not settled, a sentence each."""
        target = self._context.result.new_master
        self._shard = read_shard(self._context.servers, self._context.request.master_name)
        self._keep_rivals_out_if_forgotten()
        leaders = [view.address for view in self._shard.views if view.master.failover_in_progress]
        late = [view for view in self._shard.views if view.master.address != target]
        nodes = [*self._shard.unreachable, *self._nodes_pending(target)]
        if leaders and not nodes and all(view.address in leaders for view in late):
            self._end.hasten(leaders[0])
        else:
            self._end.restore()
        found = [f"Sentinel {address} has not ended the failover" for address in leaders]
        return found + [f"Sentinel {view.address} names {view.master.address}" for view in late] + nodes

    def _nodes_pending(self, target: str) -> list[str]:
        found = []
        for node in self._shard.nodes:
            if node.address == target:
                if not node.info.is_master:
                    found.append(f"{target} is a replica of {node.info.master} now")
            elif node.info.is_master or not node.info.link_up or node.info.master != target:
                found.append(f"{node.address} does not follow {target} yet")
        return found

    def _keep_rivals_out_if_forgotten(self) -> None:
        """Exclude the other replicas from promotion while no Sentinel knows of the promotion.

        The leader has died then, and the other Sentinels will fail over again. They must choose the
        same node: another node would be a second master. The second failover would have the epoch
        of the first one, since a requested FAILOVER needs no votes. When the dead Sentinel returns
        with that epoch, Sentinels would disagree for good (6.2).
        """
        result, names = self._context.result, self._context.servers.names
        views = [view.master for view in self._shard.views]
        forgotten = views and not any(view.failover_in_progress or names.of(view.address) == result.new_master for view in views)
        if not forgotten:
            return
        if self._rivals is None:
            self._plan_to_keep_out([node.address for node in self._surveyed.nodes])
        elif self._not_kept_out:  # a node that was down, and may come back before they fail over
            self._not_kept_out = self._steering.keep_out()

    def _plan_to_keep_out(self, nodes: list[str]) -> None:
        """Record who is kept out, then keep them out; do nothing if it cannot be recorded."""
        result = self._context.result
        self._rivals = rivals = [address for address in nodes if address not in (result.new_master, result.old_master)]
        self._steering.plan_to_keep_out(*rivals)
        try:
            self._record(kept_out=rivals)
        except SentinelOpsError as error:
            result.warnings.append(f"{', '.join(rivals)} may still be promoted: {error}")
            self._steering.plan_to_keep_out()
            return
        self._not_kept_out = self._steering.keep_out()
        self._context.timeline.add(
            f"no Sentinel knows of the promotion: {', '.join(rivals) or 'no other replica'} must not be chosen when they fail over again"
        )

    def _record(self, **changes: Any) -> None:
        """Record the overrides as they are planned now, and ``changes`` of the state."""
        self._progress.save_overrides([*self._steering.overrides, *self._stop_overrides])
        self._progress.enter("settling", **changes)
