"""The plan: what is done to which instance, in which order."""

from __future__ import annotations

import json

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.journal import journal_of
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.model import Plan, Settings
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.plan import make_plan
from ansible_collections.sentinelops.redis.tests.unit.support.survey import (
    IDENTITY,
    NEW,
    OLD,
    Node,
    Shard,
    Surveyed,
    half_upgraded,
    three_and_three,
    two_shards,
)


def done_to(plan: Plan) -> dict[str, str]:
    return {key: step.do for key, step in plan.steps.items()}


def order(plan: Plan) -> list[list[str]]:
    """Return the hosts of each play: Sentinels, replicas, handover, old masters, fail back."""
    return [plan.sentinel_hosts, plan.replica_hosts, plan.handover_hosts, plan.old_master_hosts, plan.fail_back_hosts]


def test_three_and_three() -> None:
    plan = three_and_three().plan()
    assert plan.problems == []
    assert set(done_to(plan).values()) == {"upgrade"}
    assert order(plan) == [
        ["sentinel-1", "sentinel-2", "sentinel-3"],
        ["redis-2", "redis-3"],
        ["redis-2"],
        ["redis-1"],
        ["redis-1"],
    ]
    assert (plan.replica_serial, plan.old_master_serial) == ([1, 1], [1])
    shard = plan.shards["mymaster"]
    assert (shard.master, shard.master_host, shard.original_master, shard.original_master_host) == ("10.0.0.1:6379", "redis-1") * 2
    assert (shard.target, shard.target_host) == ("10.0.0.2:6379", "redis-2")
    assert (shard.handover, shard.fail_back, shard.replicas, shard.sentinels) == (True, True, 2, 3)
    assert shard.nodes == {f"redis-{n}": f"10.0.0.{n}:6379" for n in (1, 2, 3)}
    assert (shard.handover_host, shard.recovery_host) == ("sentinel-3", "")
    assert len(plan.touched_hosts) == 6
    assert (plan.has_stopped_instances, plan.nothing_to_do) == (False, False)


def test_the_master_is_where_the_sentinels_say() -> None:
    deployment = three_and_three()
    deployment.shards[0].master = 2
    plan = deployment.plan()
    assert order(plan)[1:] == [["redis-1", "redis-2"], ["redis-1"], ["redis-3"], ["redis-3"]]
    assert plan.shards["mymaster"].original_master_host == "redis-3"


def test_a_step_tells_what_is_needed_later() -> None:
    step = three_and_three().plan().steps["redis-2/redis"]
    assert (step.host, step.kind, step.running, step.shard, step.address) == ("redis-2", "redis", OLD, "mymaster", "10.0.0.2:6379")
    assert (step.why, step.config_identity) == (f"it runs {OLD}", IDENTITY)


def test_without_fail_back() -> None:
    plan = three_and_three().plan(fail_back=False)
    assert order(plan)[2:] == [["redis-2"], ["redis-1"], []]


def test_waves_over_two_shards() -> None:
    """At most one node of a shard at a time; as many waves as the larger shard has replicas."""
    plan = two_shards().plan()
    assert plan.problems == []
    assert plan.replica_hosts == ["one-2", "two-2", "one-3", "one-4"]
    assert plan.replica_serial == [2, 1, 1]
    assert plan.handover_hosts == ["one-2", "two-2"]
    assert (plan.old_master_hosts, plan.old_master_serial) == (["one-1", "two-1"], [2])
    assert plan.fail_back_hosts == ["one-1", "two-1"]


def test_one_shard_of_two_is_left_out() -> None:
    deployment = two_shards()
    plan = deployment.plan(master_names=("one",))
    assert list(plan.shards) == ["one"]
    assert any("two-1: it is in the inventory as a data node" in str(problem) for problem in plan.problems)
    alone = make_plan([one for one in deployment.instances() if not one.host.startswith("two")], Settings(NEW, ("one",)))
    assert alone.problems == []
    assert alone.replica_hosts == ["one-2", "one-3", "one-4"]


def test_a_host_with_a_sentinel_and_a_data_node() -> None:
    deployment = three_and_three()
    for sentinel, node in zip(deployment.sentinels, deployment.shards[0].nodes, strict=True):
        sentinel.host = node.host
    plan = deployment.plan()
    assert set(plan.steps) == {f"redis-{n}/{kind}" for n in (1, 2, 3) for kind in ("sentinel", "redis")}
    assert order(plan)[:2] == [["redis-1", "redis-2", "redis-3"], ["redis-2", "redis-3"]]
    assert plan.touched_hosts == ["redis-1", "redis-2", "redis-3"]


def test_the_target_has_the_best_priority_of_the_operators() -> None:
    deployment = three_and_three()
    deployment.node("redis-2").priority = 100
    deployment.node("redis-3").priority = 10
    plan = deployment.plan()
    assert plan.shards["mymaster"].target_host == "redis-3"
    assert plan.replica_hosts == ["redis-3", "redis-2"], "the future master first"


def test_the_best_priority_is_one() -> None:
    deployment = three_and_three()
    deployment.node("redis-3").priority = 1
    assert deployment.plan().shards["mymaster"].target_host == "redis-3"


@pytest.mark.parametrize("record", [{"link_up": False}, {"answers": False, "link_up": None}])
def test_the_target_is_one_that_serves(record: dict[str, object]) -> None:
    deployment = three_and_three()
    deployment.node("redis-2").priority = 1
    deployment.node("redis-2").record = record
    assert deployment.plan().shards["mymaster"].target_host == "redis-3"


def test_a_node_that_must_not_be_master_is_not_the_target() -> None:
    deployment = three_and_three()
    deployment.node("redis-2").priority = 0
    plan = deployment.plan()
    assert plan.problems == []
    assert plan.shards["mymaster"].target_host == "redis-3"
    assert plan.replica_hosts == ["redis-3", "redis-2"]


def test_no_replica_may_become_master() -> None:
    deployment = three_and_three()
    for host in ("redis-2", "redis-3"):
        deployment.node(host).priority = 0
    plan = deployment.plan()
    (problem,) = plan.problems
    assert "there is no replica that may become master" in str(problem)
    assert plan.handover_hosts == []


def test_no_replica_at_all() -> None:
    deployment = three_and_three()
    del deployment.shards[0].nodes[1:]
    plan = deployment.plan()
    assert any("there is no replica that may become master" in str(problem) for problem in plan.problems)


# -- an earlier run was killed


def test_resumes_before_the_handover() -> None:
    plan = half_upgraded().plan()
    assert plan.problems == []
    assert order(plan) == [[], [], ["redis-2"], ["redis-1"], ["redis-1"]]
    assert done_to(plan) == {**{f"sentinel-{n}/sentinel": "skip" for n in (1, 2, 3)}, **_nodes("upgrade", "skip", "skip")}
    assert plan.pending == ["redis-1/redis"]


def test_resumes_after_the_handover() -> None:
    plan = half_upgraded(handover=True).plan()
    assert plan.problems == []
    assert order(plan) == [[], ["redis-1"], [], [], ["redis-1"]]
    assert plan.shards["mymaster"].original_master_host == "redis-1", "the journal records the original master"


def test_resumes_where_the_old_master_was_stopped() -> None:
    deployment = half_upgraded(handover=True)
    deployment.node("redis-1").stopped = True
    plan = deployment.plan()
    assert plan.problems == []
    assert done_to(plan) == {**{f"sentinel-{n}/sentinel": "skip" for n in (1, 2, 3)}, **_nodes("resume", "skip", "skip")}
    assert order(plan) == [[], ["redis-1"], [], [], ["redis-1"]]
    assert plan.steps["redis-1/redis"].why == "an earlier run stopped it and did not start it again"
    assert plan.has_stopped_instances


def test_no_fail_back_to_a_node_that_no_sentinel_would_promote() -> None:
    deployment = three_and_three()
    deployment.node("redis-1").priority = 0
    plan = deployment.plan()
    assert (plan.handover_hosts, plan.fail_back_hosts) == (["redis-2"], [])
    (warning,) = [text for text in plan.warnings if "no fail back" in text]
    assert "no fail back of mymaster to redis-1, whose replica-priority is 0" in warning
    assert not [text for text in deployment.plan(fail_back=False).warnings if "no fail back" in text]


def test_the_priority_before_a_handover_counts() -> None:
    deployment = half_upgraded(handover=True, old_master=True)
    # a handover that was cut short left it so; the journal says 100
    deployment.node("redis-1").priority = 0
    assert deployment.plan().fail_back_hosts == ["redis-1"]


def test_only_the_fail_back_is_left() -> None:
    plan = half_upgraded(handover=True, old_master=True).plan()
    assert order(plan) == [[], [], [], [], ["redis-1"]]
    assert plan.pending == []
    assert not plan.nothing_to_do
    assert len(plan.touched_hosts) == 6


def test_only_the_journals_are_left() -> None:
    """The original master is the master: the run only verifies, and closes the journals."""
    plan = half_upgraded(old_master=True).plan()
    assert order(plan) == [[], [], [], [], []]
    assert not plan.nothing_to_do
    assert len(plan.touched_hosts) == 6


def test_no_fail_back_is_wanted_any_more() -> None:
    plan = half_upgraded(handover=True, old_master=True).plan(fail_back=False)
    assert plan.fail_back_hosts == []


def test_a_sentinel_was_stopped() -> None:
    deployment = half_upgraded(replicas=False)
    deployment.sentinels[1].stopped, deployment.sentinels[1].version = True, OLD
    plan = deployment.plan()
    assert plan.sentinel_hosts == ["sentinel-2"]
    assert plan.steps["sentinel-2/sentinel"].do == "resume"
    assert plan.has_stopped_instances


def test_the_identity_of_the_configuration_is_that_before_the_upgrade() -> None:
    """The server has changed the mode of the file to 0644 since."""
    deployment = half_upgraded(replicas=False)
    deployment.node("redis-2").record = {"config_identity": {**IDENTITY, "mode": 0o644}}
    assert deployment.plan().steps["redis-2/redis"].config_identity == IDENTITY


def test_the_priority_is_that_before_it_was_steered() -> None:
    deployment = half_upgraded()
    deployment.node("redis-3").priority = 1
    plan = deployment.plan()
    assert plan.shards["mymaster"].priorities == {"redis-1": 100, "redis-2": 100, "redis-3": 100}
    assert plan.shards["mymaster"].target_host == "redis-2"


def test_an_original_master_that_is_gone_is_forgotten() -> None:
    deployment = half_upgraded(handover=True)
    for node in deployment.shards[0].nodes:
        assert node.journal is not None
        node.journal["original_master"] = "10.0.0.99:6379"
    assert deployment.plan().shards["mymaster"].original_master_host == "redis-2"


def test_nothing_to_do() -> None:
    deployment = three_and_three(version=NEW)
    for sentinel in deployment.sentinels:
        sentinel.version = NEW
    plan = deployment.plan()
    assert set(done_to(plan).values()) == {"skip"}
    assert plan.steps["redis-1/redis"].why == f"it runs {NEW} already"
    assert plan.nothing_to_do
    assert (plan.touched_hosts, plan.pending, plan.problems) == ([], [], [])
    assert order(plan) == [[]] * 5


@pytest.mark.parametrize("host", ["redis-1", "redis-3"])
def test_an_interrupted_handover_is_finished_first(host: str) -> None:
    """A handover to the current master finishes it, so there is something to do."""
    deployment = three_and_three(version=NEW)
    for sentinel in deployment.sentinels:
        sentinel.version = NEW
    deployment.node(host).record = {"min_replicas_to_write": 2147483645}
    plan = deployment.plan()
    assert (plan.shards["mymaster"].fenced, plan.recovery_hosts) == ([host], ["redis-1"])
    assert not plan.nothing_to_do
    assert len(plan.touched_hosts) == 6


@pytest.mark.parametrize("to_write", [None, 0, 1, 2000000000])
def test_without_a_fence_there_is_nothing_to_recover(to_write: int | None) -> None:
    deployment = three_and_three()
    deployment.node("redis-1").record = {"min_replicas_to_write": to_write}
    assert deployment.plan().recovery_hosts == []


def _nodes(*does: str) -> dict[str, str]:
    return {f"redis-{n}/redis": do for n, do in enumerate(does, 1)}


# -- what forbids a plan


def test_a_downgrade_is_refused() -> None:
    plan = three_and_three(version="7.0.15").plan("7.0.5")
    assert len(plan.problems) == 3
    assert "redis-1 runs 7.0.15, which is newer than the wanted 7.0.5: a downgrade is refused" in str(plan.problems[0])


@pytest.mark.parametrize(
    ("running", "wanted", "problem"),
    [
        ("7.2.5", "8.0.1", ""),
        ("7.0.15", "8.0.1", "there is no way back from 8.0.1 to 7.0.15"),
        ("7.4.1", "8.0.1", "a replica with 8.0.1 cannot read the data of a master with 7.4.1"),
        ("8.0.2", "8.0.1", "a replica with 8.0.1 cannot read the data of a master with 8.0.2"),
    ],
)
def test_from_redis_to_valkey(running: str, wanted: str, problem: str) -> None:
    """The data format counts, and not the version number."""
    deployment = three_and_three(version=running)
    for node in deployment.shards[0].nodes:
        node.record["activation"] = {"method": "package", "product": "valkey"}
    problems = deployment.plan(wanted).problems
    assert bool(problems) == bool(problem)
    assert problem in " ".join(map(str, problems))


@pytest.mark.parametrize(
    ("server", "running", "wanted", "barrier"),
    [
        ("redis", "7.0.5", "7.0.15", False),
        ("redis", "6.0.16", "6.2.14", False),
        ("redis", "6.2.14", "7.0.15", True),
        ("redis", "7.0.15", "8.0.2", True),
        ("redis", "7.4.1", "8.0.2", False),
        ("valkey", "8.0.1", "9.1.2", False),
    ],
)
def test_no_way_back_has_to_be_accepted(server: str, running: str, wanted: str, barrier: bool) -> None:
    deployment = three_and_three(version=running, server=server)
    problems = deployment.plan(wanted).problems
    assert len(problems) == (1 if barrier else 0), "told once, not for every node"
    if barrier:
        assert f"there is no way back from {wanted} to {running}" in str(problems[0])
        assert "redis_upgrade_accept_no_way_back: true" in str(problems[0])
    assert deployment.plan(wanted, accept_no_way_back=True).problems == []


def test_a_data_node_that_the_inventory_does_not_have() -> None:
    deployment = three_and_three()
    deployment.node("redis-3").in_inventory = False
    (problem,) = deployment.plan().problems
    assert "the Sentinels know the data node 10.0.0.3:6379, which the inventory does not have" in str(problem)
    assert "SENTINEL RESET" in str(problem)


def test_a_master_that_the_inventory_does_not_have() -> None:
    deployment = three_and_three()
    deployment.node("redis-1").in_inventory = False
    plan = deployment.plan()
    assert any("10.0.0.1:6379" in str(problem) for problem in plan.problems)
    assert (plan.shards, plan.handover_hosts) == ({}, [])


def test_a_data_node_that_no_sentinel_knows() -> None:
    deployment = three_and_three()
    stranger = Surveyed([Shard("other", [Node("redis-9", "10.0.0.9:6379")])], []).instances()
    plan = make_plan([*deployment.instances(), *stranger], Settings(NEW))
    (problem,) = plan.problems
    assert "redis-9: it is in the inventory as a data node and belongs to no shard" in str(problem)


def test_a_master_name_that_nobody_monitors() -> None:
    plan = three_and_three().plan(master_names=("yourmaster",))
    assert "no Sentinel monitors a master named 'yourmaster'" in [problem.seen for problem in plan.problems]


def test_no_sentinel_answers() -> None:
    deployment = three_and_three()
    for sentinel in deployment.sentinels:
        sentinel.answers = False
    plan = deployment.plan()
    assert "no Sentinel answers, so the master is unknown" in [problem.seen for problem in plan.problems]
    assert order(plan) == [[]] * 5


# -- which host is which node


def test_a_node_is_recognised_by_its_run_id() -> None:
    """The inventory has another address of the node than the Sentinels (several networks)."""
    deployment = three_and_three()
    instances = [type(one)(one.host, one.kind, one.record, "192.168.0.1") if one.kind == "redis" else one for one in deployment.instances()]
    plan = make_plan(instances, Settings(NEW))
    assert plan.problems == []
    assert plan.shards["mymaster"].nodes["redis-2"] == "10.0.0.2:6379"


def test_a_node_that_does_not_answer_is_recognised_by_its_address() -> None:
    deployment = three_and_three()
    deployment.node("redis-3").answers = False
    plan = deployment.plan()
    assert (plan.problems, plan.steps["redis-3/redis"].address) == ([], "10.0.0.3:6379")
    assert (plan.steps["redis-3/redis"].do, plan.steps["redis-3/redis"].why) == ("skip", "it does not answer")


def test_a_stopped_node_is_recognised_by_its_journal() -> None:
    deployment = half_upgraded(handover=True)
    deployment.node("redis-1").stopped = True
    instances = [
        type(one)(one.host, one.kind, one.record, "192.168.0.1") if one.host == "redis-1" else one for one in deployment.instances()
    ]
    plan = make_plan(instances, Settings(NEW))
    assert (plan.problems, plan.steps["redis-1/redis"].do) == ([], "resume")


def test_a_plan_travels_as_json() -> None:
    plan = three_and_three().plan().as_dict()
    assert json.loads(json.dumps(plan)) == plan


# -- the journal


def test_what_the_journal_of_a_data_node_notes() -> None:
    deployment = three_and_three()
    plan = deployment.plan().as_dict()
    record = deployment.instances()[3].record
    journal = journal_of(record, plan, plan["steps"]["redis-1/redis"])
    assert journal == {
        "kind": "redis",
        "server": "redis",
        "version": OLD,
        "executable": "/opt/redis/redis/redis-server",
        "config_file": "/opt/redis/redis/redis.conf",
        "config_identity": IDENTITY,
        "folder": "/opt/redis/redis",
        "log_file": "/var/log/redis.log",
        "process": {"uid": 100, "gid": 100},
        "service": {"manager": "process", "unit": "", "doubts": []},
        "priority": 100,
        "shard": "mymaster",
        "address": "10.0.0.1:6379",
        "original_master": "10.0.0.1:6379",
        "upstream": "",
        "handover_host": "sentinel-3",
    }


def test_what_the_journal_of_a_sentinel_notes() -> None:
    deployment = three_and_three()
    journal = journal_of(deployment.instances()[0].record, deployment.plan().as_dict(), {})
    assert (journal["kind"], journal["version"], "original_master" in journal, "priority" in journal) == ("sentinel", OLD, False, False)


@pytest.mark.parametrize(
    ("done", "canary", "replicas", "deferred"),
    [
        ([], 1, ["redis-2"], ["redis-1", "redis-3"]),
        ([], 2, ["redis-2", "redis-3"], ["redis-1"]),
        ([], 9, ["redis-2", "redis-3"], ["redis-1"]),  # never the master
        (["redis-3"], 1, [], ["redis-1", "redis-2"]),
        (["redis-3"], 2, ["redis-2"], ["redis-1"]),
        (["redis-1", "redis-2", "redis-3"], 1, [], []),
    ],
)
def test_a_canary(done: list[str], canary: int, replicas: list[str], deferred: list[str]) -> None:
    """The number counts nodes of earlier runs. Sentinels come first, and there is no handover."""
    deployment = three_and_three()
    for host in done:
        deployment.node(host).version = NEW
    plan = deployment.plan(canary=canary)
    assert plan.problems == []
    assert order(plan) == [["sentinel-1", "sentinel-2", "sentinel-3"], replicas, [], [], []]
    assert plan.deferred == deferred
    assert sorted(key for key in plan.pending if key.endswith("/redis")) == sorted(f"{host}/redis" for host in replicas)
    waiting = [step.host for step in plan.steps.values() if "waits for a run without redis_upgrade_canary" in step.why]
    assert waiting == deferred


def test_a_canary_in_each_shard() -> None:
    plan = two_shards().plan(canary=1)
    assert (plan.replica_hosts, plan.replica_serial) == (["one-2", "two-2"], [2])
    assert plan.deferred == ["one-1", "one-3", "one-4", "two-1"]


def test_a_canary_starts_what_an_earlier_run_has_stopped() -> None:
    deployment = three_and_three()
    deployment.node("redis-3").stopped = True
    deployment.node("redis-2").version = NEW
    plan = deployment.plan(canary=1)
    assert plan.replica_hosts == ["redis-3"]
    assert plan.deferred == ["redis-1"]


def test_a_canary_does_not_fail_back() -> None:
    plan = half_upgraded(handover=True, old_master=True).plan(canary=1)
    assert order(plan) == [[], [], [], [], []]
    assert plan.deferred == ["the fail back of mymaster to redis-1"]
    assert half_upgraded(handover=True, old_master=True).plan().fail_back_hosts == ["redis-1"]
