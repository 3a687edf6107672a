# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timeline of a report as lanes, bars and marks, in percent of the width. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._times import earlier, seconds_between
from .curve import HEIGHT_PX, curve_of

__all__ = ["drawing_of", "duration_text"]

LANE_PX, BAR_PX, TOP_PX = 38, 12, 26
_TICKS = 4
_FAILED_AT = 98.0  # a failure ends the run, and its begin is not recorded
Record = Mapping[str, Any]


class _Scale:
    """The time axis: from the beginning of a run to its last record."""

    def __init__(self, begin: str, end: str) -> None:
        self._begin = begin
        self.span_s = max(1.0, seconds_between(begin, end))

    def at(self, moment: str) -> float:
        """Return the place of a moment, from 0 to 100."""
        return round(min(100.0, max(0.0, 100 * seconds_between(self._begin, moment) / self.span_s)), 3)


def drawing_of(report: Record) -> dict[str, Any]:
    """Return lanes, handovers, curves of audits and ticks for the page.

    No lanes without instances and times.
    """
    end = report["ended_at"] or report["recorded_at"]
    if not report["begun_at"] or not report["instances"]:
        return {"lanes": [], "marks": [], "curves": [], "ticks": [], "height": 0}
    scale = _Scale(report["begun_at"], end)
    marks = [_mark(handover, scale) for handover in report["handovers"]]
    lanes = []
    for number, row in enumerate(report["instances"]):
        lanes.append({**_lane(report, row, scale), "y": TOP_PX + number * LANE_PX, "bar": BAR_PX, "masters": _masters(report, row, marks)})
    curves = _curves(report, scale)
    for number, curve in enumerate(curves, len(lanes)):
        curve["y"] = TOP_PX + number * LANE_PX
    return {
        "lanes": lanes,
        "marks": marks,
        "curves": curves,
        "ticks": [_tick(number, scale) for number in range(_TICKS + 1)],
        "height": TOP_PX + (len(lanes) + len(curves)) * LANE_PX + 4,
    }


def _curves(report: Record, scale: _Scale) -> list[dict[str, Any]]:
    """Return the curve of each audited shard; its ``y`` is missing yet."""
    shard_of = {row["host"]: row["shard"] for row in report["instances"] if row["kind"] == "redis"}
    found = []
    for shard, audit in report["audits"].items():
        own = [one for one in report["handovers"] if shard_of.get(one.get("host", "")) == shard]
        curve = curve_of(audit, own, scale.at) if audit.get("acknowledged_per_second") else {}
        if curve:
            found.append({"shard": shard, "height": HEIGHT_PX, **curve})
    return found


def _tick(number: int, scale: _Scale) -> dict[str, Any]:
    anchor = "start" if number == 0 else "end" if number == _TICKS else "middle"
    return {"x": 100 * number / _TICKS, "text": duration_text(scale.span_s * number / _TICKS), "anchor": anchor}


def duration_text(seconds: float | None) -> str:
    """Return a duration for a person: ``0.4 s``, ``53 s``, ``4 min 05 s`` or ``2 h 03 min``."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest:02d} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def _lane(report: Record, row: Record, scale: _Scale) -> dict[str, Any]:
    """Return the lane of an instance: what it ran, and when that was replaced."""
    bars, begin, version = [], 0.0, row["before"]
    for step in report["steps"]:
        if (step["host"], step["kind"]) != (row["host"], row["kind"]) or step["state"] not in ("done", "failed"):
            continue
        until = scale.at(step["begun_at"] or step["ended_at"]) if step["state"] == "done" else max(begin, _FAILED_AT)
        bars.append(_bar(begin, until, "old", f"{version or 'stopped'}, until the step began"))
        begin = scale.at(step["ended_at"]) if step["state"] == "done" else 100.0
        words = "restarting" if step["state"] == "done" else "the step failed"
        bars.append(_bar(until, begin, "change" if step["state"] == "done" else "failed", f"{words}: {step['from']} to {step['to']}"))
        version = step["to"]
    done = any(span["class"] == "change" for span in bars)
    bars.append(_bar(begin, 100.0, "new" if done else "old", f"{version or 'stopped'}"))
    name = f"{row['host']} ({row['kind']})"
    versions = f"{row['before'] or 'stopped'} → {row['now']}" if row["before"] != row["now"] else row["now"]
    return {"name": name, "versions": versions, "bars": [span for span in bars if span["width"] > 0]}


def _bar(begin: float, end: float, kind: str, title: str) -> dict[str, Any]:
    return {"x": begin, "width": round(max(0.0, end - begin), 3), "class": kind, "title": title}


def _mark(handover: Record, scale: _Scale) -> dict[str, Any]:
    """Return a handover's band, and the moment of its pause.

    The times of the controller place the band, since the clocks of hosts may differ; within it the
    handover's own timeline counts.
    """
    end = handover.get("recorded_at") or handover["begun_at"]
    timeline = handover.get("timeline") or []
    took_s = float(timeline[-1]["at_ms"]) / 1000 if timeline else 0.0
    stops = [float(one["at_ms"]) / 1000 for one in timeline if str(one["event"]).partition(":")[0] in ("pause", "fence", "fenced", "armed")]
    begin, pause = scale.at(earlier(end, took_s)), scale.at(earlier(end, took_s - (stops[0] if stops else 0.0)))
    return {
        "x": begin,
        "width": round(max(0.0, scale.at(end) - begin), 3),
        "pause_x": pause,
        "host": handover.get("host", ""),
        "text": f"{_milliseconds(handover.get('pause_ms'))}",
        "title": f"{handover['old_master']} to {handover['new_master']}: writes paused for {_milliseconds(handover.get('pause_ms'))}",
        "anchor": "end" if pause > 85 else "start",
    }


def _milliseconds(value: Any) -> str:
    return f"{float(value):.0f} ms" if isinstance(value, (int, float)) else "an unknown time"


def _masters(report: Record, row: Record, marks: Sequence[Record]) -> list[dict[str, float]]:
    """Return the times, in percent, in which a data node was the master of its shard."""
    shard = report["shards"].get(row["shard"])
    if row["kind"] != "redis" or shard is None:
        return []
    own = {one["host"] for one in report["instances"] if one["kind"] == "redis" and one["shard"] == row["shard"]}
    turns = [(0.0, shard["before"]), *((mark["pause_x"], mark["host"]) for mark in marks if mark["host"] in own)]
    ends = [x for x, _host in turns[1:]] + [100.0]
    return [{"x": x, "width": round(max(0.0, end - x), 3)} for (x, host), end in zip(turns, ends, strict=True) if host == row["host"]]
