# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pace at which this controller reaches these hosts, as the survey has shown. Pure.

The survey calls one module for each instance, for all hosts at the same time, and each call records
when the controller began it. So the whole survey gives the cost of one call among many, and the
call that began last gives the duration of a call alone: it ended when the survey did, and how long
the modules have waited says how much the calls have delayed each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from .model import Instance

__all__ = ["Pace", "pace_of"]

# Without a measurement: about those of SSH in a local network, and of a machine with two cores.
ALONE_S, SHARE_S = 0.6, 0.2


@dataclass(frozen=True)
class Pace:
    """Seconds of module calls.

    ``alone_s``: a call while nothing else happens. ``share_s``: the part of each call in the time
    of many side by side, which the forks of the controller and CPUs limit. ``calls``, ``took_s``:
    the number of calls in the survey, and how long it took; 0 if that is not known.
    """

    alone_s: float = ALONE_S
    share_s: float = SHARE_S
    calls: int = 0
    took_s: float = 0.0

    def calls_s(self, calls: int) -> float:
        """Return how long calls side by side take; the controller itself is as busy as one more."""
        return max(self.alone_s, (calls + 1) * self.share_s)


def pace_of(instances: Sequence[Instance], ended_at_s: float) -> Pace:
    """Return the pace of a survey that ended at ``ended_at_s``, by the controller's time of day."""
    examined: list[Mapping[str, Any]] = [one.record.get("examined") or {} for one in instances]
    asked = [(float((one.get("clock") or {}).get("asked_at_s") or 0), one.get("work") or {}) for one in examined]
    if not asked or min(begun_s for begun_s, _work in asked) <= 0:
        return Pace()
    first_s = min(begun_s for begun_s, _work in asked)
    last_s, work = max(asked, key=lambda one: one[0])
    wall_s, cpu_s = _work_s(work)
    took_s = ended_at_s - first_s
    if took_s <= 0 or last_s > ended_at_s:
        return Pace()  # the clock of the controller was set meanwhile
    # the rest of the call was delayed as the modules were, by the other calls
    rest_s = max(0.0, ended_at_s - last_s - max(wall_s, cpu_s))
    alone_s = cpu_s + rest_s / median(_delay(work) for _begun_s, work in asked)
    return Pace(alone_s, took_s / len(asked), len(asked), took_s)


def _work_s(work: Mapping[str, Any]) -> tuple[float, float]:
    return float(work.get("wall_s") or 0), float(work.get("cpu_s") or 0)


def _delay(work: Mapping[str, Any]) -> float:
    """Return how many times longer than its CPU time a module has existed, at least 1."""
    wall_s, cpu_s = _work_s(work)
    return max(1.0, wall_s / cpu_s) if cpu_s > 0 else 1.0
