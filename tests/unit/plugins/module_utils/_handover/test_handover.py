"""The handover without accidents, on a deployment in memory to which clients write all the time."""

from __future__ import annotations

import pytest
from ansible_collections.sentinelops.redis.tests.unit.support.deployment import MASTER, OTHER, SENTINELS, TARGET, Deployment

both_kinds = pytest.mark.parametrize("has_debug", [True, False], ids=["7.0", "6.2"])


@both_kinds
def test_the_target_becomes_master_and_nothing_is_lost(has_debug: bool) -> None:
    deployment = Deployment(has_debug=has_debug)
    outcome = deployment.hand_over()
    assert deployment.roles() == {MASTER: TARGET, TARGET: "master", OTHER: TARGET}
    assert deployment.lost_bytes == 0
    assert (outcome.changed, outcome.old_master, outcome.new_master) == (True, MASTER, TARGET)
    assert (outcome.attempts, outcome.aligned, outcome.full_resyncs, outcome.warnings) == (1, True, 0, [])
    assert outcome.leader in SENTINELS
    assert 250 < outcome.pause_ms < 500
    assert not deployment.master.paused


@both_kinds
def test_the_order_of_the_commands(has_debug: bool) -> None:
    deployment = Deployment(has_debug=has_debug)
    outcome = deployment.hand_over()
    begins = deployment.wire.begins
    steps = [
        begins(TARGET, "CONFIG SET replica-priority 1"),
        begins(MASTER, "CLIENT PAUSE"),
        begins(MASTER, "CONFIG SET min-replicas-to-write 2"),
        begins(outcome.leader, "SENTINEL FAILOVER mymaster"),
        begins(MASTER, "REPLICAOF 10.0.0.2 6379"),
        begins(MASTER, "CLIENT KILL TYPE normal"),
        begins(MASTER, "CLIENT KILL TYPE pubsub"),
        begins(MASTER, "CLIENT UNPAUSE"),
        begins(TARGET, "CONFIG SET replica-priority 100"),
        begins(TARGET, "CONFIG REWRITE"),
    ]
    assert [len(step) for step in steps] == [1] * len(steps), "each of them once"
    assert steps == sorted(steps)


def test_every_replica_is_asked_for_its_offset_between_pause_and_failover() -> None:
    deployment = Deployment()
    outcome = deployment.hand_over()
    begins = deployment.wire.begins
    paused, failover = begins(MASTER, "CLIENT PAUSE")[0], begins(outcome.leader, "SENTINEL FAILOVER")[0]
    for replica in (TARGET, OTHER):
        assert any(paused < at < failover for at in begins(replica, "INFO replication"))


def test_the_offset_is_read_in_the_same_transaction_as_the_pause() -> None:
    deployment = Deployment()
    deployment.hand_over()
    at = deployment.wire.begins(MASTER, "MULTI")[0]
    texts = [sent.text for sent in deployment.wire.sent[at : at + 6]]
    ping_delay = "CONFIG SET repl-ping-replica-period 1000010"
    assert texts == ["MULTI", ping_delay, "CLIENT PAUSE 4000 WRITE", "INFO replication", "INFO persistence", "EXEC"]


@both_kinds
def test_everything_that_was_changed_is_as_before(has_debug: bool) -> None:
    deployment = Deployment(has_debug=has_debug)
    deployment.target.config["replica-priority"] = "50"
    before = [dict(node.config) for node in deployment.nodes]
    deployment.read_again()
    deployment.hand_over()
    assert [node.config for node in deployment.nodes] == before
    assert deployment.target.saved_config == deployment.target.config, "Sentinel's rewrite may have saved the steered one"
    assert [sentinel.info_period_ms for sentinel in deployment.sentinels] == [10000] * 3


def test_only_one_sentinel_is_made_to_ask_more_often() -> None:
    deployment = Deployment()
    outcome = deployment.hand_over()
    quickened = [index for index, address in enumerate(SENTINELS) if deployment.wire.begins(address, "SENTINEL DEBUG INFO-PERIOD 1000")]
    assert [SENTINELS[index] for index in quickened] == [outcome.leader]


def test_an_info_period_that_was_not_the_usual_one_is_restored() -> None:
    deployment = Deployment()
    deployment.sentinels[0].info_period_ms = 5000
    deployment.hand_over()
    assert deployment.sentinels[0].info_period_ms == 5000


@pytest.mark.parametrize(("down_after_ms", "pause_ms"), [(60000, 4000), (5000, 4000), (3000, 2000), (2000, 1000)])
def test_the_pause_is_shorter_than_down_after(down_after_ms: int, pause_ms: int) -> None:
    """A Sentinel that hears no PUBLISH for down-after-milliseconds would fail over."""
    deployment = Deployment()
    for sentinel in deployment.sentinels:
        sentinel.down_after_ms = 60000
    deployment.sentinels[1].down_after_ms = down_after_ms
    deployment.hand_over()
    assert deployment.wire.begins(MASTER, f"CLIENT PAUSE {pause_ms} WRITE")


@pytest.mark.parametrize(("down_after_ms", "timeout_ms"), [(60000, 500), (5000, 500), (3000, 500), (2000, 250)])
def test_nobody_is_waited_for_for_long_while_the_writes_are_paused(down_after_ms: int, timeout_ms: int) -> None:
    """The fence must be set before the pause ends."""
    deployment = Deployment()
    for sentinel in deployment.sentinels:
        sentinel.down_after_ms = down_after_ms
    deployment.hand_over()
    assert {server.timeout_ms for server in (*deployment.nodes, *deployment.sentinels)} == {timeout_ms}


def test_without_alignment_the_pause_comes_at_once_and_is_longer() -> None:
    aligned, hasty = Deployment(has_debug=False), Deployment(has_debug=False)
    for deployment in (aligned, hasty):
        deployment.target.config["replica-priority"] = "1"
        deployment.read_again()
    waiting, outcome = aligned.hand_over(), hasty.hand_over(align=False)
    assert (waiting.aligned, outcome.aligned) == (True, False)
    assert waiting.pause_ms < 500 < outcome.pause_ms
    assert hasty.wire.begins(MASTER, "CLIENT PAUSE")
    assert hasty.clock.now_s() < aligned.clock.now_s()
    assert (aligned.lost_bytes, hasty.lost_bytes) == (0, 0)


def test_a_tie_in_priority_is_ended_and_restored() -> None:
    deployment = Deployment()
    other = deployment.replicas[1]
    other.config["replica-priority"] = "1"
    other.run_id = "a"  # this run id would win the tie
    deployment.read_again()
    deployment.hand_over()
    assert deployment.roles()[TARGET] == "master"
    assert deployment.wire.begins(OTHER, "CONFIG SET replica-priority 2")
    assert (other.config["replica-priority"], other.saved_config["replica-priority"]) == ("1", "1")


def test_nothing_is_steered_to_zero() -> None:
    """A run that dies here must leave a deployment that can fail over."""
    deployment = Deployment()
    for replica in deployment.replicas:
        replica.config["replica-priority"] = "1"
    deployment.read_again()
    deployment.hand_over()
    assert not [command for command in deployment.wire.changing() if command.endswith("replica-priority 0")]


def test_a_replica_that_nobody_may_promote_is_left_alone() -> None:
    deployment = Deployment()
    deployment.replicas[1].config["replica-priority"] = "0"
    deployment.read_again()
    deployment.hand_over()
    assert not [command for command in deployment.wire.changing() if command.startswith(OTHER)]


def test_a_priority_that_is_the_best_already_is_not_set() -> None:
    deployment = Deployment()
    deployment.target.config["replica-priority"] = "1"
    deployment.read_again()
    deployment.hand_over()
    assert not deployment.wire.begins(TARGET, "CONFIG SET replica-priority 2")
    assert deployment.target.config["replica-priority"] == "1"


@pytest.mark.parametrize("mode", ["pause", "plain"])
def test_it_ends_when_every_sentinel_has_finished(mode: str) -> None:
    """Only then may a node be stopped, or the role move back."""
    deployment = Deployment()
    deployment.hand_over(mode=mode)
    assert [sentinel.running for sentinel in deployment.sentinels] == [False] * 3
    assert {sentinel.master for sentinel in deployment.sentinels} == {deployment.target}
    assert not any(node.role == "master" for node in deployment.nodes if node is not deployment.target)


def test_one_replica_is_enough() -> None:
    deployment = Deployment(replicas=1)
    assert deployment.hand_over().changed
    assert (deployment.roles(), deployment.lost_bytes) == ({MASTER: TARGET, TARGET: "master"}, 0)


def test_there_and_back() -> None:
    deployment = Deployment()
    deployment.hand_over()
    deployment.clock.pass_s(20)
    outcome = deployment.hand_over(MASTER)
    assert (outcome.old_master, outcome.new_master) == (TARGET, MASTER)
    assert deployment.roles() == {MASTER: "master", TARGET: MASTER, OTHER: MASTER}
    assert deployment.lost_bytes == 0
    assert [node.config["replica-priority"] for node in deployment.nodes] == ["100"] * 3


def test_full_resynchronisations_are_counted() -> None:
    deployment = Deployment()
    deployment.target.sync_full = 3

    def resynchronised() -> None:
        deployment.target.sync_full += 1

    deployment.master.before["CLIENT UNPAUSE"] = resynchronised
    assert deployment.hand_over().full_resyncs == 1


def test_the_timeline() -> None:
    deployment = Deployment()
    outcome = deployment.hand_over()
    words = [entry["event"].split(":")[0] for entry in outcome.timeline]
    events = [
        "steered",
        "pause",
        "caught up",
        "failover accepted by Sentinel 10.0.0.1",
        "promoted",
        "demoted",
        "agreed",
        "released",
        "settled",
    ]
    assert [word for word in words if word in events] == events
    times = [entry["at_ms"] for entry in outcome.timeline]
    assert times == sorted(times)
    assert times[-1] == pytest.approx((deployment.clock.now_s() - 1000) * 1000, abs=0.1), "the clock began at 1000 s"


def test_a_target_that_is_master_already() -> None:
    deployment = Deployment()
    assert deployment.handover(MASTER).survey()
    assert deployment.wire.changing() == []


def test_a_survey_changes_nothing() -> None:
    deployment = Deployment()
    handover = deployment.handover()
    assert not handover.survey()
    assert (handover.result.old_master, handover.result.new_master, handover.result.changed) == (MASTER, TARGET, False)
    assert deployment.wire.changing() == []


def test_mode_plain_loses_writes_and_says_so() -> None:
    """The control: SENTINEL FAILOVER alone, on the same deployment."""
    deployment = Deployment()
    outcome = deployment.hand_over(mode="plain")
    assert deployment.roles()[TARGET] == "master"
    assert deployment.lost_bytes > 0
    assert "they are lost" in outcome.warnings[0]
    assert not deployment.wire.begins(MASTER, "CLIENT PAUSE")
    assert [node.config["replica-priority"] for node in deployment.nodes] == ["100"] * 3
