"""The process that hands over is killed at any command: its standby finishes the handover, or takes it back."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import OperationFailed, SentinelOpsError
from ansible_collections.sentinelops.redis.tests.unit.support.deployment import MASTER, OTHER, TARGET, Deployment
from ansible_collections.sentinelops.redis.tests.unit.support.servers import Killed, Wire

TakeOver = Callable[[Mapping[str, Any]], None]


class Standby:
    """Keeps what is written down for it, as long as the writer lives; of the writer's memory it has a copy, as a fork has."""

    def __init__(self, wire: Wire) -> None:
        self.notes: list[Mapping[str, Any]] = []
        self.dismissed = False
        self._wire = wire
        self._take_over: TakeOver | None = None

    def __call__(self, take_over: TakeOver) -> Standby:
        self._take_over = copy.deepcopy(take_over)
        return self

    def note(self, **state: Any) -> None:
        if not self._wire.sender_is_dead:
            self.notes.append(state)

    def dismiss(self) -> None:
        self.dismissed = self.dismissed or not self._wire.sender_is_dead

    def awake(self) -> None:
        """The writer is dead, and has not said farewell."""
        self._wire.sender_is_dead = False
        if self.notes and not self.dismissed and self._take_over:
            with contextlib.suppress(SentinelOpsError):
                self._take_over(self.notes[-1])


def killed_at(position: int, accident: str, promotion_s: float = 0.19, **of_the_sentinels: Any) -> Deployment:
    """The deployment after a handover whose process was killed, and its standby."""
    deployment = Deployment()
    deployment.wire.accidents = {position: accident}
    for sentinel in deployment.sentinels:
        vars(sentinel).update(promotion_s=promotion_s, down_after_ms=2000, **of_the_sentinels)  # a pause lasts for 1 s
    standby = Standby(deployment.wire)
    with contextlib.suppress(Killed, SentinelOpsError):
        handover = deployment.handover(new_guard=standby, wait_s=5)
        handover.survey()
        handover.run()
    standby.awake()
    return deployment


def commands(promotion_s: float, **of_the_sentinels: Any) -> dict[int, str]:
    """The commands of a whole handover by their position, each of them where it comes for the first time."""
    tried = killed_at(-1, "", promotion_s, **of_the_sentinels).wire.tried
    return {tried.index(command): command for command in dict.fromkeys(tried)}


def assert_clean(deployment: Deployment, command: str) -> None:
    """Nothing is lost, and nothing is left: one master, which the others follow, no failover, and all settings as before."""
    (master,) = [node for node in deployment.nodes if node.role == "master"]
    assert [node for node in deployment.nodes if node.master not in (None, master)] == [], command
    assert [(sentinel.master, sentinel.running) for sentinel in deployment.sentinels] == [(master, False)] * 3, command
    assert deployment.lost_bytes == 0, command
    assert [node.paused for node in deployment.nodes] == [False] * 3, command
    for settings in ("config", "saved_config"):
        for node in deployment.nodes:
            assert getattr(node, settings) == {"replica-priority": "100", "min-replicas-to-write": "0", "min-replicas-max-lag": "10"}, (
                command
            )
    assert [sentinel.info_period_ms for sentinel in deployment.sentinels] == [10000] * 3, command


@pytest.mark.parametrize("accident", ["killed", "killed after"])
@pytest.mark.parametrize("promotion_s", [0.19, 1.3], ids=["promoted at once", "promoted behind a fence"])
def test_killed_at_any_command(accident: str, promotion_s: float) -> None:
    for position, command in commands(promotion_s).items():
        assert_clean(killed_at(position, accident, promotion_s), command)


@pytest.mark.parametrize("accident", ["killed", "killed after"])
def test_killed_at_any_command_of_a_failover_that_is_given_up(accident: str) -> None:
    for position, command in commands(0.5, aborts=True).items():
        deployment = killed_at(position, accident, 0.5, aborts=True)
        assert_clean(deployment, command)
        assert deployment.roles() == {MASTER: "master", TARGET: MASTER, OTHER: MASTER}, command


def test_what_is_written_down_comes_before_what_is_done() -> None:
    deployment = Deployment()
    standby = Standby(deployment.wire)
    seen: list[str] = []
    deployment.target.before["CONFIG SET replica-priority 1"] = lambda: seen.append(standby.notes[-1]["phase"])
    deployment.master.before["CLIENT PAUSE"] = lambda: seen.append(standby.notes[-1]["phase"])
    for sentinel in deployment.sentinels:
        sentinel.before["SENTINEL FAILOVER"] = lambda: seen.append(standby.notes[-1]["phase"])
    handover = deployment.handover(new_guard=standby)
    handover.survey()
    handover.run()
    assert seen == ["steering", "pausing", "failing over"]
    assert [note["phase"] for note in standby.notes] == ["steering", "pausing", "failing over", "settling"]
    assert standby.notes[2]["leader"] == handover.outcome.leader
    assert standby.dismissed


def test_a_standby_is_dismissed_after_a_failure_too() -> None:
    deployment = Deployment()
    for sentinel in deployment.sentinels:
        sentinel.aborts = True
    standby = Standby(deployment.wire)
    handover = deployment.handover(new_guard=standby)
    handover.survey()
    with pytest.raises(OperationFailed):
        handover.run()
    assert standby.dismissed


def test_a_survey_needs_no_standby() -> None:
    deployment = Deployment()
    standby = Standby(deployment.wire)
    deployment.handover(new_guard=standby).survey()
    assert standby.notes == []
