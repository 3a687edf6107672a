"""The handover in each mode, under load, on servers that support the mode and on others."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from access import with_users
from deployment import Deployment, Writers
from states import settings

Build = Callable[..., Deployment]


def by_hellos(deployment: Deployment, promoted: str) -> int:
    """Return the full resynchronisations for which the promoted node's log names a hello as reason.

    Redis 5.0 cannot pause the PUBLISH of a Sentinel. Its log tells how far a replica was ahead of
    the promotion: at least 100 bytes by a hello, 14 by a PING of the master.
    """
    log = (deployment.config(promoted).parents[1] / "log").read_text(encoding="utf-8")
    asked = re.findall(r"Requested offset for second ID was (\d+), but I can reply up to (\d+)", log)
    return sum(int(wanted) - int(possible) >= 100 for wanted, possible in asked)


@pytest.mark.parametrize(
    ("version", "mode", "taken", "error"),
    [
        ("5.0.6", "auto", "fence", "NOREPLICAS"),
        ("6.2.14", "fence", "fence", "NOREPLICAS"),
        ("valkey-9.1.2", "auto", "pause", "closed or timed out"),
        ("valkey-9.1.2", "coordinated", "coordinated", "closed or timed out"),
    ],
)
def test_nothing_is_lost(build: Build, version: str, mode: str, taken: str, error: str) -> None:
    deployment = build(version, extra="min-replicas-to-write 1\nmin-replicas-max-lag 0\n" if taken == "fence" else "")
    before = settings(deployment)
    with Writers(deployment) as writers:
        for target in ("redis-2", "redis-1"):
            result = deployment.hand_over(target, mode=mode)
            assert not result.get("failed"), result["msg"]
            assert (result["mode"], result["full_resyncs"]) == (taken, by_hellos(deployment, target) if version == "5.0.6" else 0)
            assert deployment.masters() == [target]
        verdict = writers.verdict()
    assert settings(deployment) == before
    assert verdict["acknowledged"] > 1000
    assert (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0)
    assert error in verdict["errors"], "that is what clients see in this mode"


def test_what_the_sentinels_own_user_needs_is_found_out_before(build: Build) -> None:
    deployment = build("valkey-9.1.2", access=with_users())
    for node in deployment.nodes:
        deployment.administer(node, "ACL", "SETUSER", "ops", "+client|list", "+acl|dryrun")
    result = deployment.hand_over("redis-2", mode="coordinated")
    assert "the Sentinels' user watcher lacks the right +failover" in result["msg"]
    assert deployment.masters() == ["redis-1"]
    for node in deployment.nodes:
        deployment.administer(node, "ACL", "SETUSER", "watcher", "+failover", "+client")
    with Writers(deployment) as writers:
        result = deployment.hand_over("redis-2", mode="coordinated")
        assert not result.get("failed"), result["msg"]
        verdict = writers.verdict()
    assert deployment.masters() == ["redis-2"]
    assert (verdict["lost"], verdict["unexpected"]) == (0, 0)


def test_many_replicas_follow_at_once(build: Build) -> None:
    """Replicas that follow one after the other, one per second, would take longer than the
    failover.
    """
    deployment = build("7.0.15", replicas=4)
    before = settings(deployment)
    result = deployment.hand_over("redis-3")
    at_ms = {entry["event"].split(":")[0]: entry["at_ms"] for entry in result["timeline"]}
    assert "parallel-syncs is 3 (was 1)" in str(result["timeline"])
    assert at_ms["settled"] - at_ms["released"] < 3000, "1.1 s was seen, and 3.5 s with parallel-syncs 1"
    assert result["full_resyncs"] == 0
    assert settings(deployment) == before


def test_auto_says_why(build: Build) -> None:
    deployment = build("5.0.6")
    result = deployment.hand_over("redis-2", mode="auto")
    assert "5.0.6 cannot pause writes alone" in result["mode_reason"]
    assert "scripts" in str(result["warnings"]), "what Redis 5 lets through is told"


def test_a_pause_is_refused_where_the_server_does_not_know_it(build: Build) -> None:
    deployment = build("5.0.6")
    result = deployment.hand_over("redis-2", mode="pause")
    assert "mode pause needs Redis 6.2 or later" in result["msg"]
    assert "use mode fence, or auto" in result["msg"]
    assert deployment.masters() == ["redis-1"]
