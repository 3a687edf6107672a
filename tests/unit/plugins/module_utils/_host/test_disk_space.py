"""Whether a host can take a version."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._host.disk_space import free_bytes, require_machine, require_room
from ansible_collections.sentinelops.redis.plugins.module_utils._sizes import readable_size

MB = 1 << 20


@pytest.mark.parametrize(("needed", "spare", "free"), [(0, 0, 0), (30, 100, 130), (30, 100, 1000), (30, 0, 30)])
def test_there_is_room(needed: int, spare: int, free: int) -> None:
    require_room("/opt/redis.new", needed * MB, spare * MB, free * MB)


@pytest.mark.parametrize(("needed", "spare", "free"), [(30, 100, 129), (30, 0, 0), (131, 0, 130)])
def test_there_is_no_room(needed: int, spare: int, free: int) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        require_room("/opt/redis.new", needed * MB, spare * MB, free * MB)
    said = str(caught.value)
    sizes = [readable_size(number * MB) for number in (needed, spare, free)]
    assert "/opt/redis.new needs {}, and {} are to stay free, but there are {} free".format(*sizes) in said
    assert "Nothing was placed and no server was touched" in said


def test_what_is_free_where_a_folder_would_be_made(tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    for path in (tmp_path, tmp_path / "not" / "there" / "yet"):
        # others write there, too
        assert abs(free_bytes(str(path)) - found.f_bavail * found.f_frsize) < 1 << 30


@pytest.mark.parametrize(("machine", "here"), [("x86_64", "x86_64"), ("", "x86_64"), ("x86_64", "")])
def test_the_right_machine_or_an_unknown_one(machine: str, here: str) -> None:
    require_machine("redis-server", machine, here)


def test_another_machine() -> None:
    with pytest.raises(PreconditionFailed, match="redis-server is built for aarch64, this host is x86_64"):
        require_machine("redis-server", "aarch64", "x86_64")
