"""The report of a run that is stopped, killed, interrupted, and of one that comes to its end.

One upgrade, in four runs with the same report file; each run goes on where the one before ended.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.sentinelops.redis.tests.unit.support.html import Page
from deployment import ROOT, Deployment
from killing import VICTIMS, kill_controller
from states import settled, wait_until

from playbooks import WANTED, command, interrupt_when, run, started, words

pytestmark = pytest.mark.extended

VERSION = "6.2.9"
SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def file(deployment: Deployment) -> Path:
    return deployment.folder / "report.json"


def read(file: Path) -> tuple[dict[str, Any], Page]:
    """Return report and page, which fit each other and the schema."""
    report = json.loads(file.read_text(encoding="utf-8"))
    jsonschema.validate(report, SCHEMA)
    page = Page(file.with_suffix(".html").read_text(encoding="utf-8"))
    assert {path.stat().st_mode & 0o777 for path in (file, file.with_suffix(".html"))} == {0o644}
    for text in [report["verdict"], *report["what_next"], *report["stop_message"]]:
        assert " ".join(text.split()) in page.text
    return report, page


def rendered(file: Path) -> str:
    """Write the report of a dead run from its events, by the playbook for that; return what it
    says.
    """
    variables = {"redis_upgrade_report_file": str(file)}
    done = subprocess.run(
        ["ansible-playbook", "sentinelops.redis.report", "-e", json.dumps(variables)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return words(done.stdout)


def states(report: dict[str, Any]) -> dict[str, str]:
    return {step["key"]: step["state"] for step in report["steps"]}


def require_truth(report: dict[str, Any], deployment: Deployment) -> None:
    """Check what the report says of each step against what runs."""
    versions = deployment.versions()
    for step in report["steps"]:
        if step["kind"] == "handover":
            continue
        if step["state"] == "done":
            assert versions[step["host"]] == WANTED, step
            assert step["duration_s"] > 0
            assert report["begun_at"] <= step["begun_at"] < step["ended_at"]
        elif step["state"] == "left":
            assert versions[step["host"]] == VERSION, step


def test_what_changes_nothing_writes_no_report(deployment: Deployment, file: Path) -> None:
    for arguments in (["plan"], ["upgrade", "--check"], ["upgrade", "--tags", "preflight"]):
        done = run(deployment, *arguments, redis_upgrade_report_file=str(file))
        assert done.returncode == 0, done.stdout
    refused = run(deployment, "upgrade", redis_upgrade_report_file=str(file.parent / "none" / "report.json"))
    assert refused.returncode != 0
    assert "is no folder that this user may write" in words(refused.stdout)
    assert list(file.parent.glob("report*")) == []


def test_stopped_by_a_deadline(deployment: Deployment, file: Path) -> None:
    # The pause after the first step lasts until the deadline has passed.
    variables = {"redis_upgrade_report_file": str(file), "redis_upgrade_deadline": "+20s", "redis_upgrade_pause_s": 20}
    done = run(deployment, "upgrade", **variables)
    assert done.returncode != 0
    report, _page = read(file)
    assert report["outcome"] == "stopped"
    assert "has passed, so no new step begins." in report["stop_message"][0]
    assert {"left"} <= set(states(report).values()) <= {"done", "left"}
    assert f"{list(states(report).values()).count('done')} of 8 steps" in report["verdict"]
    assert any("no step begins after" in warning for warning in report["warnings"])
    assert [line for line in report["plan"] if line.startswith("(4/8) Sentinel")]
    require_truth(report, deployment)


def test_killed_in_the_replicas_play(deployment: Deployment, file: Path, tmp_path: Path) -> None:
    wait_until(lambda: settled(deployment), 60)
    variables = {"redis_upgrade_report_file": str(file)}
    with started(command(deployment, "upgrade", **variables), tmp_path / "log", deployment.mark) as running:
        running.wait_for(lambda: "PLAY [(5/8)" in running.output and "Stop, put the wanted" in running.output.split("PLAY [(5/8)")[1])
        kill_controller(deployment, VICTIMS[1])
        running.end()
    wait_until(lambda: not deployment.handing_over(), 120)
    wait_until(lambda: settled(deployment), 120)
    assert read(file)[0]["outcome"] == "running", "nothing could tell that the run was killed"
    said = rendered(file)
    report, page = read(file)
    assert report["outcome"] == "incomplete"
    assert report["verdict"] in said
    assert {state for key, state in states(report).items() if key.endswith("/sentinel")} <= {"done"}
    (upcoming,) = [step for step in report["steps"] if step["state"] == "next"]
    assert upcoming["key"] in ("redis-2/redis", "redis-3/redis")
    assert f"Under way or next when this was recorded: {upcoming['text']}." in page.text
    assert "Run the same command again" in page.text
    require_truth(report, deployment)


def test_interrupted_before_the_old_master(deployment: Deployment, file: Path) -> None:
    output = interrupt_when(deployment, "PLAY [(7/8)", redis_upgrade_report_file=str(file))
    assert "PLAY [(7/8)" in output
    wait_until(lambda: settled(deployment), 60)
    assert read(file)[0]["outcome"] == "running"
    rendered(file)
    report, page = read(file)
    assert report["outcome"] == "incomplete"
    assert (states(report)["redis-2/handover"], states(report)["redis-1/redis"]) == ("done", "next")
    assert report["shards"]["mymaster"] == {"before": "redis-1", "now": "redis-2", "original_master": "redis-1"}
    (handover,) = report["handovers"]
    assert (handover["host"], handover["loss"], handover["new_master"]) == ("redis-2", "none", deployment.address("redis-2"))
    assert f"{handover['pause_ms']:.0f} ms" in page.text


def test_interrupted_under_the_callback(deployment: Deployment, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The callback sees the end, so nobody has to look whether the run is still under way."""
    earlier = read(file)[0]
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "sentinelops.redis.upgrade")
    output = interrupt_when(deployment, "(3/8) Stage", redis_upgrade_report_file=str(file))
    assert "ENDED EARLY" in output
    report, page = read(file)
    assert (report["outcome"], report["ended_at"]) == ("incomplete", "")
    assert "did not end: it was cut off" in page.text
    require_truth(report, deployment)
    kept, _page = read(file.with_name(f"report.{earlier['run']['id']}.json"))
    assert (kept["outcome"], kept["steps"]) == ("incomplete", earlier["steps"]), "the report of the run before is kept"


def test_done(deployment: Deployment, file: Path) -> None:
    done = run(deployment, "upgrade", redis_upgrade_report_file=str(file))
    assert done.returncode == 0, done.stdout
    report, _page = read(file)
    assert report["outcome"] == "done"
    assert set(states(report).values()) == {"done"}
    assert {row["host"]: row["now"] for row in report["instances"]} == deployment.versions()
    assert report["problems"] == []
    assert report["what_next"] == ["Nothing is left to do."]
    assert [line for line in report["lines"] if line.startswith("handover")]
    before = file.read_bytes()
    again = run(deployment, "upgrade", redis_upgrade_report_file=str(file))
    assert "Nothing to do" in again.stdout
    assert file.read_bytes() == before, "the report of the run that has done the work stays"


def test_a_rollback_has_a_report_as_well(deployment: Deployment, file: Path) -> None:
    done = run(deployment, "rollback", redis_upgrade_report_file=str(file))
    assert done.returncode == 0, done.stdout
    report, page = read(file)
    assert (report["outcome"], report["playbook"]) == ("done", "rollback")
    assert {row["now"] for row in report["instances"]} == {VERSION}
    assert f"The rollback from {WANTED} is done" in page.text
    assert len(report["handovers"]) == 2
