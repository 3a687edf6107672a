"""Ctrl-C, or the end of the session, in the middle of a handover."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from itertools import repeat

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import OperationFailed
from ansible_collections.sentinelops.redis.tests.unit.support.deployment import MASTER, OTHER, TARGET, Deployment

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[list[object]]:
    """Yield the handlers outside of a critical section; restore them after the test."""
    before = [signal.signal(signal.SIGINT, signal.default_int_handler), *(signal.getsignal(number) for number in SIGNALS[1:])]
    yield [signal.getsignal(number) for number in SIGNALS]
    for number, handler in zip(SIGNALS, before, strict=True):
        signal.signal(number, handler)


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize(
    ("node", "command"),
    [
        (MASTER, "CLIENT PAUSE"),
        (TARGET, "INFO replication"),
        (MASTER, "REPLICAOF"),
        (MASTER, "CLIENT KILL"),
        (MASTER, "CLIENT UNPAUSE"),
    ],
)
def test_what_was_begun_is_finished_first(node: str, command: str) -> None:
    deployment = Deployment()
    hooks = next(one for one in deployment.nodes if str(one.address) == node).before
    if command == "INFO replication":  # which is also asked before the pause
        deployment.master.before["CLIENT PAUSE"] = lambda: hooks.update({command: press_ctrl_c})
    else:
        hooks[command] = press_ctrl_c
    with pytest.raises(KeyboardInterrupt):
        deployment.hand_over()
    assert deployment.roles()[TARGET] == "master"
    assert deployment.roles()[MASTER] == TARGET
    assert not deployment.master.paused
    assert deployment.lost_bytes == 0
    assert [one.config["replica-priority"] for one in deployment.nodes] == ["100"] * 3
    assert [sentinel.info_period_ms for sentinel in deployment.sentinels] == [10000] * 3


@pytest.mark.parametrize("command", ["CONFIG SET replica-priority 1", "CONFIG GET replica-priority"])
def test_before_the_pause_it_ends_at_once(command: str) -> None:
    deployment = Deployment()
    deployment.target.before[command] = press_ctrl_c
    with pytest.raises(KeyboardInterrupt):
        deployment.hand_over()
    assert not deployment.wire.begins(MASTER, "CLIENT PAUSE")
    assert deployment.roles() == {MASTER: "master", TARGET: MASTER, OTHER: MASTER}
    assert deployment.target.config["replica-priority"] == "100"


def test_an_attempt_that_is_taken_back_ends_with_it() -> None:
    deployment = Deployment()
    deployment.replicas[1].stalled_until_s = deployment.clock.now_s() + 1000
    deployment.replicas[1].offset = deployment.master.offset
    deployment.master.before["CLIENT PAUSE"] = press_ctrl_c
    with pytest.raises(KeyboardInterrupt):
        deployment.hand_over(wait_s=60)
    assert len(deployment.wire.begins(MASTER, "CLIENT PAUSE")) == 1
    assert deployment.master.takes_writes


def test_the_handlers_are_as_before(handlers: list[object]) -> None:
    Deployment().hand_over()
    assert [signal.getsignal(number) for number in SIGNALS] == handlers


def test_the_handlers_are_as_before_when_the_failover_was_given_up(handlers: list[object]) -> None:
    deployment = Deployment()
    for sentinel in deployment.sentinels:
        sentinel.aborts = True
    with pytest.raises(OperationFailed):
        deployment.hand_over()
    assert [signal.getsignal(number) for number in SIGNALS] == handlers


@pytest.mark.parametrize("command", ["CLIENT UNPAUSE", "CLIENT KILL", "REPLICAOF"])
def test_the_handlers_are_as_before_when_something_is_refused(handlers: list[object], command: str) -> None:
    deployment = Deployment()
    handover = deployment.surveyed()
    deployment.master.refuses[command] = repeat("NOPERM this user has no permissions to run the command")
    handover.run()
    assert [signal.getsignal(number) for number in SIGNALS] == handlers


def test_the_handlers_are_as_before_when_the_promotion_does_not_come(handlers: list[object]) -> None:
    deployment = Deployment()
    for sentinel in deployment.sentinels:
        sentinel.hangs = True
    handover = deployment.handover()
    handover.survey()
    with pytest.raises(OperationFailed):
        handover.run()
    assert [signal.getsignal(number) for number in SIGNALS] == handlers


def test_what_was_steered_is_restored_also_where_the_promotion_does_not_come() -> None:
    deployment = Deployment()
    for sentinel in deployment.sentinels:
        sentinel.hangs = True
    deployment.master.before["CLIENT PAUSE"] = press_ctrl_c
    with pytest.raises((KeyboardInterrupt, OperationFailed)):
        deployment.hand_over()
    assert deployment.target.config["replica-priority"] == "100"
