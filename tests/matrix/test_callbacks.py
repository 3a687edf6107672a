"""Callbacks that record a run: json, junit and ARA each have all of an upgrade, in their format."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from callbacks import ARA, JSON, Recorders, after_ara, install_posix
from cells import HOSTS, Controller, oldest_and_newest
from interpreters import pythons_here
from proof import left_behind, proven_upgrade
from secrets_shown import places, with_hashes
from trial import PASSWORD, Sandbox, Station


@pytest.mark.parametrize("controller", oldest_and_newest(pythons_here()), ids=str)
def test_an_upgrade_is_recorded(
    controller: Controller,
    station: Callable[..., Station],
    sandbox: Callable[[Station], Sandbox],
    own_host_rows: Callable[..., None],
    new: Path,
) -> None:
    own_host_rows("json, junit, ARA", controller)
    here = station(controller, ARA)
    own_host_rows("json, junit, ARA", controller, here.environment)
    install_posix(here, controller)
    deployment = sandbox(here)
    recorders = Recorders(here, here.work / "recorded")
    warnings = recorders.folder / "warnings"
    with proven_upgrade(deployment, new), warnings.open("w", encoding="utf-8") as errors:
        output = deployment.upgrade_to(new, errors=errors, **recorders.variables, **JSON)

    recorded = json.loads(after_ara(output))
    assert set(HOSTS) <= set(recorded["stats"])
    assert {(host["failures"], host["unreachable"]) for host in recorded["stats"].values()} == {(0, 0)}
    assert [play["play"]["name"] for play in recorded["plays"]]
    (suites,) = recorders.junit()
    cases = list(suites.iter("testcase"))
    assert len(cases) > len(HOSTS), cases
    assert [case.get("name") for case in cases if case.find("failure") is not None or case.find("error") is not None] == []
    assert recorders.ara() == [("upgrade.yml", "completed")]
    assert places({"output": output, **left_behind(deployment)}, with_hashes({PASSWORD})) == {}
