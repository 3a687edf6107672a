"""The module redis_instance: its options, and instances that are in the wanted state already.

The tests of ``module_utils/_instance`` cover the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.tests.unit.support.loopback import Listening, listening
from ansible_collections.sentinelops.redis.tests.unit.support.modules import Runner
from ansible_collections.sentinelops.redis.tests.unit.support.version_folder import place

NAME, V = "redis_instance", "7.0.5"


class Files:
    """The files of an instance that runs, or pretends to."""

    def __init__(self, path: Path) -> None:
        self.folder = place(path / "redis", V)
        self.config = self.folder / "redis.conf"
        self.config.write_text(f"logfile {path}/redis.log\n")
        (path / "redis.log").write_text("x" * 100)
        self.params = {"folder": str(self.folder), "config_file": str(self.config), "executable": str(self.folder / "redis-server")}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def server(files: Files) -> Iterator[Listening]:
    """A master with a replica."""
    info = {"redis_version": V, "process_id": "1001", "config_file": str(files.config), "role": "master"}
    info["slave0"] = "ip=10.0.0.2,port=6379,state=online,offset=1,lag=0"
    with listening(lambda words: "".join(f"{name}:{value}\r\n" for name, value in info.items())) as found:
        yield found


@pytest.fixture
def nobody() -> dict[str, Any]:
    with listening(lambda words: "") as gone:
        pass
    return gone.params


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("wanted", [{"state": "started"}, {"state": "switched", "version": V}, {"state": "previous", "version": V}])
def test_it_runs_as_wanted(runner: Runner, files: Files, server: Listening, wanted: dict[str, str], check_mode: bool) -> None:
    result = runner.run(NAME, check_mode=check_mode, **server.params, **files.params, **wanted)
    assert (result["changed"], result["pid"], result["version"]) == (False, 1001, V)
    assert (result["log_file"], result["log_offset"]) == (str(files.folder.parent / "redis.log"), 100)
    assert {words[0] for words in server.said} <= {"CLIENT", "INFO"}


def test_it_is_stopped_already(runner: Runner, nobody: dict[str, Any]) -> None:
    result = runner.run(NAME, **nobody, state="stopped")
    assert (result["changed"], result["pid"]) == (False, 0)


@pytest.mark.parametrize(
    "wanted", [{"state": "started"}, {"state": "switched", "version": "7.0.15"}, {"state": "previous", "version": "7.0.1"}]
)
def test_check_mode_tells_what_would_be_started(runner: Runner, files: Files, nobody: dict[str, Any], wanted: dict[str, str]) -> None:
    result = runner.run(NAME, check_mode=True, **nobody, **files.params, **wanted)
    assert (result["changed"], result["pid"], result["version"]) == (True, 0, "")
    assert not (files.folder.parent / "run").exists(), "nothing was started"


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_master_with_replicas_is_not_stopped(runner: Runner, server: Listening, check_mode: bool) -> None:
    result = runner.run(NAME, check_mode=check_mode, **server.params, state="stopped")
    assert result["failed"]
    assert "it is a master, followed by 10.0.0.2:6379" in result["msg"]
    assert ["SHUTDOWN"] not in server.said


def test_a_master_is_stopped_by_force(runner: Runner, server: Listening) -> None:
    result = runner.run(NAME, check_mode=True, **server.params, state="stopped", force=True)
    assert (result["changed"], result["pid"]) == (True, 1001)


def test_another_server_is_left_alone(runner: Runner, server: Listening, tmp_path: Path) -> None:
    (tmp_path / "other.conf").touch()
    result = runner.run(NAME, **server.params, state="stopped", force=True, config_file=str(tmp_path / "other.conf"))
    assert result["failed"]
    assert "another server is there" in result["msg"]
    assert ["SHUTDOWN"] not in server.said


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"service_manager": "systemd"}, "its unit is not known"),
        ({"service_manager": "command", "start_command": "/nowhere/rc", "stop_command": "true"}, "there is no program /nowhere/rc"),
        ({"executable": None}, "the option executable is missing"),
    ],
)
def test_who_would_start_it_is_not_clear(
    runner: Runner, files: Files, nobody: dict[str, Any], options: dict[str, Any], reason: str
) -> None:
    result = runner.run(NAME, **nobody, **{**files.params, **options}, state="started")
    assert result["failed"]
    assert reason in result["msg"]
    assert not (files.folder.parent / "run").exists(), "nothing was started"


def test_nothing_is_staged(runner: Runner, files: Files, nobody: dict[str, Any]) -> None:
    result = runner.run(NAME, **nobody, **files.params, state="switched", version="7.0.15")
    assert result["failed"]
    assert "should hold version 7.0.15 and holds no server that runs" in result["msg"]


@pytest.mark.parametrize(
    ("params", "missing"),
    [
        ({}, "state"),
        ({"state": "started"}, "config_file"),
        ({"state": "switched"}, "executable, config_file"),
        ({"state": "stopped", "service_manager": "command", "start_command": ["true"]}, "stop_command"),
        ({"state": "switched", "executable": "/a", "config_file": "/b"}, "folder, version"),
        ({"state": "previous", "executable": "/a", "config_file": "/b", "folder": "/c"}, "version"),
        ({"state": "started", "config_file": "/b", "activation": {"method": "symlink"}}, "staged"),
        ({"state": "started", "config_file": "/b", "activation": {"method": "package"}}, "unit, old_unit"),
        ({"state": "stopped", "config_identity": {"uid": 1, "gid": 1}}, "mode"),
    ],
)
def test_what_is_needed_besides(runner: Runner, params: dict[str, Any], missing: str) -> None:
    result = runner.run(NAME, **params)
    assert result["failed"]
    assert "missing" in result["msg"]
    assert missing in result["msg"]


def test_it_runs_through_a_link_as_wanted(runner: Runner, files: Files, server: Listening, tmp_path: Path) -> None:
    link = tmp_path / "current"
    link.symlink_to(files.folder)
    activation = {"method": "symlink", "staged": str(files.folder), "kept": str(tmp_path / "releases" / "7.0.1")}
    params = {**files.params, "folder": str(link), "executable": str(link / "redis-server"), "activation": activation}
    for state, version in (("switched", V), ("previous", V)):
        assert not runner.run(NAME, **server.params, **params, state=state, version=version)["changed"]
    assert runner.run(NAME, check_mode=True, **server.params, **params, state="switched", version="7.0.15")["changed"]
    assert {words[0] for words in server.said} <= {"CLIENT", "INFO"}
