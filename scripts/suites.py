"""Run the test suites, each one even if others failed, and sum them up in a line like pytest's.

usage: suites.py MAKE LANE...

A lane is a list of suites, separated by commas, that run one after another; the lanes run side by
side. A suite is a target of the makefile in the working directory. Its output is shown as a whole
when it ends; meanwhile it can be followed in .cache/suites. Suites that keep the processor busy run
with a lower priority, so that the Sentinels of other suites are not starved.

Where pytest runs in a suite, pytest's numbers count; any other suite counts as one test. A suite
that cannot run here prints a line "not run: REASON" and fails; it counts as one test skipped.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

LOGS = Path(".cache/suites")
# "==== 12 passed, 1 skipped in 3.21s ====", or without the frame when pytest is told to be quiet
SUMMARY = re.compile(r"^=* ?((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s\b", re.MULTILINE)
COLOUR = re.compile(r"\x1b\[[\d;]*m")
NOT_RUN = re.compile(r"^not run: .+", re.MULTILINE)
BY_PYTEST = {"unit", "live", "live-extended", "reliability", "reliability-quick", "molecule", "hosts"}
BUSY = {"lint", "sanity", "unit"}


@dataclass
class Result:
    """The numbers of a suite by outcome, its duration, and the reason if the suite was not run."""

    outcomes: Counter[str]
    not_run: str = ""
    seconds: float = 0

    def __str__(self) -> str:
        numbers = ", ".join(f"{number} {outcome}" for outcome, number in self.outcomes.items() if number)
        return f"{self.seconds:5.0f} s  {self.not_run or numbers}"


def result_of(suite: str, output: str, returncode: int) -> Result:
    """Return the result of a suite that printed the output and ended with the code."""
    outcomes: Counter[str] = Counter()
    for summary in SUMMARY.findall(COLOUR.sub("", output)):
        for item in summary.split(", "):
            number, outcome = item.split()
            outcomes[outcome.replace("errors", "error")] += int(number)
    reason = NOT_RUN.search(output)
    if reason and returncode and not outcomes:
        return Result(Counter(skipped=1), reason[0])
    # A pytest suite that ran no test proves nothing, even if its command succeeded.
    proved = returncode == 0 and (outcomes["passed"] > 0 or suite not in BY_PYTEST)
    if not proved and not outcomes["failed"] + outcomes["error"]:
        outcomes["failed"] += 1
    elif suite not in BY_PYTEST:
        outcomes["passed"] += 1
    return Result(outcomes)


class Suites:
    """All suites of a run, and the results of those that have ended."""

    def __init__(self, make: str, lanes: list[list[str]]) -> None:
        self._make, self._lanes = make, lanes
        self._interrupted, self._printing = threading.Event(), threading.Lock()
        self._start = time.monotonic()
        interrupted = Result(Counter(failed=1), "interrupted before its end")
        self.results = {suite: interrupted for lane in lanes for suite in lane}

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def run(self) -> None:
        """Run all lanes. On Ctrl-C, which make and all below it get as well, start nothing more.

        A lane may learn of it first, from the end of its suite.
        """
        with ThreadPoolExecutor(len(self._lanes)) as pool:
            try:
                for ended in [pool.submit(self._run_lane, lane) for lane in self._lanes]:
                    ended.result()
            except KeyboardInterrupt:
                self._interrupted.set()

    def _run_lane(self, lane: list[str]) -> None:
        for suite in lane:
            if not self._interrupted.is_set():
                self._run_suite(suite)

    def _run_suite(self, suite: str) -> None:
        log, begun = LOGS / f"{suite}.log", time.monotonic()
        self._print(f"[{self.seconds:4.0f} s] {suite} begins, see {log}")
        command = [*(["nice", "-n", "10"] * (suite in BUSY)), self._make, suite]
        with log.open("wb") as file:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, check=False)
        output = log.read_text(encoding="utf-8", errors="replace")
        if done.returncode == -signal.SIGINT:
            self._interrupted.set()
        if not self._interrupted.is_set():
            self.results[suite] = result_of(suite, output, done.returncode)
            self.results[suite].seconds = time.monotonic() - begun
        self._print(f"\n==== {suite} ====\n{output}")

    def _print(self, text: str) -> None:
        with self._printing:
            print(text, flush=True)


def main() -> int:
    make, *lanes = sys.argv[1:]
    LOGS.mkdir(parents=True, exist_ok=True)
    suites = Suites(make, [lane.split(",") for lane in lanes])
    suites.run()
    total = sum((result.outcomes for result in suites.results.values()), Counter())
    print("\n==== summary ====")
    for suite, result in suites.results.items():
        print(f"{suite:17}", result)
    numbers = ", ".join(f"{total[outcome]} {outcome}" for outcome in ("failed", "error", "passed", "skipped") if total[outcome])
    print(f"==== {numbers} in {suites.seconds:.1f}s ====", flush=True)
    return 1 if total["failed"] + total["error"] else 0


if __name__ == "__main__":
    sys.exit(main())
