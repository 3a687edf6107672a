"""Preflight of scripts: a table of settings, versions and cached scripts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._finding import Finding
from ansible_collections.sentinelops.redis.plugins.plugin_utils._preflight.preflight import preflight
from ansible_collections.sentinelops.redis.tests.unit.support.survey import three_and_three

VERBATIM = {"verbatim_scripts": True}


def findings(running: str, wanted: str, facts: dict[str, dict[str, Any]], **settings: Any) -> list[Finding]:
    deployment = three_and_three(version=running)
    for host, found in facts.items():
        deployment.node(host).record["examined"] = found
    plan = deployment.plan(wanted, accept_no_way_back=True, **settings)
    return [one for one in preflight(deployment.instances(), plan, 1 << 20) if one.check == "scripts"]


@pytest.mark.parametrize(
    ("running", "wanted", "verbatim", "node"),
    [
        ("6.2.14", "7.0.15", ["redis-1", "redis-2", "redis-3"], "redis-1, redis-2, redis-3"),
        ("6.0.16", "8.0.2", ["redis-1"], "redis-1"),
        ("6.2.14", "7.2.4", ["redis-3"], "redis-3"),  # a replica may be the next master
        ("6.2.9", "6.2.14", ["redis-1", "redis-2", "redis-3"], ""),
        ("6.0.16", "6.2.14", ["redis-1"], ""),
        ("6.2.14", "7.0.15", [], ""),
    ],
)
def test_scripts_that_an_upgraded_replica_cannot_run(running: str, wanted: str, verbatim: list[str], node: str) -> None:
    found = findings(running, wanted, dict.fromkeys(verbatim, VERBATIM))
    assert [(one.node, one.severity) for one in found] == [(node, "refusal")] * bool(node)
    assert all("CONFIG SET lua-replicate-commands yes" in one.do for one in found)


def test_nothing_is_refused_if_nothing_is_to_be_upgraded() -> None:
    assert findings("6.2.14", "6.2.14", {"redis-1": {**VERBATIM, "cached_scripts": 5}}) == []


@pytest.mark.parametrize(
    ("running", "wanted", "cached", "seen"),
    [
        ("6.2.14", "7.0.15", (1, 1, 1), "it has 1 cached script"),
        ("7.0.15", "7.0.16", (12, 0, 0), "it has 12 cached scripts"),
        ("7.0.15", "8.0.2", (0, 4, 0), ""),  # only the master runs scripts that write
        ("6.2.9", "6.2.14", (3, 3, 3), ""),  # learned from data files and the master
        ("6.2.9", "6.2.14", (3, 2, 3), "it has 3 cached scripts"),
    ],
)
def test_scripts_that_are_only_in_memory(running: str, wanted: str, cached: tuple[int, ...], seen: str) -> None:
    found = findings(running, wanted, {f"redis-{number}": {"cached_scripts": count} for number, count in enumerate(cached, 1)})
    assert [(one.node, one.seen, one.severity) for one in found] == [("redis-1", seen, "warning")] * bool(seen)
