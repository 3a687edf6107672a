"""The fail back to an original master that no Sentinel would promote: not planned, and said."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from application import Application, lost, same_everywhere
from deployment import Deployment
from states import settled, wait_until

from playbooks import run, words

pytestmark = pytest.mark.extended

ACCEPTED = {"redis_upgrade_accept_no_way_back": True}


@pytest.mark.parametrize(
    ("version", "wanted", "by"),
    [
        ("6.2.9", "6.2.14", "CONFIG SET"),
        ("7.0.15", "valkey-8.0.1", "its file"),
        ("valkey-8.0.1", "valkey-9.1.2", "the old name"),
    ],
)
def test_the_original_master_has_priority_0(build: Callable[..., Deployment], version: str, wanted: str, by: str) -> None:
    deployment = build(version)
    name = "slave-priority" if by == "the old name" else "replica-priority"
    deployment.command("redis-1", "CONFIG", "SET", name, 0)
    if by == "its file":
        deployment.command("redis-1", "CONFIG", "REWRITE")
    with Application(deployment) as application:
        done = run(deployment, "upgrade", wanted=wanted, **ACCEPTED)
    output = words(done.stdout)
    assert done.returncode == 0, output[-3000:]
    assert "no fail back of mymaster to redis-1, whose replica-priority is 0" in output
    assert deployment.masters() == ["redis-2"]
    assert deployment.command("redis-1", "CONFIG", "GET", "replica-priority")[1] == "0"
    infos = [deployment.info(one) for one in deployment.ports]
    assert {info.get("valkey_version") or info["redis_version"] for info in infos} == {wanted.removeprefix("valkey-")}
    wait_until(lambda: settled(deployment))
    assert lost(application, same_everywhere(deployment)) == []
    again = run(deployment, "upgrade", wanted=wanted, **ACCEPTED)
    assert again.returncode == 0
    assert "Nothing to do" in words(again.stdout)
    # the remedy that the plan names
    deployment.command("redis-1", "CONFIG", "SET", "replica-priority", 100)
    moved = run(deployment, "handover", redis_upgrade_handover_to="redis-1")
    assert moved.returncode == 0, words(moved.stdout)[-3000:]
    assert deployment.masters() == ["redis-1"]
