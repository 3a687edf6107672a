"""The events of a run, as the role records them, from the plan of a surveyed deployment."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.rendering import plan_lines
from ansible_collections.sentinelops.redis.plugins.plugin_utils._report.plan_facts import facts_of
from ansible_collections.sentinelops.redis.plugins.plugin_utils._times import timestamp
from ansible_collections.sentinelops.redis.tests.unit.support.survey import Surveyed, three_and_three

RUN = {"id": "0a1b2c3d", "user": "alice", "controller": "bastion", "pid": 4711, "begun": "12345", "machine": "here"}
BEGIN_S = 1_790_000_000.0


def plan_of(before: Surveyed, **settings: Any) -> dict[str, Any]:
    """Return a plan with its text and a warning, as the filter upgrade_plan does."""
    plan = before.plan(**settings).as_dict()
    findings = [{"severity": "warning", "text": "redis-2: little room"}, {"severity": "refusal", "text": "never told"}]
    return {**plan, "lines": plan_lines(plan), "preflight": {"findings": findings}}


def handover(old: str, new: str, host: str, begun_at: str) -> dict[str, Any]:
    """Return the result of redis_sentinel_failover, with the host that became the master."""
    timeline = [
        {"at_ms": 100.0, "event": "steered: replica-priority of it is 1 (was 100)"},
        {"at_ms": 2000.0, "event": f"pause: writes on {old} wait for at most 4000 ms"},
        {"at_ms": 2300.0, "event": f"promoted: {new} is master"},
        {"at_ms": 4000.0, "event": "settled: every replica is linked"},
    ]
    numbers = {"pause_ms": 321.4, "full_resyncs": 0, "attempts": 1, "aligned": True, "diverged_bytes": 0, "foreign": False}
    proof = {"loss": "none", "loss_reason": "the offsets are equal", "mode": "pause", "mode_reason": "it can"}
    names = {"old_master": old, "new_master": new, "leader": "10.0.0.13:26379", "host": host}
    return {"changed": True, "begun_at": begun_at, "timeline": timeline, **names, **numbers, **proof}


def audit(seconds: int = 120, gap_at: int = 60, begun_s: float = BEGIN_S + 5) -> dict[str, Any]:
    """Return what a write audit has counted, ten writes per second; one second has only six."""
    counts = [10] * seconds
    counts[gap_at] = 6
    gaps = [{"at_s": begun_s + gap_at + 0.2, "gap_ms": 431.4}]
    numbers = {"acknowledged": sum(counts), "lost": 0, "unexpected": 0, "duplicates": 0, "recovered": 1, "refused": 0, "unknown": 2}
    times = {"longest_gap_ms": 431.4, "acknowledged_per_second": {"begun_at_s": begun_s, "counts": counts}, "seconds": float(seconds)}
    return {**numbers, "errors": {"closed or timed out": 2}, **times, "gaps": gaps}


class Events:
    """A run, event by event; 10 seconds pass before each of them."""

    def __init__(self, before: Surveyed | None = None, **settings: Any) -> None:
        self.facts = facts_of(plan_of(before or three_and_three(), **settings))
        self.all: list[dict[str, Any]] = []
        self._now_s = BEGIN_S
        self.add("begun", self.facts)

    def add(self, name: str, data: dict[str, Any]) -> None:
        event = {"event": name, "at": timestamp(self._now_s), "run": dict(RUN), "data": copy.deepcopy(data)}
        self.all.append(event)
        self._now_s += 10

    def steps(self, count: int) -> Events:
        """Add the next steps of the plan."""
        for step in self.facts["steps"][self._done() :][:count]:
            if step["kind"] == "handover":
                self._hand_over(step)
            self.add("step_done", {"step": step["key"], "duration_s": "0" if step["kind"] == "handover" else "4.5"})
        return self

    def all_steps(self) -> Events:
        return self.steps(len(self.facts["steps"]))

    def _done(self) -> int:
        return sum(event["event"] == "step_done" for event in self.all)

    def _hand_over(self, step: dict[str, Any]) -> None:
        addresses = {one["host"]: one["address"] for one in self.facts["instances"] if one["kind"] == "redis"}
        now = self.facts["shards"][step["shard"]]["master_host"]
        for event in self.all:
            if event["event"] == "handover_done" and event["data"]["shard"] == step["shard"]:
                now = event["data"]["host"]
        done = handover(addresses[now], addresses[step["host"]], step["host"], timestamp(self._now_s - 4))
        self.add("handover_done", {**done, "shard": step["shard"]})

    def verified(self, **changes: Any) -> Events:
        rows = [
            {
                "host": one["host"],
                "kind": one["kind"],
                "shard": one["shard"],
                "before": one["running"],
                "now": one["wanted"],
                "role": "sentinel" if one["kind"] == "sentinel" else "master" if one["host"].endswith("-1") else "replica",
            }
            for one in self.facts["instances"]
        ]
        shards = {
            name: {"before": shard["master_host"], "now": shard["master_host"], "original_master": shard["original_master_host"]}
            for name, shard in self.facts["shards"].items()
        }
        empty: dict[str, Any] = {"handovers": [], "reserves": {}, "deferred": [], "problems": [], "lines": ["instance before now"]}
        self.add("verified", {"version": self.facts["version"], "instances": rows, "shards": shards, **empty, **changes})
        return self

    def ended(self) -> Events:
        self.add("ended", {})
        return self

    def stopped(self, *lines: str, failed_step: str = "") -> Events:
        self.add("stopped", {"lines": list(lines), "failed_step": failed_step})
        return self
