"""The identity of a run, and whether a run is still alive."""

from __future__ import annotations

import multiprocessing
import os
import pty
import subprocess
import sys
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.process import (
    has_terminal,
    machine,
    main_pid,
    process_start_time,
    run_of,
    run_state,
)

RUN = {"machine": "here", "pid": 4711, "begun": "99"}


@pytest.mark.parametrize(
    ("run", "here", "began", "expected"),
    [
        (RUN, "here", "99", "alive"),
        (RUN, "here", "", "dead"),
        (RUN, "here", "12345", "dead"),  # another process has its id now
        (RUN, "elsewhere", "99", "unknown"),
        (RUN, "elsewhere", "", "unknown"),
        ({**RUN, "machine": ""}, "", "", "unknown"),
    ],
)
def test_fate(run: dict[str, Any], here: str, began: str, expected: str) -> None:
    assert run_state(run, lambda: here, lambda _pid: began) == expected


def test_the_fate_of_a_real_process() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        run = run_of(process.pid)
        assert run_state(run) == "alive"
        process.kill()
        process.wait()
        assert run_state(run) == "dead"


def test_a_zombie_is_dead() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    run = run_of(process.pid)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert run_state(run) == "dead"
    process.communicate()


def test_a_run_is_the_same_in_all_its_workers() -> None:
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    worker = context.Process(target=lambda: sender.send(run_of(main_pid())))
    worker.start()
    told = receiver.recv()
    worker.join()
    assert told == run_of(os.getpid())
    assert (told["pid"], told["machine"], told["begun"]) == (os.getpid(), machine(), process_start_time(os.getpid()))
    assert len(told["id"]) == 8


def test_two_processes_are_two_runs() -> None:
    assert run_of(os.getpid())["id"] != run_of(os.getppid())["id"]


@pytest.mark.parametrize("terminal", [False, True])
def test_whether_there_is_a_terminal(terminal: bool) -> None:
    ours, theirs = pty.openpty() if terminal else os.pipe()[::-1]
    try:
        with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdin=theirs) as process:
            assert has_terminal(process.pid) is terminal
            process.kill()
    finally:
        os.close(ours)
        os.close(theirs)


def test_nothing_to_read_from_is_no_terminal() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdin=subprocess.DEVNULL) as process:
        assert not has_terminal(process.pid)
        process.kill()
