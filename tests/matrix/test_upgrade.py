"""Each ansible-core and controller Python: the artefact alone builds a sandbox and upgrades it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cells import Controller, Pair, assign
from interpreters import exact, host_environment, pythons_here
from proof import proven_upgrade, unchanged_processes
from trial import Sandbox, Station

CELLS = list(assign(pythons_here()))


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
    with proven_upgrade(deployment, new):
        output = deployment.upgrade_to(new, ANSIBLE_STDOUT_CALLBACK="sentinelops.redis.upgrade")
    assert "WARNING]" not in output, output  # nor deprecations
    with unchanged_processes(deployment):
        assert changed(deployment.upgrade_to(new)) == []
