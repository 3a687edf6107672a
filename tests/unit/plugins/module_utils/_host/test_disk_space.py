"""Disk space, and the checks that a version fits and runs on a host."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._host.disk_space import (
    existing_folder,
    file_system_of,
    free_bytes,
    require_machine,
    require_space,
)
from ansible_collections.sentinelops.redis.plugins.module_utils._sizes import readable_size

MB = 1 << 20


@pytest.mark.parametrize(("needed", "spare", "free"), [(0, 0, 0), (30, 100, 130), (30, 100, 1000), (30, 0, 30)])
def test_enough_space(needed: int, spare: int, free: int) -> None:
    require_space("/opt/redis.new", needed * MB, spare * MB, free * MB)


@pytest.mark.parametrize(("needed", "spare", "free"), [(30, 100, 129), (30, 0, 0), (131, 0, 130)])
def test_too_little_space(needed: int, spare: int, free: int) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        require_space("/opt/redis.new", needed * MB, spare * MB, free * MB)
    message = str(caught.value)
    sizes = [readable_size(number * MB) for number in (needed, spare, free)]
    assert f"/opt/redis.new needs {sizes[0]}, and {sizes[1]} must stay free, but there are only {sizes[2]} free" in message
    assert "Nothing was placed and no server was touched" in message


def test_free_bytes_for_a_folder_that_would_be_made(tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    for path in (tmp_path, tmp_path / "not" / "there" / "yet"):
        # other processes write to the disk meanwhile
        assert abs(free_bytes(str(path)) - found.f_bavail * found.f_frsize) < 1 << 30


def test_the_file_system_of_a_folder_that_would_be_made(tmp_path: Path) -> None:
    exists, missing = file_system_of(str(tmp_path)), file_system_of(str(tmp_path / "not" / "yet"))
    assert (exists["path"], missing["path"]) == (str(tmp_path), str(tmp_path))
    assert exists["device"] == missing["device"]
    assert exists["free"] > 0


def test_the_nearest_existing_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in ("", "file", "file/below", "not/there/yet"):
        assert existing_folder(str(tmp_path / path)) == str(tmp_path)
    assert existing_folder("/not/there") == "/"
    assert existing_folder("not-there") == os.getcwd()


@pytest.mark.parametrize(("machine", "here"), [("x86_64", "x86_64"), ("", "x86_64"), ("x86_64", "")])
def test_the_right_machine_or_an_unknown_one(machine: str, here: str) -> None:
    require_machine("redis-server", machine, here)


def test_another_machine() -> None:
    with pytest.raises(PreconditionFailed, match="redis-server is built for aarch64, this host is x86_64"):
        require_machine("redis-server", "aarch64", "x86_64")
