# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checker of the write audit: pure functions, in the terms of Jepsen's set checker.

Every writer appends increasing numbers to its own list, and records the outcome of each write:
*ok*, *fail* (certainly not applied) or *unknown*. The checker compares the outcomes with the lists.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Sequence

__all__ = ["History", "Verdict", "check", "gaps_ms", "least_gap_ms", "longest_gap_ms", "outcome_of", "total"]

# Error replies of a write that was certainly not applied.
REFUSALS = (
    "READONLY",
    "NOREPLICAS",
    "LOADING",
    "MASTERDOWN",
    "NOPERM",
    "NOAUTH",
    "OOM",
    "MISCONF",
    "BUSY",
    "WRONGPASS",
)


def outcome_of(reply: str) -> str:
    """Return ``fail`` if an error reply says that the write was not applied, else ``unknown``."""
    return "fail" if reply.startswith(REFUSALS) else "unknown"


@dataclass
class History:
    """The outcomes of one writer's values, which are 1 to ``attempted``.

    ``ok_at_s`` has the monotonic time of each acknowledgement.
    """

    attempted: int = 0
    ok: list[int] = field(default_factory=list)
    ok_at_s: list[float] = field(default_factory=list)
    unknown: list[int] = field(default_factory=list)
    failed: int = 0
    errors: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """Counts of values, for one writer and one node's list."""

    acknowledged: int
    lost: int
    unexpected: int
    recovered: int
    duplicates: int
    reordered: int

    def as_dict(self) -> dict[str, int]:
        return dict(vars(self))


def check(history: History, final: Sequence[int]) -> Verdict:
    """Compare the acknowledged values with the final list.

    *lost*: acknowledged and not in the list. *unexpected*: in the list, but never attempted or
    certainly not applied. *recovered*: of unknown outcome, and in the list. *reordered*: smaller
    than the preceding value.
    """
    there: set[int] = set(final)
    acknowledged, unknown = set(history.ok), set(history.unknown)
    firsts = list(dict.fromkeys(final))
    return Verdict(
        acknowledged=len(acknowledged),
        lost=len(acknowledged - there),
        unexpected=len(there - acknowledged - unknown),
        recovered=len(unknown & there),
        duplicates=len(final) - len(there),
        reordered=sum(1 for before, after in zip(firsts, firsts[1:]) if after < before),
    )


def longest_gap_ms(ok_at_s: Sequence[float], end_s: float) -> float:
    """Return the longest time without an acknowledgement after the first one (milliseconds)."""
    times = [*ok_at_s, end_s] if ok_at_s else []
    return round(max((b - a for a, b in zip(times, times[1:])), default=0.0) * 1000, 1)


def least_gap_ms(writes_per_second: float) -> float:
    """Return from which length on a time between two writes is a gap (milliseconds)."""
    return 100 + 1000 / writes_per_second


def gaps_ms(ok_at_s: Sequence[float], end_s: float, least_ms: float) -> list[tuple[float, float]]:
    """Return the gaps of ``least_ms`` or more between acknowledgements.

    Each gap is its beginning (seconds) and its length (milliseconds).
    """
    times = [*ok_at_s, end_s] if ok_at_s else []
    return [(begin, round((end - begin) * 1000, 1)) for begin, end in zip(times, times[1:]) if (end - begin) * 1000 >= least_ms]


def total(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return the sums of the writers' counts."""
    keys = ("acknowledged", "lost", "unexpected", "recovered", "duplicates", "reordered")
    return {key: sum(getattr(verdict, key) for verdict in verdicts) for key in keys}
