"""The runner of all suites: what it counts, and its closing line."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

SUITES = Path(__file__).resolve().parents[3] / "scripts" / "suites.py"
# In place of make: the output and the exit code of each target.
MAKE = """#!/bin/sh
case $1 in
lint) echo clean ;;
sanity) echo broken; exit 2 ;;
unit) sleep 0.5; echo '===== 12 passed in 3.21s (0:00:03) =====' ;;
live) sleep 0.5; echo '1 failed, 2 passed, 3 skipped, 4 errors in 3.21s'; exit 2 ;;
reliability) echo '==== no tests ran in 0.01s ====' ;;
molecule) echo '==== 2 passed in 1.00s ===='; echo '==== 3 passed in 1.00s ====' ;;
hosts) echo 'not run: no root'; exit 77 ;;
live-extended) exec sleep 30 ;;
esac
"""


@pytest.fixture
def make(tmp_path: Path) -> Path:
    (tmp_path / "make").write_text(MAKE, encoding="utf-8")
    (tmp_path / "make").chmod(0o755)
    return tmp_path / "make"


def run(make: Path, *lanes: str) -> tuple[int, list[str]]:
    """Return the exit code, and the lines of the summary without the times."""
    done = subprocess.run([sys.executable, SUITES, make, *lanes], capture_output=True, text=True, check=False, cwd=make.parent)
    assert not done.stderr
    summary = done.stdout.partition("==== summary ====\n")[2]
    return done.returncode, [re.sub(r"(?<= )[\d.]+ ?s ", "", " ".join(line.split())) for line in summary.splitlines()]


def test_what_passes(make: Path) -> None:
    assert run(make, "lint,molecule", "unit") == (0, ["lint 1 passed", "molecule 5 passed", "unit 12 passed", "==== 18 passed in ===="])


def test_each_suite_runs_although_others_fail(make: Path) -> None:
    lines = ["sanity 1 failed", "lint 1 passed", "live 1 failed, 2 passed, 3 skipped, 4 error"]
    assert run(make, "sanity,lint", "live") == (1, [*lines, "==== 2 failed, 4 error, 3 passed, 3 skipped in ===="])


def test_a_pytest_suite_without_a_test_has_failed(make: Path) -> None:
    assert run(make, "reliability") == (1, ["reliability 1 failed", "==== 1 failed in ===="])


def test_a_suite_that_cannot_run_here_is_skipped(make: Path) -> None:
    assert run(make, "hosts") == (0, ["hosts not run: no root", "==== 1 skipped in ===="])


def test_lanes_run_side_by_side_and_outputs_are_not_mixed(make: Path) -> None:
    done = subprocess.run([sys.executable, SUITES, make, "live", "unit"], capture_output=True, text=True, check=False, cwd=make.parent)
    begun = [done.stdout.index(f"{suite} begins") for suite in ("live", "unit")]
    ended = [done.stdout.index(f"\n==== {suite} ====\n") for suite in ("live", "unit")]
    assert max(begun) < min(ended)
    assert (make.parent / ".cache/suites/live.log").read_text(encoding="utf-8") in done.stdout


def test_interrupted(make: Path) -> None:
    """Ctrl-C goes to the whole process group: the running suite ends, the next one does not
    begin.
    """
    process = subprocess.Popen(
        [sys.executable, SUITES, make, "live-extended,lint"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=make.parent,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert "live-extended begins" in process.stdout.readline()
    time.sleep(0.2)
    subprocess.run(["kill", "-INT", "--", f"-{process.pid}"], check=True)
    output, _nothing = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "lint begins" not in output
    assert output.count("interrupted before its end") == 2
    assert re.search(r"^==== 2 failed in [\d.]+s ====$", output.strip().splitlines()[-1])
