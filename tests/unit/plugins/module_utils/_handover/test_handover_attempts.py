"""Attempts that are reverted before a Sentinel accepts SENTINEL FAILOVER, and what follows them."""

from __future__ import annotations

from itertools import repeat

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import AccessDenied, OperationFailed, PreconditionFailed
from ansible_collections.sentinelops.redis.tests.unit.support.deployment import MASTER, OTHER, SENTINELS, TARGET, Deployment

BEFORE = {MASTER: "master", TARGET: MASTER, OTHER: MASTER}


def assert_untouched(deployment: Deployment) -> None:
    """The master is the same and accepts writes, and nothing is left of the attempt."""
    assert deployment.roles() == BEFORE
    assert deployment.master.takes_writes
    assert [node.config["replica-priority"] for node in deployment.nodes] == ["100"] * 3
    assert [sentinel.info_period_ms for sentinel in deployment.sentinels] == [10000] * 3
    assert deployment.lost_bytes == 0


def stall(deployment: Deployment, replica: int, seconds: float) -> None:
    """From the pause on, the replica applies nothing for a while."""
    node = deployment.replicas[replica]

    def begin() -> None:
        node.stalled_until_s = deployment.clock.now_s() + seconds

    deployment.master.before["CLIENT PAUSE"] = begin


@pytest.mark.parametrize("replica", [0, 1], ids=["the target", "another replica"])
def test_a_replica_that_does_not_catch_up_in_time(replica: int) -> None:
    deployment = Deployment()
    stall(deployment, replica, 1.0)
    outcome = deployment.hand_over()
    assert outcome.attempts == 2
    begins = deployment.wire.begins
    first_pause, second_pause = begins(MASTER, "CLIENT PAUSE")
    first_unpause, second_unpause = begins(MASTER, "CLIENT UNPAUSE")
    (failover,) = begins(outcome.leader, "SENTINEL FAILOVER")
    assert first_pause < first_unpause < second_pause < failover < second_unpause
    assert deployment.roles()[TARGET] == "master"
    assert deployment.lost_bytes == 0


@pytest.mark.parametrize("catch_up_ms", [50, 300])
def test_an_attempt_pauses_no_longer_than_the_catch_up_may_take(catch_up_ms: int) -> None:
    deployment = Deployment()
    stall(deployment, 0, 1.0)
    deployment.hand_over(catch_up_ms=catch_up_ms)
    sent = deployment.wire.sent
    paused, ended = deployment.wire.begins(MASTER, "CLIENT PAUSE")[0], deployment.wire.begins(MASTER, "CLIENT UNPAUSE")[0]
    assert sent[ended].at_s - sent[paused].at_s == pytest.approx(catch_up_ms / 1000, abs=0.02)


def test_a_replica_that_never_catches_up() -> None:
    deployment = Deployment()
    stall(deployment, 1, 10000)
    with pytest.raises(PreconditionFailed):
        deployment.hand_over(wait_s=10)
    assert not [command for command in deployment.wire.changing() if "FAILOVER" in command]
    pauses, unpauses = deployment.wire.begins(MASTER, "CLIENT PAUSE"), deployment.wire.begins(MASTER, "CLIENT UNPAUSE")
    assert len(pauses) == len(unpauses) > 1
    assert_untouched(deployment)


@pytest.mark.parametrize("reply", ["INPROG Failover already in progress", "NOGOODSLAVE No suitable replica to promote"])
def test_a_failover_that_is_refused_once(reply: str) -> None:
    deployment = Deployment()
    for sentinel in deployment.sentinels:
        sentinel.refuses["SENTINEL FAILOVER"] = iter([reply])
    outcome = deployment.hand_over()
    assert (outcome.attempts, deployment.roles()[TARGET], deployment.lost_bytes) == (2, "master", 0)
    refused, accepted = deployment.wire.begins(outcome.leader, "SENTINEL FAILOVER")
    assert refused < deployment.wire.begins(MASTER, "CLIENT UNPAUSE")[0] < accepted
    assert any(reply in entry["event"] for entry in outcome.timeline)


def test_a_failover_that_is_refused_every_time() -> None:
    deployment = Deployment()
    for sentinel in deployment.sentinels:
        sentinel.refuses["SENTINEL FAILOVER"] = repeat("NOGOODSLAVE No suitable replica to promote")
    with pytest.raises(PreconditionFailed):
        deployment.hand_over(wait_s=5)
    assert_untouched(deployment)


@pytest.mark.parametrize("wait_s", [10, 12])
def test_the_reason_of_the_last_attempt_is_told(wait_s: int) -> None:
    deployment = Deployment(has_debug=False)
    for sentinel in deployment.sentinels:
        sentinel.refuses["SENTINEL FAILOVER"] = repeat("NOGOODSLAVE No suitable replica to promote")
    deployment.target.config["replica-priority"] = "1"
    deployment.read_again()
    with pytest.raises(PreconditionFailed, match="NOGOODSLAVE") as caught:
        deployment.hand_over(wait_s=wait_s)
    assert "Nothing was handed over, and no writes are held up" in str(caught.value)
    assert caught.value.facts["timeline"]


@pytest.mark.parametrize(
    ("node", "command"),
    [
        (SENTINELS[0], "SENTINEL FAILOVER"),
        (SENTINELS[0], "SENTINEL REPLICAS"),
        (MASTER, "CLIENT PAUSE"),
        (MASTER, "MULTI"),
        (TARGET, "INFO replication"),
    ],
)
def test_a_right_that_is_taken_away_before_the_point_of_no_return(node: str, command: str) -> None:
    deployment = Deployment()
    handover = deployment.surveyed()
    server = next(server for server in [*deployment.nodes, *deployment.sentinels] if str(server.address) == node)
    server.refuses[command] = repeat("NOPERM this user has no permissions to run the command")
    with pytest.raises(AccessDenied, match="NOPERM"):
        handover.run()
    assert len(deployment.wire.begins(MASTER, "CLIENT PAUSE")) <= 1, "another attempt would end like this one"
    assert_untouched(deployment)


@pytest.mark.parametrize("command", ["CLIENT PAUSE", "MULTI", "EXEC", "INFO replication"])
def test_a_step_that_is_refused_every_time(command: str) -> None:
    """The step is retried at growing intervals until the deadline."""
    deployment = Deployment()
    handover = deployment.surveyed(wait_s=10)
    deployment.master.refuses[command] = repeat("ERR not now")
    with pytest.raises(PreconditionFailed, match=r"no attempt succeeded within 10 s, the last one because: .*ERR not now"):
        handover.run()
    assert 3 <= handover.result.attempts <= 6
    assert_untouched(deployment)


@pytest.mark.parametrize("command", ["CLIENT PAUSE", "MULTI", "EXEC", "INFO replication"])
def test_a_step_that_is_refused_once(command: str) -> None:
    deployment = Deployment()
    handover = deployment.surveyed()
    # the replication id is read before the first attempt
    before = [""] if command == "INFO replication" else []
    deployment.master.refuses[command] = iter([*before, "ERR not now"])
    assert handover.run().attempts == 2
    assert (deployment.roles()[TARGET], deployment.lost_bytes) == ("master", 0)


def test_the_writes_go_on_for_ever_longer_between_two_attempts() -> None:
    deployment = Deployment()
    stall(deployment, 1, 10000)
    with pytest.raises(PreconditionFailed):
        deployment.hand_over(wait_s=60)
    sent, begins = deployment.wire.sent, deployment.wire.begins
    ended = [sent[at].at_s for at in begins(MASTER, "CLIENT UNPAUSE")]
    paused = [sent[at].at_s for at in begins(MASTER, "CLIENT PAUSE")]
    rests = [begun - last for last, begun in zip(ended, paused[1:], strict=False)]
    assert all(rest >= at_least for rest, at_least in zip(rests, (0.25, 0.5, 1, 2, 4, 4, 4), strict=False))
    assert rests[-1] < 8


def test_another_attempt_is_made_only_when_all_is_in_order_again() -> None:
    deployment = Deployment()
    stall(deployment, 1, 1.0)
    other = deployment.replicas[1]
    deployment.master.before["CLIENT UNPAUSE"] = lambda: vars(other).update(loading=True)
    deployment.clock.at(8.0, lambda: vars(other).update(loading=False))
    outcome = deployment.hand_over()
    assert outcome.attempts == 2
    assert deployment.wire.sent[deployment.wire.begins(MASTER, "CLIENT PAUSE")[1]].at_s > 1008
    assert deployment.lost_bytes == 0


def test_no_attempt_is_made_while_something_is_not_in_order() -> None:
    deployment = Deployment()
    stall(deployment, 1, 1.0)
    other = deployment.replicas[1]
    deployment.master.before["CLIENT UNPAUSE"] = lambda: vars(other).update(loading=True)
    with pytest.raises(PreconditionFailed, match=f"the last one because: {OTHER} is loading its data"):
        deployment.hand_over(wait_s=10)
    assert len(deployment.wire.begins(MASTER, "CLIENT PAUSE")) == 1
    assert_untouched(deployment)


def test_somebody_else_has_failed_over_meanwhile() -> None:
    deployment = Deployment()
    stall(deployment, 0, 1.0)

    def fail_over() -> None:
        deployment.replicas[1].promote()
        for node in (deployment.master, deployment.target):
            node.be_made_to_follow(deployment.replicas[1])
        for sentinel in deployment.sentinels:
            sentinel.master = deployment.replicas[1]

    deployment.master.before["CLIENT UNPAUSE"] = fail_over
    with pytest.raises(OperationFailed, match=f"Another failover promoted {OTHER}, not {TARGET}") as caught:
        deployment.hand_over(wait_s=10)
    assert f"{OTHER} is the master and takes writes" in str(caught.value)
    assert deployment.roles() == {MASTER: OTHER, TARGET: OTHER, OTHER: "master"}
    assert [node.config["replica-priority"] for node in deployment.nodes] == ["100"] * 3


@pytest.mark.parametrize("accident", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_whatever_breaks_in_during_the_pause(accident: type[BaseException]) -> None:
    deployment = Deployment()

    def break_in() -> None:
        raise accident

    # the target is also asked before the pause
    deployment.master.before["CLIENT PAUSE"] = lambda: deployment.target.before.update({"INFO replication": break_in})
    with pytest.raises(accident):
        deployment.hand_over()
    assert deployment.wire.begins(MASTER, "CLIENT UNPAUSE")
    assert_untouched(deployment)


def test_a_target_that_no_sentinel_would_promote() -> None:
    """Every Sentinel flags the target after the survey: writes are never paused."""
    deployment = Deployment()
    handover = deployment.handover(wait_s=15)
    handover.survey()
    for sentinel in deployment.sentinels:
        sentinel.replica_flags[TARGET] = "slave,s_down,disconnected"
    with pytest.raises(PreconditionFailed, match=f"within 15 s, the last one because: no Sentinel would promote {TARGET}"):
        handover.run()
    assert not deployment.wire.begins(MASTER, "CLIENT PAUSE")
    assert_untouched(deployment)


def test_a_master_that_dies_when_it_is_to_be_paused() -> None:
    deployment = Deployment()

    def die() -> None:
        deployment.master.alive = False

    deployment.master.before["MULTI"] = die
    with pytest.raises(Exception, match="connection refused"):
        deployment.hand_over()
    assert deployment.target.config["replica-priority"] == "100"
    assert not [command for command in deployment.wire.changing() if "FAILOVER" in command]
