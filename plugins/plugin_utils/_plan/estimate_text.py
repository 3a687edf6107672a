# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The estimate of a run as lines for a person, and beside it how long the run has taken. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...module_utils._sizes import readable_size

__all__ = ["about", "estimate_lines", "passed_lines"]

_FEW_DATA = 16 << 20  # bytes: loading fewer takes no time


def about(seconds: float) -> str:
    """Return a duration without more digits than an estimate has: ``8 s``, ``2 min 30 s``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 600:
        minutes, rest = divmod(round(seconds / 10) * 10, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def estimate_lines(plan: Mapping[str, Any]) -> Iterator[str]:
    """Yield the estimate of a plan: its sum, its plays, its basis, and what it leaves out."""
    estimate = plan.get("estimate")
    if not estimate:
        return
    yield f"estimate: about {about(estimate['seconds'])}: {_counted(estimate)}"
    yield f"estimate: {', '.join(_by_number(estimate['plays']))}; {_basis(estimate['basis'])}"
    if estimate["not_included"]:
        yield f"estimate: left out: {', '.join(estimate['not_included'])}"


def _counted(estimate: Mapping[str, Any]) -> str:
    restarts, pauses = estimate["restarts"], estimate["pauses"]
    found = f"{restarts} restart{'' if restarts == 1 else 's'}"
    if not pauses["count"]:
        return f"{found}, no pause of writes"
    one = pauses["count"] == 1
    return f"{found}, {pauses['count']} pause{'' if one else 's'} of writes of about {pauses['seconds']:.1f} s{'' if one else ' each'}"


def _by_number(plays: list[Mapping[str, Any]]) -> list[str]:
    """Return the seconds of the plays; those of one number together."""
    sums: dict[str, float] = {}
    for play in plays:
        number = play["title"].partition(" ")[0]
        sums[number] = sums.get(number, 0.0) + play["seconds"]
    return [f"{number} {about(seconds)}" for number, seconds in sums.items()]


def _basis(basis: Mapping[str, Any]) -> str:
    found = "by usual times of module calls"
    if basis["calls"]:
        found = f"by the pace of the survey ({basis['calls']} calls in {basis['survey_s']:.1f} s, one by itself {basis['call_s']:.1f} s)"
    if basis["data_bytes"] < _FEW_DATA:
        return found
    how = "as measured" if basis["loads_measured"] else "as its BGSAVE" if basis["saves_measured"] else "assumed, as no log tells"
    return f"{found} and {readable_size(basis['data_bytes'])} of data, loaded at {basis['load_s_per_gib']:.1f} s per GiB ({how})"


def passed_lines(plan: Mapping[str, Any], now_s: float) -> list[str]:
    """Return how long a run took, beside its estimate; ``now_s``: as in the estimate."""
    estimate = plan.get("estimate")
    if not estimate:
        return []
    return [f"estimated: about {about(estimate['seconds'])}; since the plan: {about(now_s - estimate['at_s'])}"]
