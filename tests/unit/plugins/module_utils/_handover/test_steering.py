"""Make Sentinel promote the target, and restore the overrides for that."""

from __future__ import annotations

from functools import partial
from itertools import repeat
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.side_by_side import SharedPeriod
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.steering import Steering
from ansible_collections.sentinelops.redis.plugins.module_utils._topology.shard import ShardServers, read_shard
from ansible_collections.sentinelops.redis.tests.unit.support.deployment import MASTER, OTHER, SENTINELS, TARGET, Deployment


def steering_of(servers: ShardServers) -> Steering:
    return Steering(servers, read_shard(servers, "mymaster"), "mymaster", TARGET, range(3))


def priorities(deployment: Deployment) -> dict[str, str]:
    return {str(node.address): node.config["replica-priority"] for node in deployment.nodes}


def with_priorities(master: str, target: str, other: str) -> Deployment:
    deployment = Deployment()
    for node, priority in zip(deployment.nodes, (master, target, other), strict=True):
        node.config["replica-priority"] = priority
    deployment.read_again()
    return deployment


@pytest.mark.parametrize(
    ("target", "other", "steered_target", "steered_other"),
    [
        ("100", "100", "1", "100"),
        ("100", "1", "1", "2"),
        ("1", "1", "1", "2"),
        ("1", "100", "1", "100"),
        ("100", "0", "1", "0"),
        ("50", "2", "1", "2"),
    ],
)
def test_the_target_is_the_first_choice(target: str, other: str, steered_target: str, steered_other: str) -> None:
    deployment = with_priorities("100", target, other)
    servers = deployment.servers()
    steering = steering_of(servers)
    assert steering.priority_before(TARGET) == int(target)
    steering.prefer()
    assert priorities(deployment) == {MASTER: "100", TARGET: steered_target, OTHER: steered_other}
    assert steering.restore() == []
    assert priorities(deployment) == {MASTER: "100", TARGET: target, OTHER: other}
    assert deployment.target.saved_config["replica-priority"] == target


def test_the_priority_of_the_master_does_not_matter() -> None:
    deployment = with_priorities("1", "100", "100")
    servers = deployment.servers()
    steering_of(servers).prefer()
    assert priorities(deployment)[MASTER] == "1"


def test_one_sentinel_is_made_quick() -> None:
    deployment = Deployment()
    steering = steering_of(deployment.servers())
    assert f"Sentinel {SENTINELS[0]}: info-period is 1000 (was 10000)" in steering.tune()
    assert [sentinel.info_period_ms for sentinel in deployment.sentinels] == [1000, 10000, 10000]
    assert steering.info_periods_ms() == [(0, 1000)]
    assert steering.restore() == []
    assert [sentinel.info_period_ms for sentinel in deployment.sentinels] == [10000] * 3


def test_each_sentinel_of_handovers_on_one_host_has_its_part_of_a_second(tmp_path: Path) -> None:
    """Alone, and where another handover has shortened the period, there is nothing to wait for."""
    phases = []
    for index in range(3):
        deployment = Deployment()
        servers = deployment.servers()
        shard = read_shard(servers, "mymaster")
        for _handover in range(2):
            steering = Steering(servers, shard, "mymaster", TARGET, [index], partial(SharedPeriod, str(tmp_path)))
            phases.append(round(steering.phase_s(17.25), 3))
            steering.tune()
    assert phases == [0.0, 0.0, round(1 / 3 - 0.25, 3), 0.0, round(2 / 3 - 0.25, 3), 0.0]


@pytest.mark.parametrize("reply", ["ERR Unknown sentinel subcommand 'DEBUG'", "NOPERM this user has no permissions"])
def test_a_sentinel_that_cannot_be_made_quick_is_passed_over(reply: str) -> None:
    deployment = Deployment()
    deployment.sentinels[0].refuses["SENTINEL DEBUG"] = repeat(reply)
    steering = steering_of(deployment.servers())
    steering.tune()
    assert steering.info_periods_ms() == [(1, 1000)]


def test_a_sentinel_that_was_made_quick_and_whose_answer_was_lost() -> None:
    deployment = Deployment()
    deployment.sentinels[0].loses_answers.add("SENTINEL DEBUG INFO-PERIOD")
    steering = steering_of(deployment.servers())
    steering.tune()
    steering.restore()
    assert [sentinel.info_period_ms for sentinel in deployment.sentinels] == [10000] * 3


def test_a_connection_that_breaks_once_while_it_is_restored() -> None:
    deployment = Deployment()
    servers = deployment.servers()
    steering = steering_of(servers)
    steering.prefer()
    deployment.target.connection_lost = True
    assert steering.restore() == []
    assert priorities(deployment)[TARGET] == "100"


def test_no_sentinel_can_be_made_quick() -> None:
    deployment = Deployment(has_debug=False)
    steering = steering_of(deployment.servers())
    steering.tune()
    assert steering.info_periods_ms() == [(0, 10000), (1, 10000), (2, 10000)]
    assert [command for command in deployment.wire.changing() if "DEBUG" in command] == []


@pytest.mark.parametrize("has_debug", [True, False], ids=["7.0", "6.2"])
def test_whoever_may_lead_gives_up_soon(has_debug: bool) -> None:
    deployment = Deployment(has_debug=has_debug)
    steering = steering_of(deployment.servers())
    steering.tune()
    leaders = [index for index, _period in steering.info_periods_ms()]
    assert [sentinel.failover_timeout_ms for sentinel in deployment.sentinels] == [5000 if n in leaders else 60000 for n in range(3)]
    assert steering.restore() == []
    assert [sentinel.failover_timeout_ms for sentinel in deployment.sentinels] == [60000] * 3


def test_a_failover_timeout_that_is_short_already_is_left_alone() -> None:
    deployment = Deployment()
    for sentinel in deployment.sentinels:
        sentinel.failover_timeout_ms = 4000
    steering = steering_of(deployment.servers())
    steering.tune()
    steering.restore()
    assert [sentinel.failover_timeout_ms for sentinel in deployment.sentinels] == [4000] * 3
    assert not [command for command in deployment.wire.changing() if "failover-timeout" in command]


@pytest.mark.parametrize(("replicas", "before", "during"), [(1, 1, 1), (2, 1, 1), (3, 1, 2), (4, 1, 3), (4, 3, 3), (4, 5, 5)])
def test_all_other_replicas_are_reconfigured_at_once(replicas: int, before: int, during: int) -> None:
    deployment = Deployment(replicas=replicas, has_debug=False)
    for sentinel in deployment.sentinels:
        sentinel.parallel_syncs = before
    steering = steering_of(deployment.servers())
    steering.tune()
    assert [sentinel.parallel_syncs for sentinel in deployment.sentinels] == [during] * 3
    steering.restore()
    assert [sentinel.parallel_syncs for sentinel in deployment.sentinels] == [before] * 3


@pytest.mark.parametrize("setting", ["failover-timeout", "parallel-syncs"])
def test_a_sentinel_that_may_not_be_set_goes_on_as_usual(setting: str) -> None:
    deployment = Deployment(replicas=4)
    for sentinel in deployment.sentinels:
        sentinel.refuses[f"SENTINEL SET mymaster {setting}"] = repeat("NOPERM this user has no permissions")
    steering = steering_of(deployment.servers())
    assert not [sentence for sentence in steering.tune() if setting in sentence]
    assert steering.restore() == []


def test_all_that_is_changed_is_told_beforehand() -> None:
    deployment = with_priorities("100", "50", "1")
    steering = steering_of(deployment.servers())
    assert {(override.address, override.setting, override.original, override.temporary) for override in steering.overrides} == {
        (TARGET, "replica-priority", 50, 1),
        (OTHER, "replica-priority", 1, 2),
        (SENTINELS[0], "info-period", 10000, 1000),
        (SENTINELS[0], "failover-timeout", 60000, 5000),
    }


def test_other_nodes_may_have_something_to_save() -> None:
    deployment = Deployment()
    steering_of(deployment.servers()).restore(MASTER)
    assert f"{MASTER}: CONFIG REWRITE" in deployment.wire.changing()


def test_what_cannot_be_put_back_is_told_and_the_rest_is_put_back() -> None:
    deployment = with_priorities("100", "100", "1")
    servers = deployment.servers()
    steering = steering_of(servers)
    steering.prefer()
    deployment.target.alive = False
    failed = steering.restore()
    assert len(failed) == 2
    assert f"not restored on {TARGET} (CONFIG SET replica-priority 100)" in failed[0]
    assert priorities(deployment)[OTHER] == "1"


def test_it_is_restored_once() -> None:
    deployment = Deployment()
    servers = deployment.servers()
    steering = steering_of(servers)
    steering.prefer()
    steering.restore()
    before = len(deployment.wire.sent)
    assert steering.restore() == []
    assert len(deployment.wire.sent) == before
