"""Upgrade, rollback and finish of a deployment with a reserve, killed at each of their plays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.steps import ROLLBACK, UPGRADE
from application import AllKinds, lost_rounds, same_everywhere
from deployment import Deployment
from killed_at_plays import chain
from states import journals_left

from playbooks import run, words

pytestmark = pytest.mark.extended

OLD, NEW = "6.2.14", "7.0.15"


def versions(deployment: Deployment) -> list[str]:
    return sorted(deployment.administered_info(name)["redis_version"] for name in deployment.nodes)


def test_killed_at_each_play(build: Callable[..., Deployment], tmp_path: Path) -> None:
    deployment = build(OLD)
    original = deployment.whole_state()
    with AllKinds(deployment) as application:
        reached = chain(deployment, "upgrade", UPGRADE, tmp_path / "log", NEW, redis_upgrade_reserve="true")
        assert {"(6/8) Keep the reserve", "(6/8) Handover", "(8/8) Fail back"} <= set(reached)
        assert versions(deployment) == [OLD, NEW, NEW]
        reached = chain(deployment, "rollback", ROLLBACK, tmp_path / "log", NEW)
        assert {"(5/8) Let the reserve become the master", "(5/8) Handover", "(6/8) Old masters"} <= set(reached)
        assert versions(deployment) == [OLD, OLD, OLD]
        again = run(deployment, "upgrade", wanted=NEW, redis_upgrade_reserve="true")
        assert again.returncode == 0, words(again.stdout)[-4000:]
        reached = chain(deployment, "finish", UPGRADE, tmp_path / "log", NEW)
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
