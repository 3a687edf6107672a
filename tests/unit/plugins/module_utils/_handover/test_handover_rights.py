"""Rights that are missing in the ACL, one by one.

A handover that lacks a right ends before a write is lost.
"""

from __future__ import annotations

import re
from itertools import repeat

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import PreconditionFailed, SentinelOpsError
from ansible_collections.sentinelops.redis.tests.unit.support.deployment import MASTER, OTHER, TARGET, Deployment

NOPERM = "NOPERM this user has no permissions to run the command"
OF_THE_NODES = {
    "needed": [
        *("INFO", "CONFIG GET", "CONFIG SET", "CONFIG REWRITE", "MULTI", "EXEC"),
        *("CLIENT PAUSE", "CLIENT UNPAUSE", "CLIENT KILL", "REPLICAOF"),
    ],
    "useful": ["PING"],
}
OF_THE_SENTINELS = {
    "needed": ["INFO", *(f"SENTINEL {what}" for what in ("MASTER", "REPLICAS", "SENTINELS", "CKQUORUM", "FAILOVER"))],
    "useful": ["PING", "SENTINEL GET-MASTER-ADDR-BY-NAME", "SENTINEL DEBUG", "SENTINEL SET"],
}
CASES = [
    (of_the_nodes, command, importance)
    for of_the_nodes, rights in ((True, OF_THE_NODES), (False, OF_THE_SENTINELS))
    for importance, commands in rights.items()
    for command in commands
]


def without(of_the_nodes: bool, command: str, promotion_s: float) -> Deployment:
    deployment = Deployment()
    for sentinel in deployment.sentinels:
        # a pause lasts for 1 s then
        sentinel.promotion_s, sentinel.down_after_ms = promotion_s, 2000
    for server in deployment.nodes if of_the_nodes else deployment.sentinels:
        server.refuses[command] = repeat(NOPERM)
    return deployment


@pytest.mark.parametrize("promotion_s", [0.19, 1.3], ids=["at once", "behind a fence"])
@pytest.mark.parametrize(
    ("of_the_nodes", "command", "importance"),
    CASES,
    ids=[f"{'data node' if node else 'Sentinel'} {right}" for node, right, _importance in CASES],
)
def test_a_right_is_missing(of_the_nodes: bool, command: str, importance: str, promotion_s: float) -> None:
    deployment = without(of_the_nodes, command, promotion_s)
    if importance == "needed":
        with pytest.raises(SentinelOpsError):
            deployment.hand_over(wait_s=15)
        assert deployment.roles() == {MASTER: "master", TARGET: MASTER, OTHER: MASTER}
        assert deployment.master.takes_writes
    else:
        deployment.hand_over(wait_s=15)
        assert deployment.roles() == {MASTER: TARGET, TARGET: "master", OTHER: TARGET}
    assert [node.config["replica-priority"] for node in deployment.nodes] == ["100"] * 3
    assert [node.config["min-replicas-to-write"] for node in deployment.nodes] == ["0"] * 3
    deployment.clock.pass_s(15)
    assert deployment.lost_bytes == 0


@pytest.mark.parametrize(
    ("command", "right"),
    [
        ("CLIENT PAUSE", "+client|pause"),
        ("CLIENT UNPAUSE", "+client|unpause"),
        ("CLIENT KILL", "+client|kill"),
        ("CONFIG SET", "+config|set"),
        ("CONFIG REWRITE", "+config|rewrite"),
        ("REPLICAOF", "+replicaof"),
        ("MULTI", "+multi"),
    ],
)
def test_the_right_that_is_missing_is_named_before_anything_is_done(command: str, right: str) -> None:
    deployment = without(True, command, 0.19)
    with pytest.raises(PreconditionFailed, match=re.escape(f"our user lacks the right {right} on {MASTER}")):
        deployment.handover().survey()
    assert deployment.wire.changing() == []


@pytest.mark.parametrize("command", ["INFO", "CONFIG GET"])
def test_a_right_that_the_survey_itself_lacks_is_not_waited_for(command: str) -> None:
    deployment = without(True, command, 0.19)
    with pytest.raises(PreconditionFailed, match="NOPERM"):
        deployment.handover().survey()
    assert deployment.clock.now_s() < 1001


def test_all_missing_rights_are_named_at_once() -> None:
    deployment = Deployment()
    for node in deployment.nodes:
        for command in ("CONFIG SET", "CLIENT", "REPLICAOF"):
            node.refuses[command] = repeat(NOPERM)
    with pytest.raises(PreconditionFailed) as caught:
        deployment.handover().survey()
    problems = "\n".join(caught.value.facts["problems"])
    for address in (MASTER, TARGET):
        for right in ("+client|pause", "+client|unpause", "+client|kill", "+replicaof", "+config|set"):
            assert f"{right} on {address}" in problems


def test_there_is_nothing_to_do_so_the_rights_to_do_it_are_not_needed() -> None:
    deployment = Deployment()
    for node in deployment.nodes:
        for command in ("CONFIG SET", "CLIENT", "REPLICAOF", "MULTI"):
            node.refuses[command] = repeat(NOPERM)
    assert deployment.handover(MASTER).survey()
    assert deployment.wire.changing() == []
