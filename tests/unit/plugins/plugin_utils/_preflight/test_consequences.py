"""Findings that follow from another one, and those that several nodes have in common."""

from __future__ import annotations

from ansible_collections.sentinelops.redis.plugins.plugin_utils._finding import REFUSAL, Finding
from ansible_collections.sentinelops.redis.plugins.plugin_utils._preflight.consequences import merged
from ansible_collections.sentinelops.redis.plugins.plugin_utils._preflight.preflight import preflight
from ansible_collections.sentinelops.redis.tests.unit.support.survey import NEW, Surveyed, three_and_three


def checks(deployment: Surveyed) -> list[tuple[str, str]]:
    found = preflight(deployment.instances(), deployment.plan(NEW), 1 << 20)
    return [(finding.check, finding.node) for finding in found if finding.severity == REFUSAL]


def silence(record: dict[str, object]) -> None:
    record.update(answers=False, stopped=False, error="timed out", role="unreachable", views=[])


def test_a_silent_master_is_no_missing_master() -> None:
    deployment = three_and_three()
    silence(deployment.node("redis-1").record)
    assert checks(deployment) == [("answers", "redis-1")]


def test_no_sentinel_answers() -> None:
    deployment = three_and_three()
    for sentinel in deployment.sentinels:
        silence(sentinel.record)
    assert checks(deployment) == [("answers", "sentinel-1, sentinel-2, sentinel-3")]


def test_the_other_sentinels_do_not_reach_a_silent_one() -> None:
    deployment = three_and_three()
    silence(deployment.sentinels[1].record)
    assert checks(deployment) == [("answers", "sentinel-2")]


def test_the_sentinels_say_the_same_of_a_replica_without_its_link() -> None:
    deployment = three_and_three()
    deployment.node("redis-3").record["link_up"] = False
    assert checks(deployment) == [("link", "redis-3")]


def finding(node: str, seen: str = "s", why: str = "w") -> Finding:
    return Finding(node, seen, why, "d", "link")


def test_the_same_of_several_nodes_is_one_finding() -> None:
    found = merged([finding("a"), finding("b", "another"), finding("c"), finding("a", why="other")])
    assert [(one.node, one.names) for one in found] == [("a, c", ["a", "c"]), ("b", ["b"]), ("a", ["a"])]


def test_the_shard_of_several_sentinels_is_named_once() -> None:
    (one,) = merged([finding(f"Sentinel 10.0.0.{number}:26379, shard cache") for number in (1, 2)])
    assert one.node == "Sentinels 10.0.0.1:26379, 10.0.0.2:26379, shard cache"
    (mixed,) = merged([finding("Sentinel 10.0.0.1:26379, shard a"), finding("Sentinel 10.0.0.1:26379, shard b")])
    assert mixed.node == "Sentinel 10.0.0.1:26379, shard a, Sentinel 10.0.0.1:26379, shard b"
