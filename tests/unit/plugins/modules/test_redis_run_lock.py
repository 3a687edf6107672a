"""The module redis_run_lock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.tests.unit.support.modules import Runner

NAME = "redis_run_lock"
ALICE = {"id": "a1", "user": "alice", "controller": "bastion", "pid": 4711, "begun": "99", "machine": "m"}
BOB = {**ALICE, "id": "b2", "user": "bob"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journals" / "sentinel-26379.lock.json"


def test_taken_by_one_refused_to_another(runner: Runner, path: Path) -> None:
    first = runner.run(NAME, path=str(path), run=ALICE)
    assert (first["changed"], first["held"], first["right"]) == (True, True, "free")
    assert "holder" not in first
    second = runner.run(NAME, path=str(path), run=BOB)
    assert (second["changed"], second["held"], second["right"]) == (False, False, "")
    held_by = second["holder"]
    assert (held_by["user"], held_by["id"]) == ("alice", "a1")
    assert held_by["since"].endswith("Z")
    assert 0 <= held_by["age_s"] <= 5
    assert 295 <= held_by["left_s"] <= 300
    again = runner.run(NAME, path=str(path), run=ALICE)
    assert (again["changed"], again["held"], again["right"]) == (False, True, "own")


@pytest.mark.parametrize(
    ("lease_s", "instead_of", "right"), [(300, ["a1"], "override"), (0, [], "expired"), (300, ["c3"], ""), (300, [], "")]
)
@pytest.mark.parametrize("check_mode", [False, True])
def test_taken_over(runner: Runner, path: Path, lease_s: int, instead_of: list[str], right: str, check_mode: bool) -> None:
    runner.run(NAME, path=str(path), run=ALICE, lease_s=lease_s)
    before = path.read_text()
    result = runner.run(NAME, check_mode=check_mode, path=str(path), run=BOB, instead_of=instead_of)
    assert (result["held"], result["right"], result["changed"]) == (bool(right), right, bool(right))
    taken = bool(right) and not check_mode
    assert json.loads(path.read_text())["run"]["id"] == ("b2" if taken else "a1")
    assert (path.read_text() == before) is not taken


def test_check_mode_makes_nothing(runner: Runner, path: Path) -> None:
    result = runner.run(NAME, check_mode=True, path=str(path), run=ALICE)
    assert (result["held"], result["right"]) == (True, "free")
    assert not path.parent.exists()


def test_renewed(runner: Runner, path: Path) -> None:
    runner.run(NAME, path=str(path), run=ALICE, lease_s=10)
    assert not runner.run(NAME, check_mode=True, path=str(path), run=ALICE, lease_s=99, state="renewed")["changed"]
    assert json.loads(path.read_text())["lease_s"] == 10
    assert runner.run(NAME, path=str(path), run=ALICE, lease_s=99, state="renewed")["changed"]
    assert json.loads(path.read_text())["lease_s"] == 99
    lost = runner.run(NAME, path=str(path), run=BOB, state="renewed")
    assert lost["failed"]
    assert "this run (b2) has lost its lock: alice@bastion, process 4711, run a1 has taken it over" in lost["msg"]


def test_released_once_and_by_its_holder_only(runner: Runner, path: Path) -> None:
    runner.run(NAME, path=str(path), run=ALICE)
    changed: list[Any] = [
        runner.run(NAME, check_mode=mode, path=str(path), run=run, state="released")["changed"]
        for mode, run in [(False, BOB), (True, BOB), (True, ALICE), (False, ALICE), (False, ALICE), (True, ALICE)]
    ]
    assert changed == [False, False, True, True, False, False]
    assert not path.parent.exists()


@pytest.mark.parametrize("state", ["taken", "renewed", "released"])
def test_a_file_that_is_not_ours_is_left_alone(runner: Runner, path: Path, state: str) -> None:
    path.parent.mkdir()
    path.write_text("precious")
    result = runner.run(NAME, path=str(path), run=ALICE, state=state)
    assert result["failed"]
    assert "cannot be read" in result["msg"]
    assert path.read_text() == "precious"


def test_a_folder_that_cannot_be_made(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = runner.run(NAME, path=str(tmp_path / "file" / "lock.json"), run=ALICE)
    assert result["failed"]
    assert "cannot be read" in result["msg"]
    assert str(tmp_path / "file") in result["msg"]
