"""Reasons to refuse a handover, each on real servers: the message names it, and nothing changes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import pytest
from access import with_users
from deployment import MASTER, Deployment, Writers
from faults import (
    CLIENT_RIGHTS,
    NODE_RIGHTS,
    SENTINEL_RIGHTS,
    busy,
    command,
    forgotten,
    ghost,
    not_applying,
    set_everywhere,
    stopped,
    without,
)
from states import settings, settled, snapshot, wait_until

Build = Callable[..., Deployment]
Context = contextlib.AbstractContextManager[None]
TARGET, OTHER = "redis-2", "redis-3"


@pytest.fixture(scope="module")
def deployment(build: Build) -> Deployment:
    """Return a deployment with ACL users, and with short limits for faults."""
    return build("7.0.15", access=with_users(), extra="busy-reply-threshold 100\n")


@pytest.fixture(autouse=True)
def _redis_1_is_the_master(deployment: Deployment) -> None:
    """Restore the master after a failed test, so that each test shows only its own fault."""
    if not settled(deployment) or deployment.masters() != ["redis-1"]:
        wait_until(lambda: not deployment.hand_over("redis-1").get("failed"), seconds=120)


def refuse(deployment: Deployment, fault: Context, reason: str, *, inside: bool = True, **options: Any) -> str:
    """Return the message of a handover that is refused during a fault and changes nothing."""
    before = snapshot(deployment)
    with fault:
        during = snapshot(deployment) if inside else {}
        result = deployment.hand_over(TARGET, **{"wait_s": 2, "timeout_ms": 1000, **options})
        assert not inside or snapshot(deployment) == during
    assert result.get("failed"), result
    assert reason in result["msg"]
    assert "Nothing was" in result["msg"], "it says what state the deployment is in"
    wait_until(lambda: settled(deployment))
    assert snapshot(deployment) == before
    return str(result["msg"])


@pytest.mark.parametrize(
    ("names", "words", "back", "reason"),
    [
        (
            "sentinels",
            ["SENTINEL", "SET", MASTER, "down-after-milliseconds", 1000],
            ["SENTINEL", "SET", MASTER, "down-after-milliseconds", 5000],
            "down-after-milliseconds is 1000: a pause may last 0 ms, and the handover needs 1000 ms",
        ),
        (
            ["sentinel-2"],
            ["SENTINEL", "SET", MASTER, "quorum", 3],
            ["SENTINEL", "SET", MASTER, "quorum", 2],
            "quorum: 2 says",
        ),
        (
            "sentinels",
            ["SENTINEL", "SET", MASTER, "quorum", 4],
            ["SENTINEL", "SET", MASTER, "quorum", 2],
            "NOQUORUM",
        ),
        (
            [TARGET],
            ["CONFIG", "SET", "replica-priority", 0],
            ["CONFIG", "SET", "replica-priority", 100],
            "has replica-priority 0: its operators excluded it from promotion",
        ),
    ],
    ids=["down-after", "disagreement", "no quorum", "priority 0"],
)
def test_settings(deployment: Deployment, names: Any, words: list[Any], back: list[Any], reason: str) -> None:
    everyone = list(deployment.sentinels) if names == "sentinels" else names
    refuse(deployment, set_everywhere(deployment, everyone, words, back), reason)


def test_the_wrong_version(deployment: Deployment) -> None:
    refuse(deployment, contextlib.nullcontext(), "runs 7.0.15, not the wanted 8.0.2", version="8.0.2")


def test_the_wrong_name(deployment: Deployment) -> None:
    before = snapshot(deployment)
    result = deployment.hand_over(TARGET, master_name="nobody")
    assert "monitors no master named 'nobody' (it monitors: mymaster)" in result["msg"]
    assert snapshot(deployment) == before


def test_an_unknown_target(deployment: Deployment) -> None:
    refuse(deployment, contextlib.nullcontext(), "127.0.0.1:1 is not a data node that the Sentinels know", target="127.0.0.1:1")


def test_a_sentinel_that_hangs(deployment: Deployment) -> None:
    refuse(deployment, stopped(deployment, "sentinel-3"), f"Sentinel {deployment.address('sentinel-3')}: no answer", inside=False)


def test_a_target_that_hangs(deployment: Deployment) -> None:
    refuse(deployment, stopped(deployment, TARGET), f"{deployment.address(TARGET)}: no answer", inside=False)


def test_another_replica_that_hangs(deployment: Deployment) -> None:
    refuse(deployment, stopped(deployment, OTHER), f"data node {deployment.address(OTHER)}: no answer", inside=False)


def test_a_sentinel_that_was_removed(deployment: Deployment) -> None:
    refuse(deployment, forgotten(deployment, "sentinel-2"), "No such master with that name", inside=False)


def test_a_failover_in_progress(deployment: Deployment) -> None:
    before = settings(deployment)
    command(deployment, "sentinel-1", "SENTINEL", "FAILOVER", MASTER)
    result = deployment.hand_over(OTHER, wait_s=0)
    assert "failover in progress" in result["msg"]
    assert "Nothing was handed over" in result["msg"] or "Nothing was changed" in result["msg"], result["msg"]
    wait_until(lambda: settled(deployment))
    wait_until(lambda: not deployment.hand_over("redis-1").get("failed"))
    assert settings(deployment) == before


def test_a_lag_that_cannot_be_caught_up(deployment: Deployment) -> None:
    """Each attempt is aborted until the time is up; writes continue in between and afterwards."""
    with Writers(deployment) as writers:
        message = refuse(deployment, not_applying(deployment, OTHER), "no attempt succeeded within 8 s", inside=False, wait_s=8)
        verdict = writers.verdict()
    assert f"{deployment.address(OTHER)} lacks " in message
    assert (verdict["lost"], verdict["unexpected"], verdict["errors"]) == (0, 0, {})
    assert 200 < verdict["longest_gap_ms"] < 1500


def test_a_lag_that_is_too_large_to_begin_with(deployment: Deployment) -> None:
    with Writers(deployment), not_applying(deployment, OTHER):
        time.sleep(1)
        result = deployment.hand_over(TARGET, wait_s=1, max_lag_bytes=1000)
    assert f"replica {deployment.address(OTHER)} lags " in result["msg"]
    assert deployment.masters() == ["redis-1"]


def test_a_script_that_runs_and_runs(deployment: Deployment) -> None:
    refuse(deployment, busy(deployment, "redis-1"), "BUSY Redis is busy running a script", inside=False)


@pytest.mark.parametrize("right", [*NODE_RIGHTS, *CLIENT_RIGHTS])
def test_a_right_that_is_missing_on_the_data_nodes(deployment: Deployment, right: str) -> None:
    begun_s = time.monotonic()
    word = right.rsplit("|", maxsplit=1)[-1]
    message = refuse(deployment, without(deployment, list(deployment.nodes), right), word, inside=False, wait_s=30)
    assert "no permissions" in message
    assert "Give the user this right" in message or f"lacks the right +{right}" in message
    assert time.monotonic() - begun_s < 15, "no waiting mends that"


@pytest.mark.parametrize("right", SENTINEL_RIGHTS)
def test_a_right_that_is_missing_on_the_sentinels(deployment: Deployment, right: str) -> None:
    word = right.rsplit("|", maxsplit=1)[-1]
    message = refuse(deployment, without(deployment, list(deployment.sentinels), right), word, inside=False, wait_s=30)
    assert "no permissions" in message


def test_a_mode_that_the_servers_do_not_know(deployment: Deployment) -> None:
    refuse(deployment, contextlib.nullcontext(), "mode coordinated needs a Sentinel of Valkey 9.1.1 or later", mode="coordinated")


@pytest.mark.parametrize("name", ["sentinel-4", "redis-4"])
def test_a_ghost(deployment: Deployment, name: str) -> None:
    kind = "Sentinel" if name.startswith("sentinel") else "data node"
    with ghost(deployment, name) as address:
        before = deployment.masters()
        result = deployment.hand_over(TARGET, wait_s=2, timeout_ms=500)
        assert deployment.masters() == before
    assert f"{kind} {address}: no answer" in result["msg"]
    assert "Nothing was changed" in result["msg"]


def test_a_sentinel_in_tilt(deployment: Deployment) -> None:
    """TILT lasts for 30 s after a Sentinel did not run for 2 s, so this test comes last."""
    with stopped(deployment, "sentinel-2"):
        time.sleep(2.5)
    time.sleep(0.3)
    assert "is in TILT" in refuse(deployment, contextlib.nullcontext(), f"Sentinel {deployment.address('sentinel-2')} is in TILT")
