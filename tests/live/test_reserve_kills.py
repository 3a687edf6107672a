"""Upgrade, rollback and finish of a deployment with a reserve, killed at each of their plays.

A chain: each run is killed as soon as it has begun the next play, and the run after it goes on.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.steps import ROLLBACK, UPGRADE
from application import AllKinds, lost_rounds, same_everywhere
from deployment import Deployment
from killing import VICTIMS, kill_controller
from states import calm, journals_left, wait_until

from playbooks import command, run, started, words

pytestmark = pytest.mark.extended

OLD, NEW = "6.2.14", "7.0.15"
victims = itertools.cycle(VICTIMS)


def killed_at(deployment: Deployment, playbook: str, title: str, log: Path, **variables: Any) -> bool:
    """Run a playbook; kill it in this play; return whether it came so far."""
    with started(command(deployment, playbook, wanted=NEW, **variables), log, deployment.mark) as running:
        while running.process.poll() is None and f"PLAY [{title}]" not in running.output:
            time.sleep(0.02)
        reached = f"PLAY [{title}]" in running.output
        time.sleep(1.5)  # the play has begun its work
        kill_controller(deployment, next(victims))
        running.end()
    wait_until(lambda: not deployment.handing_over(), 120)
    wait_until(lambda: calm(deployment), 120)
    return reached


def chain(deployment: Deployment, playbook: str, titles: list[str], tmp_path: Path, **variables: Any) -> list[str]:
    """Kill a playbook at each play that it reaches, then run it to its end; return these plays."""
    reached = [title for title in titles if killed_at(deployment, playbook, title, tmp_path / "log", **variables)]
    done = run(deployment, playbook, wanted=NEW, **variables)
    assert done.returncode == 0, words(done.stdout)[-4000:]
    return reached


def titles_of(plays: tuple[Any, ...]) -> list[str]:
    return [play.full_title for play in plays if play.hosts]


def versions(deployment: Deployment) -> list[str]:
    return sorted(deployment.administered_info(name)["redis_version"] for name in deployment.nodes)


def test_killed_at_each_play(build: Callable[..., Deployment], tmp_path: Path) -> None:
    deployment = build(OLD)
    original = deployment.whole_state()
    with AllKinds(deployment) as application:
        reached = chain(deployment, "upgrade", titles_of(UPGRADE), tmp_path, redis_upgrade_reserve="true")
        assert {"(6/8) Keep the reserve", "(6/8) Handover", "(8/8) Fail back"} <= set(reached)
        assert versions(deployment) == [OLD, NEW, NEW]
        reached = chain(deployment, "rollback", titles_of(ROLLBACK), tmp_path)
        assert {"(5/8) Let the reserve become the master", "(5/8) Handover", "(6/8) Old masters"} <= set(reached)
        assert versions(deployment) == [OLD, OLD, OLD]
        assert run(deployment, "upgrade", wanted=NEW, redis_upgrade_reserve="true").returncode == 0
        reached = chain(deployment, "finish", titles_of(UPGRADE), tmp_path)
        assert {"(5/8) Replicas", "(8/8) Put back what was set for the reserve"} <= set(reached)
    assert versions(deployment) == [NEW, NEW, NEW]
    assert lost_rounds(application, same_everywhere(deployment)) == []
    assert len(application.acknowledged) > 100
    assert deployment.masters() == ["redis-1"]
    assert journals_left(deployment) == []
    assert not any(deployment.reserve_record(name) for name in deployment.nodes)
    assert {name: deployment.whole_state()[name]["config"]["replica-priority"] for name in deployment.nodes} == {
        name: original[name]["config"]["replica-priority"] for name in deployment.nodes
    }
