"""Preflight of ACL users that a restart would lose."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._finding import Finding
from ansible_collections.sentinelops.redis.plugins.plugin_utils._preflight.preflight import preflight
from ansible_collections.sentinelops.redis.tests.unit.support.survey import three_and_three

FILE = {"acl_file": "/etc/redis/users.acl"}


def findings(host: str, users: dict[str, Any]) -> list[Finding]:
    deployment = three_and_three()
    instance = deployment.node(host) if host.startswith("redis") else next(one for one in deployment.sentinels if one.host == host)
    instance.record["examined"] = {"users": users}
    return [one for one in preflight(deployment.instances(), deployment.plan(), 1 << 20) if one.check in ("users", "rights")]


@pytest.mark.parametrize(
    ("host", "users", "check", "severity", "text"),
    [
        ("redis-2", {**FILE, "only_memory": ["a", "b"]}, "users", "refusal", "of /etc/redis/users.acl (only in the memory: a, b)"),
        ("redis-2", {**FILE, "changed": ["a"], "only_file": ["c"]}, "users", "refusal", "rules in the memory: a; only in the file: c"),
        ("redis-2", {**FILE, "changed": ["a"]}, "users", "refusal", "ACL SAVE if the memory is right"),
        ("sentinel-2", {"acl_file": "", "only_memory": ["a"]}, "users", "refusal", "SENTINEL FLUSHCONFIG"),
        ("sentinel-2", {**FILE, "only_memory": ["a"]}, "users", "refusal", "ACL SAVE"),
        ("redis-2", {**FILE, "reason": "it is gone", "refused": False}, "users", "warning", "could not be found out: it is gone"),
        ("redis-2", {**FILE, "reason": "line 3", "refused": True}, "users", "refusal", "Correct /etc/redis/users.acl"),
        ("redis-2", {**FILE, "denied": "NOPERM"}, "rights", "warning", "lacks the right +acl|list on the data node"),
        ("sentinel-2", {"acl_file": "", "denied": "NOPERM"}, "rights", "warning", "lacks the right +acl|list on the Sentinel"),
    ],
)
def test_users_that_are_not_saved(host: str, users: dict[str, Any], check: str, severity: str, text: str) -> None:
    (found,) = findings(host, users)
    assert (found.node, found.check, found.severity) == (host, check, severity)
    assert text in str(found)


@pytest.mark.parametrize("users", [{}, FILE, {**FILE, "only_memory": [], "only_file": [], "changed": []}])
def test_all_users_are_saved(users: dict[str, Any]) -> None:
    assert findings("redis-2", users) == []
