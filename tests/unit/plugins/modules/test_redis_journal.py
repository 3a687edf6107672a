"""The module redis_journal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.tests.unit.support.modules import Runner

NAME = "redis_journal"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journals" / "redis-6379.json"


def test_written_once(runner: Runner, path: Path) -> None:
    wanted = {"path": str(path), "content": {"original_master": "10.0.0.1:6379"}}
    first = runner.run(NAME, **wanted)
    assert (first["changed"], first["journal"]) == (True, {"schema": 1, "original_master": "10.0.0.1:6379"})
    assert json.loads(path.read_text()) == first["journal"]
    second = runner.run(NAME, **wanted)
    assert (second["changed"], second["journal"]) == (False, first["journal"])


def test_check_mode_tells_and_writes_nothing(runner: Runner, path: Path) -> None:
    result = runner.run(NAME, check_mode=True, diff=True, path=str(path), content={"original_master": "a"})
    assert result["changed"]
    assert '"original_master": "a"' in result["diff"]["after"]
    assert not path.parent.exists()


def test_what_an_earlier_run_noted_is_kept(runner: Runner, path: Path) -> None:
    runner.run(NAME, path=str(path), content={"original_master": "first"})
    result = runner.run(NAME, path=str(path), content={"original_master": "second", "priority": 50}, diff=True)
    assert (result["changed"], result["journal"]) == (True, {"schema": 1, "original_master": "first", "priority": 50})
    assert "priority" not in result["diff"]["before"]
    assert "priority" in result["diff"]["after"]


@pytest.mark.parametrize("check_mode", [False, True])
def test_closed(runner: Runner, path: Path, check_mode: bool) -> None:
    runner.run(NAME, path=str(path), content={"original_master": "a"})
    assert runner.run(NAME, check_mode=check_mode, path=str(path), state="closed")["changed"]
    assert path.exists() is check_mode
    assert runner.run(NAME, path=str(path), state="closed")["changed"] is check_mode


def test_without_diff_mode_there_is_no_diff(runner: Runner, path: Path) -> None:
    assert "diff" not in runner.run(NAME, path=str(path), content={"original_master": "a"})


@pytest.mark.parametrize("state", ["open", "closed"])
def test_a_file_that_is_not_ours_is_left_alone(runner: Runner, path: Path, state: str) -> None:
    path.parent.mkdir()
    path.write_text("precious")
    result = runner.run(NAME, path=str(path), state=state)
    assert result["failed"]
    assert "cannot be read" in result["msg"]
    assert path.read_text() == "precious"


def test_a_folder_that_cannot_be_made(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = runner.run(NAME, path=str(tmp_path / "file" / "sub" / "journal.json"))
    assert result["failed"]
    assert "Nothing else was touched" in result["msg"] or "cannot be read" in result["msg"]
