# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps and plays of a run, and when each of them began and ended. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._times import earlier, seconds_between

__all__ = ["play_rows", "step_rows"]

Record = Mapping[str, Any]


def step_rows(planned: Sequence[Record], events: Sequence[Record], outcome: str) -> list[dict[str, Any]]:
    """Return the planned steps with their state and times.

    ``state``: ``done``; ``failed`` if the run has stopped because of the step; ``next`` if the step
    was under way or about to begin when the last event was recorded; else ``left``.
    """
    done = _done(events)
    failed = {event["data"].get("failed_step") for event in events if event["event"] == "stopped"}
    rows = []
    for step in planned:
        row = {**step, "state": "left", "begun_at": "", "ended_at": "", "duration_s": None}
        recorded = done.get(step["key"], [])
        if recorded:
            row |= recorded.pop(0)
        elif step["key"] in failed:
            row["state"] = "failed"
        rows.append(row)
    if outcome in ("running", "incomplete"):
        _mark_next(rows)
    return rows


def _done(events: Sequence[Record]) -> dict[str, list[dict[str, Any]]]:
    """Return state and times of what is done, by the keys of the steps.

    A handover counts as soon as its result is recorded, right before its step.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        data = event["data"]
        if event["event"] == "handover_done" and data.get("old_master") != data.get("new_master"):
            timeline = data.get("timeline") or [{}]
            found.setdefault(f"{data.get('host', '')}/handover", []).append(_times(event["at"], _number(timeline[-1].get("at_ms")) / 1000))
        elif event["event"] == "step_done" and not data["step"].endswith("/handover"):
            found.setdefault(data["step"], []).append(_times(event["at"], _number(data.get("duration_s"))))
        elif event["event"] == "step_done":
            # the role was there already, so no handover was recorded
            found.setdefault(data["step"], [_times(event["at"], 0.0)])
    return found


def _times(ended_at: str, duration_s: float) -> dict[str, Any]:
    """Return state and times of a step that is done; it is recorded right after its end."""
    begun_at = earlier(ended_at, duration_s) if duration_s else ""
    return {"state": "done", "begun_at": begun_at, "ended_at": ended_at, "duration_s": round(duration_s, 3) if duration_s else None}


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def _mark_next(rows: list[dict[str, Any]]) -> None:
    """Mark the steps of the first batch that is not complete."""
    first = next((row for row in rows if row["state"] == "left"), None)
    for row in rows:
        if first is not None and row["state"] == "left" and (row["play"], row["batch"]) == (first["play"], first["batch"]):
            row["state"] = "next"


def play_rows(report: Record) -> list[dict[str, Any]]:
    """Return the plays of the steps, and what was before and after them, with their times."""
    found: dict[str, list[Record]] = {}
    for step in report["steps"]:
        found.setdefault(step["play"], []).append(step)
    rows = []
    for title, steps in found.items():
        ended = [step["ended_at"] for step in steps if step["ended_at"]]
        begun = [step["begun_at"] or step["ended_at"] for step in steps if step["ended_at"]]
        rows.append(_row(title, min(begun, default=""), max(ended, default=""), len(ended), len(steps)))
    timed = [row for row in rows if row["begun_at"]]
    if timed:
        before = _row("(3/8) Before the first step", report["begun_at"], timed[0]["begun_at"], 0, 0)
        rows.insert(0, before)
        if report["outcome"] == "done":
            rows.append(_row("(8/8) After the last step", timed[-1]["ended_at"], report["ended_at"], 0, 0))
    return rows


def _row(title: str, begun_at: str, ended_at: str, done: int, planned: int) -> dict[str, Any]:
    duration_s = round(max(0.0, seconds_between(begun_at, ended_at)), 3) if begun_at and ended_at else None
    return {"title": title, "begun_at": begun_at, "ended_at": ended_at, "duration_s": duration_s, "done": done, "steps": planned}
