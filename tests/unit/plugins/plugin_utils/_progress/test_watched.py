"""The thread that reads what a long step waits for: late, seldom, and never in the way."""

from __future__ import annotations

import os
import pickle
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._progress import watched
from ansible_collections.sentinelops.redis.plugins.plugin_utils._progress.waiting import Waiting
from ansible_collections.sentinelops.redis.plugins.plugin_utils._progress.watched import EVERY_S, FIRST_S, Watch


class Seen:
    """Everything that a watch has shown and complained of."""

    def __init__(self, read: Callable[[], str], first_s: float = 0.05, every_s: float = 0.05) -> None:
        self.shown: list[str] = []
        self.complaints: list[str] = []
        self.watch = Watch(read, lambda text, _seconds: self.shown.append(text), self.complaints.append, first_s, every_s)


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


def test_a_short_step_reads_nothing() -> None:
    def read() -> str:
        raise AssertionError

    seen = Seen(read, FIRST_S, EVERY_S)
    begun = time.monotonic()
    with seen.watch:
        pass
    assert time.monotonic() - begun < 1
    assert (seen.shown, seen.complaints) == ([], [])


def test_it_is_read_again_and_again_and_the_thread_ends_with_the_step() -> None:
    texts = iter(["", *map(str, range(100))])
    seen = Seen(lambda: next(texts))
    with seen.watch:
        assert "sentinelops.redis.progress" in names()
        deadline = time.monotonic() + 10
        while len(seen.shown) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
    shown = list(seen.shown)
    assert shown[:3] == ["0", "1", "2"]
    assert "sentinelops.redis.progress" not in names()
    time.sleep(0.2)
    assert seen.shown == shown


def test_a_failure_is_told_once_and_ends_the_reading() -> None:
    reads = []

    def read() -> str:
        reads.append(1)
        raise OSError("no second session")

    seen = Seen(read)
    with seen.watch:
        time.sleep(0.4)
    assert seen.complaints == ["What this step waits for cannot be read: OSError: no second session"]
    assert len(reads) == 1


def test_a_read_that_hangs_keeps_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "_ENDS_WITHIN_S", 0.2)
    go_on, hanging = threading.Event(), threading.Event()

    def read() -> str:
        hanging.set()
        go_on.wait(30)
        return "late"

    seen = Seen(read)
    begun = time.monotonic()
    with seen.watch:
        assert hanging.wait(10)
    assert time.monotonic() - begun < 5
    assert seen.watch._thread.daemon, "it does not keep the worker either"
    go_on.set()
    seen.watch._thread.join(10)
    assert seen.shown == [], "the step is over"


@pytest.mark.parametrize("kind", ["ours", "missing", "link", "pipe", "of somebody else"])
def test_only_a_file_of_our_own_is_read(tmp_path: Path, kind: str) -> None:
    """Whatever else somebody has put there is neither followed nor waited for."""
    path, other = tmp_path / "progress", tmp_path / "other"
    other.write_text("secret", encoding="utf-8")
    if kind == "link":
        path.symlink_to(other)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind != "missing":
        path.write_text("x" * 2000, encoding="utf-8")
    if kind == "of somebody else":
        if os.geteuid() != 0:
            pytest.skip("only root can give a file away")
        os.chown(path, 65534, 65534)
    done = subprocess.run(["/bin/sh", "-c", watched._READ.format(path)], capture_output=True, text=True, check=False, timeout=10)
    assert done.stdout == ("x" * 1000 if kind == "ours" else "")


def test_the_error_of_the_step_is_the_one_that_counts() -> None:
    seen = Seen(lambda: "x")
    with pytest.raises(ValueError, match="the step"), seen.watch:
        raise ValueError("the step")


def test_without_another_thread_the_step_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: Any) -> None:
        raise RuntimeError("can't start new thread")

    seen = Seen(lambda: "x")
    monkeypatch.setattr(seen.watch._thread, "start", refuse)
    with seen.watch:
        pass


def test_a_line_keeps_its_parts_on_the_way_to_the_main_process() -> None:
    line = pickle.loads(pickle.dumps(Waiting("redis-2", "loading, 43 %", 72.0)))
    assert line == "... redis-2, for 1 min 12 s: loading, 43 %"
    assert (line.host, line.text, line.seconds) == ("redis-2", "loading, 43 %", 72.0)
