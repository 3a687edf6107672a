"""Preflight of the cost of restarts: tables of measurements and findings."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._finding import Finding
from ansible_collections.sentinelops.redis.plugins.plugin_utils._preflight.preflight import preflight
from ansible_collections.sentinelops.redis.plugins.plugin_utils._preflight.restart_cost import restart_s
from ansible_collections.sentinelops.redis.tests.unit.support.survey import NEW, half_upgraded, three_and_three

MIB, GIB = 1 << 20, 1 << 30
USUAL = {
    "used_memory": GIB,
    "counted_memory": GIB,
    "resident_memory": GIB,
    "available_memory": 8 * GIB,
    "maxmemory": 0,
    "maxmemory_policy": "noeviction",
    "backlog_bytes": MIB,
    "output_buffer": [256 * MIB, 64 * MIB, 60],
    "rate_bytes_s": 0.0,
    "save_failed": False,
    "aof_failed": False,
}


def findings(examined: dict[str, dict[str, Any]], records: dict[str, dict[str, Any]] | None = None) -> list[Finding]:
    """Return a deployment with other measurements and records on some hosts."""
    deployment = three_and_three()
    for node in deployment.shards[0].nodes:
        node.record = {**(records or {}).get(node.host, {}), "examined": {**USUAL, **examined.get(node.host, {})}}
    return preflight(deployment.instances(), deployment.plan(NEW), MIB)


def told(found: list[Finding]) -> list[tuple[str, str, str]]:
    return [(finding.check, finding.node, finding.severity) for finding in found]


NOTHING = {"save": "", "appendonly": "no"}
ALL = ("redis-1", "redis-2", "redis-3")


@pytest.mark.parametrize(("used", "seconds"), [(0, 5), (GIB, 23), (10 * GIB, 185)])
def test_how_long_a_restart_takes(used: int, seconds: float) -> None:
    assert restart_s(used) == seconds


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"save": "3600 1", "appendonly": "no"}, ""),
        ({"save": "", "appendonly": "no"}, "it saves nothing when it is stopped"),
        ({"save": "", "appendonly": "yes"}, "append-only file"),
        ({"save": "3600 1", "appendonly": "yes"}, "append-only file"),
    ],
)
def test_who_needs_a_full_synchronisation(record: dict[str, Any], reason: str) -> None:
    found = findings({}, {"redis-3": record})
    assert told(found) == ([("full-sync", "redis-3", "warning")] if reason else [])
    assert all(reason in finding.seen and "1.0 GiB" in finding.why for finding in found)


def test_a_master_without_persistence() -> None:
    found = findings({}, {"redis-1": NOTHING})
    assert told(found) == [("persistence", "redis-1", "warning"), ("full-sync", "redis-1", "warning")]
    assert "its replicas empty themselves" in found[0].why
    assert "after redis-2 has taken over" in found[0].why


@pytest.mark.parametrize(("host", "field"), [("redis-2", "save_failed"), ("redis-2", "aof_failed"), ("redis-1", "save_failed")])
@pytest.mark.parametrize(("record", "found"), [({"save": "3600 1"}, True), ({**NOTHING}, False)])
def test_a_save_that_failed(host: str, field: str, record: dict[str, Any], found: bool) -> None:
    checks = [finding.check for finding in findings({host: {field: True}}, {host: record})]
    assert ("save-failed" in checks) is found


@pytest.mark.parametrize(
    ("rate", "backlog", "found"),
    [
        (0, MIB, False),
        (MIB / 23, MIB, False),
        (MIB / 23 + 1, MIB, True),
        (10 * MIB, 512 * MIB, False),
        (10 * MIB, 128 * MIB, True),
    ],
)
def test_a_backlog_that_is_too_small(rate: float, backlog: int, found: bool) -> None:
    """A restart with 1 GiB takes 23 s."""
    found_ones = findings({host: {"rate_bytes_s": rate, "backlog_bytes": backlog} for host in ALL})
    assert told(found_ones) == ([("backlog", "shard mymaster", "warning")] if found else [])


def test_the_smallest_backlog_counts_and_what_to_set_is_enough() -> None:
    measured = {"redis-1": {"backlog_bytes": 64 * MIB}, "redis-2": {"backlog_bytes": 4 * MIB}, "redis-3": {"backlog_bytes": 8 * MIB}}
    measured["redis-1"]["rate_bytes_s"] = MIB
    (finding,) = findings(measured)
    assert "holds 4.0 MiB, which is 4 s of the writes now (1.0 MiB per second), and a restart takes about 23 s" in finding.seen
    assert f"CONFIG SET repl-backlog-size {64 * MIB} on redis-1, redis-2, redis-3" in finding.do


def test_no_backlog_helps_who_starts_empty() -> None:
    found = findings({"redis-1": {"rate_bytes_s": float(MIB)}}, dict.fromkeys(ALL, NOTHING))
    assert {finding.check for finding in found} == {"persistence", "full-sync"}


@pytest.mark.parametrize(
    ("rate", "limits", "found"),
    [
        (MIB, [256 * MIB, 64 * MIB, 60], False),  # 23 MiB are written meanwhile
        (MIB, [16 * MIB, 64 * MIB, 60], True),
        (MIB, [256 * MIB, 16 * MIB, 10], True),
        (MIB, [256 * MIB, 16 * MIB, 60], False),
        (100 * MIB, [0, 0, 0], False),
        (0, [1, 1, 1], False),
    ],
)
def test_an_output_buffer_that_is_too_small(rate: float, limits: list[int], found: bool) -> None:
    """Needs a full synchronisation; the servers grant a replica at least the backlog."""
    measured = {"rate_bytes_s": float(rate), "output_buffer": limits}
    checks = [finding.check for finding in findings({"redis-1": measured}, {"redis-3": NOTHING})]
    assert ("output-buffer" in checks) is found
    everywhere = {host: {**measured, "backlog_bytes": 4096 * MIB} for host in ALL}
    assert told(findings(everywhere, {"redis-3": NOTHING})) == [("full-sync", "redis-3", "warning")]


@pytest.mark.parametrize(
    ("available", "record", "found"),
    [(GIB, NOTHING, False), (GIB - 1, NOTHING, True), (GIB - 1, {}, False), (0, NOTHING, False)],
)
def test_memory_for_a_fork(available: int, record: dict[str, Any], found: bool) -> None:
    """Memory matters if the master must fork; 0 means unknown."""
    checks = [finding.check for finding in findings({"redis-1": {"available_memory": available}}, {"redis-3": record})]
    assert ("memory" in checks) is found


@pytest.mark.parametrize(
    ("target", "master", "policy", "found"),
    [
        (0, 0, "noeviction", ""),
        (GIB, 0, "noeviction", ""),
        (GIB - 1, 0, "noeviction", "refuse writes (OOM)"),
        (GIB - 1, 0, "allkeys-lru", "delete keys (allkeys-lru)"),
        (GIB - 1, 2 * GIB, "allkeys-lru", "delete keys (allkeys-lru)"),
        (GIB - 1, GIB - 1, "allkeys-lru", ""),
    ],
)
def test_a_target_that_may_hold_less_than_the_master(target: int, master: int, policy: str, found: str) -> None:
    found_ones = findings({"redis-1": {"maxmemory": master}, "redis-2": {"maxmemory": target, "maxmemory_policy": policy}})
    assert told(found_ones) == ([("maxmemory", "redis-2", "refusal")] if found else [])
    assert all(found in finding.why for finding in found_ones)


def test_only_the_target_has_to_hold_the_data() -> None:
    assert findings({"redis-3": {"maxmemory": 1}}) == []


def test_what_is_upgraded_already_is_not_restarted() -> None:
    deployment = half_upgraded(handover=True)
    for node in deployment.shards[0].nodes:
        node.record = {**NOTHING, "examined": USUAL}
    found = preflight(deployment.instances(), deployment.plan(NEW), MIB)
    assert {finding.node for finding in found if finding.check == "full-sync"} == {"redis-1"}


@pytest.mark.parametrize(
    ("running", "wanted", "host", "record", "reason"),
    [
        ("5.0.6", "6.2.14", "redis-1", {}, "as a replica of a newer master, 5.0.6 does not understand all"),
        ("6.0.16", "7.0.15", "redis-1", {}, "as a replica of a newer master, 6.0.16 does not"),
        ("5.0.6", "5.0.14", "", {}, ""),
        ("6.2.14", "7.0.15", "", {}, ""),  # it counts what it does not understand
        ("6.2.9", "6.2.14", "redis-3", {"errors_sent": 2}, "it has sent its master errors (2 since its start), so it may lack writes"),
        ("6.2.9", "6.2.14", "", {"errors_sent": 0}, ""),
    ],
)
def test_who_copies_all_data(running: str, wanted: str, host: str, record: dict[str, Any], reason: str) -> None:
    deployment = three_and_three(version=running)
    for node in deployment.shards[0].nodes:
        node.record = {**(record if node.host == "redis-3" else {}), "examined": USUAL}
    plan = deployment.plan(wanted, accept_no_way_back=True)
    found = [one for one in preflight(deployment.instances(), plan, MIB) if one.check == "full-sync"]
    assert [(one.node, one.severity) for one in found] == [(host, "warning")] * bool(host)
    assert all(reason in one.seen and one.do == "Nothing, if that is acceptable" for one in found)
