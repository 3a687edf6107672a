# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The writes per second of a write audit as an area on the timeline. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._times import earlier, seconds_between, timestamp

__all__ = ["HEIGHT_PX", "curve_of"]

HEIGHT_PX = 24
_MOST_COLUMNS = 300
Record = Mapping[str, Any]


def curve_of(audit: Record, handovers: Sequence[Record], at: Callable[[str], float]) -> dict[str, Any]:
    """Return the area of an audit: ``points`` of a polygon, ``text`` and ``title``.

    ``audit``, ``handovers``: of one shard. ``at``: the place of a time in percent of the width. The
    last second is left out, since the audit ends within it. In a long run a column stands for
    several seconds, and shows the one with the fewest writes.
    """
    counts = [int(count) for count in audit["acknowledged_per_second"]["counts"][:-1]]
    if not counts:
        return {}
    begun_s = float(audit["acknowledged_per_second"]["begun_at_s"]) + _clock_ahead_s(handovers)
    width_s = -(-len(counts) // _MOST_COLUMNS)
    lows = [min(counts[first : first + width_s]) for first in range(0, len(counts), width_s)]
    most = max(*lows, 1)
    ends = [at(timestamp(begun_s + min(number * width_s, len(counts)))) for number in range(len(lows) + 1)]
    corners = [(x, low) for number, low in enumerate(lows) for x in ends[number : number + 2]]
    points = [(ends[0], 0), *corners, (ends[-1], 0)]
    several = f"; the lowest second of every {width_s}" if width_s > 1 else ""
    return {
        "points": " ".join(f"{x:.2f},{HEIGHT_PX * (1 - y / most):.1f}" for x, y in points),
        "text": f"{min(lows)} to {most} writes per second",
        "title": f"acknowledged writes per second{several}",
    }


def _clock_ahead_s(handovers: Sequence[Record]) -> float:
    """Return by how many seconds the controller's clock is ahead of that of the audit's host.

    The same host has made the handovers, whose ends the controller has recorded, with its own delay
    in it; so the area dips where the timeline marks a pause. 0 without a handover.
    """
    for one in handovers:
        if one.get("timeline") and one.get("recorded_at"):
            began = earlier(one["recorded_at"], float(one["timeline"][-1]["at_ms"]) / 1000)
            return seconds_between(one["begun_at"], began)
    return 0.0
