"""Module and standby are killed during a handover: the next run finishes and cleans up."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest
from deployment import ROOT, Deployment, Writers
from states import settings, settled, wait_until

VERSION = "6.2.14"
FENCED = 2000000000
ACCIDENT = ROOT / "tests" / "support" / "accident.py"
FENCE_SET = "caught up"  # the first event after the fence


def kill_everything(deployment: Deployment, event: str, target: str, **options: object) -> None:
    """Begin a handover, and kill the module and its standby at an event of the timeline."""
    done = subprocess.run(
        [sys.executable, ACCIDENT, event, "kill", deployment.folder / "accident.json"],
        input=json.dumps(deployment.handover_options(target, **options)),
        capture_output=True,
        text=True,
        check=False,
        env={**deployment.mark, "PYTHONPATH": str(ROOT / ".cache" / "collections")},
    )
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    wait_until(lambda: not deployment.handing_over(), 5)


def fenced(deployment: Deployment) -> list[str]:
    return [name for name in deployment.nodes if int(deployment.command(name, "CONFIG", "GET", "min-replicas-to-write")[1]) > FENCED]


def steered(deployment: Deployment) -> bool:
    return "1" in [deployment.command(name, "CONFIG", "GET", "replica-priority")[1] for name in deployment.nodes]


@pytest.mark.parametrize("again", ["the same target", "back"])
def test_a_fence_is_recognised(deployment: Deployment, again: str) -> None:
    before, home = settings(deployment), deployment.masters()[0]
    target = deployment.other_than_master()
    with Writers(deployment) as writers:
        kill_everything(deployment, FENCE_SET, target, mode="fence")
        assert fenced(deployment) == [home], "the master refuses writes, until somebody comes"
        wanted = target if again == "the same target" else home
        check = deployment.hand_over(wanted, _ansible_check_mode=True)
        assert check["changed"]
        assert "will be finished" in str(check["warnings"])
        assert fenced(deployment) == [home], "check mode has only looked"
        result = deployment.hand_over(wanted, mode="fence")
        assert not result.get("failed"), result["msg"]
        verdict = writers.verdict()
    assert result["changed"]
    assert "fence of an earlier handover" in str(result["recovered"])
    assert deployment.masters() == [wanted]
    assert settings(deployment) == before
    assert (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0)
    assert not deployment.hand_over(wanted)["changed"]


def test_a_steered_priority_and_sentinels_that_were_tuned(deployment: Deployment) -> None:
    before, home = settings(deployment), deployment.masters()[0]
    kill_everything(deployment, "steered", deployment.other_than_master())
    assert settings(deployment) != before
    result = deployment.hand_over(home)
    assert result["changed"]
    assert "replica-priority" in str(result["recovered"])
    assert settings(deployment) == before
    assert deployment.masters() == [home]
    assert not list((deployment.folder / "journal").iterdir()), "no note and no lock is left"


def test_what_someone_has_set_since_is_theirs(deployment: Deployment) -> None:
    home, target = deployment.masters()[0], deployment.other_than_master()
    kill_everything(deployment, "steered", target)
    deployment.command(target, "CONFIG", "SET", "replica-priority", 42)
    deployment.hand_over(home)
    assert deployment.command(target, "CONFIG", "GET", "replica-priority")[1] == "42"
    deployment.command(target, "CONFIG", "SET", "replica-priority", 100)


@pytest.mark.extended
def test_the_upgrade_finishes_it_before_it_begins(deployment: Deployment) -> None:
    home = deployment.masters()[0]
    kill_everything(deployment, FENCE_SET, deployment.other_than_master(), mode="fence")
    variables = {"redis_upgrade_version": VERSION, "redis_binaries_source": "/nowhere"}
    words = ["ansible-playbook", "-i", str(deployment.inventory), "sentinelops.redis.upgrade", "-e", json.dumps(variables)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert f"(3/8) recover   mymaster: a handover was interrupted, {home} is fenced" in done.stdout
    assert done.returncode == 0, done.stdout
    assert not fenced(deployment)


def test_two_at_once(deployment: Deployment) -> None:
    home, target = deployment.masters()[0], deployment.other_than_master()
    first = deployment.start_handover(target)
    wait_until(lambda: steered(deployment), 30)
    second = deployment.hand_over(home if home != target else "redis-3")
    first.wait()
    if not second.get("failed"):
        assert second["changed"] is False, "the target was the master still"
    else:
        assert "another handover of this master is under way on this host" in second["msg"]
    wait_until(lambda: settled(deployment))
    assert deployment.masters() == [target]


@pytest.mark.extended
def test_a_target_that_dies_when_it_is_to_be_promoted(deployment: Deployment) -> None:
    """Sentinel soon aborts the failover, and the old master continues."""
    before, target = settings(deployment), deployment.other_than_master()
    with Writers(deployment) as writers:
        module = deployment.start_handover(target)
        leaders = list(deployment.sentinels)
        wait_until(lambda: any(in_progress(deployment, name) for name in leaders), 60)
        deployment.processes[target].kill()
        deployment.processes[target].wait()
        module.wait()
        time.sleep(1)
        deployment.start(target)
        wait_until(lambda: settled(deployment), 60)
        verdict = writers.verdict()
    deployment.hand_over(deployment.masters()[0])
    assert settings(deployment) == before
    assert len(deployment.masters()) == 1
    assert (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0)
    assert verdict["longest_gap_ms"] < 12000


def in_progress(deployment: Deployment, name: str) -> bool:
    reply = deployment.command(name, "SENTINEL", "MASTER", "mymaster")
    return "failover_in_progress" in dict(zip(reply[::2], reply[1::2], strict=True))["flags"]
