"""Own commands as the service manager, and running commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import OperationFailed, PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._host.process import alive
from ansible_collections.sentinelops.redis.plugins.module_utils._host.service import THIS_HOST, Command, Start, command_words
from ansible_collections.sentinelops.redis.plugins.module_utils._install.folders import Folders
from ansible_collections.sentinelops.redis.plugins.module_utils._install.instance_files import InstanceFiles
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.lifecycle import restart, start, stop
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.switch_version import switch_version
from ansible_collections.sentinelops.redis.plugins.module_utils._wait import Clock
from ansible_collections.sentinelops.redis.tests.unit.support.version_folder import FAILS, ProgramServer, place

OLD, NEW = "7.0.5", "7.0.15"
CLOCK, WAIT_S = Clock(), 5
BACKGROUND = 'setsid "$0" "$1" >/dev/null 2>&1 &'


class Instance:
    """A server that two commands start and stop; the start command ends at once."""

    def __init__(self, path: Path) -> None:
        self.active, self.staged = place(path / "redis", OLD), place(path / "redis.new", NEW)
        self.config = path / "redis.conf"
        self.config.write_text("port 6379\n")
        self.begin = ("/bin/sh", "-c", BACKGROUND, str(self.active / "redis-server"), str(self.config))
        self.end = ("/bin/sh", "-c", f"read pid version < {path}/run && kill $pid")
        self.folders = Folders(str(self.active))
        self.server = ProgramServer(path, self.config)
        self.command = Command(self.begin, self.end)

    @property
    def files(self) -> InstanceFiles:
        return InstanceFiles(str(self.active / "redis-server"), str(self.config), False, "", self.command)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    made = Instance(tmp_path)
    yield made
    made.server.end_all()


def test_started_stopped_and_restarted(instance: Instance) -> None:
    node = start(instance.server, instance.files, WAIT_S, CLOCK)
    assert (node.version, alive(node.pid)) == (OLD, True)
    assert restart(instance.server, instance.files, WAIT_S, CLOCK).pid != node.pid
    assert not alive(node.pid)


def test_a_start_command_that_stays(instance: Instance) -> None:
    instance.command = Command((str(instance.active / "redis-server"), str(instance.config)), instance.end)
    assert start(instance.server, instance.files, WAIT_S, CLOCK).version == OLD


def test_switched(instance: Instance) -> None:
    start(instance.server, instance.files, WAIT_S, CLOCK)
    assert switch_version(instance.server, instance.files, instance.folders, NEW, None, WAIT_S, CLOCK).version == NEW


def test_a_new_version_that_fails_is_reverted(instance: Instance) -> None:
    place(instance.staged, NEW, FAILS)
    start(instance.server, instance.files, WAIT_S, CLOCK)
    with pytest.raises(OperationFailed, match=f"The old version {OLD} was restored and serves again"):
        switch_version(instance.server, instance.files, instance.folders, NEW, None, 0.3, CLOCK)
    running = instance.server.running()
    assert running is not None
    assert running[1] == OLD


def test_a_start_command_that_fails(instance: Instance) -> None:
    instance.command = Command(("/bin/sh", "-c", "echo no such service; exit 5"), instance.end)
    with pytest.raises(OperationFailed, match="the start command ended with exit code 5: no such service"):
        start(instance.server, instance.files, WAIT_S, CLOCK)


def test_a_stop_command_that_fails(instance: Instance) -> None:
    node = start(instance.server, instance.files, WAIT_S, CLOCK)
    instance.command = Command(instance.begin, ("/bin/sh", "-c", "echo not allowed >&2; exit 1"))
    with pytest.raises(OperationFailed, match="ended with 1: not allowed") as caught:
        stop(instance.server, node, instance.files, WAIT_S, CLOCK)
    assert caught.value.state == "The server may still be running"
    assert alive(node.pid)


def test_a_stop_command_that_does_not_stop_it(instance: Instance) -> None:
    node = start(instance.server, instance.files, WAIT_S, CLOCK)
    instance.command = Command(instance.begin, ("/bin/true",))
    with pytest.raises(OperationFailed, match="is still there"):
        stop(instance.server, node, instance.files, 0.2, CLOCK)


def test_a_new_server_with_another_name_is_refused_before_anything_is_stopped(instance: Instance) -> None:
    (instance.staged / "redis-server").rename(instance.staged / "valkey-server")
    node = start(instance.server, instance.files, WAIT_S, CLOCK)
    with pytest.raises(PreconditionFailed, match="the start command may not run that path"):
        switch_version(instance.server, instance.files, instance.folders, NEW, None, WAIT_S, CLOCK)
    assert alive(node.pid)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["sh", "-c", "a b"], ["sh", "-c", "a b"]),
        (("sh", 1), ["sh", "1"]),
        ("sh -c 'a b'", ["sh", "-c", "a b"]),
    ],
)
def test_the_words_of_a_command(given: Any, words: list[str]) -> None:
    assert command_words(given, "start_command") == words


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ("", "start_command is empty"),
        ([], "start_command is empty"),
        (None, "start_command is empty"),
        ("sh 'a", "start_command cannot be read"),
        ("/nowhere/rc redis start", "there is no program /nowhere/rc on this host"),
    ],
)
def test_a_command_that_cannot_be_run(given: Any, match: str) -> None:
    with pytest.raises(PreconditionFailed, match=match) as caught:
        command_words(given, "start_command")
    assert caught.value.state == "Nothing was touched"


def test_running_a_command() -> None:
    told = THIS_HOST.run([sys.executable, "-c", "import os, sys; print(os.getsid(0)); sys.stderr.write(os.environ['LC_ALL'])"], 10)
    assert (told.code, told.errors) == (0, "C")
    assert int(told.output) != os.getsid(0), "Ctrl-C must not reach it"
    assert THIS_HOST.run(["/nowhere/systemctl"], 1).code == 127
    assert THIS_HOST.run(["sleep", "9"], 0.05) == (124, "", "the command did not end within 0.05 s")


def test_a_sentinel_is_started_as_one() -> None:
    assert Start("/opt/redis-server", "/opt/s.conf", True).arguments == ["/opt/redis-server", "/opt/s.conf", "--sentinel"]
    assert Start("/opt/redis-server", "/opt/r.conf", False).arguments == ["/opt/redis-server", "/opt/r.conf"]
