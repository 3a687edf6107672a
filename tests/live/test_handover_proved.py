"""The claim of the handover, whoever dies, stalls or is cut off: no acknowledged write is lost, a
node that was not promoted is not believed, and what happened is said.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from accident import Accidental
from deployment import Deployment, Writers
from lab import NOBODY, LabDeployment, own_network
from states import settings, settled, wait_until

VERSION = "7.0.15"
KEYS = 1000


def assert_nothing_lost(verdict: dict[str, Any]) -> None:
    assert verdict["acknowledged"] > 1000
    assert (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0)


def events(result: dict[str, Any]) -> str:
    return "\n".join(entry["event"] for entry in result["timeline"])


def test_module_and_standby_die_after_the_accepted_failover(deployment: Deployment) -> None:
    """The dead man's fence holds the old master until the next run makes it a replica."""
    before, old, target = settings(deployment), deployment.masters()[0], deployment.other_than_master()
    with Writers(deployment) as writers:
        first = Accidental(deployment, target, "failover accepted", "kill")
        assert first.wait()
        assert first.result() == {}, "nobody is left who could say anything"
        second = deployment.hand_over(target)
        assert not second.get("failed"), second["msg"]
        wait_until(lambda: settled(deployment), 60)
        assert_nothing_lost(writers.verdict())
    recovered = " ".join(second["recovered"])
    assert f"{deployment.address(old)} follows {deployment.address(target)}" in recovered
    assert "loss: none" in recovered
    assert "was lifted" in recovered
    assert deployment.masters() == [target]
    assert settings(deployment) == before


@pytest.mark.extended
def test_the_module_stands_still_after_the_accepted_failover(deployment: Deployment) -> None:
    """The pause ends meanwhile; the dead man's fence does not."""
    before, target = settings(deployment), deployment.other_than_master()
    with Writers(deployment) as writers:
        first = Accidental(deployment, target, "failover accepted", "stall")
        assert first.wait()
        time.sleep(8)
        first.go_on()
        result = first.result()
        assert not result.get("failed"), result["msg"]
        assert_nothing_lost(writers.verdict())
    assert result["loss"] == "none", result["loss_reason"]
    assert deployment.masters() == [target]
    assert settings(deployment) == before


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[LabDeployment]:
    if os.geteuid() != 0:
        pytest.skip("only root may give a test a network of its own")
    with own_network():
        found = LabDeployment(tmp_path / "lab", VERSION, 23001)
        try:
            found.build()
            yield found
        finally:
            found.remove()


@pytest.mark.extended
def test_only_the_way_from_the_module_to_the_old_master_is_cut(lab: LabDeployment) -> None:
    before, old, target = settings(lab), lab.masters()[0], lab.other_than_master()
    way = lab.host(old).ip
    losing = ["ip", "neigh", "replace", way, "lladdr", NOBODY, "dev", "host0", "nud", "permanent"]
    with Writers(lab) as writers:
        first = Accidental(lab, target, "failover accepted", "none", lab.outside.prefix, losing)
        assert first.wait()
        time.sleep(25)
        lab.outside.find(way)
        result = first.result()
        assert not result.get("failed"), result["msg"]
        wait_until(lambda: settled(lab), 60)
        assert settings(lab) == before
        assert_nothing_lost(writers.verdict())
    assert result["loss"] in ("none", "unknown"), "Sentinel has demoted it: its last bytes were not seen"
    assert f"{lab.address(old)} could not be made a replica" in str(result["warnings"])
    assert lab.masters() == [target]


def restart_empty(deployment: Deployment, name: str) -> None:
    """Start a node once more without its data, as a master of its own."""
    deployment.processes[name].kill()
    deployment.processes[name].wait()
    (deployment.folder / name / "dump.rdb").unlink(missing_ok=True)
    lines = deployment.config(name).read_text(encoding="utf-8").splitlines(keepends=True)
    deployment.config(name).write_text("".join(line for line in lines if not line.startswith("replicaof")), encoding="utf-8")
    deployment.start(name)


@pytest.mark.extended
@pytest.mark.parametrize("event", ["caught up", "armed"])
def test_an_empty_node_that_says_that_it_is_master_is_not_believed(deployment: Deployment, event: str) -> None:
    """The target hangs, and another replica comes up empty, as a master: the old one stays it."""
    old, target = deployment.masters()[0], deployment.other_than_master()
    empty = next(name for name in deployment.nodes if name not in (old, target))
    deployment.command(old, "MSET", *[word for number in range(KEYS) for word in (f"proved:{number}", "value")])
    hanging = ["kill", "-STOP", str(deployment.processes[target].pid)]
    try:
        with Writers(deployment) as writers:
            first = Accidental(deployment, target, event, "none", command=hanging, wait_s=20)
            assert first.wait()
            restart_empty(deployment, empty)
            result = first.result()
            os.kill(deployment.processes[target].pid, signal.SIGCONT)
            wait_until(lambda: settled(deployment), 90)
            assert_nothing_lost(writers.verdict())
        assert deployment.masters() == [old]
        kept = deployment.command(old, "EXISTS", *[f"proved:{number}" for number in range(KEYS)])
        assert kept == KEYS
        assert result["failed"]
        assert deployment.address(empty) in result["msg"], result
        if event == "armed":
            assert result["node"] == deployment.address(empty)
            assert f"{deployment.address(empty)} was not promoted" in result["msg"]
    finally:
        os.kill(deployment.processes[target].pid, signal.SIGCONT)
        deployment.command(old, "DEL", *[f"proved:{number}" for number in range(KEYS)])
