"""Preflight of rights, files, disks and clocks: tables of records and findings."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._finding import Finding
from ansible_collections.sentinelops.redis.plugins.plugin_utils._preflight.preflight import preflight
from ansible_collections.sentinelops.redis.tests.unit.support.survey import NEW, Surveyed, three_and_three

MIB = 1 << 20
NOW_S = 1_800_000_000.0


def findings(deployment: Surveyed, mode: str = "auto", now_s: float = 0) -> list[Finding]:
    return preflight(deployment.instances(), deployment.plan(NEW), MIB, mode, now_s)


def with_node(host: str, **record: Any) -> Surveyed:
    deployment = three_and_three()
    deployment.node(host).record.update(record)
    return deployment


def with_sentinel(number: int, **record: Any) -> Surveyed:
    deployment = three_and_three()
    deployment.sentinels[number - 1].record.update(record)
    return deployment


def told(found: list[Finding]) -> list[tuple[str, str, str]]:
    return [(finding.check, finding.node, finding.severity) for finding in found]


# -- answers and rights


@pytest.mark.parametrize(
    ("refused", "check"),
    [
        ({"message": "INFO: WRONGPASS invalid", "advice": "Check user and password", "denied": True, "right": False}, "access"),
        ({"message": "INFO was answered with: BUSY", "advice": "", "denied": False, "right": False}, "answers"),
    ],
)
def test_an_instance_that_cannot_be_surveyed(refused: dict[str, Any], check: str) -> None:
    deployment = with_node("redis-3", refused=refused)
    deployment.node("redis-3").answers = False
    found = [finding for finding in findings(deployment) if finding.node == "redis-3"]
    assert told(found) == [(check, "redis-3", "refusal")]
    assert refused["message"] in found[0].seen
    assert found[0].do


def test_a_right_that_is_missing_to_survey_it_is_told_once() -> None:
    refused = {"message": "INFO: NOPERM", "advice": "", "denied": True, "right": True}
    deployment = with_node("redis-3", refused=refused, examined={"rights": {"+info": "NOPERM", "+ping": "NOPERM"}})
    deployment.node("redis-3").answers = False
    (found,) = [finding for finding in findings(deployment) if finding.node == "redis-3"]
    assert "our user lacks the rights +info +ping on the data node" in found.seen
    assert "ACL SETUSER with +info +ping" in found.do


@pytest.mark.parametrize(
    ("right", "manager", "mode", "found"),
    [
        ("+shutdown", "process", "auto", True),
        ("+shutdown", "systemd", "auto", False),
        ("+shutdown", "command", "auto", False),
        ("+client|pause", "process", "auto", True),
        ("+client|unpause", "process", "pause", True),
        ("+client|pause", "process", "fence", False),
        ("+config|rewrite", "systemd", "fence", True),
    ],
)
def test_a_right_counts_where_it_is_needed(right: str, manager: str, mode: str, found: bool) -> None:
    service = {"manager": manager, "unit": "", "doubts": []}
    deployment = with_node("redis-2", examined={"rights": {right: "NOPERM"}}, service=service)
    assert told(findings(deployment, mode)) == ([("rights", "redis-2", "refusal")] if found else [])


@pytest.mark.parametrize(
    ("right", "version", "severity"),
    [
        ("+sentinel|failover", "7.0.5", "refusal"),
        ("+sentinel|set", "7.0.5", "warning"),
        ("+sentinel|debug", "7.0.5", "warning"),
        ("+sentinel|debug", "6.2.9", ""),
    ],
)
def test_rights_on_a_sentinel(right: str, version: str, severity: str) -> None:
    deployment = with_sentinel(2, examined={"rights": {right: "NOPERM"}}, version=version)
    assert told(findings(deployment)) == ([("rights", "sentinel-2", severity)] if severity else [])


# -- files


@pytest.mark.parametrize(
    ("kind", "version", "writable", "seen"),
    [
        ("redis", "7.0.5", {"file": True, "folder": True, "mounted": False}, ""),
        ("redis", "7.0.5", {"file": None, "folder": None, "mounted": False}, ""),
        ("redis", "7.0.5", {"file": False, "folder": True, "mounted": False}, ""),
        ("redis", "7.0.5", {"file": True, "folder": False, "mounted": False}, "may not write the folder"),
        ("redis", "7.0.5", {"file": True, "folder": True, "mounted": True}, "is a mount"),
        ("redis", "5.0.6", {"file": True, "folder": False, "mounted": False}, ""),
        ("redis", "5.0.6", {"file": False, "folder": True, "mounted": False}, "may not write its configuration file"),
        ("sentinel", "7.0.5", {"file": False, "folder": True, "mounted": False}, "may not write its configuration file"),
        ("sentinel", "7.0.5", {"file": True, "folder": False, "mounted": False}, "may not write the folder"),
    ],
)
def test_whether_the_server_can_save_its_configuration(kind: str, version: str, writable: dict[str, Any], seen: str) -> None:
    record = {"examined": {"writable": writable}, "version": version}
    deployment = with_node("redis-3", **record) if kind == "redis" else with_sentinel(3, **record)
    found = [finding for finding in findings(deployment) if finding.check == "config-rewrite"]
    assert len(found) == (1 if seen else 0)
    assert all(seen in finding.seen for finding in found)


# -- disks


def place(device: str, free: int, needed: int = 0) -> dict[str, Any]:
    return {"path": f"/{device}", "device": f"boot:{device}", "free": free, "needed": needed, "left": False}


@pytest.mark.parametrize(
    ("versions", "data", "save", "severity", "seen"),
    [
        (place("a", 100 * MIB, 20 * MIB), place("b", 100 * MIB), "3600 1", "", ""),
        (place("a", 19 * MIB, 20 * MIB), place("b", 100 * MIB), "3600 1", "refusal", "19 MiB free at /a, and 20 MiB are needed"),
        (
            place("a", 99 * MIB, 20 * MIB),
            place("b", 39 * MIB),
            "3600 1",
            "refusal",
            "39 MiB free at /b, and 40 MiB are needed (40 MiB",
        ),
        (place("a", 99 * MIB, 20 * MIB), place("b", 79 * MIB), "3600 1", "warning", "and up to 80 MiB are needed"),
        (
            place("a", 59 * MIB, 20 * MIB),
            place("a", 59 * MIB),
            "3600 1",
            "refusal",
            "60 MiB are needed (20 MiB for the programs",
        ),
        (place("a", 99 * MIB, 20 * MIB), place("a", 99 * MIB), "3600 1", "warning", "up to 100 MiB are needed"),
        (place("a", 99 * MIB, 20 * MIB), place("b", 0), "", "", ""),
    ],
)
def test_room_on_the_disks(versions: dict[str, Any], data: dict[str, Any], save: str, severity: str, seen: str) -> None:
    """A node has 80 MiB in memory and a data file of 40 MiB; without ``save`` it needs no file."""
    examined = {"versions": versions, "data": data, "rdb_bytes": 40 * MIB, "used_memory": 80 * MIB}
    found = [finding for finding in findings(with_node("redis-3", examined=examined, save=save)) if finding.check == "disk"]
    assert told(found) == ([("disk", "redis-3/redis", severity)] if severity else [])
    assert all(seen in finding.seen for finding in found)


def test_instances_that_share_a_disk_need_it_together() -> None:
    """All programs are placed at once, data is saved by one node after the other."""
    deployment = three_and_three()
    for node in deployment.shards[0].nodes:
        shared = {"versions": place("a", 90 * MIB, 20 * MIB), "data": place("a", 90 * MIB)}
        node.record["examined"] = {**shared, "rdb_bytes": 40 * MIB, "used_memory": 40 * MIB}
    (finding,) = findings(deployment)
    assert finding.node == "redis-1/redis, redis-2/redis, redis-3/redis"
    assert "90 MiB free at /a, and 100 MiB are needed (60 MiB for the programs of the new version, 40 MiB for a data file)" in finding.seen


# -- clocks


@pytest.mark.parametrize(
    ("asked_s", "host_s", "seen"),
    [
        (NOW_S - 10, NOW_S - 5, ""),
        (NOW_S - 10, NOW_S + 3, ""),
        (NOW_S - 10, NOW_S + 4, "its clock is 4 s or more ahead of"),
        (NOW_S - 10, NOW_S - 13, ""),
        (NOW_S - 10, NOW_S - 14, "its clock is 4 s or more behind"),
        (0, NOW_S + 3600, ""),
    ],
)
def test_clocks(asked_s: float, host_s: float, seen: str) -> None:
    """The host was asked 10 s ago, so any time since then may be its time."""
    found = findings(with_node("redis-3", examined={"clock": {"asked_at_s": asked_s, "host_s": host_s}}), now_s=NOW_S)
    assert told(found) == ([("clock", "redis-3", "warning")] if seen else [])
    assert all(seen in finding.seen for finding in found)


def test_a_host_with_two_instances_has_one_clock() -> None:
    deployment = with_node("redis-3", examined={"clock": {"asked_at_s": NOW_S, "host_s": NOW_S + 60}})
    deployment.sentinels[2].host = "redis-3"
    deployment.sentinels[2].record["examined"] = {"clock": {"asked_at_s": NOW_S, "host_s": NOW_S + 60}}
    assert len(findings(deployment, now_s=NOW_S)) == 1
    assert findings(deployment) == [], "nobody said when it was asked"
