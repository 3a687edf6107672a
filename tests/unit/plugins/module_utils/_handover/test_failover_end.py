"""Sentinel ends its failover at once, when every node follows the new master."""

from __future__ import annotations

from itertools import repeat
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.failover_end import FailoverEnd
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.result import HandoverResult
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.undo_file import UndoFile
from ansible_collections.sentinelops.redis.tests.unit.plugins.module_utils._handover.test_steering import steering_of
from ansible_collections.sentinelops.redis.tests.unit.support.deployment import SENTINELS, TARGET, Deployment

SHORT = "SENTINEL SET mymaster failover-timeout 100"


def settled_after_s(result: HandoverResult) -> float:
    """Return the time from the release to the proof that all follow."""
    at = {str(entry["event"]).split(":", maxsplit=1)[0]: entry["at_ms"] for entry in result.timeline}
    return float(at["loss"] - at["released"]) / 1000


@pytest.mark.parametrize("has_debug", [True, False], ids=["7.0", "6.2"])
def test_the_leader_does_not_wait_for_the_next_info(has_debug: bool) -> None:
    deployment = Deployment(has_debug=has_debug)
    before = deployment.settings()
    result = deployment.hand_over()
    assert settled_after_s(result) < 0.3
    assert [index for index in range(3) if deployment.wire.begins(SENTINELS[index], SHORT)] == [SENTINELS.index(result.leader)]
    assert deployment.settings() == before
    assert (deployment.lost_bytes, result.loss) == (0, "none")


@pytest.mark.parametrize("timeout_ms", [60000, 4000], ids=["refused before", "refused at the end"])
def test_a_sentinel_that_may_not_be_set_ends_by_itself(timeout_ms: int, tmp_path: Path) -> None:
    deployment = Deployment()
    for sentinel in deployment.sentinels:
        sentinel.failover_timeout_ms = timeout_ms
        sentinel.refuses["SENTINEL SET mymaster failover-timeout"] = repeat("NOPERM this user has no permissions")
    result = deployment.hand_over(undo_file=UndoFile(str(tmp_path), "mymaster"))
    assert 0.5 < settled_after_s(result) < 1.3
    assert result.warnings == []
    assert not [entry for entry in result.timeline if str(entry["event"]).startswith("ended")]
    assert list(tmp_path.iterdir()) == [], "nothing is left to restore"


@pytest.mark.parametrize("timeout_ms", [2000, 5000, 180000])
def test_any_timeout_is_shortened_and_restored(timeout_ms: int) -> None:
    deployment = Deployment()
    for sentinel in deployment.sentinels:
        sentinel.failover_timeout_ms = timeout_ms
    result = deployment.hand_over()
    assert deployment.wire.begins(result.leader, SHORT)
    assert [sentinel.failover_timeout_ms for sentinel in deployment.sentinels] == [timeout_ms] * 3


def test_a_timeout_that_is_as_short_already_is_left_alone() -> None:
    deployment = Deployment()
    deployment.sentinels[0].failover_timeout_ms = 100
    steering = steering_of(deployment.servers())
    assert not steering.plan_to_end(SENTINELS[0])
    steering.end_failover()
    assert deployment.wire.changing() == []


def test_a_replica_that_does_not_follow_yet_is_waited_for() -> None:
    deployment = Deployment()
    other = deployment.replicas[1]
    deployment.master.before["CLIENT UNPAUSE"] = lambda: vars(other).update(link_up=False)
    deployment.clock.at(20.0, lambda: vars(other).update(link_up=True))
    result = deployment.hand_over()
    assert settled_after_s(result) > 10
    assert not [command for command in deployment.wire.changing() if command.endswith(SHORT)]


def test_it_is_written_down_before_it_is_done(tmp_path: Path) -> None:
    deployment = Deployment()
    undo_file = UndoFile(str(tmp_path), "mymaster")
    noted: list[bool] = []
    for sentinel in deployment.sentinels:
        sentinel.before[SHORT] = lambda: noted.append(
            any((one.setting, one.original, one.temporary) == ("failover-timeout", 60000, 100) for one in undo_file.left_behind()[0])
        )
    deployment.hand_over(undo_file=undo_file)
    assert noted == [True]
    assert undo_file.left_behind()[0] == []


def test_a_failover_that_waits_for_its_promotion_is_not_touched() -> None:
    deployment = Deployment()
    handover = deployment.surveyed()
    handover.context.result.new_master = TARGET
    end = FailoverEnd(handover.context, steering_of(deployment.servers()), lambda **_changes: None)
    end.hasten(SENTINELS[0])
    assert deployment.wire.changing() == [], "the leader still names the old master"
    deployment.sentinels[0].master = deployment.target
    end.hasten(SENTINELS[0])
    assert deployment.wire.changing() == [f"{SENTINELS[0]}: {SHORT}"]
