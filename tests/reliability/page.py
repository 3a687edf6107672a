"""Write docs/faults.md from the table of faults; a test checks that the page is up to date."""

from __future__ import annotations

from collections.abc import Iterator

from deployment import ROOT
from fault import Expected, Fault
from table import SUBJECTS

PAGE = ROOT / "docs" / "faults.md"
HEAD = """# Faults

What the upgrade does when something goes wrong. Each line is a test: a fault, an upgrade of real
servers, and clients that write. In each of them

- no acknowledged write is lost, but for those that the servers' own asynchronous replication loses
  when a master is killed;
- one writable master is left, and healthy nodes on the old or the new version;
- one more run, without the fault, completes the upgrade.

`make reliability` runs them all and prints what happened
([how](../tests/reliability/README.md)). This page is generated from the table of the tests, by
`PYTHONPATH=.cache/collections:tests/support scripts/run python tests/reliability/page.py`. A test
checks that it is up to date. What to do about a message:
[troubleshooting](troubleshooting.md).

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
