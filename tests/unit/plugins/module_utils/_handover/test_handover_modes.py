"""The modes, which stop the old master's writes in different ways; see also test_handover."""

from __future__ import annotations

from itertools import repeat
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import OperationFailed, PreconditionFailed
from ansible_collections.sentinelops.redis.tests.unit.support.data_node import FENCE
from ansible_collections.sentinelops.redis.tests.unit.support.deployment import MASTER, OTHER, SENTINELS, TARGET, Deployment

AFTERWARDS = {MASTER: TARGET, TARGET: "master", OTHER: TARGET}
VERSIONS: list[dict[str, Any]] = [
    {"has_debug": False, "version": "5.0.14"},
    {"has_debug": False, "version": "6.0.16"},
    {"has_debug": False, "version": "6.2.14"},
    {"has_debug": True, "version": "7.0.15"},
    {"has_debug": True, "server": "valkey", "version": "9.1.2"},
]
every_version = pytest.mark.parametrize("servers", VERSIONS, ids=lambda servers: servers["version"])


def valkey(**of_the_sentinels: Any) -> Deployment:
    deployment = Deployment(server="valkey", version="9.1.2")
    for sentinel in deployment.sentinels:
        vars(sentinel).update(of_the_sentinels)
    return deployment


# -- fence


@every_version
def test_a_fence_loses_nothing(servers: dict[str, Any]) -> None:
    deployment = Deployment(**servers)
    before = deployment.settings()
    outcome = deployment.hand_over(mode="fence")
    assert (deployment.roles(), deployment.lost_bytes) == (AFTERWARDS, 0)
    assert deployment.settings() == before
    assert (outcome.mode, outcome.attempts, outcome.aligned) == ("fence", 1, True)
    pauses = [command for command in deployment.wire.tried if "PAUSE" in command]
    assert pauses == ([] if servers["version"] < "6.2" else [f"{MASTER}: CLIENT PAUSE 4000 WRITE", f"{MASTER}: CLIENT UNPAUSE"])
    assert 250 < outcome.pause_ms < 500


def test_the_order_of_the_commands_with_a_fence() -> None:
    deployment = Deployment()
    outcome = deployment.hand_over(mode="fence")
    begins = deployment.wire.begins
    steps = [
        begins(TARGET, "CONFIG SET replica-priority 1"),
        begins(MASTER, f"CONFIG SET min-replicas-to-write {FENCE}"),
        begins(outcome.leader, "SENTINEL FAILOVER mymaster"),
        begins(MASTER, "REPLICAOF 10.0.0.2 6379"),
        begins(MASTER, "CONFIG SET min-replicas-to-write 0"),
        begins(MASTER, "CLIENT KILL TYPE normal"),
        begins(MASTER, "CLIENT KILL TYPE pubsub"),
        begins(TARGET, "CONFIG SET replica-priority 100"),
        begins(MASTER, "CONFIG REWRITE"),
    ]
    assert [len(step) for step in steps] == [1] * len(steps), "each of them once"
    assert steps == sorted(steps)


def test_the_offset_is_read_behind_the_fence() -> None:
    deployment = Deployment()
    outcome = deployment.hand_over(mode="fence")
    begins = deployment.wire.begins
    fenced, failover = begins(MASTER, "CONFIG SET")[0], begins(outcome.leader, "SENTINEL FAILOVER")[0]
    assert any(fenced < at < failover for at in begins(MASTER, "INFO replication"))
    for replica in (TARGET, OTHER):
        assert any(fenced < at < failover for at in begins(replica, "INFO replication"))


@pytest.mark.parametrize("max_lag", ["0", "10", "30"])
@pytest.mark.parametrize("to_write", ["0", "1", "2"])
def test_whatever_was_set_before_is_set_afterwards(to_write: str, max_lag: str) -> None:
    deployment = Deployment()
    for node in deployment.nodes:
        node.config.update({"min-replicas-to-write": to_write, "min-replicas-max-lag": max_lag})
        node.saved_config = dict(node.config)
    before = deployment.settings()
    deployment.hand_over(mode="fence")
    assert (deployment.roles(), deployment.lost_bytes, deployment.settings()) == (AFTERWARDS, 0, before)


@pytest.mark.parametrize("down_after_ms", [100, 1000, 1500, 2000])
@pytest.mark.parametrize("mode", ["fence", "plain"])
def test_no_mode_but_pause_depends_on_down_after(mode: str, down_after_ms: int) -> None:
    deployment = Deployment()
    for sentinel in deployment.sentinels:
        sentinel.down_after_ms = down_after_ms
    deployment.hand_over(mode=mode)
    assert deployment.roles()[TARGET] == "master"


@pytest.mark.parametrize("replica", [0, 1], ids=["the target", "another replica"])
def test_a_replica_that_does_not_catch_up_behind_the_fence(replica: int) -> None:
    deployment = Deployment()
    node = deployment.replicas[replica]

    def stall() -> None:
        node.stalled_until_s = deployment.clock.now_s() + 1.0

    deployment.master.before[f"CONFIG SET min-replicas-to-write {FENCE}"] = stall
    outcome = deployment.hand_over(mode="fence")
    assert (outcome.attempts, deployment.roles(), deployment.lost_bytes) == (2, AFTERWARDS, 0)
    begins = deployment.wire.begins
    (first, second), lifted = (
        begins(MASTER, f"CONFIG SET min-replicas-to-write {FENCE}"),
        begins(MASTER, "CONFIG SET min-replicas-to-write 0"),
    )
    assert first < lifted[0] < second
    assert deployment.wire.sent[second].at_s - deployment.wire.sent[lifted[0]].at_s > 0.25


@pytest.mark.parametrize("reply", ["ERR not now", "LOADING Redis is loading the dataset in memory"])
def test_a_fence_that_is_refused(reply: str) -> None:
    deployment = Deployment()
    before = deployment.settings()
    handover = deployment.surveyed(mode="fence", wait_s=5)
    deployment.master.refuses["CONFIG SET min-replicas-to-write 2"] = repeat(reply)
    with pytest.raises(PreconditionFailed, match=reply):
        handover.run()
    assert deployment.roles() == {MASTER: "master", TARGET: MASTER, OTHER: MASTER}
    assert (deployment.settings(), deployment.master.takes_writes) == (before, True)


def test_a_fence_of_a_failover_that_is_given_up_is_lifted() -> None:
    deployment = Deployment()
    before = deployment.settings()
    for sentinel in deployment.sentinels:
        sentinel.aborts = True
    with pytest.raises(OperationFailed, match=f"{MASTER} is still the master and takes writes; nothing was lost"):
        deployment.hand_over(mode="fence")
    assert (deployment.settings(), deployment.master.takes_writes, deployment.lost_bytes) == (before, True, 0)


@pytest.mark.parametrize("promotion_s", [0.19, 1.0, 4.9])
def test_a_fence_has_no_time_limit(promotion_s: float) -> None:
    deployment = Deployment()
    for sentinel in deployment.sentinels:
        sentinel.promotion_s = promotion_s
    outcome = deployment.hand_over(mode="fence")
    assert (deployment.roles(), deployment.lost_bytes) == (AFTERWARDS, 0)
    assert outcome.pause_ms > promotion_s * 1000


# -- auto


@every_version
def test_auto_takes_what_there_is(servers: dict[str, Any]) -> None:
    deployment = Deployment(**servers)
    before = deployment.settings()
    outcome = deployment.hand_over(mode="auto")
    old = servers["version"] < "6.2"
    assert outcome.mode == ("fence" if old else "pause")
    assert f"{servers.get('server', 'redis')} {servers['version']} can" in outcome.mode_reason
    assert bool(deployment.wire.begins(MASTER, "CLIENT PAUSE")) is not old
    assert (deployment.roles(), deployment.lost_bytes, deployment.settings()) == (AFTERWARDS, 0, before)


def test_auto_looks_at_the_master_and_not_at_the_others() -> None:
    """In the middle of an upgrade the node with the old version has to stop the writes."""
    deployment = Deployment(version="6.0.16", has_debug=False)
    for node in deployment.replicas:
        node.version = "7.0.15"
    assert deployment.hand_over(mode="auto").mode == "fence"
    deployment.clock.pass_s(20)
    assert deployment.hand_over(OTHER, mode="auto").mode == "pause"
    assert deployment.lost_bytes == 0


@pytest.mark.parametrize("mode", ["pause", "coordinated"])
def test_what_the_master_does_not_know_is_refused(mode: str) -> None:
    deployment = Deployment(version="6.0.16", has_debug=False)
    with pytest.raises(PreconditionFailed, match=f"mode {mode} needs Redis 6.2 or later"):
        deployment.handover(mode=mode).survey()
    assert deployment.wire.changing() == []


def test_what_can_be_lost_is_said() -> None:
    outcome = Deployment(version="5.0.14", has_debug=False).hand_over(mode="auto")
    (warning,) = outcome.warnings
    assert "Redis 5.0.14 lets transactions that were queued before the fence" in warning


# -- coordinated


def test_the_servers_coordinate_it() -> None:
    deployment = valkey()
    before = deployment.settings()
    outcome = deployment.hand_over(mode="coordinated")
    assert (deployment.roles(), deployment.lost_bytes, deployment.settings()) == (AFTERWARDS, 0, before)
    assert (outcome.mode, outcome.attempts, outcome.warnings) == ("coordinated", 1, [])
    assert deployment.wire.begins(outcome.leader, "SENTINEL FAILOVER mymaster COORDINATED")
    ours = [command for command in deployment.wire.changing() if command.startswith(MASTER)]
    assert ours == [f"{MASTER}: {text}" for text in ("CLIENT KILL TYPE normal", "CLIENT KILL TYPE pubsub", "CONFIG REWRITE")]
    assert outcome.pause_ms > 0


def test_only_a_sentinel_that_can_coordinate_leads() -> None:
    deployment = valkey()
    for sentinel in deployment.sentinels[:2]:
        sentinel.version = "9.0.0"
    outcome = deployment.hand_over(mode="coordinated")
    assert (outcome.leader, deployment.roles(), deployment.lost_bytes) == (SENTINELS[2], AFTERWARDS, 0)
    assert [sentinel.info_period_ms for sentinel in deployment.sentinels] == [10000] * 3


def test_nobody_can_coordinate() -> None:
    deployment = Deployment(server="valkey", version="8.0.1")
    with pytest.raises(PreconditionFailed, match=r"mode coordinated needs a Sentinel of Valkey 9\.1\.1 or later"):
        deployment.handover(mode="coordinated").survey()
    assert deployment.wire.changing() == []


def test_a_coordinated_failover_that_is_given_up() -> None:
    deployment = valkey(aborts=True)
    before = deployment.settings()
    with pytest.raises(OperationFailed, match=f"{MASTER} is still the master and takes writes; nothing was lost"):
        deployment.hand_over(mode="coordinated")
    assert deployment.roles() == {MASTER: "master", TARGET: MASTER, OTHER: MASTER}
    assert (deployment.settings(), deployment.master.takes_writes, deployment.lost_bytes) == (before, True, 0)


def test_a_coordinated_failover_that_is_refused_once() -> None:
    deployment = valkey()
    for sentinel in deployment.sentinels:
        sentinel.refuses["SENTINEL FAILOVER"] = iter(["INPROG Failover already in progress"])
    outcome = deployment.hand_over(mode="coordinated")
    assert (outcome.attempts, deployment.roles(), deployment.lost_bytes) == (2, AFTERWARDS, 0)


def test_the_answer_to_a_coordinated_failover_is_lost() -> None:
    deployment = valkey(loses_the_answer="accepted")
    outcome = deployment.hand_over(mode="coordinated")
    assert (deployment.roles(), deployment.lost_bytes) == (AFTERWARDS, 0)
    assert "the answer to SENTINEL FAILOVER was lost" in outcome.warnings[0]


def test_the_sentinels_lack_a_right() -> None:
    deployment = valkey()
    deployment.master.dryrun["default FAILOVER"] = "User default has no permissions to run the 'failover' command"
    with pytest.raises(PreconditionFailed, match=r"the Sentinels' user default lacks the right \+failover"):
        deployment.handover(mode="coordinated").survey()
    assert deployment.wire.changing() == []


def test_what_the_sentinels_may_do_is_not_known() -> None:
    deployment = valkey()
    deployment.master.refuses["ACL DRYRUN"] = repeat("NOPERM no")
    outcome = deployment.hand_over(mode="coordinated")
    assert ["could not be checked" in warning for warning in outcome.warnings] == [True]
    assert (deployment.roles(), deployment.lost_bytes) == (AFTERWARDS, 0)
