"""The undo file on disk, and the lock that excludes a second handover."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.overrides import SettingOverride
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.state import HandoverState
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.undo_file import UndoFile

OVERRIDES = [
    SettingOverride("node", "10.0.0.2:6379", "replica-priority", 100, 1),
    SettingOverride("sentinel", "10.0.0.1:26379", "info-period", 10000, 1000),
]
STATE = HandoverState("failing over", "10.0.0.1:26379", 12.5, ["10.0.0.3:6379"], "0123", 4711, 5, 1700000000)
WHO = {"pid": 4711, "since": "2026-01-31T23:59:59.123Z", "target": "10.0.0.2:6379"}

# A process that takes the lock, says so, and waits for a line before it ends.
# Its child may hold the lock longer.
HOLDER = """
import os, sys, time
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.undo_file import UndoFile

undo_file = UndoFile(sys.argv[1], "mymaster")
undo_file.take({"pid": os.getpid(), "target": "10.0.0.2:6379"})
if sys.argv[2] == "with a standby" and os.fork() == 0:
    sys.stdin.readline()
    undo_file.release()
    os._exit(0)
print("taken", flush=True)
sys.stdin.readline() if sys.argv[2] == "alone" else time.sleep(60)
"""


@pytest.fixture
def undo_file(tmp_path: Path) -> UndoFile:
    return UndoFile(str(tmp_path), "mymaster")


def held_by_another(folder: Path, how: str = "alone") -> subprocess.Popen[str]:
    """Start a process that holds the lock until it is killed or its input ends."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    arguments = [sys.executable, "-c", HOLDER, str(folder), how]
    process = subprocess.Popen(arguments, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "taken\n"
    return process


def test_there_is_none(undo_file: UndoFile) -> None:
    assert undo_file.left_behind() == ([], HandoverState())


def test_what_is_written_is_read_by_the_next_one(undo_file: UndoFile, tmp_path: Path) -> None:
    undo_file.write(OVERRIDES, STATE)
    assert UndoFile(str(tmp_path), "mymaster").left_behind() == (OVERRIDES, STATE)
    undo_file.write([], STATE)
    assert UndoFile(str(tmp_path), "mymaster").left_behind() == ([], STATE)


def test_the_later_one_of_two_states_is_read(undo_file: UndoFile, tmp_path: Path) -> None:
    undo_file.write(OVERRIDES, HandoverState())
    undo_file.note(STATE)
    assert UndoFile(str(tmp_path), "mymaster").left_behind() == (OVERRIDES, STATE)
    undo_file.write([], HandoverState("settling"))
    assert UndoFile(str(tmp_path), "mymaster").left_behind() == ([], HandoverState("settling"))


@pytest.mark.parametrize("left", ["", "{", "[]", '{"schema": 1}', None])
def test_what_a_loss_of_power_leaves_of_a_state_is_no_error(undo_file: UndoFile, tmp_path: Path, left: str | None) -> None:
    undo_file.write(OVERRIDES, HandoverState("paused"))
    undo_file.note(STATE)
    (state,) = tmp_path.glob("*.state")
    state.unlink() if left is None else state.write_text(left, encoding="utf-8")
    assert UndoFile(str(tmp_path), "mymaster").left_behind() == (OVERRIDES, HandoverState("paused"))


def test_the_state_of_another_handover_is_not_read(undo_file: UndoFile, tmp_path: Path) -> None:
    undo_file.write(OVERRIDES, HandoverState())
    undo_file.note(STATE)
    (state,) = tmp_path.glob("*.state")
    noted = state.read_bytes()
    undo_file.erase()
    state.write_bytes(noted)  # a loss of power has brought it back
    UndoFile(str(tmp_path), "mymaster").write(OVERRIDES, HandoverState())
    assert UndoFile(str(tmp_path), "mymaster").left_behind() == (OVERRIDES, HandoverState())


def test_nothing_is_left_of_one_that_was_erased(undo_file: UndoFile, tmp_path: Path) -> None:
    undo_file.write(OVERRIDES, STATE)
    undo_file.note(STATE)
    undo_file.erase()
    undo_file.erase()
    assert undo_file.left_behind() == ([], HandoverState())
    assert list(tmp_path.iterdir()) == []


def test_looking_for_one_makes_nothing(tmp_path: Path) -> None:
    assert UndoFile(str(tmp_path / "journal"), "mymaster").left_behind() == ([], HandoverState())
    assert list(tmp_path.iterdir()) == []


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    undo_file = UndoFile(str(tmp_path / "journal"), "mymaster")
    undo_file.take(WHO)
    undo_file.write(OVERRIDES, STATE)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "journal").iterdir()}
    assert modes == {"handover-mymaster.json": 0o600, "handover-mymaster.json.lock": 0o600}
    assert stat.S_IMODE((tmp_path / "journal").stat().st_mode) == 0o700
    undo_file.release()


@pytest.mark.parametrize("name", ["shard-1", "a b", "../up", "a/b", "ä", "x" * 200])
def test_whatever_the_master_is_called(tmp_path: Path, name: str) -> None:
    undo_file = UndoFile(str(tmp_path), name)
    undo_file.take(WHO)
    undo_file.write(OVERRIDES, STATE)
    assert undo_file.left_behind() == (OVERRIDES, STATE)
    assert {path.parent for path in tmp_path.rglob("*")} == {tmp_path}
    undo_file.release()


def test_two_masters_have_nothing_to_do_with_each_other(tmp_path: Path) -> None:
    one, other = UndoFile(str(tmp_path), "one"), UndoFile(str(tmp_path), "other")
    one.take(WHO)
    other.take(WHO)
    one.write(OVERRIDES, STATE)
    assert other.left_behind() == ([], HandoverState())
    one.release()
    other.release()


@pytest.mark.parametrize("text", ["{", '{"schema": 99}', "[]"])
def test_one_that_cannot_be_read(undo_file: UndoFile, tmp_path: Path, text: str) -> None:
    (tmp_path / "handover-mymaster.json").write_text(text)
    with pytest.raises(PreconditionFailed, match=r"handover-mymaster\.json"):
        undo_file.left_behind()


# -- the lock


def test_the_lock_is_gone_when_it_is_released(undo_file: UndoFile, tmp_path: Path) -> None:
    for _time in range(2):
        undo_file.take(WHO)
        assert [path.name for path in tmp_path.iterdir()] == ["handover-mymaster.json.lock"]
        undo_file.release()
        undo_file.release()
        assert list(tmp_path.iterdir()) == []


def test_the_undo_file_outlives_the_lock(undo_file: UndoFile, tmp_path: Path) -> None:
    undo_file.take(WHO)
    undo_file.write(OVERRIDES, STATE)
    undo_file.release()
    assert UndoFile(str(tmp_path), "mymaster").left_behind() == (OVERRIDES, STATE)


def test_a_second_one_in_this_process_is_refused(undo_file: UndoFile, tmp_path: Path) -> None:
    undo_file.take(WHO)
    with pytest.raises(PreconditionFailed) as caught:
        UndoFile(str(tmp_path), "mymaster").take({"pid": 1})
    assert "another handover of this master is under way on this host" in str(caught.value)
    assert "This handover changed nothing" in str(caught.value)
    for part in ("4711", "2026-01-31T23:59:59.123Z", "10.0.0.2:6379"):
        assert part in str(caught.value), "it says who holds it"
    assert json.loads((tmp_path / "handover-mymaster.json.lock").read_text()) == WHO, "it is still the first one's"
    undo_file.release()
    UndoFile(str(tmp_path), "mymaster").take(WHO)


def test_another_process_holds_it(undo_file: UndoFile, tmp_path: Path) -> None:
    with held_by_another(tmp_path) as process:
        with pytest.raises(PreconditionFailed, match=f'"pid": {process.pid}'):
            undo_file.take(WHO)
        process.communicate("end\n", timeout=20)
    undo_file.take(WHO)
    assert json.loads((tmp_path / "handover-mymaster.json.lock").read_text()) == WHO
    undo_file.release()


def test_the_lock_of_a_process_that_was_killed_is_nobody_s(undo_file: UndoFile, tmp_path: Path) -> None:
    with held_by_another(tmp_path) as process:
        process.kill()
        process.wait(timeout=20)
    assert (tmp_path / "handover-mymaster.json.lock").exists()
    undo_file.take(WHO)
    undo_file.release()
    assert list(tmp_path.iterdir()) == []


def test_the_standby_of_a_process_that_was_killed_holds_it_on(undo_file: UndoFile, tmp_path: Path) -> None:
    with held_by_another(tmp_path, "with a standby") as process:
        process.kill()
        process.wait(timeout=20)
        with pytest.raises(PreconditionFailed, match=f'"pid": {process.pid}'):
            undo_file.take(WHO)
        assert process.stdin
        process.stdin.write("end\n")
        process.stdin.close()
        assert process.stdout
        process.stdout.read()  # until the standby has ended
    assert list(tmp_path.iterdir()) == []
    undo_file.take(WHO)
    undo_file.release()


def test_a_holder_that_has_not_said_who_it_is(undo_file: UndoFile, tmp_path: Path) -> None:
    undo_file.take(WHO)
    (tmp_path / "handover-mymaster.json.lock").write_text("")
    with pytest.raises(PreconditionFailed, match="it has just begun"):
        UndoFile(str(tmp_path), "mymaster").take({"pid": 1})
    undo_file.release()


# -- a folder that cannot be written


@pytest.fixture
def nowhere(tmp_path: Path) -> UndoFile:
    """Return an undo file whose folder would be below a file, which root cannot write either."""
    (tmp_path / "file").write_text("")
    return UndoFile(str(tmp_path / "file" / "journal"), "mymaster")


def test_a_lock_that_cannot_be_written(nowhere: UndoFile) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        nowhere.take(WHO)
    assert "file/journal/handover-mymaster.json, which cannot be written: Not a directory" in str(caught.value)
    assert "Nothing was changed" in str(caught.value)
    assert "journal_folder" in str(caught.value)
    nowhere.release()


def test_an_undo_file_that_cannot_be_written(undo_file: UndoFile, tmp_path: Path) -> None:
    undo_file.take(WHO)
    (tmp_path / "handover-mymaster.json.partial").mkdir()
    with pytest.raises(PreconditionFailed, match="cannot be written: Is a directory"):
        undo_file.write(OVERRIDES, STATE)
    undo_file.release()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Nobody can write files to /proc, not even root."""
    with pytest.raises(PreconditionFailed, match="cannot be written: No such file or directory"):
        UndoFile("/proc", "mymaster").take(WHO)
