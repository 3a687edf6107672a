"""Processes on this host, and the version that a server's executable prints."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import OperationFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._host.process import (
    Owner,
    alive,
    binary_version,
    executable_of,
    machine_id,
    servers_started_from,
    start_detached,
    version_folder,
)
from ansible_collections.sentinelops.redis.tests.unit.support.version_folder import place

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change users")
NO_SUCH_PID = 2**22 + 1  # beyond the largest pid of Linux


def test_alive() -> None:
    assert alive(os.getpid())
    assert not alive(NO_SUCH_PID)


def test_a_zombie_is_not_alive() -> None:
    process = subprocess.Popen(["sleep", "60"])
    assert alive(process.pid)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not alive(process.pid)
    process.wait()
    assert not alive(process.pid)


def test_the_executable_of_a_process_is_what_the_kernel_says() -> None:
    assert executable_of(os.getpid(), "redis-server") == os.path.realpath(sys.executable)
    assert executable_of(NO_SUCH_PID, "/opt/redis/redis-server") == "/opt/redis/redis-server"


@pytest.mark.parametrize(("arguments", "is_server"), [(["60"], True), (["--version"], False)])
def test_a_program_that_only_tells_its_version_is_no_server(tmp_path: Path, arguments: list[str], is_server: bool) -> None:
    """The survey of another instance on the host asks for it at any time. Here nobody listens."""
    program = tmp_path / "redis-server"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writes, bytes(4096))
    os.set_blocking(writes, True)
    process = subprocess.Popen([program, *arguments], stdout=writes)
    try:
        assert process.poll() is None
        assert servers_started_from(str(tmp_path)) == ([process.pid] if is_server else [])
    finally:
        process.kill()
        process.wait()
        os.close(reads)
        os.close(writes)


def test_an_executable_that_was_replaced_meanwhile(tmp_path: Path) -> None:
    """After the swap of folders and the removal of the old file, /proc adds ' (deleted)'."""
    program = tmp_path / "redis-server"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    process = subprocess.Popen([str(program), "60"])
    try:
        program.unlink()
        assert executable_of(process.pid, "?") == str(program)
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("executable", "folder"),
    [
        ("/opt/redis-6379/redis/redis-server", "/opt/redis-6379/redis"),
        ("/opt/redis/src/redis-server", "/opt/redis"),
        ("/opt/redis/bin/valkey-server", "/opt/redis"),
        ("/usr/bin/redis-server", "/usr"),
        ("/redis-server", "/"),
        ("", ""),
    ],
)
def test_version_folder(executable: str, folder: str) -> None:
    assert version_folder(executable) == folder


@pytest.mark.parametrize("product", ["Redis server", "Valkey server", "Server"])
@pytest.mark.parametrize("version", ["6.2.14", "8.6.0-rc1"])
def test_binary_version(tmp_path: Path, product: str, version: str) -> None:
    assert binary_version(str(place(tmp_path, version, product=product) / "redis-server")) == version


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("#!/bin/sh\necho hello\n", "printed: hello"),
        ("#!/bin/sh\necho Redis server v=7.0.15; exit 3\n", "ended with 3"),
        ("#!/no/such/interpreter\n", "cannot be run"),
        ("\x7fELF nonsense", "cannot be run"),
    ],
)
def test_an_executable_that_does_not_tell_its_version(tmp_path: Path, script: str, reason: str) -> None:
    program = tmp_path / "redis-server"
    program.write_text(script)
    program.chmod(0o755)
    with pytest.raises(OperationFailed, match=reason):
        binary_version(str(program))


def test_an_executable_that_must_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "redis-server"
    program.touch(mode=0o644)  # as where the file system is mounted with noexec: permission denied
    monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_flag=os.ST_NOEXEC))
    with pytest.raises(OperationFailed, match=r"cannot be run.*mounted with noexec; mount it with exec"):
        binary_version(str(program))


def test_no_executable(tmp_path: Path) -> None:
    with pytest.raises(OperationFailed, match="cannot be run"):
        binary_version(str(tmp_path / "redis-server"))


def test_a_started_program_is_in_a_session_of_its_own(tmp_path: Path) -> None:
    with (tmp_path / "output").open("w+b") as output:
        started = start_detached(["/bin/sh", "-c", "echo last words; pwd; exec sleep 60"], str(tmp_path), output)
        try:
            assert started.exit_code() is None
            assert os.getsid(started.process.pid) == started.process.pid != os.getsid(0)
        finally:
            started.process.kill()
            started.process.wait()


def living_in_group(group: int) -> list[int]:
    """Return the processes of a group that have not ended; zombies do not count."""
    found = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdigit() and os.getpgid(int(name)) == group and alive(int(name)):
                found.append(int(name))
    return found


@pytest.mark.parametrize("script", ["exec sleep 60", "sleep 60 & wait", "trap '' TERM; sleep 60 & wait; sleep 60"])
def test_a_started_program_is_ended_with_all_that_it_started(tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "output").open("w+b") as output:
        started = start_detached(["/bin/sh", "-c", f"echo begun; {script}"], str(tmp_path), output)
        while not started.printed():
            time.sleep(0.005)
        wait = started.process.wait
        # not 5 s for a program that ignores SIGTERM
        monkeypatch.setattr(started.process, "wait", lambda _seconds=None: wait(0.1))
        started.end()
        assert started.exit_code() is not None
        # a process that was sent SIGTERM takes its time on a busy machine
        deadline = time.monotonic() + 5
        while living_in_group(started.process.pid):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        started.end()


def test_aliases_of_one_machine_have_its_id_in_common() -> None:
    assert machine_id("/") == machine_id("/") != ""


@root
@pytest.mark.parametrize("uid", [65534, 54321], ids=["a user with a name", "a user id without a name"])
def test_a_program_is_started_as_another_user(tmp_path: Path, uid: int) -> None:
    ours = os.getgroups()
    os.setgroups([0, 54322])
    try:
        with (tmp_path / "output").open("w+b") as output:
            started = start_detached(["/bin/sh", "-c", "id -u; id -g; id -G"], "/", output, Owner(uid, 54321))
            started.process.wait()
            user, group, groups = started.printed().splitlines()
    finally:
        os.setgroups(ours)
    assert (user, group) == (str(uid), "54321")
    assert not {"0", "54322"} & set(groups.split()), "no group of this process is left"


@root
def test_a_user_that_does_not_exist(tmp_path: Path) -> None:
    """Root fails likewise in a container without the right to change users."""
    with (tmp_path / "output").open("w+b") as output, pytest.raises(OperationFailed):
        start_detached(["/bin/true"], "/", output, Owner(2**40, 2**40))


def test_what_a_program_printed_and_how_it_ended(tmp_path: Path) -> None:
    with (tmp_path / "output").open("w+b") as output:
        started = start_detached(["/bin/sh", "-c", "pwd; echo last words >&2; exit 7"], str(tmp_path), output)
        started.process.wait()
        assert started.exit_code() == 7
        assert started.printed() == f"{tmp_path}\nlast words"


def test_a_program_that_cannot_be_started(tmp_path: Path) -> None:
    with (tmp_path / "output").open("w+b") as output, pytest.raises(OperationFailed, match="cannot be started"):
        start_detached([str(tmp_path / "missing")], str(tmp_path), output)
