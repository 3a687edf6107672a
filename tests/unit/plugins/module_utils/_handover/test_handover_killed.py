"""The process of the handover is killed at any command.

Its standby finishes the handover, or reverts it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import OperationFailed
from ansible_collections.sentinelops.redis.tests.unit.support.deployment import Deployment
from ansible_collections.sentinelops.redis.tests.unit.support.servers import Occasion
from ansible_collections.sentinelops.redis.tests.unit.support.standby import ProcessUndoFile, Standby, TakeOver, killed

Build = Callable[[], Deployment]


def built(promotion_s: float = 0.19, max_lag: str = "10", modern: bool = False, **of_the_sentinels: Any) -> Build:
    """Return a function that builds deployments on which a handover overrides every setting."""

    def build() -> Deployment:
        deployment = Deployment(replicas=3, server="valkey", version="9.1.2") if modern else Deployment()
        deployment.master.config["min-replicas-max-lag"] = deployment.master.saved_config["min-replicas-max-lag"] = max_lag
        for replica in deployment.replicas[1:]:
            replica.config["replica-priority"] = replica.saved_config["replica-priority"] = "1"
        deployment.read_again()
        for sentinel in deployment.sentinels:
            # a pause lasts for 1 s
            vars(sentinel).update(promotion_s=promotion_s, down_after_ms=2000, **of_the_sentinels)
        return deployment

    return build


MODES: dict[str, tuple[str, Build]] = {
    "promoted at once": ("pause", built()),
    "promoted behind a fence": ("pause", built(1.3)),
    "given up": ("pause", built(0.5, aborts=True)),
    "mode fence": ("fence", built()),
    "mode fence, given up": ("fence", built(0.5, aborts=True)),
    "mode coordinated": ("coordinated", built(modern=True)),
}
OTHERS: dict[str, tuple[str, Build]] = {
    "promoted behind a fence that takes two settings": ("pause", built(1.3, max_lag="0")),
    "mode fence, which takes two settings": ("fence", built(max_lag="0")),
    "four nodes": ("pause", built(modern=True)),
    "mode fence, four nodes": ("fence", built(modern=True)),
}


def killed_at(occasion: Occasion | None, mode: str, build: Build, folder: Path | None = None) -> Deployment:
    """Return the deployment after the death of a handover's process, and the end of its standby."""
    deployment = build()
    deployment.wire.plan(occasion)
    standby, undo_file = Standby(deployment.wire), ProcessUndoFile(str(folder), deployment.wire) if folder else None
    killed(deployment, standby, undo_file, mode=mode, wait_s=5)
    standby.awake()
    if undo_file:
        undo_file.release()
    return deployment


def assert_clean(deployment: Deployment, build: Build, occasion: Occasion) -> None:
    """No write is lost, and nothing is left.

    There is one master, which the others follow, no failover, and all settings are restored.
    """
    (master,) = [node for node in deployment.nodes if node.role == "master"]
    assert [node for node in deployment.nodes if node.master not in (None, master)] == [], occasion
    assert [(sentinel.master, sentinel.running) for sentinel in deployment.sentinels] == [(master, False)] * 3, occasion
    assert deployment.lost_bytes == 0, occasion
    assert master.takes_writes, occasion
    assert deployment.settings() == build().settings(), occasion


def test_the_standby_shares_no_connection() -> None:
    """The kernel ends a shared connection only with the fork, and delivers until then."""
    deployment = Deployment()
    standby = Standby(deployment.wire)
    forked_at: list[int] = []

    def fork(take_over: TakeOver) -> Standby:
        forked_at.append(len(deployment.wire.tried))
        return standby(take_over)

    handover = deployment.handover(new_standby=fork)
    handover.survey()
    handover.run()
    opened = [at for at, command in enumerate(deployment.wire.tried) if command.endswith(": INFO server")]
    assert opened
    assert min(opened) >= forked_at[0]


@pytest.mark.parametrize(("mode", "build"), MODES.values(), ids=MODES)
def test_killed_at_any_command(mode: str, build: Build) -> None:
    # INFO server is the first command after the survey
    occasions = killed_at(None, mode, build).wire.occasions("INFO server", "killed", "killed after")
    assert len(occasions) > 40
    for occasion in occasions:
        deployment = killed_at(occasion, mode, build)
        assert_clean(deployment, build, occasion)
        if deployment.sentinels[0].aborts:
            assert deployment.roles() == build().roles(), occasion


@pytest.mark.parametrize(("mode", "build"), OTHERS.values(), ids=OTHERS)
def test_killed_after_any_command_that_changes_something(mode: str, build: Build) -> None:
    occasions = killed_at(None, mode, build).wire.occasions("INFO server", after="killed after")
    assert len(occasions) > 10
    for occasion in occasions:
        assert_clean(killed_at(occasion, mode, build), build, occasion)


def test_killed_at_any_command_of_the_survey() -> None:
    occasions = killed_at(None, "pause", built()).wire.occasions("INFO", "killed")
    survey = [occasion.command for occasion in occasions].index("10.0.0.1:26379: INFO server")
    for occasion in occasions[:survey]:
        deployment = killed_at(occasion, "pause", built())
        assert_clean(deployment, built(), occasion)
        assert deployment.wire.changing() == [], occasion


@pytest.mark.parametrize("name", ["promoted at once", "given up", "mode fence", "mode fence, given up"])
def test_no_note_is_left_where_everything_is_as_before(name: str, tmp_path: Path) -> None:
    """A later run would take an operator's setting for an override of this handover."""
    mode, build = MODES[name]
    occasions = killed_at(None, mode, build, tmp_path).wire.occasions("CONFIG SET replica-priority 1", after="killed after")
    assert list(tmp_path.iterdir()) == [], "nobody was killed"
    for occasion in occasions:
        killed_at(occasion, mode, build, tmp_path)
        assert list(tmp_path.iterdir()) == [], occasion


def test_what_is_written_down_comes_before_what_is_done() -> None:
    deployment = Deployment()
    standby = Standby(deployment.wire)
    seen: list[str] = []
    deployment.target.before["CONFIG SET replica-priority 1"] = lambda: seen.append(standby.notes[-1]["phase"])
    deployment.master.before["CLIENT PAUSE"] = lambda: seen.append(standby.notes[-1]["phase"])
    for sentinel in deployment.sentinels:
        sentinel.before["SENTINEL FAILOVER"] = lambda: seen.append(standby.notes[-1]["phase"])
        sentinel.before["SENTINEL SET mymaster failover-timeout 100"] = lambda: seen.append(standby.notes[-1]["ending"])
    handover = deployment.handover(new_standby=standby)
    handover.survey()
    handover.run()
    assert seen == ["steering", "pausing", "failing over", handover.result.leader]
    assert [noted["phase"] for noted in standby.notes] == ["steering", "pausing", "failing over", "settling", "settling"]
    assert standby.notes[2]["leader"] == handover.result.leader
    assert standby.dismissed


def test_a_standby_is_dismissed_after_a_failure_too() -> None:
    deployment = Deployment()
    for sentinel in deployment.sentinels:
        sentinel.aborts = True
    standby = Standby(deployment.wire)
    handover = deployment.handover(new_standby=standby)
    handover.survey()
    with pytest.raises(OperationFailed):
        handover.run()
    assert standby.dismissed


def test_a_survey_needs_no_standby() -> None:
    deployment = Deployment()
    standby = Standby(deployment.wire)
    deployment.handover(new_standby=standby).survey()
    assert standby.notes == []
