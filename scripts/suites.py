"""Run the test suites, each one even if an earlier one failed, and sum them up in a line as
pytest's.

usage: suites.py MAKE SUITE...

A suite is a make target. Where pytest runs in it, pytest's numbers count; any other suite counts as
one test. A suite that cannot run here says so in a line "not run: REASON" and fails; it counts as
one test skipped.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass

# "==== 12 passed, 1 skipped in 3.21s ====", or without the frame when pytest is told to be quiet
SUMMARY = re.compile(r"=* ?((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s\b")
COLOUR = re.compile(r"\x1b\[[\d;]*m")
NOT_RUN = re.compile(r"not run: .+")
BY_PYTEST = {"unit", "live", "live-extended", "reliability", "reliability-quick", "molecule", "hosts"}


@dataclass
class Result:
    """The numbers of a suite by outcome, and, if it could not run, the line that says why."""

    outcomes: Counter[str]
    not_run: str = ""

    def __str__(self) -> str:
        return self.not_run or ", ".join(f"{number} {outcome}" for outcome, number in self.outcomes.items() if number)


def run(make: str, suite: str) -> Result:
    """Run one suite, and show what it says as it says it."""
    print(f"\n==== {suite} ====", flush=True)
    outcomes: Counter[str] = Counter()
    not_run = ""
    with subprocess.Popen([make, suite], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            if summary := SUMMARY.match(COLOUR.sub("", line)):
                for item in summary[1].split(", "):
                    number, outcome = item.split()
                    outcomes[outcome.replace("errors", "error")] += int(number)
            elif reason := NOT_RUN.match(line):
                not_run = reason[0]
    if not_run and process.returncode and not outcomes:
        return Result(Counter(skipped=1), not_run)
    # A pytest suite that ran no test proves nothing, even if its command succeeded.
    proved = process.returncode == 0 and (outcomes["passed"] > 0 or suite not in BY_PYTEST)
    if not proved and not outcomes["failed"] + outcomes["error"]:
        outcomes["failed"] += 1
    elif suite not in BY_PYTEST:
        outcomes["passed"] += 1
    return Result(outcomes)


def main() -> int:
    make, *suites = sys.argv[1:]
    start = time.monotonic()
    results = {suite: run(make, suite) for suite in suites}
    total = sum((result.outcomes for result in results.values()), Counter())

    print("\n==== summary ====")
    for suite, result in results.items():
        print(f"{suite:17}", result)
    numbers = ", ".join(f"{total[outcome]} {outcome}" for outcome in ("failed", "error", "passed", "skipped") if total[outcome])
    print(f"==== {numbers} in {time.monotonic() - start:.1f}s ====", flush=True)
    return 1 if total["failed"] + total["error"] else 0


if __name__ == "__main__":
    sys.exit(main())
