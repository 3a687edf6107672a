"""The mode for each server version, and its warnings."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.modes import (
    MODES,
    can_coordinate,
    chosen_mode,
    mode_refusals,
    mode_warnings,
)
from ansible_collections.sentinelops.redis.plugins.module_utils._server.info import NodeInfo, node_info
from ansible_collections.sentinelops.redis.plugins.module_utils._topology.sentinel import SentinelView
from ansible_collections.sentinelops.redis.plugins.module_utils._topology.shard import read_shard
from ansible_collections.sentinelops.redis.tests.unit.support.deployment import MASTER, SENTINELS, Deployment


def master(server: str, version: str) -> NodeInfo:
    return dataclasses.replace(node_info({"role": "master"}), server=server, version=version)


def views(*versions: tuple[str, str]) -> tuple[SentinelView, ...]:
    """Return the views of Sentinels of these servers and versions."""
    seen = read_shard(Deployment().servers(), "mymaster").views
    return tuple(dataclasses.replace(view, server=server, version=version) for view, (server, version) in zip(seen, versions, strict=False))


OLD = [("redis", version) for version in ("5.0.3", "5.0.14", "6.0.0", "6.0.16")]
NEW = [("redis", "6.2.0"), ("redis", "6.2.14"), ("redis", "7.0.15"), ("redis", "8.6.0"), ("valkey", "7.2.11"), ("valkey", "9.1.2")]


@pytest.mark.parametrize(("server", "version"), OLD)
def test_auto_takes_a_fence_where_writes_alone_cannot_be_paused(server: str, version: str) -> None:
    mode, why = chosen_mode("auto", server, version)
    assert mode == "fence"
    assert f"{server} {version} cannot pause writes alone" in why
    assert "NOREPLICAS" in why


@pytest.mark.parametrize(("server", "version"), NEW)
def test_auto_takes_a_pause_where_there_is_one(server: str, version: str) -> None:
    mode, why = chosen_mode("auto", server, version)
    assert (mode, why) == ("pause", f"{server} {version} can pause writes: clients wait, and see no error")


@pytest.mark.parametrize(("server", "version"), [*OLD, *NEW])
@pytest.mark.parametrize("mode", MODES)
def test_what_is_asked_for_is_taken(mode: str, server: str, version: str) -> None:
    assert chosen_mode(mode, server, version) == (mode, "the option mode names this mode")


@pytest.mark.parametrize(("server", "version"), [*OLD, *NEW])
@pytest.mark.parametrize("mode", ["auto", "fence", "plain"])
def test_these_can_be_used_everywhere(mode: str, server: str, version: str) -> None:
    chosen, _why = chosen_mode(mode, server, version)
    assert mode_refusals(chosen, master(server, version), MASTER, views()) == []


@pytest.mark.parametrize(("server", "version"), OLD)
def test_a_pause_needs_a_newer_master(server: str, version: str) -> None:
    (why,) = mode_refusals("pause", master(server, version), MASTER, views())
    assert why == f"mode pause needs Redis 6.2 or later, and {MASTER} runs {version}: use mode fence, or auto"


@pytest.mark.parametrize(("server", "version"), NEW)
def test_a_pause_can_be_used(server: str, version: str) -> None:
    assert mode_refusals("pause", master(server, version), MASTER, views()) == []


@pytest.mark.parametrize(
    ("sentinel", "can"),
    [
        (("valkey", "9.1.1"), True),
        (("valkey", "9.1.2"), True),
        (("valkey", "10.0.0"), True),
        (("valkey", "9.1.0"), False),
        (("valkey", "8.0.1"), False),
        (("redis", "9.9.9"), False),
    ],
)
def test_who_can_coordinate(sentinel: tuple[str, str], can: bool) -> None:
    (view,) = views(sentinel)
    assert can_coordinate(view) is can
    refused = mode_refusals("coordinated", master("valkey", "9.1.2"), MASTER, (view,))
    assert [f"({SENTINELS[0]} runs {sentinel[0]} {sentinel[1]})" in why for why in refused] == [True] * (not can)


def test_one_sentinel_that_can_coordinate_is_enough() -> None:
    seen = views(("redis", "7.0.15"), ("valkey", "9.1.2"), ("redis", "7.0.15"))
    assert mode_refusals("coordinated", master("valkey", "9.1.2"), MASTER, seen) == []


def test_a_coordinated_failover_needs_a_master_that_knows_it() -> None:
    (why,) = mode_refusals("coordinated", master("redis", "6.0.16"), MASTER, views(("valkey", "9.1.2")))
    assert f"needs Redis 6.2 or later, and {MASTER} runs 6.0.16" in why


@pytest.mark.parametrize(
    ("mode", "version", "warning"),
    [
        ("plain", "7.0.15", "they are lost"),
        ("plain", "5.0.14", "they are lost"),
        ("fence", "5.0.14", "transactions that were queued before the fence, and scripts, write in spite of it"),
        ("fence", "6.0.16", ""),
        ("fence", "7.0.15", ""),
        ("pause", "7.0.15", ""),
        ("coordinated", "7.0.15", ""),
    ],
)
def test_what_is_said_beforehand(mode: str, version: str, warning: str) -> None:
    found = mode_warnings(mode, master("redis", version))
    assert [warning in text for text in found] == [True] * bool(warning)
