"""ansible-runner, with which AWX starts its jobs, upgrades by the playbooks of awx/project."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cells import Controller, oldest_and_newest
from interpreters import ROOT, pythons_here
from proof import left_behind, proven_upgrade, unchanged_processes
from secrets_shown import places, with_hashes
from trial import PASSWORD, Sandbox, Station

RUNNER = "ansible-runner>=2.4"


def lay_out(deployment: Sandbox, new: Path) -> Path:
    """Make ansible-runner's folder of a job: project, inventory and variables; return its path."""
    private = deployment.station.work / "runner"
    shutil.copytree(ROOT / "awx" / "project", private / "project")
    (private / "inventory").mkdir()
    shutil.copy(deployment.inventory, private / "inventory")
    (private / "env").mkdir()
    variables = {**deployment.wanted(new), "redis_upgrade_confirm": "never"}
    (private / "env" / "extravars").write_text(json.dumps(variables), encoding="utf-8")
    return private


def recap_of(private: Path, job: str) -> dict[str, Any]:
    """Return the last event of a job, which counts what each host has done."""
    events = [json.loads(path.read_text(encoding="utf-8")) for path in (private / "artifacts" / job / "job_events").glob("*-*.json")]
    (recap,) = [event["event_data"] for event in events if event["event"] == "playbook_on_stats"]
    return dict(recap)


@pytest.mark.parametrize("controller", oldest_and_newest(pythons_here()), ids=str)
def test_upgrade_by_runner(
    controller: Controller,
    station: Callable[..., Station],
    sandbox: Callable[[Station], Sandbox],
    own_host_rows: Callable[..., None],
    new: Path,
) -> None:
    own_host_rows("ansible-runner", controller)
    here = station(controller, RUNNER)
    own_host_rows("ansible-runner", controller, here.environment)
    deployment = sandbox(here)
    private = lay_out(deployment, new)
    with proven_upgrade(deployment, new):
        output = here.run("ansible-runner", "run", private, "-p", "upgrade.yml", "--ident", "first", "-vvvv")
    artifacts = private / "artifacts"
    assert (artifacts / "first" / "status").read_text(encoding="utf-8") == "successful"
    assert not recap_of(private, "first")["failures"]
    assert len(output) > 10_000, output
    assert places({"output": output, **left_behind(deployment, [private / "inventory"])}, with_hashes({PASSWORD})) == {}

    with unchanged_processes(deployment):
        here.run("ansible-runner", "run", private, "-p", "upgrade.yml", "--ident", "second")
    recap = recap_of(private, "second")
    assert recap["ok"]
    assert not recap["changed"], recap
