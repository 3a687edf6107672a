"""The process of a server, by the id that the server tells, in /proc and in copies of it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._host.pid_namespace import (
    HIDDEN,
    OTHER_PIDS,
    is_same_file_for,
    isolation_of,
    visible_pid,
)

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
LINE = "   0: 0100007F:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000   105        0 {inode} 1 0 100 0 0 10 0\n"


class Proc:
    """A copy of /proc with the processes that a test adds."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(
        self, pid: int, own: int | None = None, *, listens: int = 0, table: str = "tcp", holds: bool = True, comm: str = "redis-server"
    ) -> None:
        """Add a process; ``own``: its id in a namespace of its own; ``holds``: whether it has the
        socket.
        """
        folder = self.path / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "net").mkdir()
        ids = f"{pid}" if own is None else f"{pid}\t{own}"
        (folder / "status").write_text(f"Name:\t{comm}\nNSpid:\t{ids}\n")
        (folder / "comm").write_text(f"{comm}\n")
        (folder / "fd" / "0").symlink_to("/dev/null")
        if listens:
            other = LINE.format(port=22, state="0A", inode=1)
            used = LINE.format(port=listens, state="01", inode=2)
            (folder / "net" / table).write_text(HEAD + other + LINE.format(port=listens, state="0A", inode=100 + pid) + used)
            if holds:
                (folder / "fd" / "6").symlink_to(f"socket:[{100 + pid}]")

    def pid(self, reported: int, port: int = 6379) -> int:
        return visible_pid(reported, port, str(self.path))


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path / "proc")


@pytest.mark.parametrize("table", ["tcp", "tcp6"])
def test_a_process_of_this_namespace(proc: Proc, table: str) -> None:
    proc.add(1001, listens=6379, table=table)
    assert proc.pid(1001) == 1001


def test_a_process_of_a_namespace_of_its_own(proc: Proc) -> None:
    """Process 1 of this host is another one, and so is another container's."""
    proc.add(1, comm="systemd")
    proc.add(2002, 1, listens=6380)
    proc.add(3003, 1, listens=6379)
    assert proc.pid(1) == 3003
    assert isolation_of(1, 3003)


def test_a_process_of_this_host_that_happens_to_have_the_id(proc: Proc) -> None:
    proc.add(7, listens=6380)
    proc.add(8, 7, comm="bash")
    assert proc.pid(7) == 0
    assert isolation_of(7, 0) == HIDDEN


def test_a_socket_of_the_port_that_another_process_holds(proc: Proc) -> None:
    """All containers that use the host's network have the same table."""
    proc.add(1, listens=6379, holds=False, comm="systemd")
    assert proc.pid(1) == 0


def test_a_process_that_is_gone(proc: Proc) -> None:
    proc.add(1, comm="systemd")
    assert proc.pid(1001) == 0


@pytest.mark.parametrize(("comm", "expected"), [("valkey-server", 1001), ("dockerd", 0)])
def test_a_process_of_another_user(proc: Proc, comm: str, expected: int) -> None:
    proc.add(1001, listens=6379, comm=comm)
    folder = proc.path / "1001" / "fd"
    for link in folder.iterdir():
        link.unlink()
    folder.rmdir()  # cannot be listed
    assert proc.pid(1001) == expected


def test_a_server_that_does_not_tell_its_port(proc: Proc) -> None:
    assert proc.pid(1001, 0) == 1001


def test_this_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert visible_pid(os.getpid(), port) == os.getpid()
        assert visible_pid(os.getppid(), port) == 0
    assert isolation_of(os.getpid(), os.getpid()) == ""
    assert isolation_of(1, os.getpid()) == OTHER_PIDS, "with the root folder of this host"


def test_files_are_compared_and_not_their_names(tmp_path: Path) -> None:
    assert is_same_file_for(os.getpid(), str(tmp_path))
    assert not is_same_file_for(os.getpid(), str(tmp_path / "none"))
    assert not is_same_file_for(0, str(tmp_path))
    assert not is_same_file_for(os.getpid(), "")
