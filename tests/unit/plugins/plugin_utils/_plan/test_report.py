"""The report: what was done, and what is not as it should be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.handover import HandoverResult
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.model import Settings
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.report import make_report
from ansible_collections.sentinelops.redis.plugins.plugin_utils._times import moment
from ansible_collections.sentinelops.redis.tests.unit.support.survey import NEW, OLD, Surveyed, half_upgraded, three_and_three


def upgraded(master: int = 0) -> Surveyed:
    deployment = three_and_three(version=NEW)
    deployment.shards[0].master = master
    for sentinel in deployment.sentinels:
        sentinel.version = NEW
    return deployment


def handover(begun_at: str, old: str, new: str, changed: bool = True) -> dict[str, Any]:
    return HandoverResult(changed=changed, begun_at=begun_at, old_master=old, new_master=new, pause_ms=300.0).as_result()


def report(
    after: Surveyed,
    handovers: list[dict[str, Any]] | None = None,
    before: Surveyed | None = None,
    audits: dict[str, Any] | None = None,
    **settings: Any,
) -> dict[str, Any]:
    plan = (before or three_and_three()).plan(**settings).as_dict()
    return make_report(plan, after.instances(), Settings(NEW, **settings), handovers or [], audits or {}, 0.0)


def test_all_is_well() -> None:
    found = report(upgraded())
    assert found["problems"] == []
    assert found["version"] == NEW
    assert found["shards"] == {"mymaster": {"before": "redis-1", "now": "redis-1", "original_master": "redis-1"}}
    assert found["instances"][3] == {
        "host": "redis-1",
        "kind": "redis",
        "shard": "mymaster",
        "before": OLD,
        "now": NEW,
        "role": "master",
    }
    assert len(found["instances"]) == 6
    assert found["lines"][0].startswith("instance")
    assert json.loads(json.dumps(found)) == found


def test_handovers_stand_in_the_order_of_time() -> None:
    there = handover("2026-01-31T10:00:00.000Z", "10.0.0.1:6379", "10.0.0.2:6379")
    back = handover("2026-01-31T10:05:00.000Z", "10.0.0.2:6379", "10.0.0.1:6379")
    found = report(upgraded(), [back, there])["handovers"]
    assert [done["new_master"] for done in found] == ["10.0.0.2:6379", "10.0.0.1:6379"]


def test_the_write_gap_is_that_of_the_audit_of_the_shard() -> None:
    begun_at = "2026-01-31T10:00:00.000Z"
    done = {**handover(begun_at, "10.0.0.1:6379", "10.0.0.2:6379"), "timeline": [{"at_ms": 3000.0, "event": "settled"}]}
    result = {"acknowledged": 9, "lost": 0, "unexpected": 0, "longest_gap_ms": 900.0}
    own = {**result, "gaps": [{"at_s": moment(begun_at).timestamp() + 1, "gap_ms": 412.0}]}
    other = {**result, "gaps": [{"at_s": moment(begun_at).timestamp() + 1, "gap_ms": 900.0}]}
    found = report(upgraded(), [done], audits={"mymaster": own, "other": other})
    assert [one["write_gap_ms"] for one in found["handovers"]] == [412.0]
    assert report(upgraded(), [done])["handovers"][0]["write_gap_ms"] is None


def test_a_handover_that_was_not_needed_is_left_out() -> None:
    unchanged = {"changed": False, "old_master": "10.0.0.1:6379", "new_master": "10.0.0.1:6379", "mode": "pause"}
    assert report(upgraded(), [unchanged])["handovers"] == []


@pytest.mark.parametrize(
    ("after", "problem"),
    [
        (half_upgraded(), f"redis-1 (redis): it runs {OLD}"),
        (half_upgraded(handover=True, old_master=True), "shard mymaster: the master is redis-2, the original master was redis-1"),
    ],
)
def test_what_is_still_to_be_done_is_a_problem(after: Surveyed, problem: str) -> None:
    assert problem in report(after)["problems"]


def test_an_instance_that_does_not_answer_is_a_problem() -> None:
    after = upgraded()
    after.node("redis-3").answers = False
    found = report(after)
    assert found["problems"] == ["redis-3 (redis): it does not answer"]
    assert found["instances"][5]["now"] == "does not answer"


def test_a_stopped_instance_is_a_problem() -> None:
    after = half_upgraded(handover=True)
    after.node("redis-1").stopped = True
    found = report(after)
    assert "redis-1 (redis): an earlier run stopped it and did not start it again" in found["problems"]
    assert found["instances"][3]["role"] == "stopped"


def test_a_replica_that_no_sentinel_knows_is_a_problem() -> None:
    after = upgraded()
    stranger = after.shards[0].nodes.pop()
    instances = [*after.instances(), *Surveyed([type(after.shards[0])("other", [stranger])], []).instances()]
    found = make_report(three_and_three().plan().as_dict(), instances, Settings(NEW), [], {}, 0.0)
    assert any("redis-3: it is in the inventory" in problem for problem in found["problems"])


def test_without_fail_back_the_master_may_be_anywhere() -> None:
    assert report(upgraded(master=1), fail_back=False)["problems"] == []


def test_a_stopped_instance_runs_no_version() -> None:
    after = half_upgraded(handover=True)
    after.node("redis-1").stopped = True
    assert report(after)["instances"][3]["now"] != OLD


def test_a_master_that_is_at_home_is_no_problem() -> None:
    assert report(half_upgraded())["problems"] == [f"redis-1 (redis): it runs {OLD}"]


def test_what_a_canary_leaves_is_no_problem() -> None:
    deployment = three_and_three()
    for sentinel in deployment.sentinels:
        sentinel.version = NEW
    plan = deployment.plan(canary=1).as_dict()
    pending = make_report(plan, deployment.instances(), Settings(NEW, canary=1), [], {}, 0.0)
    assert pending["problems"] == [f"redis-2 (redis): it runs {OLD}"]
    deployment.node("redis-2").version = NEW
    done = make_report(plan, deployment.instances(), Settings(NEW, canary=1), [], {}, 0.0)
    assert (done["problems"], done["deferred"]) == ([], ["redis-1", "redis-3"])
    away = half_upgraded(handover=True, old_master=True)
    not_home = make_report(away.plan(canary=1).as_dict(), away.instances(), Settings(NEW, canary=1), [], {}, 0.0)
    assert (not_home["problems"], not_home["deferred"]) == ([], ["the fail back of mymaster to redis-1"])


@pytest.mark.parametrize(
    ("master", "host", "before", "told"),
    [
        (0, "redis-2", OLD, True),
        (0, "redis-2", NEW, True),  # an earlier run has restarted it
        (0, "redis-1", OLD, True),  # it was a replica until the role was handed back to it
        (0, "redis-1", NEW, False),  # a master counts other errors, too
    ],
)
def test_a_node_that_may_lack_writes(master: int, host: str, before: str, told: bool) -> None:
    surveyed, after = three_and_three(), upgraded(master)
    surveyed.node(host).version = before
    after.node(host).record = {"errors_sent": 3}
    problems = report(after, before=surveyed)["problems"]
    assert len(problems) == told
    assert all(f"{host} (127.0.0.1:6379) has sent its master 3 errors since its restart" in problem for problem in problems)
    assert all("EXEC on that node, and CONFIG RESETSTAT" in problem for problem in problems)
