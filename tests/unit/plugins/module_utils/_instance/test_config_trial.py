"""Trials of a configuration, with scripts that behave as servers do; nothing is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._host.process import Owner, alive
from ansible_collections.sentinelops.redis.plugins.module_utils._host.process_facts import ProcessFacts
from ansible_collections.sentinelops.redis.plugins.module_utils._host.service import Host, Ran
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.config_trial import (
    Surroundings,
    Trial,
    surroundings_of,
    try_config,
)
from ansible_collections.sentinelops.redis.plugins.module_utils._wait import Clock
from ansible_collections.sentinelops.redis.tests.unit.support.trial_server import ANSWERS, HANGS, write_server

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change users")
NOBODY = pwd.getpwnam("nobody")
TELLS = "open(tells, 'w').close(); "


class Made:
    """A server with a given behaviour, its configuration file, and its report."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "redis.conf"
        self.config.write_text("port 6379\nrequirepass pass-word\n")
        self.new = folder / "redis.new"
        self.new.mkdir()
        self.seen_file = folder / "seen" / "seen.json"
        self.seen_file.parent.mkdir()

    def does(self, what: str) -> Path:
        return write_server(self.new, self.seen_file, what)

    @property
    def seen(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.seen_file.read_text())
        return found

    def left(self) -> list[str]:
        """Return what is left of the trial: the folder, the process."""
        seen = self.seen
        return [what for what, there in (("folder", os.path.exists(seen["folder"])), ("process", alive(seen["pid"]))) if there]


@pytest.fixture
def made() -> Iterator[Made]:
    """A server in a folder that other users may enter."""
    with tempfile.TemporaryDirectory(prefix="trial-test-", dir="/tmp") as path:
        Path(path).chmod(0o755)
        one = Made(Path(path))
        yield one
        if one.seen_file.exists() and "process" in one.left():
            os.kill(one.seen["pid"], signal.SIGKILL)


class Patient(Clock):
    """A clock that stands still until the server hangs, however slow this machine is."""

    def __init__(self, hangs: Path) -> None:
        self._hangs = hangs
        self._asked = 0

    def now_s(self) -> float:
        self._asked += 1
        return 1e6 if self._asked > 1 and self._hangs.exists() else 0


def tried(made: Made, does: str, sentinel: bool = False) -> list[str]:
    trial = Trial(str(made.does(does)), str(made.new), str(made.config), sentinel)
    hangs = made.seen_file.with_name("hangs")
    return try_config(trial, Surroundings(str(made.folder), dict(os.environ), None), 1, Patient(hangs))


@pytest.mark.parametrize("reply", [b"+PONG\r\n", b"-NOAUTH Authentication required.\r\n", b"-ERR unknown command\r\n"])
def test_any_answer_proves_that_it_has_started(made: Made, reply: bytes) -> None:
    assert tried(made, ANSWERS.format(reply=reply)) == [str(made.config)]
    assert made.left() == []
    assert (made.seen["arguments"], made.seen["cwd"]) == ([], str(made.folder))
    assert (made.seen["mode"], made.seen["folder_mode"]) == (0o600, 0o700)
    assert made.seen["text"].startswith("port 6379\nrequirepass pass-word\n")


def test_a_sentinel_is_started_as_one(made: Made) -> None:
    tried(made, ANSWERS.format(reply=b"+PONG\r\n"), sentinel=True)
    assert made.seen["arguments"] == ["--sentinel"]


@root
def test_it_runs_as_the_user_of_the_server(made: Made) -> None:
    program = made.new / "redis-server"
    # proves also that the program can read its configuration
    program.write_text('#!/bin/sh\ncat "$1" > /dev/null && echo "I am $(id -u):$(id -g)"\n')
    program.chmod(0o755)
    trial = Trial(str(program), str(made.new), str(made.config), False)
    with pytest.raises(PreconditionFailed, match=f"I am {NOBODY.pw_uid}:{NOBODY.pw_gid}"):
        try_config(trial, Surroundings("/", dict(os.environ), Owner(NOBODY.pw_uid, NOBODY.pw_gid)), 10, Clock())


@pytest.mark.parametrize(
    ("does", "message"),
    [
        ("sys.exit('no such thing')", "refuses {config}: no such thing"),
        (
            "print('*** FATAL CONFIG FILE ERROR ***'); print('Reading the configuration file, at line 1');"
            "print(\">>> 'port 6379'\"); sys.exit('too small')",
            "refuses {config}, line 1: port 6379: too small",
        ),
        ("sys.exit(0)", "refuses {config}: it printed nothing"),
        (TELLS + HANGS, "neither answers nor ends within 1 s with {config}: it printed nothing"),
        ("print('pass-word', flush=True); " + TELLS + HANGS, "neither answers nor ends within 1 s with {config}: ***"),
    ],
)
def test_a_server_that_does_not_start(made: Made, does: str, message: str) -> None:
    with pytest.raises(PreconditionFailed) as refused:
        tried(made, does)
    assert message.format(config=made.config) in str(refused.value)
    assert refused.value.state.startswith("Nothing was stopped")
    assert made.left() == []


def test_a_configuration_file_that_is_not_there(made: Made) -> None:
    made.config.unlink()
    with pytest.raises(PreconditionFailed, match="cannot be read"):
        tried(made, HANGS)


KILLED = """
import os, sys
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.config_trial import Surroundings, Trial, try_config
from ansible_collections.sentinelops.redis.plugins.module_utils._wait import Clock
try_config(Trial(sys.argv[1], sys.argv[2], sys.argv[3], False), Surroundings("/", dict(os.environ), None), 60, Clock())
"""


def within(seconds: float, what: Callable[[], bool]) -> bool:
    deadline_s = time.monotonic() + seconds
    while not what() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    return what()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_nothing_is_left_if_we_are_killed(made: Made, number: int) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    arguments = [sys.executable, "-c", KILLED, str(made.does(HANGS)), str(made.new), str(made.config)]
    with subprocess.Popen(arguments, env=environment, start_new_session=True, stderr=subprocess.DEVNULL) as process:
        assert within(20, made.seen_file.exists)
        process.send_signal(number)
        assert process.wait(20) != 0
    assert within(20, lambda: made.left() == []), made.left()


@root
def test_not_even_if_all_of_us_are_killed_at_once(made: Made) -> None:
    """Nobody is left to remove the folder, but the server must not keep running."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TRIAL_OF": str(made.folder)}
    arguments = [sys.executable, "-c", KILLED, str(made.does(HANGS)), str(made.new), str(made.config)]
    with subprocess.Popen(arguments, env=environment, start_new_session=True, stderr=subprocess.DEVNULL) as process:
        assert within(20, made.seen_file.exists)
        ours = [pid for pid in of_this_test(made) if pid != made.seen["pid"]]
        assert len(ours) == 2
        for pid in sorted(ours, reverse=True):
            os.kill(pid, signal.SIGKILL)
        process.wait(20)
    assert within(20, lambda: made.left() == ["folder"]), made.left()
    for path in Path(made.seen["folder"]).iterdir():
        path.unlink()
    Path(made.seen["folder"]).rmdir()


def of_this_test(made: Made) -> list[int]:
    found = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and f"TRIAL_OF={made.folder}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


# -- surroundings


class SystemdHost(Host):
    def __init__(self, output: str) -> None:
        self.output = output

    def run(self, words: Any, timeout_s: float) -> Ran:
        assert words[-1] == "redis-server.service"
        return Ran(0, self.output)


@pytest.mark.parametrize(
    ("output", "folder", "settings"),
    [
        ("WorkingDirectory=/var/lib/redis\nEnvironment=\n", "/var/lib/redis", {}),
        ("WorkingDirectory=!/srv\nEnvironment=TZ=UTC 'A=two words' B=x=y\n", "/srv", {"TZ": "UTC", "A": "two words", "B": "x=y"}),
        ("WorkingDirectory=\nEnvironment=A='unbalanced\n", "/", {}),
        ("WorkingDirectory=~\n", "/", {}),
    ],
)
def test_the_surroundings_of_a_unit(output: str, folder: str, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TZ", "A", "B"):
        monkeypatch.delenv(name, raising=False)
    found = surroundings_of("/etc/redis.conf", "redis-server.service", None, SystemdHost(output))
    assert found.folder == folder
    assert {name: found.environment[name] for name in ("TZ", "A", "B") if name in found.environment} == settings


def test_a_plain_process_has_ours_but_nothing_by_which_it_could_speak_to_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/lib")
    found = surroundings_of("/etc/redis/redis.conf", "", ProcessFacts(1, 2))
    assert (found.folder, found.owner, found.environment["LD_LIBRARY_PATH"]) == ("/etc/redis", Owner(1, 2), "/opt/lib")
    assert "NOTIFY_SOCKET" not in found.environment
