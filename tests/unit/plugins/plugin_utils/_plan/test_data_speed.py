"""The speed of loading and saving: measured on the node, or on another one, or assumed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.data_speed import (
    GIB,
    LOAD_S_PER_GIB,
    SAVE_S_PER_GIB,
    DataSpeed,
    data_bytes,
    data_speeds,
)
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.model import Instance


def node(host: str, **examined: Any) -> Instance:
    return Instance(host, "redis", {"examined": examined})


def test_nothing_is_measured() -> None:
    speed = data_speeds([node("a", used_memory=GIB)])["a/redis"]
    assert (speed.load_s(GIB), speed.save_s(GIB), speed.loads, speed.saves) == (LOAD_S_PER_GIB, SAVE_S_PER_GIB, 0, 0)
    assert speed == DataSpeed()


def test_the_own_load_counts_and_others_have_the_median() -> None:
    loads = {"a": 2.0, "b": 4.0, "c": 12.0}
    nodes = [node(host, load={"bytes": GIB, "seconds": seconds}) for host, seconds in loads.items()]
    speeds = data_speeds([*nodes, node("d")])
    assert {key: speed.load_s_per_gib for key, speed in speeds.items()} == {"a/redis": 2, "b/redis": 4, "c/redis": 12, "d/redis": 4}
    assert {speed.loads for speed in speeds.values()} == {3}
    assert speeds["c/redis"].save_s_per_gib == 12, "as fast as it loads, as far as is known"


@pytest.mark.parametrize(
    ("seconds", "size", "save"),
    [(20, GIB, 20.0), (20, GIB // 2, 40.0), (1, GIB, 3.0), (0, GIB, 3.0), (5, 1 << 20, 3.0)],
)
def test_the_last_bgsave(seconds: int, size: int, save: float) -> None:
    """INFO rounds it to seconds, so that a short one says nothing."""
    speed = data_speeds([node("a", used_memory=size, last_save_s=seconds, load={"bytes": GIB, "seconds": 3.0})])["a/redis"]
    assert (speed.save_s_per_gib, speed.load_s_per_gib) == (save, 3.0)


def test_a_node_loads_as_fast_as_it_saves_if_nothing_else_is_known() -> None:
    speeds = data_speeds([node("a", used_memory=GIB, last_save_s=20), node("b", used_memory=GIB, last_save_s=30), node("c")])
    assert {key: speed.load_s_per_gib for key, speed in speeds.items()} == {"a/redis": 20, "b/redis": 30, "c/redis": 25}
    assert {key: speed.save_s_per_gib for key, speed in speeds.items()} == {"a/redis": 20, "b/redis": 30, "c/redis": 25}
    assert {(speed.loads, speed.saves) for speed in speeds.values()} == {(0, 2)}


def test_a_load_of_hardly_any_data_says_nothing() -> None:
    speed = data_speeds([node("a", load={"bytes": 1 << 20, "seconds": 0.5})])["a/redis"]
    assert speed == DataSpeed()


def test_a_node_that_could_not_be_asked() -> None:
    gone = Instance("a", "redis", {})
    assert data_bytes(gone) == 0
    assert data_speeds([gone]) == {"a/redis": DataSpeed()}
    assert data_speeds([]) == {}
