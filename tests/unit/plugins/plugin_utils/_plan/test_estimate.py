"""The estimate of a plan: it grows with what takes time, and says what it leaves out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.data_speed import GIB
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.estimate import Circumstances, make_estimate
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.model import Instance, Settings
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.plan import make_plan
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.steps import plays_of
from ansible_collections.sentinelops.redis.tests.unit.support.recorded import FIXTURES
from ansible_collections.sentinelops.redis.tests.unit.support.survey import (
    NEW,
    Node,
    Sentinel,
    Shard,
    Surveyed,
    half_upgraded,
    three_and_three,
    two_shards,
)

BEGUN_S = 1_790_000_000.0
RUNS = json.loads((FIXTURES / "runs.json").read_text(encoding="utf-8"))


def examined(instance: Instance, position: int, call_s: float, **facts: Any) -> Instance:
    """Return an instance with the facts of a call that was asked for after all before it."""
    found = {
        "clock": {"asked_at_s": BEGUN_S + 0.01 * position},
        "work": {"wall_s": call_s / 2, "cpu_s": call_s / 2},
        **({"used_memory": 1 << 20, **facts} if instance.kind == "redis" else {}),
    }
    return Instance(instance.host, instance.kind, {**instance.record, "examined": {**found, **instance.record.get("examined", {})}})


def estimated(
    deployment: Surveyed, around: Circumstances | None = None, version: str = NEW, call_s: float = 0.5, facts: Any = None, **settings: Any
) -> dict[str, Any]:
    """Return the estimate of a deployment whose survey took ``call_s`` for each call.

    ``facts``: of each data node.
    """
    instances = [examined(one, number, call_s, **(facts or {})) for number, one in enumerate(deployment.instances())]
    plan = make_plan(instances, Settings(version, **settings))
    assert plan.problems == []
    return make_estimate(plan, instances, around or Circumstances(), BEGUN_S + 0.01 * (len(instances) - 1) + call_s)


def seconds(estimate: dict[str, Any]) -> dict[str, float]:
    return {play["name"]: play["seconds"] for play in estimate["plays"]}


def of_version(version: str) -> Surveyed:
    deployment = three_and_three(version=version)
    for sentinel in deployment.sentinels:
        sentinel.version = version
    return deployment


def test_three_and_three() -> None:
    estimate = estimated(three_and_three())
    assert list(seconds(estimate)) == ["stage", "sentinels", "replicas", "handover", "old_masters", "fail_back", "verify", "report"]
    assert estimate["seconds"] == pytest.approx(sum(seconds(estimate).values()), abs=0.1)
    assert 13 < estimate["seconds"] < 28
    assert estimate["restarts"] == 6
    assert estimate["pauses"] == {"count": 2, "seconds": 0.4, "at_most_s": 4.0}
    assert estimate["basis"]["calls"] == 6
    assert estimate["basis"]["call_s"] == 0.5
    assert estimate["not_included"] == []
    titles = {play.name: play.full_title for play in plays_of(rollback=False)}
    assert all(play["title"] == titles[play["name"]] for play in estimate["plays"])


def test_a_slow_connection_takes_longer() -> None:
    """Eight steps, the stage and the survey at the end: each waits for a call."""
    quick, slow = (estimated(three_and_three(), call_s=call_s) for call_s in (0.5, 3.0))
    assert slow["seconds"] - quick["seconds"] == pytest.approx(10 * 2.5, rel=0.15)


def test_more_data_takes_longer() -> None:
    """Each of three data nodes saves and loads its data; the Sentinels and handovers do not."""
    small, large = (estimated(three_and_three(), facts={"used_memory": size}) for size in (0, GIB))
    grown = {name: round(took - seconds(small)[name], 1) for name, took in seconds(large).items()}
    assert {name: took for name, took in grown.items() if took} == {"replicas": 36.0, "old_masters": 18.0}
    assert large["basis"] | {"data_bytes": GIB, "load_s_per_gib": 9.0, "loads_measured": 0} == large["basis"]


def test_the_measured_speed_counts() -> None:
    facts = {"used_memory": 2 * GIB, "load": {"bytes": GIB, "seconds": 3.0}, "last_save_s": 8}
    estimate = estimated(three_and_three(), facts=facts)
    assumed = estimated(three_and_three(), facts={"used_memory": 2 * GIB})
    assert seconds(estimate)["old_masters"] == pytest.approx(seconds(assumed)["old_masters"] - 36 + 6 + 8, abs=0.1)
    assert (estimate["basis"]["load_s_per_gib"], estimate["basis"]["loads_measured"]) == (3.0, 3)


@pytest.mark.parametrize(
    ("save", "appendonly", "more_s"),
    [
        ("3600 1", "no", 2.0),  # save and load
        ("", "no", 7.0),  # the delay of a full synchronisation, the master's save, and the load
        ("3600 1", "yes", 9.0),  # all of that
        ("", "yes", 8.0),  # the file is loaded, then thrown away
    ],
)
def test_a_full_synchronisation_is_known_before(save: str, appendonly: str, more_s: float) -> None:
    deployment = three_and_three()
    deployment.node("redis-2").record = {"save": save, "appendonly": appendonly}
    facts = {"used_memory": GIB, "load": {"bytes": GIB, "seconds": 1.0}}
    base = estimated(three_and_three(), facts={"used_memory": 0, "load": facts["load"]})
    grown = seconds(estimated(deployment, facts=facts))["replicas"] - seconds(base)["replicas"]
    assert grown == pytest.approx(more_s + 2.0, abs=0.05), "the other replica saves and loads"


def test_a_handover_before_7_0_waits_for_the_info_of_a_sentinel() -> None:
    old, new = estimated(of_version("6.2.9"), version="6.2.14"), estimated(of_version("7.0.5"))
    for name in ("handover", "fail_back"):
        assert seconds(old)[name] - seconds(new)[name] == pytest.approx(10 / 4)
    upgraded = estimated(of_version("6.2.9"), version="7.0.15", accept_no_way_back=True)
    assert seconds(upgraded)["handover"] == seconds(new)["handover"], "the Sentinels are upgraded first"


def test_a_rollback_hands_over_with_the_newer_sentinels() -> None:
    deployment = half_upgraded()
    before = {"version": "6.2.14", "there": True, "kept": "/opt/redis/redis.old", "executable": "/opt/redis/redis-server"}
    for sentinel in deployment.sentinels:
        sentinel.record = {"before": before}
    for node in deployment.shards[0].nodes:
        node.record = {"before": before}
    instances = [examined(one, number, 0.5) for number, one in enumerate(deployment.instances())]
    plan = make_plan(instances, Settings(NEW, rollback=True))
    estimate = make_estimate(plan, instances, Circumstances(brings="archive"), BEGUN_S + 0.55)
    assert "sentinels" in seconds(estimate)
    assert list(seconds(estimate)).index("sentinels") > list(seconds(estimate)).index("replicas")
    assert estimate["not_included"] == [], "nothing is brought to the hosts"


def test_more_shards_take_longer() -> None:
    """Two shards side by side: more than one, less than one after the other."""
    one = estimated(three_and_three())
    side_by_side, in_turn = (estimated(two_shards(), handovers_at_once=at_once) for at_once in (2, 1))
    assert seconds(one)["handover"] < seconds(side_by_side)["handover"] < seconds(in_turn)["handover"]
    assert seconds(in_turn)["handover"] == pytest.approx(2 * seconds(one)["handover"], rel=0.2)
    assert (one["pauses"]["count"], side_by_side["pauses"]["count"]) == (2, 4)
    assert seconds(side_by_side)["replicas"] > seconds(one)["replicas"], "three waves instead of two"


def test_the_pause_between_the_steps_counts() -> None:
    """Before each step but the first: eight steps in a row."""
    without, paused = (estimated(three_and_three(), Circumstances(pause_s=pause_s)) for pause_s in (0, 60))
    assert paused["seconds"] - without["seconds"] == pytest.approx(7 * 60)
    assert seconds(paused)["sentinels"] - seconds(without)["sentinels"] == pytest.approx(2 * 60)


def test_what_is_done_already_takes_no_time() -> None:
    estimate = estimated(half_upgraded())
    assert list(seconds(estimate)) == ["stage", "handover", "old_masters", "fail_back", "verify", "report"]
    assert estimate["restarts"] == 1


def test_a_canary_has_no_pause_of_writes() -> None:
    estimate = estimated(three_and_three(), canary=1)
    assert list(seconds(estimate)) == ["stage", "sentinels", "replicas", "verify", "report"]
    assert (estimate["restarts"], estimate["pauses"]["count"]) == (4, 0)


def test_a_plain_failover_pauses_nothing() -> None:
    assert estimated(three_and_three(), Circumstances(mode="plain"))["pauses"]["count"] == 0


def test_what_is_not_included() -> None:
    around = Circumstances(brings="package", hooks=True, asks=True)
    deployment = three_and_three()
    deployment.node("redis-2").record = {"examined": {"used_memory": 0}}
    deployment.node("redis-3").record = {"service": {"manager": "command", "unit": "", "doubts": []}}
    assert estimated(deployment, around)["not_included"] == [
        "bringing the new version to the hosts (redis_binaries_method: package)",
        "hooks",
        "the time until each question is answered",
        "loading the data of redis-2, whose size is not known",
        "commands of yours",
    ]


def test_nothing_to_do() -> None:
    deployment = three_and_three(version=NEW)
    for sentinel in deployment.sentinels:
        sentinel.version = NEW
    assert estimated(deployment) == {}


def recorded_run(run: dict[str, Any]) -> list[Instance]:
    """Return the survey of a recorded run: shards of three nodes, and three Sentinels."""
    basis, server = run["basis"], "valkey" if run["from"].startswith("8") else "redis"
    shards = []
    for number in range(1, run["shards"] + 1):
        nodes = [Node(f"s{number}-{n}", f"10.0.{number}.{n}:6379", run["from"], server=server) for n in (1, 2, 3)]
        shards.append(Shard(f"s{number}", nodes))
    sentinels = [Sentinel(f"sentinel-{n}", f"10.0.0.1{n}:26379", run["from"], record={"server": server}) for n in (1, 2, 3)]
    load, save = (basis[f"{name}_s_per_gib"] if basis[f"{name}s_measured"] else 0 for name in ("load", "save"))
    size = basis["data_bytes"]
    facts = {"used_memory": size, "last_save_s": round(save * size / GIB), "load": {"bytes": GIB, "seconds": load} if load else {}}
    found = []
    for position, one in enumerate(Surveyed(shards, sentinels).instances()):
        product = {"activation": {"product": "valkey" if run["to"] > "8" else "redis"}}
        called = examined(Instance(one.host, one.kind, {**one.record, **product}), 0, 0.2, **facts)
        asked_s = BEGUN_S + (basis["survey_s"] - basis["call_s"]) * position / (basis["calls"] - 1)
        called.record["examined"]["clock"]["asked_at_s"] = asked_s
        found.append(called)
    return found


@pytest.mark.parametrize(
    "run", RUNS, ids=lambda run: f"{run['from']} to {run['to']}, {run['shards']} x {run['basis']['data_bytes'] >> 20} MiB"
)
def test_recorded_runs(run: dict[str, Any]) -> None:
    """The estimate is right within a factor of 1.5, by what the survey of each run has measured.

    These are runs on a machine that was also busy with other work, and, at the end, two on one that
    was not.
    """
    instances = recorded_run(run)
    plan = make_plan(instances, Settings(run["to"], accept_no_way_back=True, handovers_at_once=20))
    estimate = make_estimate(plan, instances, Circumstances(), BEGUN_S + run["basis"]["survey_s"])
    assert {name: estimate["basis"][name] for name in ("survey_s", "call_s")} == pytest.approx(
        {name: run["basis"][name] for name in ("survey_s", "call_s")}
    )
    assert 1 / 1.5 < run["took_s"] / estimate["seconds"] < 1.5
