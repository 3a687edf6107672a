"""Data nodes that could not follow another one, by the trial logins of the survey."""

from __future__ import annotations

from ansible_collections.sentinelops.redis.plugins.plugin_utils._finding import Finding
from ansible_collections.sentinelops.redis.plugins.plugin_utils._preflight.preflight import preflight
from ansible_collections.sentinelops.redis.tests.unit.support.survey import NEW, Surveyed, three_and_three

WHY = "it has no masterauth, and is refused (NOAUTH)"


def refused(deployment: Surveyed, *addresses: str) -> list[Finding]:
    deployment.node("redis-1").record["examined"] = {"cannot_follow": [{"address": address, "why": WHY} for address in addresses]}
    return [one for one in preflight(deployment.instances(), deployment.plan(NEW), 1 << 20) if one.check == "cannot-follow"]


def test_the_other_node_is_named_by_its_host() -> None:
    (finding,) = refused(three_and_three(), "10.0.0.2:6379")
    assert (finding.node, finding.seen) == ("redis-1", f"it could not follow redis-2: {WHY}")


def test_an_unknown_node_is_named_by_its_address() -> None:
    (finding,) = refused(three_and_three(), "10.0.0.77:6379")
    assert finding.seen.startswith("it could not follow 10.0.0.77:6379")


def test_no_node_follows_itself() -> None:
    assert refused(three_and_three(), "10.0.0.1:6379") == []


def test_a_silent_node_is_told_once() -> None:
    deployment = three_and_three()
    deployment.node("redis-2").answers = False
    assert refused(deployment, "10.0.0.2:6379") == []
