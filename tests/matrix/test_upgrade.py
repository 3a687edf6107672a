"""Each ansible-core and controller Python: the artefact alone builds a sandbox and upgrades it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cells import Controller, Pair, assign
from interpreters import exact, host_environment, pythons_here
from trial import Audit, Sandbox, Station

CELLS = list(assign(pythons_here()))
KEY = "matrix"


def changed(recap: str) -> list[str]:
    """Return the lines of a recap that count a change."""
    lines = [line for line in recap.splitlines() if " changed=" in line]
    assert lines, recap
    return [line for line in lines if " changed=0 " not in line]


@pytest.mark.parametrize(("controller", "hosts"), CELLS, ids=[str(controller) for controller, _hosts in CELLS])
def test_upgrade(
    controller: Controller,
    hosts: dict[str, Pair],
    station: Callable[[Controller], Station],
    sandbox: Callable[[Station], Sandbox],
    rows: Callable[..., None],
    new: Path,
) -> None:
    rows("upgrade", controller.names, {pair.names for pair in hosts.values()} or [("", "")])
    here = station(controller)
    environments = {host: host_environment(pair) for host, pair in hosts.items()}
    python, core = exact(here.environment, "ansible-core")
    rows("upgrade", (core, python), {exact(folder, "redis") for folder in environments.values()})
    deployment = sandbox(here)
    deployment.give_interpreters(environments)
    with deployment.connect("redis-1") as master:
        master.rpush(KEY, *range(100))

    audit = Audit(deployment)
    try:
        output = deployment.upgrade_to(new, ANSIBLE_STDOUT_CALLBACK="sentinelops.redis.upgrade")
        verdict = audit.verdict()
    finally:
        audit.end()
    assert (verdict["lost"], verdict["unexpected"], verdict["acknowledged"] > 100) == (0, 0, True), verdict
    assert "WARNING]" not in output, output  # nor deprecations
    assert {info["redis_version"] for info in deployment.numbers().values()} == {new.name}
    assert deployment.master() == "redis-1"
    assert deployment.read(KEY) == [[str(number) for number in range(100)]] * 3
    assert json.loads((here.work / "report.json").read_text(encoding="utf-8"))["problems"] == []

    before = {host: info["process_id"] for host, info in deployment.numbers().items()}
    assert changed(deployment.upgrade_to(new)) == []
    assert {host: info["process_id"] for host, info in deployment.numbers().items()} == before
