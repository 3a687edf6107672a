"""Facts of this host, and of its processes."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._host.facts import (
    Identity,
    available_memory,
    identity_of,
    lock_holder,
    may_write,
    memory_from,
    programs_bytes,
)

STATUS = "Name:\tredis-server\nUid:\t100\t101\t102\t103\nGid:\t200\t201\t202\t203\nGroups:\t4 24 \nVmRSS:\t  10 kB\n"


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [("MemTotal:       100 kB\nMemAvailable:   64 kB\n", 65536), ("MemTotal: 100 kB\n", 0), ("", 0)],
)
def test_memory(text: str, bytes_: int) -> None:
    assert memory_from(text) == bytes_


def test_the_memory_of_this_host() -> None:
    assert available_memory() > 1 << 20


def test_identity_is_the_one_for_files() -> None:
    assert identity_of(STATUS) == Identity(103, 203, (4, 24))


def test_programs_are_counted_once(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "redis-server").write_bytes(b"x" * 1000)
    os.link(tmp_path / "src" / "redis-server", tmp_path / "src" / "redis-sentinel")
    (tmp_path / "redis-cli").write_bytes(b"x" * 10)
    (tmp_path / "redis.conf").write_bytes(b"x" * 5)
    assert programs_bytes(str(tmp_path), "") == 1010


def test_no_programs_in_the_folder(tmp_path: Path) -> None:
    elsewhere = tmp_path / "server"
    elsewhere.write_bytes(b"x" * 7)
    assert programs_bytes(str(tmp_path / "none"), str(elsewhere)) == 7
    assert programs_bytes(str(tmp_path / "none"), "/nowhere") == 0


def test_what_this_process_may_write(tmp_path: Path) -> None:
    (tmp_path / "redis.conf").write_text("port 1\n")
    assert may_write(os.getpid(), str(tmp_path / "redis.conf")) == {"file": True, "folder": True, "mounted": False}


def test_what_a_process_may_not_write(tmp_path: Path) -> None:
    """Root checks the rights of a user who does not own the folder; others check their own."""
    path = tmp_path / "redis.conf"
    path.write_text("port 1\n")
    path.chmod(0o444)
    tmp_path.chmod(0o555)
    somebody: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    with subprocess.Popen(["sleep", "60"], **somebody) as process:
        try:
            assert may_write(process.pid, str(path)) == {"file": False, "folder": False, "mounted": False}
        finally:
            process.kill()
            tmp_path.chmod(0o755)


@pytest.mark.parametrize(("pid", "path"), [(2**22 + 1, "/etc/hosts"), (os.getpid(), "/nowhere/redis.conf")], ids=["no process", "no file"])
def test_what_cannot_be_found_out(pid: int, path: str) -> None:
    assert may_write(pid, path) == {"file": None, "folder": None, "mounted": False}


def test_who_holds_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert lock_holder(str(path)) == 0
    path.touch()
    assert lock_holder(str(path)) == 0
    with path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert lock_holder(str(path)) == os.getpid()
    assert lock_holder(str(path)) == 0
