"""Preflight of the next start of a plain process."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._finding import Finding
from ansible_collections.sentinelops.redis.plugins.plugin_utils._preflight.preflight import preflight
from ansible_collections.sentinelops.redis.tests.unit.support.survey import NEW, three_and_three

UNIT = {"manager": "systemd", "unit": "redis-server.service", "program": "/opt/redis/redis/redis-server", "doubts": []}


def findings(start: dict[str, Any], **record: Any) -> list[Finding]:
    deployment = three_and_three()
    deployment.node("redis-2").record.update(examined={"start": start}, **record)
    return preflight(deployment.instances(), deployment.plan(NEW), 1 << 20)


@pytest.mark.parametrize(
    ("start", "severity", "seen", "do"),
    [
        ({"lost_commands": ["flushall", "keys"]}, "refusal", "does not rename (flushall, keys)", "redis_upgrade_redis_start_command"),
        ({"lost_modules": 2}, "refusal", "it has loaded 2 more modules", "redis_upgrade_redis_stop_command"),
        ({"impossible": ["limit nofile 1024 instead of 10032"]}, "refusal", "open files (1024 instead of 10032)", "Run with become"),
        (
            {"impossible": ["limit hard nofile 5 instead of 9", "nice -5"]},
            "warning",
            "limit hard nofile 5 instead of 9, nice -5",
            "Run with become",
        ),
        ({"lost_output": "pipe:[123]"}, "warning", "which is pipe:[123]", "with its output to a file"),
    ],
)
def test_what_a_restart_would_lose(start: dict[str, Any], severity: str, seen: str, do: str) -> None:
    (found,) = findings(start)
    assert (found.check, found.node, found.severity) == ("start", "redis-2", severity)
    assert seen in found.seen
    assert do in found.do
    assert found.why


@pytest.mark.parametrize(
    "start", [{}, {"lost_commands": None}, {"lost_commands": [], "lost_modules": 0, "impossible": [], "lost_output": ""}]
)
def test_nothing_would_be_lost(start: dict[str, Any]) -> None:
    assert findings(start) == []


def test_a_unit_has_all_of_it_itself() -> None:
    lost = {"lost_commands": ["flushall"], "impossible": ["limit nofile 1 instead of 2"], "lost_output": "pipe:[1]"}
    assert findings(lost, service=UNIT, our_uid=0) == []


def test_instances_that_share_a_configuration_file() -> None:
    deployment = three_and_three()
    node = deployment.node("redis-3")
    node.address = "10.0.0.2:6380"
    found = preflight(deployment.instances(), deployment.plan(NEW), 1 << 20)
    seen = [(one.check, one.node, one.seen) for one in found if "configuration file" in one.seen]
    assert seen == [("files", "redis-2/redis, redis-3/redis", "they share the configuration file /opt/redis/redis/redis.conf")]


def test_links_to_one_configuration_file() -> None:
    deployment = three_and_three()
    deployment.node("redis-3").address = "10.0.0.2:6380"
    for number in (2, 3):
        own = {"config_file": f"/etc/redis-{number}.conf", "examined": {"real_config_file": "/etc/common.conf"}}
        deployment.node(f"redis-{number}").record.update(own)
    found = preflight(deployment.instances(), deployment.plan(NEW), 1 << 20)
    assert [one.node for one in found if one.seen == "they share the configuration file /etc/common.conf"] == [
        "redis-2/redis, redis-3/redis"
    ]
