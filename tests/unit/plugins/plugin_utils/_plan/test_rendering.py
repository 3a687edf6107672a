"""The plan and the report, as a person reads them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.rendering import handover_lines, plan_lines, report_lines
from ansible_collections.sentinelops.redis.tests.unit.support.survey import NEW, OLD, Surveyed, half_upgraded, three_and_three, two_shards


def lines_of(deployment: Surveyed, **settings: Any) -> list[str]:
    return plan_lines(deployment.plan(**settings).as_dict())


def test_the_plan_of_three_and_three() -> None:
    assert lines_of(three_and_three()) == [
        "Upgrade to 7.0.15, one step after the other:",
        "(4/8) Sentinel  sentinel-1: 7.0.5 -> 7.0.15",
        "(4/8) Sentinel  sentinel-2: 7.0.5 -> 7.0.15",
        "(4/8) Sentinel  sentinel-3: 7.0.5 -> 7.0.15",
        "(5/8) replica  wave 1: redis-2: 7.0.5 -> 7.0.15",
        "(5/8) replica  wave 2: redis-3: 7.0.5 -> 7.0.15",
        "(6/8) handover  mymaster: redis-1 (10.0.0.1:6379) -> redis-2 (10.0.0.2:6379)",
        "(7/8) old master redis-1: 7.0.5 -> 7.0.15",
        "(8/8) fail back mymaster: redis-2 -> redis-1 (10.0.0.1:6379)",
    ]


def test_two_shards_in_one_wave() -> None:
    deployment = three_and_three()
    other = three_and_three().shards[0]
    other.name = "other"
    for number, node in enumerate(other.nodes, 1):
        node.host, node.address = f"other-{number}", f"10.0.2.{number}:6379"
    deployment.shards.append(other)
    lines = lines_of(deployment)
    assert "(5/8) replica  wave 1: redis-2: 7.0.5 -> 7.0.15, other-2: 7.0.5 -> 7.0.15" in lines
    assert "(7/8) old master redis-1: 7.0.5 -> 7.0.15, other-1: 7.0.5 -> 7.0.15" in lines
    assert [line for line in lines if line.startswith("(6/8)")] == [
        "(6/8) handover  mymaster: redis-1 (10.0.0.1:6379) -> redis-2 (10.0.0.2:6379)",
        "(6/8) handover  other: other-1 (10.0.2.1:6379) -> other-2 (10.0.2.2:6379)",
    ]


@pytest.mark.parametrize(("at_once", "said"), [(1, ""), (2, "up to 2 of these side by side"), (10, "up to 2 of these side by side")])
def test_handovers_side_by_side_are_told(at_once: int, said: str) -> None:
    lines = [line for line in plan_lines(two_shards().plan(handovers_at_once=at_once).as_dict()) if "side by side" in line]
    assert len(lines) == (2 if said else 0)  # the handovers, and the fail back
    assert all(said in line for line in lines)
    one = plan_lines(three_and_three().plan(handovers_at_once=10).as_dict())
    assert not any("side by side" in line for line in one)


def test_an_instance_that_was_stopped_is_finished() -> None:
    deployment = half_upgraded(handover=True)
    deployment.node("redis-1").stopped = True
    lines = lines_of(deployment)
    assert "(5/8) replica  redis-1: stopped by an earlier run -> 7.0.15" in lines
    assert "(8/8) fail back mymaster: redis-2 -> redis-1 (10.0.0.1:6379)" in lines


def test_what_is_skipped_is_told_with_the_reason() -> None:
    lines = lines_of(half_upgraded())
    assert [line for line in lines if line.startswith("skipped")] == [
        f"skipped: {host} ({kind}): it runs {NEW} already"
        for host, kind in [*((f"sentinel-{n}", "sentinel") for n in (1, 2, 3)), ("redis-2", "redis"), ("redis-3", "redis")]
    ]


def test_warnings_are_notes() -> None:
    plan = three_and_three().plan()
    plan.warnings.append("redis-1 has no persistence")
    assert plan_lines(plan.as_dict())[-1] == "note: redis-1 has no persistence"


def test_nothing_to_do() -> None:
    deployment = three_and_three(version=NEW)
    for sentinel in deployment.sentinels:
        sentinel.version = NEW
    assert lines_of(deployment) == [f"Nothing to do: every instance runs {NEW}, mymaster (master redis-1)"]


def test_a_plan_that_cannot_be_made_is_not_called_done() -> None:
    deployment = three_and_three()
    for sentinel in deployment.sentinels:
        sentinel.answers = False
    assert "Nothing to do" not in lines_of(deployment)[0]


def report(**changes: Any) -> dict[str, Any]:
    row = {"host": "redis-1", "kind": "redis", "shard": "mymaster", "before": OLD, "now": NEW, "role": "master"}
    handover = {
        "old_master": "10.0.0.1:6379",
        "new_master": "10.0.0.2:6379",
        "pause_ms": 371.6,
        "write_gap_ms": None,
        "full_resyncs": 0,
        "leader": "10.0.0.11:26379",
    }
    shard = {"before": "redis-1", "now": "redis-2", "original_master": "redis-1"}
    return {
        "instances": [row],
        "shards": {"mymaster": shard},
        "handovers": [handover],
        "audits": {},
        "reserves": {},
        "deferred": [],
        **changes,
    }


def test_the_report() -> None:
    assert report_lines(report()) == [
        "instance                     before     now        role",
        "redis-1 (redis)              7.0.5      7.0.15     master",
        "shard mymaster: master before redis-1, now redis-2, original master redis-1",
        "handover 10.0.0.1:6379 -> 10.0.0.2:6379: writes paused for 372 ms, 0 full resynchronisations, led by Sentinel 10.0.0.11:26379",
    ]


def test_the_write_gap_of_a_handover() -> None:
    handover = {**report()["handovers"][0], "write_gap_ms": 431.4}
    assert "writes paused for 372 ms, write gap 431 ms, 0 full" in report_lines(report(handovers=[handover]))[3]


def test_a_report_without_a_handover() -> None:
    assert report_lines(report(handovers=[]))[-1] == "no handover was needed"


def test_an_instance_that_was_down_before() -> None:
    row = {**report()["instances"][0], "before": ""}
    assert report_lines(report(instances=[row]))[1] == "redis-1 (redis)              stopped    7.0.15     master"


def test_a_report_after_a_canary() -> None:
    assert report_lines(report(deferred=["redis-1", "redis-3"]))[-1] == (
        "stopped after the canary, as requested. Left: redis-1, redis-3. The deployment serves with both versions. Run the upgrade without "
        "redis_upgrade_canary to continue"
    )


def test_the_plan_of_a_canary() -> None:
    lines = lines_of(three_and_three(), canary=1)
    assert lines[4:8] == [
        "(5/8) replica  redis-2: 7.0.5 -> 7.0.15",
        "(stop)          after the canary, without a handover; left for the next run: redis-1, redis-3",
        "skipped: redis-1 (redis): it runs 7.0.5, and waits for a run without redis_upgrade_canary",
        "skipped: redis-3 (redis): it runs 7.0.5, and waits for a run without redis_upgrade_canary",
    ]


MOVED = {
    "old_master": "10.0.0.1:6379",
    "new_master": "10.0.0.2:6379",
    "mode": "fence",
    "mode_reason": "redis 6.0.16 cannot pause writes",
    "pause_ms": 371.6,
    "full_resyncs": 0,
    "recovered": [],
}
STAYED = {"old_master": "10.0.0.1:6379", "new_master": "10.0.0.1:6379", "mode": "pause"}


def test_a_handover() -> None:
    assert handover_lines(MOVED) == [
        "10.0.0.2:6379 is the master now, 10.0.0.1:6379 is its replica",
        "mode fence: redis 6.0.16 cannot pause writes",
        "writes were stopped for 372 ms, 0 full resynchronisations",
    ]


def test_a_handover_in_check_mode() -> None:
    result = {**STAYED, "new_master": "10.0.0.2:6379"}
    assert handover_lines(result, check_mode=True) == ["10.0.0.2:6379 would become the master instead of 10.0.0.1:6379, in mode pause"]


@pytest.mark.parametrize("check_mode", [True, False])
def test_no_handover(check_mode: bool) -> None:
    assert handover_lines(STAYED, check_mode) == ["10.0.0.1:6379 is the master already"]


@pytest.mark.parametrize("result", [MOVED, STAYED])
def test_a_handover_that_finished_an_earlier_one(result: dict[str, Any]) -> None:
    lines = handover_lines({**result, "recovered": ["this", "that"]})
    assert lines[:2] == ["finished for an earlier handover: this", "finished for an earlier handover: that"]
    assert lines[2:] == handover_lines(result)
