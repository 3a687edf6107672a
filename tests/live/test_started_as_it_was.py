"""A plain process is started by a switch, and by a revert, as the process before was started."""

from __future__ import annotations

import os
import pwd
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._host.process_facts import facts_of
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address
from ansible_collections.sentinelops.redis.plugins.module_utils._server.connection import connect
from ansible_collections.sentinelops.redis.plugins.module_utils._server.info import parse_info
from ansible_collections.sentinelops.redis.plugins.module_utils._server.login import Login
from deployment import SERVERS, run_module
from states import wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process as another user, and raise its limits")
OLD, NEW = "6.2.14", "7.0.15"
NOBODY = pwd.getpwnam("nobody")
GROUPS = [54321, 54322]
NOFILE = (12000, 13000)


class Started:
    """A replica without a master, or a Sentinel of none, in a folder that its user may enter."""

    def __init__(self, folder: Path, port: int, lines: str = "", sentinel: bool = False, old: str = OLD, new: str = NEW) -> None:
        self.folder, self.port = folder, port
        self.own = folder / "started-here"
        self.output = folder / "output"
        self.config = folder / ("sentinel.conf" if sentinel else "redis/redis.conf")
        shutil.copytree(SERVERS / old, folder / "redis")
        shutil.copytree(SERVERS / new, folder / "redis.new")
        own = "" if sentinel else "save ''\nreplicaof 127.0.0.1 1\n"
        self.config.write_text(f"port {port}\nlogfile ''\n{own}{lines}", encoding="utf-8")
        self.own.mkdir()
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
        folder.chmod(0o755)

    def start(self, *arguments: str, nofile: tuple[int, int] = NOFILE) -> None:
        """Start the server with everything unlike that of this process."""

        def set_up() -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, nofile)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 4096))
            os.setpriority(os.PRIO_PROCESS, 0, 5)
            Path("/proc/self/oom_score_adj").write_text("123", encoding="ascii")
            os.umask(0o027)
            os.setgroups(GROUPS)
            os.setgid(NOBODY.pw_gid)
            os.setuid(NOBODY.pw_uid)

        with self.output.open("ab") as output:
            subprocess.Popen(
                [self.folder / "redis" / "redis-server", self.config, *arguments],
                cwd=self.own,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=set_up,  # noqa: PLW1509
            )
        wait_until(self.answers, 10)

    def answers(self) -> bool:
        try:
            return bool(self.command("PING"))
        except Exception:
            return False

    def command(self, *words: Any) -> Any:
        server = connect(Address("127.0.0.1", self.port), Login())
        try:
            return server.command(*words)
        finally:
            server.close()

    def pid(self) -> int:
        return int(parse_info(self.command("INFO"))["process_id"])

    def maxclients(self) -> int:
        return int(self.command("CONFIG", "GET", "maxclients")[1])

    def seen(self) -> dict[str, Any]:
        facts = facts_of(self.pid(), str(self.config))
        assert facts is not None
        return facts.as_dict()

    def options(self, state: str, version: str) -> dict[str, Any]:
        return {
            "state": state,
            "version": version,
            "login_port": self.port,
            "folder": str(self.folder / "redis"),
            "executable": str(self.folder / "redis" / "redis-server"),
            "config_file": str(self.config),
            "wait_s": 20,
        }

    def run(self, state: str, version: str, *, nofile: str = "", **options: Any) -> dict[str, Any]:
        """Run the module; ``nofile``: the limit of open files of its session, for prlimit."""
        wrapped = ["prlimit", f"--nofile={nofile}"] if nofile else []
        return run_module("redis_instance", wrapped, **{**self.options(state, version), **options})


@pytest.fixture
def make(next_port: Callable[[], int]) -> Iterator[Callable[..., Started]]:
    made: list[Started] = []

    def start(**options: Any) -> Started:
        made.append(Started(Path(tempfile.mkdtemp(prefix="started-")), next_port(), **options))
        return made[-1]

    yield start
    for one in made:
        pid = one.pid() if one.answers() else 0
        if pid:
            os.kill(pid, 9)
        shutil.rmtree(one.folder, ignore_errors=True)


@pytest.mark.parametrize("given", [False, True], ids=["as the process that runs", "as the survey says"])
def test_everything_is_as_before(make: Callable[..., Started], given: bool) -> None:
    one = make()
    one.start()
    before = one.seen()
    assert (before["folder"], before["umask"], before["nice"], before["oom_score_adj"]) == (str(one.own), 0o027, 5, 123)
    assert (before["uid"], before["groups"]) == (NOBODY.pw_uid, GROUPS)
    assert (tuple(before["limits"]["nofile"]), before["stdout"]["path"]) == (NOFILE, str(one.output))
    options = {"process": before} if given else {}
    for state, version in (("switched", NEW), ("previous", OLD)):
        pid, size = one.pid(), one.output.stat().st_size
        done = one.run(state, version, **options)
        assert not done.get("failed"), done["msg"]
        assert one.pid() != pid
        assert parse_info(one.command("INFO"))["redis_version"] == version
        assert one.seen() == before
        assert f"version={version}" in one.output.read_bytes()[size:].decode(), "the log goes on in the same file"


def test_a_session_with_a_low_limit_lowers_nothing(make: Callable[..., Started]) -> None:
    one = make()
    one.start(nofile=(15000, 15000))
    before = one.seen()
    for state, version in (("switched", NEW), ("previous", OLD)):
        assert not one.run(state, version, nofile="1024:").get("failed")
        assert (one.maxclients(), one.seen()) == (10000, before)


def test_a_session_that_cannot_raise_its_limit(make: Callable[..., Started]) -> None:
    """``ulimit -n 1024`` sets the hard limit, too, which only CAP_SYS_RESOURCE can raise."""
    one = make()
    one.start(nofile=(15000, 15000))
    before, pid = one.seen(), one.pid()
    done = one.run("switched", NEW, nofile="1024:1024")
    if done.get("failed"):
        assert "could not be started with its limit of open files (1024 instead of 15000)" in done["msg"]
        assert one.pid() == pid, "it was not stopped"
    assert (one.maxclients(), one.seen()) == (10000, before)


@pytest.mark.parametrize(("sentinel", "old", "new"), [(False, OLD, NEW), (True, "6.2.9", OLD)], ids=["data node", "Sentinel"])
def test_a_switch_that_lowers_maxclients_is_reverted(make: Callable[..., Started], sentinel: bool, old: str, new: str) -> None:
    """The new server's wrapper has the limit of ``ulimit -n 1024``.

    A Sentinel writes the lowered number whenever it writes its file, which both versions read here:
    without an id at once.
    """
    one = make(sentinel=sentinel, old=old, new=new)
    server = one.folder / "redis.new" / "redis-server"
    server.rename(server.with_name("real"))
    script = '#!/bin/sh\n[ "$1" = --version ] || { ulimit -n 1024; sed -i /myid/d "$1"; }\nexec "$(dirname "$0")/real" "$@"\n'
    server.write_text(script, encoding="utf-8")
    server.chmod(0o755)
    one.start(*["--sentinel"] * sentinel)
    done = one.run("switched", new, sentinel=sentinel)
    assert "maxclients 992 instead of 10000" in done["msg"]
    assert f"The old version {old} was restored and serves again. " in done["msg"]
    info = parse_info(one.command("INFO"))
    assert (info["maxclients"], info["redis_version"]) == ("10000", old)


def test_renamed_commands_that_only_the_arguments_have_are_refused(make: Callable[..., Started]) -> None:
    one = make(lines="rename-command KEYS ''\n")
    one.start("--rename-command", "FLUSHALL", "", "--rename-command", "FLUSHDB", "hidden", "--maxmemory", "64mb")
    pid = one.pid()
    refused = one.run("switched", NEW)
    assert refused["failed"]
    assert "it was started with arguments that rename or disable commands (flushall, flushdb)" in refused["msg"]
    assert one.pid() == pid
    with one.config.open("a", encoding="utf-8") as file:
        file.write('rename-command FLUSHALL ""\nrename-command FLUSHDB hidden\n')
    one.command("CONFIG", "REWRITE")
    assert not one.run("switched", NEW).get("failed")
    assert one.command("COMMAND", "INFO", "FLUSHALL", "FLUSHDB", "KEYS") == [None, None, None]
    assert one.command("CONFIG", "GET", "maxmemory")[1] == str(64 * 1024**2), "CONFIG REWRITE has kept this argument"
