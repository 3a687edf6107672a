"""No password is in what runs show and leave behind, at -vvvv, also of runs that fail."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from broken_builds import broken_build
from callbacks import ARA, JSON, Recorders, install_posix
from cells import Controller, oldest_and_newest
from interpreters import pythons_here
from proof import left_behind, proven_upgrade
from secrets_shown import places, texts_in, with_hashes
from trial import PASSWORD, SENTINEL_PASSWORD, VAULT_PASSWORD, Sandbox, Station

USERS = {"app": "matrix-app-9", "reporting": "matrix-reporting-10"}
WRONG = "matrix-wrong-11"
SECRETS = with_hashes({PASSWORD, SENTINEL_PASSWORD, VAULT_PASSWORD, WRONG, *USERS.values()})
# A task that shows a password, as no playbook of the collection does.
TELLTALE = [{"hosts": "redis-1", "gather_facts": False, "tasks": [{"ansible.builtin.debug": {"var": "redis_upgrade_redis_password"}}]}]


@dataclass
class Trial:
    """A protected sandbox, and what records the runs on it."""

    deployment: Sandbox
    recorders: Recorders

    def upgrade(self, server: Path, code: int = 0, callback: Mapping[str, str] | None = None, **given: Any) -> str:
        """Run the playbook upgrade, as talkative as can be, with all that it can write."""
        metrics = self.deployment.station.work / "metrics"
        metrics.mkdir(exist_ok=True)
        more = {
            "redis_upgrade_sentinel_password": SENTINEL_PASSWORD,
            "redis_upgrade_metrics_folder": str(metrics),
            "redis_upgrade_audit": True,
            **given,
        }
        how = {**self.recorders.variables, **(callback or {})}
        output = self.deployment.upgrade_to(server, "-vvvv", "--diff", given=more, code=code, **how)
        assert len(output) > 10_000, output
        return output

    def shown(self, output: str) -> dict[str, list[str]]:
        """Return where an output, and all files that runs have left, show a secret."""
        return places({"output": output, **left_behind(self.deployment)}, SECRETS)


@pytest.fixture(scope="module", params=oldest_and_newest(pythons_here()), ids=str)
def controller(request: pytest.FixtureRequest) -> Controller:
    chosen: Controller = request.param
    return chosen


@pytest.fixture(scope="module")
def made(controller: Controller, station: Callable[..., Station], sandbox: Callable[[Station], Sandbox]) -> Callable[[], Trial]:
    """Return ``made()``, which makes the trial of a controller at the first call."""

    @cache
    def make() -> Trial:
        here = station(controller, ARA)
        install_posix(here, controller)
        deployment = sandbox(here)
        deployment.protect(USERS)
        return Trial(deployment, Recorders(here, here.work / "recorded"))

    return make


@pytest.fixture
def trial(controller: Controller, made: Callable[[], Trial], own_host_rows: Callable[..., None]) -> Callable[[str], Trial]:
    """Return ``trial(what)``, which makes the trial, and says what the test is in the table."""

    def begin(what: str) -> Trial:
        own_host_rows(what, controller)
        begun = made()
        own_host_rows(what, controller, begun.deployment.station.environment)
        return begun

    return begin


@pytest.mark.parametrize("callback", [{}, JSON], ids=["default", "json"])
def test_a_password_that_is_shown_is_found(trial: Callable[[str], Trial], callback: dict[str, str], tmp_path: Path) -> None:
    """Everywhere, by the same search: otherwise the other tests here could not fail."""
    begun = trial("secrets that are shown")
    station, recorders = begun.deployment.station, Recorders(begun.deployment.station, tmp_path / "recorded")
    (tmp_path / "telltale.yml").write_text(json.dumps(TELLTALE), encoding="utf-8")
    output = station.run("ansible-playbook", "-i", begun.deployment.inventory, tmp_path / "telltale.yml", **recorders.variables, **callback)
    found = places({"output": output, **texts_in(recorders.folder)}, SECRETS)
    assert {Path(name).suffix for name in found} == {"", ".log", ".xml", ".sqlite"}, list(found)


@pytest.mark.parametrize("callback", [{}, JSON], ids=["default", "json"])
def test_a_refused_run(trial: Callable[[str], Trial], callback: dict[str, str], old: Path, new: Path) -> None:
    begun = trial("secrets of a refused run")
    output = begun.upgrade(new, 2, callback, redis_upgrade_sentinel_password=WRONG)
    assert "invalid username-password pair" in output, output
    assert {info["redis_version"] for info in begun.deployment.numbers().values()} == {old.name}
    assert begun.shown(output) == {}


def test_a_run_that_fails_on_its_way(trial: Callable[[str], Trial], tmp_path: Path, old: Path, new: Path) -> None:
    """The new version's data node ends as soon as it is started."""
    begun = trial("secrets of a failing run")
    build = broken_build(tmp_path / new.name, new.name, "exit 1")
    output = begun.upgrade(Path(build), 2)
    versions = {host: info["redis_version"] for host, info in begun.deployment.numbers().items()}
    assert (versions["sentinel-1"], versions["redis-1"]) == (new.name, old.name), output
    assert begun.shown(output) == {}


def test_an_upgrade(trial: Callable[[str], Trial], new: Path) -> None:
    begun = trial("secrets of an upgrade")
    with proven_upgrade(begun.deployment, new):
        output = begun.upgrade(new)
    written = {Path(name).name for name in left_behind(begun.deployment)}
    journals = {f"{host.split('-')[0]}-{port}.before.json" for host, port in begun.deployment.ports.items()}
    assert written >= {"report.json", "report.html", "report.events.jsonl", "ansible.log", "ansible.sqlite", *journals}
    assert begun.shown(output) == {}
