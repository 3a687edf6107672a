"""The estimate in the report of a run: beside what happened, in each row and as a whole."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._report.estimate import compared, with_estimates
from ansible_collections.sentinelops.redis.plugins.plugin_utils._report.page import page_of
from ansible_collections.sentinelops.redis.plugins.plugin_utils._report.run_report import make_run_report
from ansible_collections.sentinelops.redis.tests.unit.support.estimates import ESTIMATE
from ansible_collections.sentinelops.redis.tests.unit.support.run_events import Events


def run(steps: int = 8, ended: bool = True) -> Events:
    """Return a run of eight steps with an estimate; ten seconds pass before each event."""
    events = Events()
    events.all[0]["data"]["estimate"] = ESTIMATE
    events.steps(steps)
    if ended:
        events.add("verified", {"problems": [], "instances": [], "shards": {}, "lines": []})
        events.add("ended", {})
    return events


def test_every_play_and_the_whole() -> None:
    report = make_run_report(run().all)
    rows = {play["title"]: (play["estimate_s"], play["total_s"]) for play in report["plays"]}
    assert sum(estimate for estimate, _total in rows.values()) == pytest.approx(ESTIMATE["seconds"], abs=0.2)
    assert sum(total for _estimate, total in rows.values()) == pytest.approx(report["estimate"]["took_s"])
    assert rows["(3/8) Before the first step"][0] == pytest.approx(7.3 + 2.2), "up to the stop of the first server"
    assert rows["(4/8) Sentinels"][0] == pytest.approx(7.6 - 2.2)
    assert rows["(5/8) Replicas"] == (45.4, 20.0)
    assert rows["(8/8) After the last step"][0] == pytest.approx(7.6)
    assert report["estimate"]["ratio"] == pytest.approx(report["estimate"]["took_s"] / 102.9, abs=0.01)
    assert {name: report["estimate"][name] for name in ("seconds", "restarts", "pauses", "basis")} == {
        name: ESTIMATE[name] for name in ("seconds", "restarts", "pauses", "basis")
    }


def test_a_run_that_has_not_ended() -> None:
    report = make_run_report(run(steps=4, ended=False).all)
    assert (report["estimate"]["took_s"], report["estimate"]["ratio"]) == (None, None)
    left = next(play for play in report["plays"] if play["title"] == "(7/8) Old masters")
    assert (left["total_s"], left["estimate_s"]) == (None, 23.7)


def test_no_estimate() -> None:
    report = make_run_report(Events().all_steps().all)
    assert report["estimate"] == {}
    assert {play["estimate_s"] for play in report["plays"]} == {None}
    assert "Estimated" not in page_of(report)


def test_the_page() -> None:
    page = page_of(make_run_report(run().all))
    assert "Estimated: about 1 min 40 s; taken: " in page
    assert "times the estimate" in page
    assert "The estimate leaves out" not in page


def row(title: str, begun: str, ended: str) -> dict[str, Any]:
    moments = {name: f"2026-11-28T03:17:{second}.000Z" if second else "" for name, second in (("begun_at", begun), ("ended_at", ended))}
    return {"title": title, "duration_s": 1.0, "done": 1, "steps": 1, **moments}


def test_plays_without_steps_count_for_the_next_row() -> None:
    plays = [
        {"name": "stage", "title": "(3/8) Stage the new version", "seconds": 7.0, "lead_s": 0.0},
        {"name": "replicas", "title": "(5/8) Replicas", "seconds": 20.0, "lead_s": 2.0},
        {"name": "backup", "title": "(6/8) Back up the masters", "seconds": 5.0, "lead_s": 0.0},
        {"name": "handover", "title": "(6/8) Handover", "seconds": 6.0, "lead_s": 2.0},
        {"name": "verify", "title": "(8/8) Verify", "seconds": 4.0, "lead_s": 0.0},
    ]
    rows = [
        row("(3/8) Before the first step", "00", "09"),
        row("(5/8) Replicas", "09", "27"),
        row("(6/8) Handover", "35", "38"),
        row("(8/8) After the last step", "38", "42"),
    ]
    found = {one["title"]: (one["estimate_s"], one["total_s"]) for one in with_estimates(rows, {"plays": plays})}
    assert list(found.values()) == [(9.0, 9.0), (18.0, 18.0), (11.0, 11.0), (4.0, 4.0)]


def test_nothing_to_compare() -> None:
    assert compared({}, {"outcome": "running"}) == {}
    assert with_estimates([], ESTIMATE) == []
