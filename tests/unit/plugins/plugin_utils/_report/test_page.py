"""The page of a report: it has all that the JSON file has, and nothing that a browser would run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._report.drawing import drawing_of, duration_text
from ansible_collections.sentinelops.redis.plugins.plugin_utils._report.page import overview_page, page_of
from ansible_collections.sentinelops.redis.plugins.plugin_utils._report.run_report import make_run_report
from ansible_collections.sentinelops.redis.tests.unit.support.html import Page
from ansible_collections.sentinelops.redis.tests.unit.support.run_events import Events, audit
from ansible_collections.sentinelops.redis.tests.unit.support.survey import Surveyed, three_and_three, two_shards

HOSTILE = "</title></style><script>alert(1)</script><img src=x onerror=alert(2)>'\"&amp;{{ 7 * 7 }}"
AUDITS = {"mymaster": audit(), "other": {"error": "it has not ended in time"}}
OUTCOMES: dict[str, Callable[[Events], tuple[Events, bool]]] = {
    "begun": lambda run: (run, False),
    "running": lambda run: (run.steps(4), False),
    "killed": lambda run: (run.steps(5), True),
    "stopped": lambda run: (run.steps(3).stopped("redis-2 (redis) could not be upgraded.", failed_step="redis-2/redis"), False),
    "problems": lambda run: (run.all_steps().verified(problems=["redis-1 does not answer"]), False),
    "done": lambda run: (run.all_steps().verified().ended(), False),
    "audited": lambda run: (run.all_steps().verified(audits=AUDITS).ended(), False),
}


def made(outcome: str, before: Surveyed | None = None) -> tuple[dict[str, Any], Page]:
    run, dead = OUTCOMES[outcome](Events(before))
    report = make_run_report(run.all, dead)
    return report, Page(page_of(report))


def strings(value: Any) -> list[str]:
    """Return all texts in a value."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) and value else []


@pytest.mark.parametrize("before", [three_and_three, two_shards], ids=["one shard", "two shards"])
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_everything_in_the_report_is_on_the_page(outcome: str, before: Callable[[], Surveyed]) -> None:
    report, page = made(outcome, before())
    shown = ("verdict", "what_next", "stop_message", "problems", "warnings", "plan", "lines", "deferred")
    for name in shown:
        for text in strings(report[name]):
            assert " ".join(text.split()) in page.text, (name, text)
    for row in report["instances"]:
        assert f"{row['host']} ({row['kind']})" in page.text
        assert {row["host"], f"{row['role']}, {row['now']}"} <= set(page.parts)
    for step in report["steps"]:
        assert step["text"] in page.parts
    for one in report["handovers"]:
        assert {one["old_master"], one["new_master"], one["leader"], f"{one['pause_ms']:.0f} ms"} <= set(page.parts)
    for play in report["plays"]:
        assert play["title"] in page.parts
    for shard, one in report["audits"].items():
        shown_numbers = {"error"} if "error" in one else {"acknowledged", "lost", "unexpected"}
        assert {shard, *(str(one[name]) for name in shown_numbers)} <= set(page.parts)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_page_needs_nothing_from_elsewhere(outcome: str) -> None:
    _report, page = made(outcome)
    assert "script" not in page.tags
    assert not [name for name, _value in page.attributes if name.startswith("on") or name in ("src", "href")]
    assert (page.tags[0], page.tags.count("h1")) == ("html", 1)
    assert page.tags.count("svg") == (2 if outcome == "audited" else 1), "the timeline, and one within it for each audit"


def test_hostile_names_and_messages_are_text() -> None:
    run = Events()
    text = HOSTILE
    for one in run.facts["instances"]:
        one["host"] = f"{one['host']}{text}"
    run.facts["steps"] = [{**step, "host": step["host"] + text, "text": step["text"] + text} for step in run.facts["steps"]]
    run.facts.update({"plan": [text], "warnings": [text], "version": text})
    run.all[0]["data"] = run.facts
    run.stopped(text)
    run.add("handover_done", {"changed": True, "old_master": text, "new_master": "b", "begun_at": text, "host": text, "pause_ms": 1.0})
    source = page_of(make_run_report(run.all))
    page = Page(source)
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert "<script" not in source
    assert page.text.count("{{ 7 * 7 }}") > 10


def test_lanes_and_bars_fill_the_width() -> None:
    report, _page = made("done")
    drawing = drawing_of(report)
    assert [lane["name"] for lane in drawing["lanes"]] == [f"{row['host']} ({row['kind']})" for row in report["instances"]]
    for lane in drawing["lanes"]:
        assert [span["class"] for span in lane["bars"]] == ["old", "change", "new"]
        assert sum(span["width"] for span in lane["bars"]) == pytest.approx(100, abs=0.01)
    turns = {lane["name"]: len(lane["masters"]) for lane in drawing["lanes"]}
    assert (turns["redis-1 (redis)"], turns["redis-2 (redis)"], turns["redis-3 (redis)"], turns["sentinel-1 (sentinel)"]) == (2, 1, 0, 0)
    assert sum(turn["width"] for lane in drawing["lanes"] for turn in lane["masters"]) == pytest.approx(100, abs=0.01)
    assert [mark["text"] for mark in drawing["marks"]] == ["321 ms", "321 ms"]


def test_each_write_gap_stands_beside_its_handover() -> None:
    run = Events().all_steps()
    done = [event["data"] for event in run.all if event["event"] == "handover_done"]
    run.verified(audits=AUDITS, handovers=[{**done[0], "write_gap_ms": 412.3}, {**done[1], "write_gap_ms": None}]).ended()
    page = Page(page_of(make_run_report(run.all)))
    assert ("data-name", "write gap") in page.attributes
    assert "412 ms" in page.parts
    assert ("data-name", "write gap") not in made("done")[1].attributes


@pytest.mark.parametrize(
    ("loss", "diverged", "shown"), [("none", 0, "none"), ("found", 812, "found, 812 bytes diverged"), ("unknown", None, "unknown")]
)
def test_what_was_lost_stands_beside_its_handover(loss: str, diverged: int | None, shown: str) -> None:
    run = Events().all_steps()
    for event in run.all:
        if event["event"] == "handover_done":
            event["data"].update(loss=loss, diverged_bytes=diverged)
    assert shown in Page(page_of(make_run_report(run.all))).parts


def test_a_failed_step_is_marked() -> None:
    report, _page = made("stopped")
    lane = next(lane for lane in drawing_of(report)["lanes"] if lane["name"] == "redis-2 (redis)")
    assert [span["class"] for span in lane["bars"]] == ["old", "failed"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (0.44, "0.4 s"), (53.2, "53 s"), (245.0, "4 min 05 s"), (7380.0, "2 h 03 min"), (119.9, "2 min 00 s")]
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration_text(seconds) == text


def test_the_page_is_small() -> None:
    report, _page = made("done", two_shards())
    assert len(page_of(report)) < 60_000


def test_the_example_in_the_documentation_is_a_page_of_today() -> None:
    source = (Path(__file__).parents[5] / "docs" / "example-report.html").read_text(encoding="utf-8")
    assert len(source) < 60_000
    page = Page(source)
    for heading in ("What to do next", "Timeline", "Before and after", "Handovers", "Steps", "Duration of the plays", "The plan"):
        assert heading in page.parts
    assert "alice@bastion" in page.text
    style = re.search(r"<style>.*</style>", source, re.DOTALL)
    assert style is not None
    assert style[0] in page_of(made("done")[0]), "make the example anew: tests/browser/example.py"


def test_the_overview_names_each_deployment() -> None:
    rows = [
        {"name": f"cache {HOSTILE}", "state": "failed", "seconds": 3.0, "log": "a#b.log", "page": "cache.report.html"},
        {"name": "sessions", "state": "not begun", "seconds": 0.0, "log": "", "page": ""},
    ]
    source = overview_page("2 deployments: 0 done, 1 failed, 1 not begun", rows, ["a line"])
    page = Page(source)
    assert "<script" not in source
    assert {"sessions", "failed", "not begun", "a line"} <= set(page.parts)
    assert re.findall(r'href="([^"]+)"', source) == ["cache.report.html", "a%23b.log"]
