"""Each Python of a host with each redis-py: the host hands a master role over, under writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from cells import PAIRS, Controller, Pair, newest_controller
from interpreters import NotHere, exact, host_environment, pythons_here
from trial import COLLECTION, MASTER, PASSWORD, Sandbox, Station


@dataclass
class Shared:
    """The sandbox of all handovers, and the controllers of each of their cores."""

    station: Callable[[Controller], Station]
    build: Callable[[Station], Sandbox]
    stations: dict[Controller, Station] = field(default_factory=dict)
    sandboxes: list[Sandbox] = field(default_factory=list)

    def for_core(self, controller: Controller) -> Sandbox:
        """Return the sandbox, with a station of this core at its controls."""
        if controller not in self.stations:
            self.stations[controller] = self.station(controller)
        if not self.sandboxes:
            self.sandboxes.append(self.build(self.stations[controller]))
        self.sandboxes[0].station = self.stations[controller]
        return self.sandboxes[0]


@pytest.fixture(scope="module")
def shared(station: Callable[[Controller], Station], sandbox: Callable[[Station], Sandbox]) -> Shared:
    return Shared(station, sandbox)


def options(deployment: Sandbox) -> dict[str, object]:
    return {
        "login_port": deployment.ports["sentinel-1"],
        "master_name": MASTER,
        "node_login_password": PASSWORD,
    }


def call(deployment: Sandbox, module: str, python: str, **more: object) -> None:
    """Run a module of the collection on the host sentinel-1, with its Python."""
    words = ["sentinel-1", "-i", deployment.inventory, "-e", json.dumps({"ansible_python_interpreter": python})]
    arguments = json.dumps({**options(deployment), **more})
    deployment.station.run("ansible", *words, "-m", f"{COLLECTION}.{module}", "-a", arguments)


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_handover(pair: Pair, shared: Shared, rows: Callable[..., None]) -> None:
    controller = newest_controller(pythons_here(), pair.python)
    rows("handover", controller.names, [pair.names])
    try:
        environment = host_environment(pair)
    except NotHere as reason:
        pytest.skip(f"not here: {reason}")
    deployment = shared.for_core(controller)
    python, core = exact(deployment.station.environment, "ansible-core")
    rows("handover", (core, python), [exact(environment, "redis")])
    target = "redis-2" if deployment.master() == "redis-1" else "redis-1"
    journal = str(deployment.folder / "journal")
    program = str(environment / "bin" / "python")
    call(deployment, "redis_sentinel_failover", program, target=f"127.0.0.1:{deployment.ports[target]}", journal_folder=journal)
    assert deployment.numbers()[target]["role"] == "master"
    call(deployment, "redis_write_audit", program, duration_s=1, result_file=str(deployment.station.work / "audit.json"))
    verdict = json.loads((deployment.station.work / "audit.json").read_text(encoding="utf-8"))
    assert (verdict["lost"], verdict["unexpected"], verdict["acknowledged"] > 0) == (0, 0, True), verdict


def test_some_python_is_here() -> None:
    """A machine without any of them would skip all tests, and look as if all was well."""
    assert pythons_here()
