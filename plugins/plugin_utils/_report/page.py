# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML page of a report: it shows what the JSON file has, and needs no script or network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from .._plan.estimate_text import about
from .drawing import drawing_of, duration_text
from .metrics import metrics_of
from .run_report import make_run_report

__all__ = ["overview_page", "page_of", "rendering"]

_FOLDER = Path(__file__).parent / "templates"
_MARKS = {"done": "Done", "stopped": "Stopped", "incomplete": "Not complete", "running": "Not ended"}


def _environment() -> Environment:
    """Return an environment that escapes every value: names and messages come from servers."""
    made = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters["duration"] = duration_text
    made.filters["about"] = about
    made.filters["clock"] = _clock
    return made


def _clock(text: str) -> str:
    """Return date and time of a record, in UTC and to the second."""
    return f"{text[:10]} {text[11:19]}" if text else ""


def page_of(report: Mapping[str, Any]) -> str:
    """Return the page of a report."""
    values = {"report": report, "drawing": drawing_of(report), "mark": _MARKS[report["outcome"]], "topology": _topology(report)}
    return _environment().get_template("page.html.j2").render(values)


def overview_page(title: str, rows: Sequence[Mapping[str, Any]], lines: Sequence[str]) -> str:
    """Return the page over several deployments.

    A row has ``name``, ``state`` and ``seconds`` of a run, and the files ``log`` and ``page``.
    """
    return _environment().get_template("overview.html.j2").render(title=title, rows=rows, lines=lines)


def _topology(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the instances by shard, each with its version and role before and after the run."""
    groups: dict[str, list[dict[str, Any]]] = {name: [] for name in report["shards"]}
    for row in report["instances"]:
        shard = report["shards"].get(row["shard"], {})
        before = row["role"] if row["kind"] == "sentinel" else "master" if shard.get("before") == row["host"] else "replica"
        groups.setdefault("Sentinels" if row["kind"] == "sentinel" else row["shard"], []).append({**row, "role_before": before})
    return [{"name": name, "rows": sorted(rows, key=lambda row: row["role"] != "master")} for name, rows in groups.items() if rows]


def rendering(events: Sequence[Mapping[str, Any]], dead: bool = False) -> tuple[str, str, str]:
    """Return JSON text and page of a run from its events, and metrics if it has a file for them.

    ``dead``: the process of the run is gone; otherwise the run may be under way.
    """
    report = make_run_report(events, dead)
    begun = events[0]["data"]
    text = json.dumps(report, indent=4, sort_keys=True, ensure_ascii=False) + "\n"
    return text, page_of(report), metrics_of(report, str(begun.get("deployment", ""))) if begun.get("metrics_file") else ""
