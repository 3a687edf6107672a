"""The module redis_version_folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._install.elf import machine_here
from ansible_collections.sentinelops.redis.tests.unit.support.archives import AARCH64_SERVER
from ansible_collections.sentinelops.redis.tests.unit.support.modules import Runner
from ansible_collections.sentinelops.redis.tests.unit.support.version_folder import place

NAME, V = "redis_version_folder", "7.0.15"


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("sub", ["", "src"])
def test_the_right_version_is_there(runner: Runner, tmp_path: Path, sub: str, check_mode: bool) -> None:
    place(tmp_path / sub, V)
    result = runner.run(NAME, check_mode=check_mode, path=str(tmp_path), version=V)
    assert (result["changed"], result["version"], result["copied"]) == (False, V, [])
    assert result["executable"] == str(tmp_path / sub / "redis-server")


@pytest.mark.parametrize(
    ("placed", "script", "reason"),
    [
        ("7.0.5", "", "is version 7.0.5, announced was 7.0.15"),
        ("", "", "holds no redis-server or valkey-server"),
        (V, "#!/bin/sh\nexit 127\n", "ended with 127"),
    ],
)
@pytest.mark.parametrize("option", ["path", "source"])
@pytest.mark.parametrize("check_mode", [False, True])
def test_something_else_is_there(
    runner: Runner, tmp_path: Path, placed: str, script: str, reason: str, option: str, check_mode: bool
) -> None:
    folder = tmp_path / "folder"
    if placed:
        place(folder, placed)
    if script:
        (folder / "redis-server").write_text(script)
    result = runner.run(NAME, check_mode=check_mode, **{"path": str(tmp_path / "new"), option: str(folder)}, version=V)
    assert result["failed"]
    assert reason in result["msg"]
    assert not (tmp_path / "new").exists()


def test_copied_once(runner: Runner, tmp_path: Path) -> None:
    source, path = place(tmp_path / "built", V), tmp_path / "redis.new"
    first = runner.run(NAME, source=str(source), path=str(path), version=V)
    assert (first["changed"], first["copied"], first["executable"]) == (True, ["redis-server"], str(path / "redis-server"))
    second = runner.run(NAME, source=str(source), path=str(path), version=V)
    assert (second["changed"], second["copied"]) == (False, [])


def test_check_mode_copies_nothing(runner: Runner, tmp_path: Path) -> None:
    source, path = place(tmp_path / "built", V), tmp_path / "redis.new"
    result = runner.run(NAME, check_mode=True, source=str(source), path=str(path), version=V)
    assert (result["changed"], result["copied"]) == (True, ["redis-server"])
    assert not path.exists()


def test_too_little_space(runner: Runner, tmp_path: Path) -> None:
    source, path = place(tmp_path / "built", V), tmp_path / "redis.new"
    result = runner.run(NAME, source=str(source), path=str(path), version=V, spare_bytes=1 << 60)
    assert result["failed"]
    assert f"{path} needs 205 bytes, and 1073741824.0 GiB must stay free, but there are only" in result["msg"]
    assert not path.exists()
    assert not runner.run(NAME, source=str(source), path=str(path), version=V, spare_bytes=1).get("failed")
    assert not runner.run(NAME, source=str(source), path=str(path), version=V, spare_bytes=1 << 60).get("failed"), "it is there"


def test_another_version_is_replaced(runner: Runner, tmp_path: Path) -> None:
    """The earlier version was left by an aborted upgrade."""
    source, path = place(tmp_path / "built", V), place(tmp_path / "redis.new", "7.0.9")
    result = runner.run(NAME, source=str(source), path=str(path), version=V)
    assert (result["changed"], result["version"]) == (True, V)


def test_a_folder_that_cannot_be_made(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = runner.run(NAME, source=str(place(tmp_path / "built", V)), path=str(tmp_path / "file" / "redis.new"), version=V)
    assert result["failed"]
    assert "No server was touched" in result["msg"]


@pytest.mark.parametrize("option", ["path", "source"])
def test_another_machine(runner: Runner, tmp_path: Path, option: str) -> None:
    folder = place(tmp_path / "folder", V)
    (folder / "redis-server").write_bytes(AARCH64_SERVER)
    result = runner.run(NAME, **{"path": str(tmp_path / "new"), option: str(folder)}, version=V)
    assert result["failed"]
    assert f"redis-server is built for aarch64, this host is {machine_here()}" in result["msg"]


@pytest.mark.parametrize("earlier", ["", "7.0.9", V])
def test_an_unpacked_folder_takes_the_place(runner: Runner, tmp_path: Path, earlier: str) -> None:
    source, path = place(tmp_path / "unpacked", V), tmp_path / "redis.new"
    if earlier:
        (place(path, earlier) / "of the earlier one").touch()
    checked = runner.run(NAME, check_mode=True, source=str(source), path=str(path), version=V, origin="one")
    assert (checked["changed"], source.exists()) == (True, True)
    result = runner.run(NAME, source=str(source), path=str(path), version=V, origin="one")
    assert (result["changed"], result["executable"], result["copied"]) == (True, str(path / "redis-server"), ["redis-server"])
    assert {name.name for name in path.iterdir()} == {"redis-server", ".sentinelops-redis"}
    assert {name.name for name in tmp_path.iterdir()} == {"redis.new", "unpacked"}
    assert not runner.run(NAME, source=str(source), path=str(path), version=V, origin="one")["changed"]


def test_what_is_wrong_takes_no_place(runner: Runner, tmp_path: Path) -> None:
    source, path = place(tmp_path / "unpacked", "7.0.9"), place(tmp_path / "redis.new", V)
    result = runner.run(NAME, source=str(source), path=str(path), version=V, origin="one")
    assert "is version 7.0.9, announced was 7.0.15" in result["msg"]
    assert V in (path / "redis-server").read_text()
    assert {name.name for name in tmp_path.iterdir()} == {"redis.new", "unpacked"}


def test_an_origin_without_a_source(runner: Runner, tmp_path: Path) -> None:
    assert "source" in runner.run(NAME, path=str(tmp_path), version=V, origin="one")["msg"]
