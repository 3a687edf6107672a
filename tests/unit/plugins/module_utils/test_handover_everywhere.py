"""A connection that breaks, or a node that dies, at any command of a handover: no acknowledged write is lost."""

from __future__ import annotations

import contextlib

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import SentinelOpsError
from ansible_collections.sentinelops.redis.tests.unit.support.deployment import Deployment

AFTERWARDS_S = 15  # Sentinel demotes an old master after 11 s
DECISIVE = (
    "MULTI",
    "EXEC",
    "INFO replication",
    "SENTINEL FAILOVER mymaster",
    "ROLE",
    "REPLICAOF 10.0.0.2 6379",
    "CLIENT UNPAUSE",
    "CONFIG REWRITE",
)


def hand_over(accidents: dict[int, str], promotion_s: float) -> Deployment:
    """The deployment afterwards, however the handover ended."""
    deployment = Deployment()
    deployment.wire.accidents = accidents
    for sentinel in deployment.sentinels:
        sentinel.promotion_s, sentinel.down_after_ms = promotion_s, 2000  # so that a pause lasts for 1 s
    with contextlib.suppress(SentinelOpsError):
        deployment.hand_over(wait_s=5)
    deployment.clock.pass_s(AFTERWARDS_S)
    return deployment


def commands(promotion_s: float, begin: str = "") -> dict[int, str]:
    """The commands of a whole handover by their position, each of them where it comes for the first time.

    ``begin``: only those from this one on.
    """
    tried = hand_over({}, promotion_s).wire.tried
    first = next(position for position, command in enumerate(tried) if begin in command)
    return {tried.index(command, first): command for command in dict.fromkeys(tried[first:])}


@pytest.mark.parametrize(
    ("promotion_s", "begin"), [(0.19, ""), (1.3, "SENTINEL FAILOVER")], ids=["promoted at once", "promoted behind a fence"]
)
@pytest.mark.parametrize("accident", ["before", "after"])
def test_the_connection_breaks(accident: str, promotion_s: float, begin: str) -> None:
    """``before`` or ``after`` the command has run; whether it has, nobody can tell."""
    chosen = commands(promotion_s, begin)
    assert len(chosen) > 20
    assert any("min-replicas-to-write" in command for command in chosen.values() if "CONFIG SET" in command) is (promotion_s > 1)
    for position, command in chosen.items():
        deployment = hand_over({position: accident}, promotion_s)
        masters = [role for role in deployment.roles().values() if role == "master"]
        assert (deployment.lost_bytes, len(masters)) == (0, 1), command


def test_a_node_dies() -> None:
    """Where it is about to do what the handover depends on."""
    chosen = {at: command for at, command in commands(0.19, "CONFIG SET").items() if command.partition(": ")[2] in DECISIVE}
    assert len(chosen) > len(DECISIVE)
    for position, command in chosen.items():
        deployment = hand_over({position: "dies"}, 0.19)
        assert deployment.lost_bytes == 0, command
        assert len([node for node in deployment.nodes if node.takes_writes]) <= 1, command
