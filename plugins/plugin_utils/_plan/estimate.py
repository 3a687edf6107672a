# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The estimate of a run: how long each play and the whole take, and how often writes pause. Pure.

A step costs its module calls at the pace of the survey, the controller's tasks, and what the
servers do meanwhile: save, load and copy data, or wait for a Sentinel's INFO. docs/performance.md
says where each constant is from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...module_utils._server.versions import version_key
from ...module_utils._topology.limits import pause_budget_ms
from .data_speed import DataSpeed, data_bytes, data_speeds
from .full_sync import full_copy_because, full_sync_because, saves
from .model import Instance, Plan, ShardPlan
from .pace import Pace, pace_of
from .steps import Play, plays_of
from .versions import wanted_server

__all__ = ["Circumstances", "make_estimate"]

# Of the controller, for each task and host. On a busy one a task of a step takes more time, about
# an eighth of a call (25 ms of 0.2 s); those of plays over all hosts are mostly skipped.
TASK_S, TASKS_OF_A_CALL = 0.025, 8
STEP_TASKS, WHOLE_TASKS = 6, 4
REPORT_S = 0.3
# Of servers with hardly any data.
RESTART_S = 0.3
FULL_SYNC_DELAY_S = 5.0  # repl-diskless-sync-delay
# Of a handover: the best moment after an INFO, the pause, and all after it.
ALIGN_S, PAUSE_S, SETTLE_S = 0.8, 0.4, 1.2
INFO_PERIOD_S = 10.0
# Of each further handover side by side; before 7.0 whoever misses its moment waits for the next.
TURN_S, TURN_WITH_LONG_PERIOD_S = 0.6, 1.5
QUICK_INFO_SINCE = (7,)
KINDS = ("sentinel", "redis")  # of steps that restart an instance


@dataclass(frozen=True)
class Circumstances:
    """The settings of a run that its duration depends on.

    ``pause_s``: redis_upgrade_pause_s. ``mode``: redis_upgrade_handover_mode. ``brings``: how the
    new version comes to the hosts (redis_binaries_method); empty if it is there. ``hooks``: whether
    there are hooks. ``asks``: whether the run asks between the steps.
    """

    pause_s: float = 0.0
    mode: str = "auto"
    brings: str = ""
    hooks: bool = False
    asks: bool = False


def make_estimate(plan: Plan, instances: Sequence[Instance], around: Circumstances, now_s: float) -> dict[str, Any]:
    """Return the estimate of a plan; empty if there is nothing to do.

    ``now_s``: the controller's time of day, right after the survey. In the result: ``at_s``, that
    time; ``seconds`` from the end of the preflight to the end of the run; ``plays`` with their
    ``seconds``, of which ``lead_s`` are before a server is touched; the number of ``restarts``;
    ``pauses`` of writes; ``basis``; and what is ``not_included``.
    """
    if plan.nothing_to_do or plan.problems or plan.deployments:
        return {}
    pace = pace_of(instances, now_s)
    speeds = data_speeds([one for one in instances if one.kind == "redis"])
    plays = list(_Estimate(plan, instances, around, pace, speeds).plays())
    restarts = [f"{host}/{play.kind}" for play in plays_of(plan.rollback) if play.kind in KINDS for host in getattr(plan, play.hosts)]
    nodes = [one for one in instances if one.kind == "redis" and one.key in restarts]
    return {
        "at_s": round(now_s, 3),
        "seconds": round(sum(play["seconds"] for play in plays), 1),
        "plays": plays,
        "restarts": len(restarts),
        "pauses": _pauses(plan, instances, around.mode),
        "basis": {
            "calls": pace.calls,
            "survey_s": round(pace.took_s, 3),
            "call_s": round(pace.alone_s, 3),
            **_data_basis(nodes, speeds),
        },
        "not_included": list(_not_included(plan, nodes, around)),
    }


def _data_basis(restarted: Sequence[Instance], speeds: Mapping[str, DataSpeed]) -> dict[str, Any]:
    """Return the largest size of the data of a node that is restarted, and its speed."""
    largest = max(restarted, key=data_bytes, default=None)
    speed = speeds[largest.key] if largest else DataSpeed()
    return {
        "data_bytes": data_bytes(largest) if largest else 0,
        "load_s_per_gib": round(speed.load_s_per_gib, 2),
        "save_s_per_gib": round(speed.save_s_per_gib, 2),
        "loads_measured": speed.loads,
        "saves_measured": speed.saves,
    }


def _pauses(plan: Plan, instances: Sequence[Instance], mode: str) -> dict[str, Any]:
    """Return ``count`` and ``seconds`` of the pauses of writes, and ``at_most_s`` of one."""
    count = 0 if mode == "plain" else len(plan.handover_hosts) + len(plan.fail_back_hosts)
    views = [view for one in instances for view in one.record.get("views", [])]
    limits = [pause_budget_ms(int(view["master"]["down_after_ms"])) for view in views]
    return {"count": count, "seconds": PAUSE_S, "at_most_s": max(limits, default=0) / 1000}


def _not_included(plan: Plan, restarted: Sequence[Instance], around: Circumstances) -> Iterator[str]:
    if around.brings and not plan.rollback:
        yield f"bringing the new version to the hosts (redis_binaries_method: {around.brings})"
    if around.hooks:
        yield "hooks"
    if around.asks:
        yield "the time until each question is answered"
    unknown = [one.host for one in restarted if not data_bytes(one)]
    if unknown:
        yield f"loading the data of {', '.join(unknown)}, whose size is not known"
    if plan.restore_hosts:
        yield "copying the backups"
    commands = [one for one in restarted if (one.record.get("service") or {}).get("manager") == "command"]
    if commands or any((one.record.get("activation") or {}).get("method") == "command" for one in restarted):
        yield "commands of yours"


class _Estimate:
    """The estimate of each play of a plan, in order."""

    def __init__(
        self, plan: Plan, instances: Sequence[Instance], around: Circumstances, pace: Pace, speeds: Mapping[str, DataSpeed]
    ) -> None:
        self._plan, self._around, self._pace, self._speeds = plan, around, pace, speeds
        self._nodes = {one.host: one for one in instances if one.kind == "redis"}
        self._is_quick = any(_asks_quickly(one, plan) for one in instances if one.kind == "sentinel")
        self._paused = False

    def plays(self) -> Iterator[dict[str, Any]]:
        for play in plays_of(self._plan.rollback):
            hosts = getattr(self._plan, play.hosts) if play.hosts else []
            if not hosts:
                continue
            seconds, lead_s = (sum(part) for part in zip(*self._batches(play, hosts), strict=True))
            yield {"name": play.name, "title": play.full_title, "seconds": round(seconds, 2), "lead_s": round(lead_s, 2)}

    def _batches(self, play: Play, hosts: Sequence[str]) -> Iterator[tuple[float, float]]:
        """Yield the seconds of each batch, and its lead: those before a server is touched.

        Only the first batch of a play has a lead.
        """
        for number, batch in enumerate(_in_batches(hosts, self._sizes(play))):
            if play.name == "report":
                yield REPORT_S, 0.0
            elif not play.kind and play.name != "recovery":
                yield self._for_all(play, batch), 0.0
            else:
                pause_s = self._around.pause_s if self._paused else 0.0
                self._paused = True
                lead_s = self._pace.calls_s(len(batch)) + self._tasks_s(len(batch)) + pause_s
                yield lead_s + self._server_s(play, batch), lead_s if number == 0 else 0.0

    def _tasks_s(self, hosts: int) -> float:
        return STEP_TASKS * hosts * max(TASK_S, self._pace.share_s / TASKS_OF_A_CALL)

    def _sizes(self, play: Play) -> list[int]:
        """Return the batch sizes of a play; empty for all hosts at once."""
        if play.serial in ("all", "one"):
            return [1] if play.serial == "one" else []
        return list(getattr(self._plan, play.serial))

    def _for_all(self, play: Play, hosts: Sequence[str]) -> float:
        """Return the seconds of a play that stops nothing, with one call for each instance."""
        keys = [key for key, step in self._plan.steps.items() if step.host in hosts]
        calls = len(keys) if play.name in ("stage", "journals", "verify") else len(hosts)
        backup_s = max((self._save_s(host) for host in hosts), default=0.0) if play.name == "backup" else 0.0
        return self._pace.calls_s(calls) + WHOLE_TASKS * TASK_S * len(hosts) + backup_s

    def _server_s(self, play: Play, hosts: Sequence[str]) -> float:
        """Return the seconds that the servers of a batch take."""
        if play.kind == "sentinel":
            return RESTART_S
        return max(map(self._restart_s, hosts)) if play.kind == "redis" else self._handover_s(len(hosts))

    def _restart_s(self, host: str) -> float:
        """Return for how long a data node is away: it saves, loads, and may copy all data."""
        node, shard = self._nodes[host], self._shard_of(host)
        speed, size = self._speeds[node.key], self._size(host)
        seconds = RESTART_S
        if saves(node):
            seconds += speed.save_s(size) + speed.load_s(size)
        elif not full_sync_because(node).startswith("it saves nothing"):
            seconds += speed.load_s(size)  # the append-only file
        master = self._nodes.get(shard.master_host) if shard else None
        if full_sync_because(node) or (master and shard and full_copy_because(node, master, shard, self._plan)):
            seconds += FULL_SYNC_DELAY_S + self._save_s(master.host if master else host) + speed.load_s(size)
        if host in self._plan.replica_backup_hosts:
            seconds += speed.save_s(size)
        return seconds

    def _shard_of(self, host: str) -> ShardPlan | None:
        step = self._plan.steps.get(f"{host}/redis")
        return self._plan.shards.get(step.shard) if step else None

    def _size(self, host: str) -> int:
        """Return the size of a node's data, or of its master's if the node cannot be asked."""
        shard = self._shard_of(host)
        master = self._nodes.get(shard.master_host) if shard else None
        return data_bytes(self._nodes[host]) or (data_bytes(master) if master else 0)

    def _save_s(self, host: str) -> float:
        return self._speeds[self._nodes[host].key].save_s(self._size(host))

    def _handover_s(self, shards: int) -> float:
        """Return how long the handovers of so many shards take side by side.

        A Sentinel before 7.0 asks for INFO every ten seconds: the first of several does so, on
        average, after this period divided by one more than their number.
        """
        sentinels = max((shard.sentinels for shard in self._plan.shards.values()), default=1)
        info_s = 0.0 if self._is_quick else INFO_PERIOD_S / (sentinels + 1)
        turn_s = TURN_S if self._is_quick else TURN_WITH_LONG_PERIOD_S
        return info_s + ALIGN_S + PAUSE_S + SETTLE_S + (shards - 1) * turn_s


def _asks_quickly(sentinel: Instance, plan: Plan) -> bool:
    """Return whether the INFO period of a Sentinel can be shortened when the handovers begin.

    An upgrade does the Sentinels first, a rollback does them last.
    """
    step = plan.steps.get(sentinel.key)
    is_new = step is not None and step.do != "skip" and not plan.rollback
    server = wanted_server(sentinel.record) if is_new else str(sentinel.record.get("server", "redis"))
    version = step.wanted if step is not None and is_new else str(sentinel.record.get("version", ""))
    return server == "valkey" or version_key(version) >= QUICK_INFO_SINCE


def _in_batches(hosts: Sequence[str], sizes: Sequence[int]) -> Iterator[Sequence[str]]:
    """Yield the hosts of each batch; the last size holds for all further batches, as in Ansible."""
    left, rest = list(sizes) or [len(hosts)], list(hosts)
    while rest:
        size = max(1, left.pop(0) if len(left) > 1 else left[0])
        yield rest[:size]
        rest = rest[size:]
