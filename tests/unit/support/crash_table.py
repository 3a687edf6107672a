"""Write the table of crash points into docs/handover.md; a test checks that the page is up to date.

usage: PYTHONPATH=.cache/collections scripts/run python tests/unit/support/crash_table.py
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from ansible_collections.sentinelops.redis.tests.unit.support.crash import OBSERVED_S, WHO, Outcome, Step, simulate, steps
from ansible_collections.sentinelops.redis.tests.unit.support.deployment import MASTER, OTHER, TARGET

__all__ = ["BEGIN", "END", "PAGE", "Row", "pasted", "simulated", "table"]

PAGE = Path(__file__).resolve().parents[3] / "docs" / "handover.md"
BEGIN, END = "<!-- crash points: begin -->\n", "<!-- crash points: end -->\n"
COLUMNS = ("after", "writes are stopped by", "no writes for", f"master after {OBSERVED_S:g} s", "finished by", "a later run")
HEAD = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|"
# in mode fence only the accident whose outcome differs most: no process is left to lift the fence
CASES = [*(("pause", who) for who in WHO), ("fence", "the module and its standby")]
LIMITS_S = (1, 5, 15, 30)
MASTERS = {MASTER: "the old master", TARGET: "the target", OTHER: "another replica"}
RESTORED = {
    "the fence of": "fence",
    "repl-ping-replica-period": "ping period",
    "replica-priority": "priority",
    "info-period": "Sentinel settings",
    "failover-timeout": "Sentinel settings",
    "parallel-syncs": "Sentinel settings",
}

Row = tuple[str, str, Step, Outcome]


def simulated() -> list[Row]:
    """Simulate every accident at every step; a step that is repeated counts once."""
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for mode, who in CASES:
            for name, group in itertools.groupby(steps(Path(folder, mode), mode), key=lambda step: step.name):
                step = list(group)[-1]
                place = Path(folder, f"{mode}-{who}-{name}".replace(" ", "-"))
                found.append((mode, who, step, simulate(place, mode, who, step)))
    return found


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of the tables: one per accident; steps with equal outcomes share a line."""
    for (mode, who), group in itertools.groupby(rows, key=lambda row: row[:2]):
        yield f"\n**{who[0].upper() + who[1:]}** (mode `{mode}`)\n\n{HEAD}"
        for told, same in itertools.groupby(group, key=lambda row: cells(row[3])):
            yield f"| {', '.join(row[2].name for row in same)} | {' | '.join(told)} |"


def cells(outcome: Outcome) -> tuple[str, ...]:
    master = MASTERS.get(outcome.master, "none") if outcome.serves else "none accepts writes"
    return (", then ".join(outcome.stopped_by) or "-", _about(outcome.gap_s), master, outcome.finished_by, _later(outcome))


def _about(seconds: float) -> str:
    """Return the class of a time; a small change of the code does not change the class."""
    if seconds < 0.02:
        return "-"
    limit_s = next((limit_s for limit_s in LIMITS_S if seconds < limit_s), 0)
    return f"less than {limit_s} s" if limit_s else f"more than {LIMITS_S[-1]} s"


def _later(outcome: Outcome) -> str:
    text = " ".join(outcome.recovered)
    restored = list(dict.fromkeys(what for sign, what in RESTORED.items() if sign in text))
    does = [f"restores {', '.join(restored)}"] * bool(restored)
    does += ["saves the settings again"] * ("saved its settings again" in text)
    return "; ".join(does + ["hands over"] * outcome.moved_later) or "nothing to do"


def pasted(page: str, lines: Iterator[str]) -> str:
    """Return the page with these lines between its two marks."""
    before, rest = page.split(BEGIN)
    return before + BEGIN + "\n".join(lines) + "\n\n" + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(pasted(PAGE.read_text(encoding="utf-8"), table(simulated())), encoding="utf-8")
