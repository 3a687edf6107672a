"""Names of masters that YAML takes for numbers, and a version that is none: on real servers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from deployment import MASTER, Deployment
from states import wait_until

from playbooks import run, words

pytestmark = pytest.mark.extended

VERSION = "6.2.9"


def monitor(deployment: Deployment, old: str, new: str) -> None:
    """Give the master another name on every Sentinel; wait until they know all of it again."""
    port = deployment.nodes["redis-1"]
    for name in deployment.sentinels:
        deployment.command(name, "SENTINEL", "REMOVE", old)
        deployment.command(name, "SENTINEL", "MONITOR", new, deployment.access.host, port, 2)
        deployment.command(name, "SENTINEL", "SET", new, "down-after-milliseconds", deployment.down_after_ms)

    def known() -> bool:
        found = []
        for name in deployment.sentinels:
            reply = deployment.command(name, "SENTINEL", "MASTER", new)
            view = dict(zip(reply[::2], reply[1::2], strict=True))
            found.append((view["num-other-sentinels"], view["num-slaves"], view["flags"]))
        return found == [("2", "2", "master")] * 3

    wait_until(known, 60)


@pytest.fixture(scope="module")
def nameless(build: Callable[..., Deployment]) -> Deployment:
    return build(VERSION)


@pytest.mark.parametrize("version", ["valkey-8.0.1", "v6.2.14", 6.2, "latest"])
def test_what_is_no_version_is_refused_alone(nameless: Deployment, version: object) -> None:
    done = run(nameless, "preflight", redis_upgrade_version=version)
    output = words(done.stdout)
    assert done.returncode == 2
    assert f"plan: redis_upgrade_version is '{version}', which is not a version number of three parts" in output
    assert "downgrade" not in output


@pytest.mark.parametrize("name", [6379, "007", 0])
def test_an_upgrade_of_a_master_with_a_numeric_name(build: Callable[..., Deployment], name: int | str) -> None:
    """The last one is upgraded whole; of the others the plan is made."""
    deployment = build(VERSION)
    monitor(deployment, MASTER, str(name))
    done = run(deployment, "plan" if name else "upgrade", redis_upgrade_master_name=name)
    assert done.returncode == 0, words(done.stdout)[-3000:]
    assert f" {name}: redis-1 (" in words(done.stdout)
    if not name:
        assert {deployment.info(node)["redis_version"] for node in deployment.ports} == {"6.2.14"}


def test_only_the_named_master_is_planned(nameless: Deployment) -> None:
    """0 is a name, and not "all masters"."""
    done = run(nameless, "plan", redis_upgrade_master_name=0)
    assert done.returncode == 2
    assert "no Sentinel monitors a master named '0'" in words(done.stdout)
