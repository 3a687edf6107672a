"""A broken connection or a dead node at any command of a handover.

No acknowledged write is lost.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import SentinelOpsError
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.undo_file import UndoFile
from ansible_collections.sentinelops.redis.tests.unit.support.data_node import FENCE
from ansible_collections.sentinelops.redis.tests.unit.support.deployment import Deployment
from ansible_collections.sentinelops.redis.tests.unit.support.servers import Occasion

AFTERWARDS_S = 15  # Sentinel demotes an old master after 11 s
DECISIVE = (
    "MULTI",
    "EXEC",
    "INFO replication",
    "CONFIG SET min-replicas-to-write 2147483647",
    "SENTINEL FAILOVER mymaster",
    "SENTINEL FAILOVER mymaster COORDINATED",
    "CONFIG SET min-replicas-to-write 2",
    "REPLICAOF 10.0.0.2 6379",
    "CONFIG SET min-replicas-to-write 0",
    "CLIENT UNPAUSE",
    "CONFIG REWRITE",
)
HANDOVERS = {
    "promoted at once": ("pause", 0.19, "INFO server"),  # the first command after the survey
    "promoted behind a fence": ("pause", 1.3, "SENTINEL FAILOVER mymaster"),
    "mode fence": ("fence", 0.19, "INFO server"),
    "mode coordinated": ("coordinated", 0.19, "INFO server"),
}
ways = pytest.mark.parametrize(("mode", "promotion_s", "begin"), HANDOVERS.values(), ids=HANDOVERS)


def built(mode: str, promotion_s: float) -> Deployment:
    deployment = Deployment(server="valkey", version="9.1.2") if mode == "coordinated" else Deployment()
    for sentinel in deployment.sentinels:
        # a pause lasts for 1 s then
        sentinel.promotion_s, sentinel.down_after_ms = promotion_s, 2000
    return deployment


def hand_over(
    occasion: Occasion | None, mode: str, promotion_s: float, moment_s: float = 0.0, undo_file: UndoFile | None = None
) -> Deployment:
    """Return the deployment after a handover, however it ended."""
    deployment = built(mode, promotion_s)
    deployment.wire.plan(occasion)
    deployment.wire.moment_s = moment_s
    with contextlib.suppress(SentinelOpsError):
        deployment.hand_over(wait_s=5, mode=mode, undo_file=undo_file)
    deployment.clock.pass_s(AFTERWARDS_S)
    return deployment


def decisive(mode: str, promotion_s: float, begin: str, accident: str) -> list[Occasion]:
    """Return the commands that change something, or on which a decision depends."""
    wire = hand_over(None, mode, promotion_s).wire
    changing = {occasion.position for occasion in wire.occasions(begin, after=accident)}
    occasions = wire.occasions(begin, accident)
    return [one for one in occasions if one.position in changing or one.command.partition(": ")[2] in DECISIVE]


def assert_clean(deployment: Deployment, mode: str, occasion: Occasion) -> None:
    """No write is lost, and all settings are restored.

    There is one master, which accepts writes and which all others follow.
    """
    (master,) = [node for node in deployment.nodes if node.role == "master"]
    assert [node for node in deployment.nodes if node.master not in (None, master)] == [], occasion
    assert [sentinel.master for sentinel in deployment.sentinels] == [master] * 3, occasion
    assert deployment.lost_bytes == 0, occasion
    assert master.takes_writes, occasion
    assert deployment.settings() == built(mode, 0.19).settings(), occasion


@ways
def test_the_connection_breaks(mode: str, promotion_s: float, begin: str) -> None:
    """The accident comes ``before`` or ``after`` the command: the sender cannot tell which."""
    occasions = hand_over(None, mode, promotion_s).wire.occasions(begin, "before", "after")
    assert len(occasions) > 50
    fences = [occasion for occasion in occasions if f"CONFIG SET min-replicas-to-write {FENCE}" in occasion.command]
    assert bool(fences) is (promotion_s > 1 or mode == "fence")
    for occasion in occasions:
        assert_clean(hand_over(occasion, mode, promotion_s), mode, occasion)


def test_the_connection_breaks_during_the_survey() -> None:
    occasions = hand_over(None, "pause", 0.19).wire.occasions("INFO", "before")
    survey = [occasion.command for occasion in occasions].index("10.0.0.1:26379: INFO server")
    assert survey > 50
    for occasion in occasions[:survey]:
        deployment = hand_over(occasion, "pause", 0.19)
        assert_clean(deployment, "pause", occasion)
        assert deployment.target.role == "master" or deployment.wire.changing() == [], occasion


@ways
def test_a_node_dies(mode: str, promotion_s: float, begin: str) -> None:
    chosen = [one for one in decisive(mode, promotion_s, begin, "dies") if one.command.partition(": ")[2] in DECISIVE]
    assert len(chosen) >= 8
    for occasion in chosen:
        deployment = hand_over(occasion, mode, promotion_s)
        assert deployment.lost_bytes == 0, occasion
        assert len([node for node in deployment.nodes if node.takes_writes]) <= 1, occasion
        dead = {str(server.address) for server in (*deployment.nodes, *deployment.sentinels) if not server.alive}
        before = built(mode, promotion_s).settings()
        assert {name: now for name, now in deployment.settings().items() if name not in dead and now != before[name]} == {}, occasion


@ways
def test_a_server_freezes(mode: str, promotion_s: float, begin: str) -> None:
    """The server hangs for a moment, and then runs the commands that it received meanwhile."""
    for occasion in decisive(mode, promotion_s, begin, "freezes"):
        assert_clean(hand_over(occasion, mode, promotion_s, moment_s=0.7), mode, occasion)


@ways
def test_a_server_is_out_of_reach(mode: str, promotion_s: float, begin: str, tmp_path: Path) -> None:
    """Only this host cannot reach the server, in mode pause for less than the pause.

    The next handover restores what could not be restored then.
    """
    undo_file = UndoFile(str(tmp_path), "mymaster")
    for occasion in decisive(mode, promotion_s, begin, "is out of reach"):
        deployment = hand_over(occasion, mode, promotion_s, 0.5 if mode == "pause" else 1.4, undo_file)
        assert deployment.lost_bytes == 0, occasion
        (master,) = [node for node in deployment.nodes if node.role == "master"]
        handover = deployment.handover(str(master.address), undo_file=undo_file, mode=mode)
        if not handover.survey() or handover.leftovers:
            handover.run()
        assert_clean(deployment, mode, occasion)
        undo_file.erase()
