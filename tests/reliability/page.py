"""Writes docs/what-can-go-wrong.md from the table of faults; a test sees to it that it is up to
date.
"""

from __future__ import annotations

from collections.abc import Iterator

from deployment import ROOT
from fault import Expected, Fault
from table import SUBJECTS

PAGE = ROOT / "docs" / "what-can-go-wrong.md"
HEAD = """# What can go wrong

What an upgrade makes of it. Each line is a test on real servers with clients that write: it loses no acknowledged write (but for those
that the servers' own asynchronous replication loses when a master is killed), leaves one writable master and
healthy nodes on the old or the new version, and one more run, without the fault, completes the upgrade.
`make reliability` runs them all and prints what happened ([how](../tests/reliability/README.md)). This page is made from their table, by
`scripts/run python tests/reliability/page.py` with the tests' `PYTHONPATH`, and checked by them.

| | |
|---|---|
"""
MEANINGS = {
    Expected.REFUSED: "The preflight ends the run. Nothing was touched.",
    Expected.UNSTAGED: "The run ends before any server is stopped; files may have been staged.",
    Expected.STOPPED: "The run ends at the step that fails. The deployment serves, old and new versions together.",
    Expected.PUT_BACK: "The node gets its old version back and is proved healthy, then the run ends.",
    Expected.KILLED: "The run is dead. What has begun on a node is carried to its end there, or finished by the next run.",
    Expected.DONE: "The upgrade goes through to the end, with a warning where there is something to know.",
}


def lines() -> Iterator[str]:
    yield HEAD + "\n".join(f"| {expected.value} | {meaning} |" for expected, meaning in MEANINGS.items())
    for subject, faults in SUBJECTS.items():
        yield f"\n## {subject}\n\n| fault | the upgrade | it says |\n|---|---|---|"
        yield from (line(one) for one in faults)


def line(fault: Fault) -> str:
    says = f"*{fault.says.strip()}*" if fault.expected is not Expected.KILLED else "-"
    return "| " + " | ".join(text.replace("|", "\\|") for text in (fault.name, fault.expected.value, says)) + " |"


def page() -> str:
    return "\n".join(lines()) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
