"""The standby process: it takes over from what was written down last if the other one is killed,
else it just ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

# A process with a standby that writes what it takes over into a file; what it does itself is filled
# in.
PROGRAM = """
import json, os, signal, sys
from ansible_collections.sentinelops.redis.plugins.module_utils._host.standby import Standby

def take_over(state):
    print("nobody reads this")
    with open(sys.argv[1] + ".partial", "w") as file:
        json.dump({{**state, "session": os.getsid(0), "pid": os.getpid()}}, file)
    os.rename(sys.argv[1] + ".partial", sys.argv[1])

standby = Standby.standing_by(take_over)
print(os.getsid(0), flush=True)
{body}
"""
KILL = "os.kill(os.getpid(), signal.{signal})"


def run(body: str, file: Path) -> subprocess.CompletedProcess[str]:
    """Runs the program until its standby has closed its output, or was dismissed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    arguments = [sys.executable, "-c", PROGRAM.format(body=body), str(file)]
    return subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=20, check=False)


def taken_over(file: Path) -> str:
    """Return what the standby wrote; empty if it wrote nothing within a moment."""
    deadline_s = time.monotonic() + 5
    while not file.exists() and time.monotonic() < deadline_s:
        time.sleep(0.005)
    return file.read_text() if file.exists() else ""


@pytest.mark.parametrize("signal", ["SIGKILL", "SIGTERM", "SIGHUP"])
def test_it_takes_over_from_the_last_note(tmp_path: Path, signal: str) -> None:
    done = run(f"standby.note(phase='first', count=1); standby.note(phase='second'); {KILL.format(signal=signal)}", tmp_path / "taken")
    assert done.returncode < 0
    assert '"phase": "second"' in taken_over(tmp_path / "taken")
    assert "count" not in taken_over(tmp_path / "taken")


def test_it_has_a_session_of_its_own_and_no_output(tmp_path: Path) -> None:
    """Ansible waits until everyone has closed the module's output, and the end of the session ends
    all that is in it.
    """
    done = run(f"standby.note(phase='first'); {KILL.format(signal='SIGKILL')}", tmp_path / "taken")
    assert "nobody reads this" not in done.stdout
    assert f'"session": {done.stdout.strip()}' not in taken_over(tmp_path / "taken")


@pytest.mark.parametrize("body", ["standby.note(phase='first'); standby.dismiss()", "standby.dismiss()"])
def test_dismissed_it_does_nothing(tmp_path: Path, body: str) -> None:
    done = run(f"{body}; print('ended')", tmp_path / "taken")
    assert (done.returncode, "ended" in done.stdout) == (0, True), done.stderr
    assert not (tmp_path / "taken").exists(), "dismiss() waits for it, so it has ended"


def test_nothing_was_begun_when_the_other_one_was_killed(tmp_path: Path) -> None:
    """The standby is there, and nothing was written down: there is nothing to take over."""
    run(KILL.format(signal="SIGKILL"), tmp_path / "taken")
    time.sleep(0.05)
    assert not (tmp_path / "taken").exists()


def test_a_signal_to_the_whole_group_does_not_end_it(tmp_path: Path) -> None:
    run(
        "standby.note(phase='first'); os.setpgid(0, 0) if os.getpgrp() != os.getpid() else None; os.killpg(0, signal.SIGTERM)",
        tmp_path / "taken",
    )
    assert '"phase": "first"' in taken_over(tmp_path / "taken")


def test_a_standby_that_is_dead_does_not_matter(tmp_path: Path) -> None:
    body = "os.kill(standby._pid, signal.SIGKILL); os.waitid(os.P_PID, standby._pid, os.WEXITED | os.WNOWAIT)"
    done = run(f"{body}; standby.note(phase='first'); standby.dismiss(); print('ended')", tmp_path / "taken")
    assert "ended" in done.stdout, done.stderr
