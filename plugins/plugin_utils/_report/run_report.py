# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a run, from its events so far. Pure; docs/report.md describes the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .advice import next_lines, verdict
from .estimate import compared, with_estimates
from .progress import play_rows, step_rows

__all__ = ["SCHEMA", "make_run_report"]

SCHEMA = 1
Record = Mapping[str, Any]

_HANDOVER_FIELDS = (
    "begun_at",
    "old_master",
    "new_master",
    "mode",
    "mode_reason",
    "pause_ms",
    "aligned",
    "attempts",
    "full_resyncs",
    "leader",
    "loss",
    "loss_reason",
    "diverged_bytes",
    "foreign",
    "timeline",
)


def make_run_report(events: Sequence[Record], dead: bool = False) -> dict[str, Any]:
    """Return the report of a run.

    ``dead``: the process of the run is gone, so an outcome that is still ``running`` is not. Events
    may be missing at either end: those before a run's own plays, and those after a kill.
    """
    begun: Record = next((event["data"] for event in events if event["event"] == "begun"), {})
    verified: Record = next((event["data"] for event in reversed(events) if event["event"] == "verified"), {})
    handovers = _handovers(events, verified)
    outcome = _outcome(events, dead)
    last = events[-1]["at"] if events else ""
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "outcome": outcome,
        "playbook": begun.get("playbook", "upgrade"),
        "version": begun.get("version") or verified.get("version", ""),
        "run": next((dict(event["run"]) for event in events), {}),
        "begun_at": events[0]["at"] if events else "",
        "recorded_at": last,
        "ended_at": last if outcome in ("done", "stopped") or verified.get("problems") else "",
        "plan": list(begun.get("plan", [])),
        "warnings": list(begun.get("warnings", [])),
        "steps": step_rows(begun.get("steps", []), events, outcome),
    }
    estimate = begun.get("estimate", {})
    report["plays"] = with_estimates(play_rows(report), estimate)
    report["estimate"] = compared(estimate, report)
    report["instances"] = verified.get("instances") or _instances(begun, report["steps"], handovers)
    report["shards"] = verified.get("shards") or _shards(begun, handovers)
    report["handovers"] = handovers
    report["audits"] = verified.get("audits", {})
    report["reserves"] = verified.get("reserves", {})
    report["deferred"] = verified.get("deferred", begun.get("deferred", []))
    report["problems"] = list(verified.get("problems", []))
    report["lines"] = list(verified.get("lines", []))
    report["stop_message"] = _stop_message(events)
    report["verdict"] = verdict(report)
    report["what_next"] = next_lines(report)
    return report


def _outcome(events: Sequence[Record], dead: bool) -> str:
    """Return ``done``, ``stopped``, ``incomplete`` or ``running``; see docs/report.md."""
    kinds = {event["event"] for event in events}
    if "ended" in kinds:
        return "done"
    if "stopped" in kinds:
        return "stopped"
    if dead or "interrupted" in kinds or any(event["event"] == "verified" and event["data"].get("problems") for event in events):
        return "incomplete"
    return "running"


def _handovers(events: Sequence[Record], verified: Record) -> list[dict[str, Any]]:
    """Return the handovers that have moved the master role, in the order of time.

    Only the report at the end of the run knows what the audit has measured meanwhile.
    """
    found, gaps = [], {one["begun_at"]: one.get("write_gap_ms") for one in verified.get("handovers", [])}
    for event in events:
        result = event["data"]
        if event["event"] == "handover_done" and result.get("changed") and result.get("old_master") != result.get("new_master"):
            of_module = {field: result.get(field) for field in _HANDOVER_FIELDS}
            measured = {"write_gap_ms": gaps.get(result.get("begun_at"))}
            found.append({**of_module, **measured, "host": result.get("host", ""), "recorded_at": event["at"]})
    return sorted(found or list(verified.get("handovers", [])), key=lambda one: str(one["begun_at"]))


def _stop_message(events: Sequence[Record]) -> list[str]:
    """Return the lines of all hosts that have stopped the run, each line once."""
    lines = [str(line) for event in events if event["event"] == "stopped" for line in event["data"].get("lines", [])]
    return list(dict.fromkeys(lines))


def _instances(begun: Record, steps: Sequence[Record], handovers: Sequence[Record]) -> list[dict[str, Any]]:
    """Return the instances as they should be after the recorded steps."""
    masters = _shards(begun, handovers)
    states = {(step["host"], step["kind"]): step for step in steps if step["kind"] != "handover"}
    rows = []
    for one in begun.get("instances", []):
        step = states.get((one["host"], one["kind"]))
        done = step is not None and step["state"] == "done"
        open_ = step is not None and step["state"] in ("failed", "next")
        is_master = masters.get(one["shard"], {}).get("now") == one["host"]
        rows.append(
            {
                "host": one["host"],
                "kind": one["kind"],
                "shard": one["shard"],
                "before": one["running"],
                "now": one["wanted"] if done else "not known" if open_ else one["running"],
                "role": "sentinel" if one["kind"] == "sentinel" else "master" if is_master else "replica",
            }
        )
    return rows


def _shards(begun: Record, handovers: Sequence[Record]) -> dict[str, dict[str, str]]:
    """Return each shard's master before the run and after the recorded handovers."""
    shard_of = {one["host"]: one["shard"] for one in begun.get("instances", []) if one["kind"] == "redis"}
    found = {
        name: {"before": shard["master_host"], "now": shard["master_host"], "original_master": shard["original_master_host"]}
        for name, shard in begun.get("shards", {}).items()
    }
    for handover in handovers:
        name = shard_of.get(handover.get("host", ""), "")
        if name in found:
            found[name]["now"] = handover["host"]
    return found
