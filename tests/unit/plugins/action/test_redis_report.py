"""The action redis_report: what it writes, and that it stops no run. It needs no connection."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.sentinelops.redis.plugins.action.redis_report import ActionModule
from ansible_collections.sentinelops.redis.tests.unit.support.html import Page
from ansible_collections.sentinelops.redis.tests.unit.support.run_events import plan_of
from ansible_collections.sentinelops.redis.tests.unit.support.survey import NEW, three_and_three

PLAN = plan_of(three_and_three())


class Task(SimpleNamespace):
    """The attributes that an action asks its task for."""

    def __init__(self, args: dict[str, Any], check_mode: bool = False) -> None:
        super().__init__(args=args, check_mode=check_mode, async_val=0, action="sentinelops.redis.redis_report")


def run(check_mode: bool = False, **args: Any) -> dict[str, Any]:
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
    action = ActionModule(Task(args, check_mode), connection, SimpleNamespace(), None, None, None)
    found: dict[str, Any] = action.run(None, {})
    return found


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_without_a_file_it_writes_nothing_and_keeps_what_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(file="", event="step_done", data={"step": "a/redis"}, kept=["a/redis", {"b": 1}])
    assert result["kept"] == ["a/redis", {"b": 1}]
    assert not result.get("changed")
    assert list(tmp_path.iterdir()) == []


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    assert run(True, file=str(tmp_path / "report.json"), event="begun", data=PLAN, kept=[1])["kept"] == [1]
    assert list(tmp_path.iterdir()) == []


def test_a_run_from_its_begin_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    run(file=str(file), event="begun", data=PLAN)
    assert read(file)["outcome"] == "running"
    for step in read(file)["steps"]:
        run(file=str(file), event="step_done", data={"step": step["key"], "duration_s": 1.5})
    run(file=str(file), event="ended")
    found = read(file)
    assert (found["outcome"], found["version"]) == ("done", NEW)
    assert {step["state"] for step in found["steps"]} == {"done"}
    assert found["run"]["pid"] == os.getpid()
    assert "is done" in Page((tmp_path / "report.html").read_text(encoding="utf-8")).text


def test_a_report_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    result = run(file=str(tmp_path / "none" / "report.json"), event="step_done", data={"step": "a"}, kept=["a"])
    assert result["kept"] == ["a"]
    assert not result.get("failed")
    assert "the report cannot be written: FileNotFoundError" in result["warnings"][0]


def test_whatever_is_wrong_with_an_event_is_a_warning(tmp_path: Path) -> None:
    result = run(file=str(tmp_path / "report.json"), event="begun", data={"version": "7.0.15"}, kept=[1])
    assert result["kept"] == [1]
    assert "The run goes on without it" in result["warnings"][0]


def test_at_the_end_it_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AnsibleActionFail, match="The run itself is complete"):
        run(file=str(tmp_path / "none" / "report.json"), event="ended")


def test_a_file_needs_an_event(tmp_path: Path) -> None:
    with pytest.raises(AnsibleActionFail, match="missing: event"):
        run(file=str(tmp_path / "report.json"))


def one_worker(file: str, worker: int) -> None:
    for number in range(10):
        assert "warnings" not in run(file=file, event="step_done", data={"step": f"host-{worker}-{number}/redis"})


def test_many_hosts_record_at_the_same_time(tmp_path: Path) -> None:
    """Workers of Ansible are forked from one process, so all of them belong to one run."""
    file = tmp_path / "report.json"
    run(file=str(file), event="begun", data=PLAN)
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=one_worker, args=(str(file), worker)) for worker in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 8
    lines = (tmp_path / "report.events.jsonl").read_text(encoding="ascii").splitlines()
    steps = {json.loads(line)["data"]["step"] for line in lines[1:]}
    assert steps == {f"host-{worker}-{number}/redis" for worker in range(8) for number in range(10)}


def test_the_report_of_a_dead_run(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    run(file=str(file), event="begun", data=PLAN)
    assert run(True, state="rendered", file=str(file))["outcome"] == "running"
    events = tmp_path / "report.events.jsonl"
    begun = json.loads(events.read_text(encoding="ascii"))
    begun["run"]["begun"] = "1"  # another process had this id
    events.write_text(json.dumps(begun) + "\n", encoding="ascii")
    file.unlink()
    result = run(state="rendered", file=str(file))
    assert (result["outcome"], result["report"], result["page"]) == ("incomplete", str(file), str(tmp_path / "report.html"))
    assert read(file)["outcome"] == "incomplete"
    assert "did not end: it was cut off" in result["lines"][0]


@pytest.mark.parametrize("content", [None, "", "no event\n"])
def test_without_events_there_is_no_report(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "report.events.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(AnsibleActionFail, match="Name the"):
        run(state="rendered", file=str(tmp_path / "report.json"))
    assert not (tmp_path / "report.json").exists()
