"""The progress file: written late, seldom, in place, and never where somebody else was first."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils import _wait
from ansible_collections.sentinelops.redis.plugins.module_utils._progress_file import ProgressFile, text_in
from ansible_collections.sentinelops.redis.plugins.module_utils._wait import until
from ansible_collections.sentinelops.redis.tests.unit.support.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "progress"


@pytest.fixture
def progress(clock: FakeClock, path: Path) -> Iterator[ProgressFile]:
    made = ProgressFile(clock.now_s)
    made.begin(str(path))
    yield made
    made.end()


def never() -> str:
    raise AssertionError("nobody needs this text")


def read(path: Path) -> str:
    return text_in(path.read_text(encoding="utf-8"))


def test_a_short_call_makes_no_file(progress: ProgressFile, clock: FakeClock, path: Path) -> None:
    progress.tell(never)
    clock.pass_s(2.9)
    progress.tell(never)
    progress.forget()
    assert not path.exists()


def test_it_is_written_at_most_once_a_second(progress: ProgressFile, clock: FakeClock, path: Path) -> None:
    clock.pass_s(3)
    progress.tell("loading, {} %".format, 43)
    assert read(path) == "loading, 43 %"
    clock.pass_s(0.9)
    progress.tell(never)
    clock.pass_s(0.2)
    progress.tell(str, "done")
    assert read(path) == "done"
    progress.forget()
    assert read(path) == ""


def test_what_blocks_is_told_at_once(progress: ProgressFile, path: Path) -> None:
    progress.tell(lambda: "checking", blocks=True)
    assert read(path) == "checking"


def test_only_its_owner_may_read_it_and_it_is_gone_at_the_end(progress: ProgressFile, clock: FakeClock, path: Path) -> None:
    clock.pass_s(3)
    progress.tell(str, "x")
    assert path.stat().st_mode & 0o777 == 0o600
    progress.end()
    assert not path.exists()
    progress.tell(never)


def test_without_a_path_nothing_is_done(clock: FakeClock) -> None:
    progress = ProgressFile(clock.now_s)
    progress.begin("")
    clock.pass_s(60)
    progress.tell(never)
    progress.tell(never, blocks=True)
    progress.forget()
    progress.end()


@pytest.mark.parametrize("kind", ["file", "link", "dangling link", "missing folder"])
def test_what_somebody_else_has_put_there_is_left_alone(
    progress: ProgressFile, clock: FakeClock, path: Path, tmp_path: Path, kind: str
) -> None:
    other = tmp_path / "other"
    if kind == "file":
        path.write_text("theirs", encoding="utf-8")
    elif kind == "missing folder":
        tmp_path.rmdir()
    else:
        path.symlink_to(other)
        if kind == "link":
            other.write_text("theirs", encoding="utf-8")
    before = {found: found.read_text(encoding="utf-8") for found in (path, other) if found.exists()}
    clock.pass_s(3)
    progress.tell(str, "ours")
    clock.pass_s(3)
    progress.tell(never)
    progress.end()
    assert {found: found.read_text(encoding="utf-8") for found in (path, other) if found.exists()} == before
    assert path.is_symlink() is kind.endswith("link")


def test_a_path_that_is_exchanged_meanwhile_is_not_written(progress: ProgressFile, clock: FakeClock, path: Path, tmp_path: Path) -> None:
    clock.pass_s(3)
    progress.tell(str, "ours")
    victim = tmp_path / "victim"
    victim.write_text("theirs", encoding="utf-8")
    path.unlink()
    path.symlink_to(victim)
    clock.pass_s(3)
    progress.tell(str, "again")
    progress.end()
    assert victim.read_text(encoding="utf-8") == "theirs"


def test_a_fork_neither_writes_nor_removes_it(progress: ProgressFile, clock: FakeClock, path: Path) -> None:
    clock.pass_s(3)
    progress.tell(str, "parent")
    clock.pass_s(3)
    pid = os.fork()
    if pid == 0:
        progress.tell(str, "child")
        progress.end()
        os._exit(0)
    os.waitpid(pid, 0)
    assert read(path) == "parent"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("43 %", "43 %"), ("two\nlines", "two lines"), ("\x1b[2Jclear", "?[2Jclear"), ("ä" * 400, "ä" * 240), ("", "")],
)
def test_texts(progress: ProgressFile, clock: FakeClock, path: Path, text: str, expected: str) -> None:
    clock.pass_s(3)
    progress.tell(str, text)
    assert path.stat().st_size == 512
    assert read(path) == expected


def test_only_whole_texts_are_read(progress: ProgressFile, clock: FakeClock, path: Path) -> None:
    clock.pass_s(3)
    progress.tell(str, "loading, 43 %")
    content = path.read_text(encoding="utf-8")
    assert text_in(f"Welcome to this host\r\n{content.strip()}\r\n") == "loading, 43 %"
    for torn in ("", content[:15], content.replace("43 %", "44 %"), "root:x:0:0:root:/root:/bin/sh"):
        assert text_in(torn) == ""


def test_a_wait_says_what_it_waits_for(progress: ProgressFile, clock: FakeClock, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_wait, "PROGRESS", progress)
    seen: list[str] = []

    def observe() -> int:
        seen.append(read(path) if path.exists() else "no file")
        return len(seen)

    until(observe, lambda number: number == 7, deadline_s=60, interval_s=1, clock=clock, says="look {}".format)
    assert seen == ["no file"] * 4 + ["look 4", "look 5", "look 6"]
    assert read(path) == "", "it waits no more"


def test_a_killed_module_leaves_a_file_that_disturbs_nobody(tmp_path: Path) -> None:
    """The next call has another name, and does not open this file."""
    path = tmp_path / "progress"
    words = "import sys, os; from ansible_collections.sentinelops.redis.plugins.module_utils._progress_file import PROGRESS as p"
    words += "; p.begin(sys.argv[1]); p.tell(lambda: 'x', blocks=True); os.kill(os.getpid(), 9)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", words, str(path)], env=environment, check=False).returncode == -9
    assert read(path) == "x"
    later = ProgressFile()
    later.begin(str(tmp_path / "later"))
    later.tell(str, "y", blocks=True)
    later.end()
    assert list(tmp_path.iterdir()) == [path]
