"""The overview of a run over several deployments."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.sentinelops.redis.plugins.action.redis_deployments import _overview
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.deployments import Run, verdict_lines
from ansible_collections.sentinelops.redis.tests.unit.support.html import Page


def test_it_leads_to_the_page_and_the_output_of_each(tmp_path: Path) -> None:
    runs = [Run("cache", tmp_path, [], code=0, seconds=61.2), Run("shop", tmp_path, [], code=2, seconds=3.0), Run("late", tmp_path, [])]
    for name in ("cache.log", "shop.log", "cache.report.json", "cache.report.html"):
        (tmp_path / name).touch()
    found = [run.as_dict() for run in runs]
    assert [(one["report"], one["page"]) for one in found] == [
        (str(tmp_path / "cache.report.json"), str(tmp_path / "cache.report.html")),
        ("", ""),
        ("", ""),
    ]
    assert _overview(tmp_path, runs, verdict_lines(runs)) == [f"Overview: {tmp_path / 'index.html'}"]
    source = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'href="([^"]+)"', source) == ["cache.report.html", "cache.log", "shop.log"]
    page = Page(source)
    assert "3 deployments: 1 done, 1 failed, 1 not begun" in page.text
    assert {"done", "failed", "not begun", "61 s"} <= set(page.parts)


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    runs = [Run("cache", tmp_path / "gone", [], code=0)]
    assert _overview(tmp_path / "gone", runs, verdict_lines(runs))[0].startswith("The overview was not written")
