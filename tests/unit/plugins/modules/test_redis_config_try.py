"""The module redis_config_try."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._instance import config_trial
from ansible_collections.sentinelops.redis.tests.unit.support.modules import Runner
from ansible_collections.sentinelops.redis.tests.unit.support.trial_server import ANSWERS, write_server
from ansible_collections.sentinelops.redis.tests.unit.support.version_folder import FAILS, place

NAME = "redis_config_try"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "redis.conf"
    path.write_text("port 6379\ngopher-enabled no\n")
    return path


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("sub", ["", "bin"])
def test_accepted(runner: Runner, tmp_path: Path, config: Path, check_mode: bool, sub: str) -> None:
    folder = tmp_path / "redis.new" / sub
    folder.mkdir(parents=True)
    program = write_server(folder, tmp_path / "seen", ANSWERS.format(reply=b"+PONG"))
    result = runner.run(NAME, check_mode=check_mode, folder=str(tmp_path / "redis.new"), config_file=str(config))
    assert (result["changed"], result["executable"], result["files"]) == (False, str(program), [str(config)])


def test_a_server_that_is_in_no_version_folder(runner: Runner, tmp_path: Path, config: Path) -> None:
    program = write_server(tmp_path, tmp_path / "seen", ANSWERS.format(reply=b"+PONG"))
    result = runner.run(NAME, executable=str(program), config_file=str(config))
    assert (result["changed"], result["executable"]) == (False, str(program))
    gone = runner.run(NAME, executable=str(tmp_path / "gone"), config_file=str(config))
    assert gone["failed"]
    assert f"{tmp_path}/gone does not exist. Nothing was stopped" in gone["msg"]


@pytest.mark.parametrize("check_mode", [False, True])
def test_refused(runner: Runner, tmp_path: Path, config: Path, check_mode: bool) -> None:
    place(tmp_path / "redis.new", "7.0.15", serve=FAILS)
    result = runner.run(NAME, check_mode=check_mode, folder=str(tmp_path / "redis.new"), config_file=str(config))
    assert result["failed"]
    assert result["output"] == ["*** FATAL CONFIG FILE ERROR ***"]
    assert "Nothing was stopped, and the running server was not touched." in result["msg"]


def test_there_is_no_new_version(runner: Runner, tmp_path: Path, config: Path) -> None:
    result = runner.run(NAME, folder=str(tmp_path), config_file=str(config))
    assert result["failed"]
    assert "holds no redis-server or valkey-server" in result["msg"]
    assert "Nothing was stopped" in result["msg"]


@pytest.mark.parametrize(("in_use", "tried"), [("8.0.2", True), ("7.0.15", False)])
def test_another_instance_has_activated_the_new_version(runner: Runner, tmp_path: Path, config: Path, in_use: str, tried: bool) -> None:
    folder = place(tmp_path / "redis", in_use, serve=FAILS)
    staged = tmp_path / "redis.new"
    result = runner.run(NAME, folder=str(staged), version_folder=str(folder), version="8.0.2", config_file=str(config))
    assert result["failed"]
    assert ("*** FATAL CONFIG FILE ERROR ***" in result.get("output", [])) is tried, "the server in use has read it"
    assert (f"{staged} holds no redis-server or valkey-server" in result["msg"]) is not tried


def test_no_temporary_folder(runner: Runner, tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_server(tmp_path, tmp_path / "seen", ANSWERS.format(reply=b"+PONG"))
    monkeypatch.setattr(config_trial, "_TEMPORARY", str(tmp_path / "gone"))
    result = runner.run(NAME, folder=str(tmp_path), config_file=str(config))
    assert result["failed"]
    assert "cannot be tried: [Errno 2] No such file or directory" in result["msg"]
    assert "Nothing was stopped" in result["msg"]
