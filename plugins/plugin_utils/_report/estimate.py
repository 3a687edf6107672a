# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The estimate of a run beside what happened. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._times import seconds_between

__all__ = ["compared", "with_estimates"]

Record = Mapping[str, Any]


def compared(estimate: Record, report: Record) -> dict[str, Any]:
    """Return the estimate, ``took_s`` of a run that is done, and their ``ratio``.

    ``ratio``: the fact by the estimate. Empty if the run has no estimate.
    """
    if not estimate:
        return {}
    took_s = round(seconds_between(report["begun_at"], report["ended_at"]), 3) if report["outcome"] == "done" else None
    ratio = round(took_s / estimate["seconds"], 2) if took_s is not None and estimate["seconds"] > 0 else None
    names = ("seconds", "restarts", "pauses", "basis", "not_included")
    return {**{name: estimate[name] for name in names}, "took_s": took_s, "ratio": ratio}


def with_estimates(plays: Sequence[Record], estimate: Record) -> list[dict[str, Any]]:
    """Return the plays of a report with ``estimate_s``, and ``total_s`` to compare it with.

    ``total_s``: from the end of the play before to the end of this one, so that it has what Ansible
    does before a server is touched. The first row ends where the first server is touched.
    """
    rows: list[dict[str, Any]] = []
    estimates = _estimates([play["title"] for play in plays], estimate)
    for play in plays:
        before = rows[-1]["ended_at"] if rows else play["begun_at"]
        both = before and play["ended_at"]
        total_s = round(max(0.0, seconds_between(before, play["ended_at"])), 3) if both else None
        rows.append({**play, "total_s": total_s, "estimate_s": estimates.get(play["title"])})
    return rows


def _estimates(titles: Sequence[str], estimate: Record) -> dict[str, float]:
    """Return the estimate of each row, by title.

    A play without steps counts for the row that follows it. What comes before a server is touched
    counts, in the first play with steps, for the row before that play.
    """
    found: dict[str, float] = {}
    waiting, is_first = 0.0, True
    for play in estimate.get("plays", []):
        if play["title"] not in titles:
            waiting += play["seconds"]
            continue
        if is_first and titles[0] != play["title"]:
            found[titles[0]] = waiting + play["lead_s"]
            waiting = -play["lead_s"]
        is_first = False
        found[play["title"]] = found.get(play["title"], 0.0) + waiting + play["seconds"]
        waiting = 0.0
    if found and titles[-1] not in found:
        found[titles[-1]] = waiting
    return {title: round(seconds, 2) for title, seconds in found.items()}
