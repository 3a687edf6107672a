"""The estimate of an upgrade of real servers, beside what happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.sentinelops.redis.tests.unit.support.html import Page
from deployment import ROOT, Deployment
from states import settled, wait_until

from playbooks import run, words

pytestmark = pytest.mark.extended

VERSION = "6.2.9"
PARTS, KEYS = 30, 5000  # about 30 MiB of memory: enough to measure how fast a server loads them
FILL = f"for i = 1, {KEYS} do redis.call('SET', KEYS[1] .. i, string.rep('x', 100)) end"
# The machine may be busy at one time and not at another; benchmarks judge by less.
LOOSE = 5.0


@pytest.fixture(scope="module")
def filled(deployment: Deployment) -> Deployment:
    """Return a deployment with data, of which one replica was restarted with them."""
    for part in range(PARTS):
        deployment.command("redis-1", "EVAL", FILL, 1, f"part-{part}:")
    wait_until(lambda: settled(deployment), 60)
    deployment.stop("redis-2")
    deployment.start("redis-2")
    wait_until(lambda: settled(deployment), 60)
    return deployment


@pytest.fixture(scope="module")
def report(filled: Deployment) -> dict[str, Any]:
    """Return the report of an upgrade, with its page and its output."""
    file = filled.folder / "report.json"
    done = run(filled, "upgrade", redis_upgrade_report_file=str(file))
    assert done.returncode == 0, done.stdout
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    jsonschema.validate(found, json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8")))
    return {**found, "page": Page(Path(str(file).replace(".json", ".html")).read_text(encoding="utf-8")), "output": words(done.stdout)}


def test_the_plan_tells_before_anything_is_changed(filled: Deployment) -> None:
    done = run(filled, "plan", redis_upgrade_pause_s=100)
    assert done.returncode == 0, done.stdout
    said = words(done.stdout)
    assert "6 restarts, 2 pauses of writes of about 0.4 s each" in said
    assert "by the pace of the survey (6 calls in " in said
    assert "s per GiB (as measured)" in said, "the log of redis-2 tells how long it loaded"
    assert "estimate: about 12 min" in said or "estimate: about 13 min" in said, "seven pauses of 100 s among it"


def test_estimate_and_fact(report: dict[str, Any]) -> None:
    estimate = report["estimate"]
    assert 1 / LOOSE < estimate["ratio"] < LOOSE, estimate
    assert estimate["ratio"] == pytest.approx(estimate["took_s"] / estimate["seconds"], abs=0.01)
    basis = estimate["basis"]
    assert (basis["calls"], basis["loads_measured"]) == (6, 1)
    assert basis["data_bytes"] > 16 << 20
    assert 0 < basis["call_s"] <= basis["survey_s"]
    assert estimate["not_included"] == []


def test_every_play(report: dict[str, Any]) -> None:
    rows = report["plays"]
    assert sum(row["estimate_s"] for row in rows) == pytest.approx(report["estimate"]["seconds"], abs=0.2)
    assert sum(row["total_s"] for row in rows) == pytest.approx(report["estimate"]["took_s"], abs=0.2)
    assert all(row["estimate_s"] > 0 and row["total_s"] >= row["duration_s"] for row in rows)


def test_the_pauses(report: dict[str, Any]) -> None:
    pauses = report["estimate"]["pauses"]
    assert pauses["count"] == len(report["handovers"]) == 2
    assert all(handover["pause_ms"] / 1000 < pauses["at_most_s"] for handover in report["handovers"])


def test_people_can_read_it(report: dict[str, Any]) -> None:
    assert "estimated: about " in report["output"]
    assert "since the plan: " in report["output"]
    assert "times the estimate" in report["page"].text
    assert any(line.startswith("estimate: about ") for line in report["plan"])
