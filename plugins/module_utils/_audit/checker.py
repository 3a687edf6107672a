# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The write audit's checker: pure. Terms are those of Jepsen's set checker.

Every writer appends unique increasing numbers to a list of its own and notes each outcome: *ok*,
*fail* (certainly not applied) or *unknown*. What the lists hold at the end decides.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Sequence

__all__ = ["History", "Verdict", "check", "gaps_ms", "longest_gap_ms", "outcome_of", "total"]

# Replies after which a write was certainly not applied.
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
    """``fail`` for an error reply that says the write was not applied, else ``unknown``."""
    return "fail" if reply.startswith(REFUSALS) else "unknown"


@dataclass
class History:
    """What one writer did: values 1 to ``attempted``; ``ok_at_s`` has the monotonic time of each
    acknowledgement.
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
    """Compares what was acknowledged with what the list holds.

    *lost*: acknowledged and not there. *unexpected*: there, but never attempted, or certainly not
    applied. *recovered*: of unknown outcome, and there. *reordered*: smaller than the value before
    it.
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
    """The longest time without an acknowledgement, from the first one to the end (milliseconds)."""
    times = [*ok_at_s, end_s] if ok_at_s else []
    return round(max((b - a for a, b in zip(times, times[1:])), default=0.0) * 1000, 1)


def gaps_ms(ok_at_s: Sequence[float], end_s: float, least_ms: float) -> list[tuple[float, float]]:
    """The gaps of at least ``least_ms`` between acknowledgements: when each began (seconds), and
    its length (ms).
    """
    times = [*ok_at_s, end_s] if ok_at_s else []
    return [(begin, round((end - begin) * 1000, 1)) for begin, end in zip(times, times[1:]) if (end - begin) * 1000 >= least_ms]


def total(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The sum over writers."""
    keys = ("acknowledged", "lost", "unexpected", "recovered", "duplicates", "reordered")
    return {key: sum(getattr(verdict, key) for verdict in verdicts) for key in keys}
