"""Preflight of included files: a table of lines, kinds and versions."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._finding import Finding
from ansible_collections.sentinelops.redis.plugins.plugin_utils._preflight.preflight import preflight
from ansible_collections.sentinelops.redis.tests.unit.support.survey import three_and_three

NOTHING: dict[str, Any] = {"folder": "/etc", "missing": [], "repeated": [], "overriding": [], "saves_above": 0}


def place(directive: str, **more: Any) -> dict[str, Any]:
    return {"file": "/etc/common.conf", "line": 4, "directive": directive, "of_master": False, **more}


def findings(running: str, wanted: str, host: str, found: dict[str, Any], **record: Any) -> list[Finding]:
    deployment = three_and_three(version=running)
    instance = deployment.node(host) if host.startswith("redis") else next(one for one in deployment.sentinels if one.host == host)
    instance.record.update(examined={"included": {**NOTHING, **found}}, **{"version": running, **record})
    plan = deployment.plan(wanted, accept_no_way_back=True)
    return [one for one in preflight(deployment.instances(), plan, 1 << 20) if one.check == "included"]


@pytest.mark.parametrize(
    ("running", "wanted", "host", "directive", "of_master", "refused"),
    [
        ("7.0.5", "7.0.15", "redis-3", "user", False, True),
        ("6.2.14", "7.0.15", "redis-3", "user", False, True),
        ("6.2.9", "6.2.14", "redis-3", "user", False, False),
        ("7.0.15", "8.0.1", "redis-3", "loadmodule", False, True),
        ("6.2.14", "7.2.4", "redis-3", "loadmodule", False, True),
        ("5.0.6", "6.2.14", "redis-3", "loadmodule", False, False),
        ("7.0.15", "8.0.1", "redis-3", "sentinel monitor", True, False),
        ("7.0.5", "7.0.15", "sentinel-2", "user", False, True),
        ("6.2.9", "6.2.14", "sentinel-2", "sentinel monitor", True, True),
        ("7.0.5", "7.0.15", "sentinel-2", "sentinel known-replica", True, True),
        ("7.0.5", "7.0.15", "sentinel-2", "sentinel rename-command", True, True),
        ("7.0.5", "7.0.15", "sentinel-2", "sentinel auth-pass", True, False),
        ("5.0.6", "6.2.14", "sentinel-2", "sentinel auth-pass", True, True),
        ("5.0.6", "6.2.14", "sentinel-2", "sentinel announce-ip", False, False),
    ],
)
def test_lines_that_a_server_repeats(running: str, wanted: str, host: str, directive: str, of_master: bool, refused: bool) -> None:
    found = findings(running, wanted, host, {"repeated": [place(directive, of_master=of_master)]})
    assert [(one.node, one.severity) for one in found] == [(host, "refusal")] * refused
    for one in found:
        assert f"/etc/common.conf, line 4 ({directive})" in one.seen
        assert "Move these lines to" in one.do


@pytest.mark.parametrize(
    ("running", "wanted", "server", "save", "above", "lost"),
    [
        ("7.0.5", "7.0.15", "redis", "3600 1 300 100", 0, True),
        ("6.2.14", "7.0.15", "redis", "3600 1 300 100", 1, True),
        ("7.0.5", "7.0.15", "redis", "3600 1 300 100", 2, False),
        ("7.0.5", "7.0.15", "redis", "3600 1", 0, False),
        ("7.0.5", "7.0.15", "redis", "", 0, False),
        ("6.2.9", "6.2.14", "redis", "3600 1 300 100", 0, False),
        ("8.0.1", "8.0.2", "valkey", "3600 1 300 100", 0, False),  # one line for all points
    ],
)
def test_save_points_below_an_include(running: str, wanted: str, server: str, save: str, above: int, lost: bool) -> None:
    found = findings(running, wanted, "redis-2", {"saves_above": above}, save=save, server=server)
    assert [(one.node, one.severity) for one in found] == [("redis-2", "refusal")] * lost
    assert all(f"'{save}'" in one.do for one in found)


@pytest.mark.parametrize(("certain", "severity"), [(True, "refusal"), (False, "warning")])
def test_a_line_that_undoes_what_was_set(certain: bool, severity: str) -> None:
    overriding = {"overriding": [place("maxmemory", certain=certain)]}
    (found,) = findings("7.0.5", "7.0.15", "redis-2", overriding)
    assert (found.node, found.severity) == ("redis-2", severity)
    assert "/etc/common.conf, line 4 (maxmemory)" in found.seen


def test_a_file_that_is_not_found() -> None:
    (found,) = findings("7.0.5", "7.0.15", "sentinel-1", {"missing": [place("include", name="conf/common.conf")]})
    assert "includes conf/common.conf, which is not in /etc, or cannot be read" in found.seen
    assert "Write the whole path" in found.do


def test_no_included_file() -> None:
    deployment = three_and_three()
    deployment.node("redis-1").record["examined"] = {"included": {}}
    assert not [one for one in preflight(deployment.instances(), deployment.plan("7.0.15"), 1 << 20) if one.check == "included"]
