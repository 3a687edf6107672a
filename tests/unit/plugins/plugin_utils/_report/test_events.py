"""The files of a report: many writers, a new run, killed writers, and when it is written."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._report.events import Paths, paths_of, read_events, record, rewrite


def counted(events: Sequence[Any], dead: bool = False) -> tuple[str, str, str]:
    """Return how many events there are, as the texts of report, page and metrics."""
    return json.dumps({"events": len(events)}), f"<p>{len(events)}</p>", f"events {len(events)}\n"


def event(name: str = "step_done", run: str = "a", **data: Any) -> dict[str, Any]:
    return {"event": name, "at": "2026-01-31T10:00:00.000Z", "run": {"id": run}, "data": data}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return paths_of(str(tmp_path / "report.json"))


def texts(events: Sequence[Any], dead: bool = False) -> tuple[str, str, str]:
    return (str([found["data"].get("text") for found in events]),) * 3


def in_report(paths: Paths) -> int:
    found: int = json.loads(Path(paths.report).read_text(encoding="utf-8"))["events"]
    return found


def make_old(path: str) -> None:
    os.utime(path, (time.time() - 10,) * 2)


@pytest.mark.parametrize(("file", "stem"), [("/a/report.json", "/a/report"), ("/a/report", "/a/report"), ("/a/b.txt", "/a/b.txt")])
def test_the_files(file: str, stem: str) -> None:
    assert paths_of(file) == Paths(file, f"{stem}.html", f"{stem}.events.jsonl")


def test_a_relative_path_counts_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert paths_of("report.json").report == str(tmp_path / "report.json")


def test_events_are_appended_and_everybody_may_read(paths: Paths) -> None:
    old = os.umask(0o077)
    try:
        record(paths, event("begun"), counted)
        record(paths, event(step="redis-1/redis"), counted)
    finally:
        os.umask(old)
    assert [found["event"] for found in read_events(paths.events)] == ["begun", "step_done"]
    assert [os.stat(path).st_mode & 0o777 for path in (paths.report, paths.page, paths.events)] == [0o644] * 3


def test_the_report_is_written_at_most_every_two_seconds(paths: Paths) -> None:
    record(paths, event("begun"), counted)
    record(paths, event(), counted)
    assert in_report(paths) == 1
    make_old(paths.report)
    record(paths, event(), counted)
    assert in_report(paths) == 3
    record(paths, event(), counted)
    assert in_report(paths) == 3
    record(paths, event("ended"), counted)
    assert in_report(paths) == 5
    assert Path(paths.page).read_text(encoding="utf-8") == "<p>5</p>"


@pytest.mark.parametrize("final", [event("stopped"), event("ended"), event("interrupted"), event("verified", problems=["a"])])
def test_a_final_event_is_always_written(paths: Paths, final: dict[str, Any]) -> None:
    record(paths, event("begun"), counted)
    record(paths, final, counted)
    assert in_report(paths) == 2


def test_another_run_begins_a_new_file(paths: Paths) -> None:
    for run in ("a", "a", "b"):
        record(paths, event("begun", run), counted)
    assert [found["run"]["id"] for found in read_events(paths.events)] == ["b"]
    assert in_report(paths) == 1


@pytest.mark.parametrize("last", ["begun", "step_done", "stopped", "interrupted"])
def test_a_run_that_did_not_come_to_its_end_keeps_its_report(paths: Paths, tmp_path: Path, last: str) -> None:
    def told(events: Sequence[Any], dead: bool = False) -> tuple[str, str, str]:
        return json.dumps({"events": len(events), "dead": dead}), "page", ""

    record(paths, event("begun", "a"), told)
    record(paths, event(last, "a"), told)
    for name in ("begun", "ended"):
        record(paths, event(name, "b"), told)
    record(paths, event("begun", "c"), told)
    kept = {path.name for path in tmp_path.iterdir()} - {"report.json", "report.html", "report.events.jsonl"}
    assert kept == {"report.a.json", "report.a.html", "report.a.events.jsonl"}, "the run b has ended, so its report is replaced"
    assert json.loads((tmp_path / "report.a.json").read_text()) == {"events": 2, "dead": True}
    assert [found["event"] for found in read_events(str(tmp_path / "report.a.events.jsonl"))] == ["begun", last]
    assert (tmp_path / "report.a.json").stat().st_mode & 0o777 == 0o644


def test_a_line_that_was_cut_off_loses_no_other(paths: Paths) -> None:
    record(paths, event("begun"), counted)
    with open(paths.events, "ab") as file:
        file.write(b'{"event": "step_done", "ru')
    record(paths, event("ended"), counted)
    assert [found["event"] for found in read_events(paths.events)] == ["begun", "ended"]


def test_whatever_a_server_says_can_be_recorded(paths: Paths) -> None:
    text = "line\u2028break \udcff \ud800 é \x00"
    record(paths, event("begun", text=text), texts)
    record(paths, event("ended"), lambda events, _dead: ("".join(found["data"].get("text", "") for found in events), "", ""))
    assert [found["data"].get("text") for found in read_events(paths.events)] == [text, None]
    assert Path(paths.report).read_text(encoding="utf-8") == "line\u2028break ? ? é \x00"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        record(paths_of(str(tmp_path / "none" / "report.json")), event(), counted)


def test_rewrite(paths: Paths) -> None:
    record(paths, event("begun"), counted)
    record(paths, event(), counted)
    assert in_report(paths) == 1
    assert len(rewrite(paths, counted)) == 2
    assert in_report(paths) == 2


def write_many(paths: Paths, worker: int, count: int) -> None:
    for number in range(count):
        record(paths, event(step=f"host-{worker}-{number}", filler="x" * 3000), counted)


def test_many_processes_append_at_the_same_time(paths: Paths) -> None:
    record(paths, event("begun"), counted)
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=write_many, args=(paths, worker, 25)) for worker in range(12)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 12
    found = read_events(paths.events)
    assert len(Path(paths.events).read_text(encoding="utf-8").splitlines()) == len(found) == 301
    steps = {one["data"]["step"] for one in found[1:]}
    assert steps == {f"host-{worker}-{number}" for worker in range(12) for number in range(25)}
    record(paths, event("ended"), counted)
    assert in_report(paths) == 302
    assert not list(Path(paths.report).parent.glob("*.partial"))


def test_metrics_are_written_if_the_run_began_with_a_file_for_them(paths: Paths, tmp_path: Path) -> None:
    record(paths, event("begun"), counted)
    assert not list(tmp_path.glob("*.prom"))
    metrics = tmp_path / "run.prom"
    record(paths, event("begun", "b", metrics_file=str(metrics)), counted)
    record(paths, event("ended", "b"), counted)
    assert metrics.read_text(encoding="utf-8") == "events 2\n"
    assert metrics.stat().st_mode & 0o777 == 0o644
