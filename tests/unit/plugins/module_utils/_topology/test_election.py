"""The replica that a Sentinel promotes, and the shortest moment for a failover."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._topology.election import (
    alignment_wait_ms,
    ineligible_because,
    to_outrank,
    will_promote,
)
from ansible_collections.sentinelops.redis.plugins.module_utils._topology.sentinel import ReplicaView, SentinelView, read_view
from ansible_collections.sentinelops.redis.tests.unit.support.recorded import (
    OTHER_REPLICA,
    VERSIONS,
    RecordedSentinel,
    recorded,
)

A, B, C = "10.0.0.2:6379", "10.0.0.3:6379", "10.0.0.4:6379"


def replica(address: str = A, **changes: Any) -> ReplicaView:
    healthy = ReplicaView(
        address=address,
        run_id=address,
        flags=("slave",),
        link_up=True,
        priority=100,
        offset=1000,
        info_age_ms=400,
        ping_age_ms=300,
        ping_pending_ms=0,
        master="10.0.0.1:6379",
    )
    return dataclasses.replace(healthy, **changes)


def view_of(*replicas: ReplicaView) -> SentinelView:
    said = recorded(VERSIONS[0], "healthy")["sentinels"]["sentinel-1"]
    return dataclasses.replace(read_view(RecordedSentinel(said), "mymaster"), replicas=replicas)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"priority": 1}, ""),
        ({"flags": ("slave", "s_down", "disconnected")}, "it is flagged s_down, disconnected"),
        ({"flags": ("slave", "o_down")}, "it is flagged o_down"),
        ({"flags": ("slave", "promoted")}, ""),
        ({"priority": 0}, "its replica-priority is 0 (never promote)"),
        ({"ping_age_ms": 5000}, ""),
        ({"ping_age_ms": 5001}, "it last answered a PING 5001 ms ago (at most 5000 ms)"),
        ({"info_age_ms": 30000}, ""),
        ({"info_age_ms": 30001}, "its last INFO is 30001 ms old (at most 30000 ms)"),
        ({"link_up": False}, "its link to the master is down"),
    ],
)
def test_eligible(changes: dict[str, Any], why: str) -> None:
    assert ineligible_because(replica(**changes)) == why


@pytest.mark.parametrize("version", VERSIONS)
def test_a_replica_of_which_nothing_is_known_yet_is_not_eligible(version: str) -> None:
    """A Sentinel that has just started reports info-refresh:0 for a replica without INFO."""
    view = read_view(RecordedSentinel(recorded(version, "sentinel_restarted")["sentinel-3"]), "mymaster")
    hanging = view.replica(OTHER_REPLICA)
    assert hanging is not None
    assert ineligible_because(hanging)


@pytest.mark.parametrize(
    ("replicas", "certain"),
    [
        ([], False),
        ([replica(B)], False),
        ([replica(A)], True),
        ([replica(A, priority=0)], False),
        ([replica(A, priority=1, flags=("slave", "s_down")), replica(B)], False),
        ([replica(A, priority=1), replica(B), replica(C)], True),
        ([replica(A, priority=10), replica(B, priority=1)], False),
        ([replica(A, priority=100), replica(B, priority=0)], True),
        ([replica(A, priority=1, offset=1), replica(B, offset=1000)], True),
        # ties: offsets and run ids are not certain
        ([replica(A, offset=1000), replica(B, offset=1)], False),
        ([replica(A, run_id="a"), replica(B, run_id="b")], False),
        ([replica(A, priority=1), replica(B), replica(C, priority=1)], False),
        # a replica that is not eligible now may be eligible at the election
        ([replica(A, priority=100), replica(B, priority=1, flags=("slave", "s_down"))], False),
    ],
)
def test_will_promote(replicas: list[ReplicaView], certain: bool) -> None:
    """Only a priority below every other one (0 never counts) makes the election certain."""
    seen = will_promote(replicas, A)
    assert (seen.address if seen else None) == (A if certain else None)


@pytest.mark.parametrize(
    ("replicas", "others"),
    [
        ([replica(A), replica(B)], []),
        ([replica(A, priority=1), replica(B)], []),
        ([replica(A), replica(B, priority=1)], [B]),
        ([replica(A, priority=1), replica(B, priority=1), replica(C, priority=1)], [B, C]),
        ([replica(A), replica(B, priority=0)], []),
    ],
)
def test_to_outrank(replicas: list[ReplicaView], others: list[str]) -> None:
    assert to_outrank(replicas, A) == others


@pytest.mark.parametrize(
    ("age_ms", "period_ms", "wait_ms"),
    [
        (0, 10000, 770),
        (400, 10000, 370),
        (769, 10000, 1),
        (770, 10000, 0),
        (820, 10000, 0),
        (821, 10000, 9949),
        (9900, 10000, 870),
        (12000, 10000, 770),  # the next INFO is due at any moment
        (830, 1000, 940),
        (1000, 1000, 770),
    ],
)
def test_alignment(age_ms: int, period_ms: int, wait_ms: int) -> None:
    assert alignment_wait_ms(age_ms, period_ms) == wait_ms
