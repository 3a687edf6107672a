"""The playbooks on a throw-away deployment: run to the end, in the background, or in a terminal."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from deployment import SERVERS, Deployment
from whole_state import State, unexpected_changes

WANTED = "6.2.14"
CHANGING = ("upgrade", "rollback", "handover")


def command(where: Deployment | Path, playbook: str, *arguments: str, wanted: str = WANTED, **variables: Any) -> list[str]:
    """Return the command that runs a playbook, and remember the deployment's state before that.

    ``where``: a deployment, or an inventory. ``wanted``: a version of scripts/servers.py, or the
    version of redis_binaries_source.
    """
    inventory = where if isinstance(where, Path) else where.inventory
    if isinstance(where, Deployment) and playbook in CHANGING:
        where.remember()
    settings = {
        "redis_upgrade_version": wanted.removeprefix("valkey-"),
        "redis_binaries_source": str(SERVERS / wanted),
        "redis_binaries_remote_src": True,
        **variables,
    }
    return ["ansible-playbook", "-i", str(inventory), f"sentinelops.redis.{playbook}", "-e", json.dumps(settings), *arguments]


def run(where: Deployment | Path, playbook: str, *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    """Run a playbook to its end; if it ends well, check that it has changed nothing unexpected."""
    words = command(where, playbook, *arguments, **variables)
    done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode == 0 and isinstance(where, Deployment) and playbook in CHANGING:
        require_unchanged(where, where.before)
    return done


def require_unchanged(deployment: Deployment, before: Mapping[str, State], seconds: float = 20) -> None:
    """Check settings, users and Sentinels' views against those before the run (whole_state.py).

    Sentinels take some seconds to see what the run has done last.
    """
    assert before, "no instance has answered before the run"
    deadline = time.monotonic() + seconds
    while found := unexpected_changes(before, deployment.whole_state()):
        assert time.monotonic() < deadline, found
        time.sleep(0.3)


def reach(deployment: Deployment) -> dict[str, Any]:
    """Return the variables with which the playbooks log in to the servers."""
    found: dict[str, Any] = {"redis_upgrade_login_host": deployment.access.host}
    for kind, login in (("redis", deployment.access.nodes), ("sentinel", deployment.access.sentinels)):
        for name in ("user", "password"):
            if name in login:
                found[f"redis_upgrade_{kind}_{name}"] = {"__ansible_unsafe": login[name]}
    certificates = {name: value for name, value in deployment.access.nodes.items() if name not in ("user", "password")}
    return {**found, **{f"redis_upgrade_{name}": value for name, value in certificates.items()}}


def words(output: str) -> str:
    """Return the output without its line breaks, whose places are arbitrary."""
    return " ".join(output.replace("\\n", " ").split())


def interrupt_when(deployment: Deployment, text: str, **variables: Any) -> str:
    """Run the upgrade, press Ctrl-C from the moment that a line has the text; return the output.

    Ctrl-C is repeated until the run has ended.
    """
    process = subprocess.Popen(
        command(deployment, "upgrade", **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    output = []
    for line in process.stdout:
        output.append(line)
        if text in line:
            break
    while process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the whole group
        time.sleep(0.5)
    return "".join(output) + process.stdout.read()


class Running:
    """A playbook that runs in the background; ``output`` has its output so far."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self._log = process, log

    @property
    def output(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def has_printed(self, text: str) -> bool:
        return text in self.output

    def wait_for(self, happened: Callable[[], bool], seconds: float = 900) -> None:
        deadline = time.monotonic() + seconds
        while not happened():
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.02)

    def end(self, seconds: float = 900) -> int:
        return self.process.wait(seconds)


@contextlib.contextmanager
def started(words: list[str], log: Path, environment: dict[str, str] | None = None) -> Iterator[Running]:
    """Start a playbook in the background, in a session of its own."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True, env=environment
        )
    try:
        yield Running(process, log)
    finally:
        process.kill()
        process.wait()


# Make standard input the controlling terminal, then become the command.
TAKE_TERMINAL = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"


@contextlib.contextmanager
def in_terminal(words: list[str], log: Path) -> Iterator[tuple[Running, Callable[[str], int]]]:
    """Start a playbook in a terminal; yield it and a function that types a line there.

    The output goes to a file.
    """
    ours, theirs = pty.openpty()
    taking = [sys.executable, "-c", TAKE_TERMINAL, *words]
    with log.open("wb") as file:
        process = subprocess.Popen(taking, stdin=theirs, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
    os.close(theirs)
    try:
        yield Running(process, log), lambda line: os.write(ours, line.encode() + b"\r")
    finally:
        process.kill()
        process.wait()
        os.close(ours)
