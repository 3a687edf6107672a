"""Accidents after SENTINEL FAILOVER: from then on no write may be lost."""

from __future__ import annotations

import contextlib
from itertools import repeat
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import (
    AccessDenied,
    OperationFailed,
    PreconditionFailed,
    SentinelOpsError,
)
from ansible_collections.sentinelops.redis.tests.unit.support.data_node import FENCE
from ansible_collections.sentinelops.redis.tests.unit.support.deployment import MASTER, OTHER, SENTINELS, TARGET, Deployment

NOPERM = "NOPERM this user has no permissions to run the command"


def slow(seconds: float, **settings: Any) -> Deployment:
    """Return a deployment whose Sentinels need so many seconds until the promotion."""
    deployment = Deployment()
    for sentinel in deployment.sentinels:
        sentinel.promotion_s = seconds
        vars(sentinel).update(settings)
    return deployment


def test_the_answer_to_the_failover_is_lost_but_it_was_accepted() -> None:
    deployment = slow(0.19, loses_the_answer="accepted")
    outcome = deployment.hand_over()
    assert deployment.roles() == {MASTER: TARGET, TARGET: "master", OTHER: TARGET}
    assert deployment.lost_bytes == 0
    assert "the answer to SENTINEL FAILOVER was lost" in outcome.warnings[0]


@pytest.mark.parametrize("settings", [{"loses_the_answer": "unheard"}, {"aborts": True}], ids=["it was not heard", "it was given up"])
def test_a_failover_that_does_not_come_about_is_given_back(settings: dict[str, Any]) -> None:
    deployment = slow(0.5, **settings)
    with pytest.raises(OperationFailed) as caught:
        deployment.hand_over()
    assert f"{MASTER} is still the master and takes writes; nothing was lost" in str(caught.value)
    assert deployment.roles() == {MASTER: "master", TARGET: MASTER, OTHER: MASTER}
    assert deployment.master.takes_writes
    assert not deployment.wire.begins(MASTER, "REPLICAOF")
    assert [node.config["replica-priority"] for node in deployment.nodes] == ["100"] * 3
    assert [sentinel.info_period_ms for sentinel in deployment.sentinels] == [10000] * 3
    assert caught.value.facts["timeline"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"loses_the_answer": "unheard"}, "was asked for the failover and has none in progress; the answer to SENTINEL FAILOVER was lost"),
        ({"aborts": True}, "accepted the failover and aborted it"),
    ],
    ids=["it was not heard", "it was given up"],
)
def test_whether_the_failover_was_accepted_is_said(settings: dict[str, Any], says: str) -> None:
    deployment = slow(0.5, **settings)
    with pytest.raises(OperationFailed, match=says) as caught:
        deployment.hand_over()
    events = [entry["event"] for entry in caught.value.facts["timeline"]]
    assert any(event.startswith("failover accepted") for event in events) is ("aborts" in settings)


def test_the_pause_is_not_ended_before_it_is_certain_that_the_failover_was_given_up() -> None:
    deployment = slow(2.0, aborts=True)
    with pytest.raises(OperationFailed):
        deployment.hand_over()
    sent = deployment.wire.sent
    accepted = next(one.at_s for one in sent if one.text.startswith("SENTINEL FAILOVER"))
    assert sent[deployment.wire.begins(MASTER, "CLIENT UNPAUSE")[0]].at_s - accepted > 2.0


def test_a_fence_takes_over_when_the_pause_runs_out() -> None:
    deployment = slow(4.5)
    deployment.hand_over()
    sent = deployment.wire.sent
    paused = deployment.wire.begins(MASTER, "CLIENT PAUSE 4000")[0]
    (fenced,) = deployment.wire.begins(MASTER, f"CONFIG SET min-replicas-to-write {FENCE}")
    assert sent[fenced].at_s - sent[paused].at_s == pytest.approx(2.9, abs=0.02), "two replies that take half a second fit in between"
    assert fenced < deployment.wire.begins(MASTER, "REPLICAOF")[0]
    assert deployment.roles() == {MASTER: TARGET, TARGET: "master", OTHER: TARGET}
    assert deployment.lost_bytes == 0


@pytest.mark.parametrize("max_lag", ["10", "0"])
def test_the_fence_is_lifted_when_the_old_master_is_a_replica(max_lag: str) -> None:
    """Both settings are restored.

    With min-replicas-max-lag 0, min-replicas-to-write has no effect, so both are set.
    """
    deployment = slow(4.5)
    before = {**deployment.master.config, "min-replicas-to-write": "1", "min-replicas-max-lag": max_lag}
    deployment.master.config = dict(before)
    deployment.hand_over()
    assert deployment.lost_bytes == 0
    assert deployment.master.config == before
    assert deployment.master.saved_config == before, "Sentinel's rewrite may have saved the fence"
    lifted = deployment.wire.begins(MASTER, "CONFIG SET min-replicas-to-write 1")[0]
    assert deployment.wire.begins(MASTER, "REPLICAOF")[0] < lifted < deployment.wire.begins(MASTER, "CONFIG REWRITE")[0]


def test_the_fence_is_lifted_when_the_failover_is_given_up() -> None:
    deployment = slow(4.5, aborts=True)
    with pytest.raises(OperationFailed, match="is still the master and takes writes"):
        deployment.hand_over()
    assert deployment.wire.begins(MASTER, f"CONFIG SET min-replicas-to-write {FENCE}")
    assert deployment.master.takes_writes
    assert deployment.lost_bytes == 0


def test_the_connection_to_the_old_master_breaks_once() -> None:
    deployment = Deployment()

    def lose() -> None:
        deployment.master.connection_lost = True

    deployment.master.before["REPLICAOF"] = lose
    outcome = deployment.hand_over()
    assert (deployment.lost_bytes, outcome.warnings) == (0, [])
    assert deployment.roles()[MASTER] == TARGET


@pytest.mark.parametrize("seconds", [0.1, 0.2, 0.3, 0.4, 0.6, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("mode", ["pause", "fence"])
def test_the_old_master_cannot_be_reached_for_a_moment_after_the_promotion(mode: str, seconds: float) -> None:
    """Only this host cannot reach it: its clients and the Sentinels can.

    A node that still says role:master is never released.
    """
    deployment = Deployment()
    handover = deployment.surveyed(mode=mode)

    def be_out_of_reach() -> None:
        deployment.master.out_of_reach_until_s = deployment.clock.now_s() + seconds

    deployment.master.before["REPLICAOF"] = be_out_of_reach
    with contextlib.suppress(OperationFailed):
        handover.run()
    deployment.clock.pass_s(20)
    assert deployment.lost_bytes == 0
    assert deployment.roles() == {MASTER: TARGET, TARGET: "master", OTHER: TARGET}
    assert deployment.settings() == Deployment().settings()


def test_the_old_master_dies_after_the_promotion() -> None:
    deployment = Deployment()

    def die() -> None:
        deployment.master.alive = False

    deployment.master.before["REPLICAOF"] = die
    with pytest.raises(OperationFailed) as caught:
        deployment.hand_over()
    assert "has not settled within 55 s" in str(caught.value)
    assert f"{TARGET} is the master and takes writes" in str(caught.value)
    assert deployment.target.takes_writes
    assert deployment.target.config["replica-priority"] == "100"
    assert deployment.lost_bytes == 0


def test_a_sentinel_dies_after_the_failover_was_accepted() -> None:
    deployment = Deployment()

    def die() -> None:
        deployment.sentinels[2].alive = False

    deployment.master.before["REPLICAOF"] = die
    with pytest.raises(OperationFailed, match=SENTINELS[2]):
        deployment.hand_over()
    assert deployment.roles()[TARGET] == "master"
    assert not deployment.master.paused, "the clients were let go"
    assert deployment.lost_bytes == 0


def test_a_dead_sentinel_does_not_keep_the_clients_waiting() -> None:
    deployment = Deployment()

    def die() -> None:
        deployment.sentinels[2].alive = False

    deployment.master.before["REPLICAOF"] = die
    with pytest.raises(OperationFailed):
        deployment.hand_over()
    sent, begins = deployment.wire.sent, deployment.wire.begins
    assert sent[begins(MASTER, "CLIENT UNPAUSE")[0]].at_s - sent[begins(MASTER, "CLIENT PAUSE")[0]].at_s < 2


def test_the_leader_dies_after_the_promotion() -> None:
    """The old master is a replica by then, so the other Sentinels do not revert the promotion."""
    deployment = Deployment()

    def die() -> None:
        deployment.sentinels[0].alive = False

    deployment.master.before["REPLICAOF"] = die
    with pytest.raises(OperationFailed, match=f"and not {TARGET}, which was promoted"):
        deployment.hand_over()
    assert deployment.roles()[MASTER] == TARGET
    assert deployment.lost_bytes == 0


def test_restoring_goes_on_after_a_refusal() -> None:
    deployment = Deployment()
    deployment.master.refuses["CONFIG REWRITE"] = repeat("ERR The server is running without a config file")
    outcome = deployment.hand_over()
    assert deployment.target.config["replica-priority"] == "100"
    assert deployment.target.saved_config["replica-priority"] == "100"
    assert ["without a config file" in warning for warning in outcome.warnings] == [True]


def test_the_leader_dies_before_the_promotion() -> None:
    """The leader never received the command: the old master is released at once."""
    deployment = Deployment()

    def die() -> None:
        deployment.sentinels[0].alive = False

    deployment.sentinels[0].before["SENTINEL FAILOVER"] = die
    with pytest.raises(PreconditionFailed, match="no writes are held up"):
        deployment.hand_over(wait_s=20)
    assert deployment.master.takes_writes
    assert deployment.target.config["replica-priority"] == "100"
    assert deployment.lost_bytes == 0


def test_a_promotion_that_neither_comes_nor_is_given_up() -> None:
    """The promotion may still come: the old master stays fenced, and the error says so."""
    deployment = slow(10000, hangs=True)
    with pytest.raises(OperationFailed, match=f"{MASTER} is fenced and refuses writes"):
        deployment.hand_over()
    assert deployment.master.config["min-replicas-to-write"] == FENCE
    assert not deployment.master.takes_writes
    assert deployment.target.config["replica-priority"] == "100"


@pytest.mark.parametrize("reply", ["NOPERM this user has no permissions to run the 'replicaof' command", "ERR something"])
def test_the_old_master_refuses_to_become_a_replica(reply: str) -> None:
    """Sentinel demotes the node after about ten seconds, and the fence stays until then."""
    deployment = Deployment()
    handover = deployment.surveyed()
    deployment.master.refuses["REPLICAOF"] = repeat(reply)
    outcome = handover.run()
    assert any("could not be made a replica" in warning for warning in outcome.warnings)
    assert deployment.roles() == {MASTER: TARGET, TARGET: "master", OTHER: TARGET}
    assert deployment.wire.begins(MASTER, f"CONFIG SET min-replicas-to-write {FENCE}")
    assert deployment.master.config["min-replicas-to-write"] == deployment.master.saved_config["min-replicas-to-write"] == "0"
    assert deployment.lost_bytes == 0


@pytest.mark.parametrize("accident", ["connection_lost", "refused once"])
def test_the_old_master_refuses_to_become_a_replica_and_the_fence_comes_at_the_second_try(accident: str) -> None:
    deployment = Deployment()
    handover = deployment.surveyed()
    deployment.master.refuses["REPLICAOF"] = repeat("ERR something")
    if accident == "connection_lost":
        lose = {"connection_lost": True}
        deployment.master.before[f"CONFIG SET min-replicas-to-write {FENCE}"] = lambda: vars(deployment.master).update(lose)
    else:
        deployment.master.refuses["CONFIG SET min-replicas-to-write"] = iter(["ERR not now"])
    with contextlib.suppress(SentinelOpsError):
        handover.run()
    deployment.clock.pass_s(20)
    assert deployment.lost_bytes == 0


@pytest.mark.parametrize("accident", ["connection_lost", "refused once", "refused always"])
def test_the_fence_that_takes_over_from_the_pause_comes_at_the_second_try(accident: str) -> None:
    """If the fence never comes, the pause has lasted as long as possible."""
    deployment = slow(4.5)
    handover = deployment.surveyed()
    if accident == "connection_lost":
        lose = {"connection_lost": True}
        deployment.master.before[f"CONFIG SET min-replicas-to-write {FENCE}"] = lambda: vars(deployment.master).update(lose)
    else:
        replies = repeat("BUSY Redis is busy running a script.")
        deployment.master.refuses[f"CONFIG SET min-replicas-to-write {FENCE}"] = (
            iter([next(replies)]) if accident == "refused once" else replies
        )
    if accident == "refused always":
        with contextlib.suppress(SentinelOpsError):
            handover.run()
    else:
        handover.run()
        assert deployment.lost_bytes == 0
    deployment.clock.pass_s(20)
    assert deployment.roles() == {MASTER: TARGET, TARGET: "master", OTHER: TARGET}
    assert deployment.settings() == Deployment().settings()


def test_nobody_makes_the_old_master_a_replica() -> None:
    deployment = slow(0.19, demotion_s=10000)
    handover = deployment.surveyed()
    deployment.master.refuses["REPLICAOF"] = repeat("NOPERM this user has no permissions to run the 'replicaof' command")
    with pytest.raises(OperationFailed, match="still says role:master and is fenced"):
        handover.run()
    assert not deployment.master.takes_writes, "the point of no return has been passed"
    assert deployment.target.config["replica-priority"] == "100"


@pytest.mark.parametrize("reply", ["NOPERM this user has no permissions to run the command", "ERR something"])
@pytest.mark.parametrize("command", ["CLIENT KILL", "CLIENT KILL TYPE pubsub", "CLIENT UNPAUSE"])
def test_a_step_of_the_release_is_refused(command: str, reply: str) -> None:
    """The other steps are done all the same."""
    deployment = Deployment()
    handover = deployment.surveyed()
    deployment.master.refuses[command] = repeat(reply)
    outcome = handover.run()
    released = ["CLIENT KILL TYPE normal", "CLIENT KILL TYPE pubsub", "CLIENT UNPAUSE"]
    tried = [text.removeprefix(f"{MASTER}: ") for text in deployment.wire.tried if "CLIENT" in text]
    second = tried.index(released[1])
    assert tried[second - 1 : second + 2] == released
    assert any("releasing the old master" in warning for warning in outcome.warnings)
    assert deployment.roles()[TARGET] == "master"
    assert deployment.lost_bytes == 0


def test_the_old_master_dies_before_the_promotion() -> None:
    deployment = slow(4.5)
    deployment.clock.at(3.0, lambda: setattr(deployment.master, "alive", False))
    with pytest.raises(OperationFailed, match=f"{TARGET} is the master"):
        deployment.hand_over()
    assert deployment.target.takes_writes


@pytest.mark.parametrize(
    ("node", "command", "promotion_s"),
    [
        # not 4.5 s: without a fence the pause ends before that promotion, whatever we do
        (MASTER, "CONFIG SET", 0.19),
        *(
            (node, command, promotion_s)
            for promotion_s in (0.19, 4.5)
            for node, command in (
                (TARGET, "INFO replication"),
                (MASTER, "REPLICAOF"),
                (MASTER, "CLIENT KILL"),
                (SENTINELS[0], "SENTINEL MASTER"),
                (SENTINELS[0], "SENTINEL"),
            )
        ),
    ],
)
def test_a_right_that_is_taken_away_after_the_point_of_no_return(node: str, command: str, promotion_s: float) -> None:
    """Writes stay stopped while this host cannot see the outcome.

    A password that changes at that moment has the same effect.
    """
    deployment = slow(promotion_s)
    handover = deployment.surveyed()
    server = next(server for server in [*deployment.nodes, *deployment.sentinels] if server.name == node)
    for sentinel in deployment.sentinels:
        sentinel.before["SENTINEL FAILOVER"] = lambda: deployment.clock.at(0.002, lambda: server.refuses.update({command: repeat(NOPERM)}))
    with contextlib.suppress(SentinelOpsError):
        handover.run()
    deployment.clock.pass_s(20)
    assert deployment.lost_bytes == 0
    assert deployment.roles() == {MASTER: TARGET, TARGET: "master", OTHER: TARGET}


@pytest.mark.parametrize("accepted_for_s", [1.9, 2.1, 2.3, 2.5, 2.7])
def test_sentinels_that_hang_do_not_keep_the_promotion_from_being_seen(accepted_for_s: float) -> None:
    """Without a fence, no wait for Sentinels may outlast the pause."""
    deployment = slow(accepted_for_s + 0.3)
    handover = deployment.surveyed()

    def hang() -> None:
        for sentinel in deployment.sentinels[1:]:
            sentinel.frozen_until_s = deployment.clock.now_s() + 3

    for sentinel in deployment.sentinels:
        sentinel.before["SENTINEL FAILOVER"] = lambda: deployment.clock.at(accepted_for_s, hang)
    handover.run()
    assert deployment.lost_bytes == 0
    assert deployment.roles() == {MASTER: TARGET, TARGET: "master", OTHER: TARGET}
    paused_at_ms, demoted_at_ms = (
        next(entry["at_ms"] for entry in handover.result.timeline if entry["event"].startswith(what)) for what in ("pause", "demoted")
    )
    assert demoted_at_ms - paused_at_ms < (accepted_for_s + 0.6) * 1000, "it is seen at once"


def test_a_right_is_missing_to_see_the_promotion() -> None:
    """The handover is refused before the pause, or ends without a loss."""
    deployment = Deployment()
    deployment.target.refuses["INFO replication"] = repeat("NOPERM this user has no permissions to run the 'info' command")
    with contextlib.suppress(AccessDenied, PreconditionFailed, OperationFailed):
        deployment.hand_over()
    deployment.clock.pass_s(20)
    assert deployment.lost_bytes == 0


def test_a_right_is_missing_to_see_that_a_sentinel_agrees() -> None:
    deployment = Deployment()
    deployment.sentinels[1].refuses["SENTINEL GET-MASTER-ADDR-BY-NAME"] = repeat("NOPERM this user has no permissions")
    with contextlib.suppress(AccessDenied, PreconditionFailed, OperationFailed):
        deployment.hand_over()
    assert not deployment.master.paused
    assert deployment.roles()[MASTER] == "master" or deployment.wire.begins(MASTER, "CLIENT KILL")


def test_the_connection_breaks_when_the_fence_is_lifted() -> None:
    deployment = slow(4.5)

    def lose() -> None:
        deployment.master.connection_lost = True

    deployment.master.before["CONFIG SET min-replicas-to-write 0"] = lose
    deployment.hand_over()
    assert deployment.master.config["min-replicas-to-write"] == deployment.master.saved_config["min-replicas-to-write"] == "0"


def test_the_answer_to_the_fence_is_lost() -> None:
    """The fence is set: the values to restore are those before the first try."""
    deployment = slow(4.5)
    deployment.master.loses_answers.add("CONFIG SET min-replicas-to-write")
    deployment.hand_over()
    assert deployment.master.config["min-replicas-to-write"] == deployment.master.saved_config["min-replicas-to-write"] == "0"


@pytest.mark.parametrize("mode", ["pause", "fence"])
def test_another_replica_is_promoted(mode: str) -> None:
    """The replica has all writes too: the handover completes there, and reports a failure."""
    deployment = slow(0.19)
    before = [dict(node.config) for node in deployment.nodes]
    for sentinel in deployment.sentinels:
        sentinel.promotes = deployment.replicas[1]
    with pytest.raises(OperationFailed) as caught:
        deployment.hand_over(mode=mode)
    assert f"promoted {OTHER}, not {TARGET}. {OTHER} is the master and takes writes" in str(caught.value)
    assert deployment.roles() == {MASTER: OTHER, TARGET: OTHER, OTHER: "master"}
    assert deployment.lost_bytes == 0
    assert [node.config for node in deployment.nodes] == before


@pytest.mark.parametrize("mode", ["pause", "fence"])
def test_another_replica_is_promoted_by_a_sentinel_that_dies(mode: str) -> None:
    """No Sentinel reports that promotion.

    The old master must not be released as if no node had been promoted.
    """
    deployment = slow(0.19)
    promote = deployment.replicas[1].promote

    def promote_and_end() -> None:
        promote()
        for sentinel in deployment.sentinels:
            sentinel.alive = sentinel.alive and not sentinel.running

    deployment.replicas[1].promote = promote_and_end  # type: ignore[method-assign]
    for sentinel in deployment.sentinels:
        sentinel.promotes = deployment.replicas[1]
    with pytest.raises(OperationFailed, match="has not settled"):
        deployment.hand_over(mode=mode)
    assert deployment.roles()[MASTER] == OTHER
    assert deployment.lost_bytes == 0


@pytest.mark.parametrize("mode", ["pause", "fence", "plain"])
def test_the_leading_sentinel_dies_after_the_promotion(mode: str) -> None:
    """The other Sentinels fail over again later, and must choose the same node."""
    deployment = Deployment()
    promote, rival = deployment.target.promote, deployment.replicas[1]
    kept_out_until_s = 0.0

    def promote_and_end() -> None:
        promote()
        for sentinel in deployment.sentinels:
            sentinel.alive = sentinel.alive and not sentinel.running

    def look(_seconds: float) -> None:
        nonlocal kept_out_until_s
        if rival.config["replica-priority"] == "0":
            kept_out_until_s = deployment.clock.now_s()

    deployment.target.promote = promote_and_end  # type: ignore[method-assign]
    deployment.clock.on_step.append(look)
    begun_s = deployment.clock.now_s()
    with pytest.raises(OperationFailed, match="has not settled within 55 s") as caught:
        deployment.hand_over(mode=mode)
    assert kept_out_until_s - begun_s > 45, "down-after-milliseconds, two INFO periods, a failover"
    assert rival.config["replica-priority"] == "100"
    assert "must not be chosen when they fail over again" in str(caught.value.facts["timeline"])
    assert deployment.lost_bytes == 0 or mode == "plain"


def test_a_replica_that_was_down_when_the_leader_died_is_kept_out_once_it_is_back() -> None:
    """The host of both has died: the replica may be back before the other Sentinels fail over."""
    deployment = Deployment()
    promote, rival = deployment.target.promote, deployment.replicas[1]
    priorities: list[str] = []

    def promote_and_end() -> None:
        promote()
        for sentinel in deployment.sentinels:
            sentinel.alive = sentinel.alive and not sentinel.running
        rival.alive = False
        deployment.clock.at(8, lambda: setattr(rival, "alive", True))

    deployment.target.promote = promote_and_end  # type: ignore[method-assign]
    deployment.clock.on_step.append(lambda _seconds: priorities.append(rival.config["replica-priority"]))
    with pytest.raises(OperationFailed, match="has not settled within 55 s") as caught:
        deployment.hand_over()
    assert "0" in priorities
    assert rival.config["replica-priority"] == "100"
    assert not any("may still be promoted" in warning for warning in caught.value.facts["warnings"])


@pytest.mark.parametrize("mode", ["pause", "fence", "plain"])
def test_a_replica_that_is_ahead_in_the_next_info_is_not_promoted(mode: str) -> None:
    """The target's cached offset would win a tie, and lose it at the other replica's next INFO.

    Sentinel asks for that INFO right before the election.
    """
    deployment = Deployment(version="6.2.14")
    for sentinel in deployment.sentinels:
        sentinel.has_debug = False
        sentinel.know_everything(phase_s=0.5)
        sentinel.known[OTHER].seen["offset"] -= 100

        def read_the_other(sentinel: Any = sentinel) -> None:
            sentinel.known[OTHER].refresh(sentinel.clock.now_s())

        sentinel.before["SENTINEL FAILOVER"] = read_the_other
    deployment.hand_over(mode=mode, wait_s=30)
    assert deployment.roles()[TARGET] == "master"


def test_a_new_master_that_a_sentinel_has_made_a_replica_again_is_not_settled() -> None:
    deployment = Deployment()
    deployment.master.before["CLIENT KILL"] = lambda: setattr(deployment.target, "master", deployment.master)
    with pytest.raises(OperationFailed, match=f"has not settled within .* s: {TARGET} is a replica of {MASTER} now"):
        deployment.hand_over()
