"""The module redis_version_info."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.tests.unit.support.archives import AARCH64_SERVER, write
from ansible_collections.sentinelops.redis.tests.unit.support.modules import Runner
from ansible_collections.sentinelops.redis.tests.unit.support.version_folder import place

NAME = "redis_version_info"


@pytest.mark.parametrize("check_mode", [False, True])
def test_an_archive(runner: Runner, tmp_path: Path, check_mode: bool) -> None:
    path = write(tmp_path / "a.tar.gz", {"redis/redis-server": AARCH64_SERVER})
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    result = runner.run(NAME, check_mode=check_mode, path=str(path), checksum=f"sha256:{checksum}")
    assert (result["changed"], result["checksum"], result["machine"], result["server"]) == (False, checksum, "aarch64", "redis-server")
    assert result["bytes"] >= len(AARCH64_SERVER)


def test_a_folder_needs_no_checksum(runner: Runner, tmp_path: Path) -> None:
    result = runner.run(NAME, path=str(place(tmp_path / "redis", "7.0.15")))
    assert (result["checksum"], result["machine"], result["server"]) == ("", "", "redis-server")


def test_an_archive_needs_one(runner: Runner, tmp_path: Path) -> None:
    result = runner.run(NAME, path=str(write(tmp_path / "a.tar.gz", {"redis/redis-server": AARCH64_SERVER})))
    assert result["failed"]
    assert "Set redis_binaries_checksum" in result["msg"]


def test_there_is_no_server_in_it(runner: Runner, tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar.gz", {"redis/src/server.c": b"int main(void) {}\n"})
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    result = runner.run(NAME, path=str(path), checksum=checksum)
    assert result["failed"]
    assert "holds no redis-server or valkey-server" in result["msg"]
    assert runner.run(NAME, path=str(path), checksum=checksum, built=False)["server"] == ""


def test_it_is_not_there(runner: Runner, tmp_path: Path) -> None:
    result = runner.run(NAME, path=str(tmp_path / "a.tar.gz"), checksum="0" * 64)
    assert result["msg"].startswith(f"{tmp_path}/a.tar.gz does not exist. Nothing was placed and no server was touched.")
