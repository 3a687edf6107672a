"""The Sentinel that leads a shard's handovers, and the host that finishes an interrupted one."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.handover_hosts import choose_handover_host, recovery_host
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.model import Instance, Settings

WANTED = Settings("7.0.15")


def sentinel(host: str, clients: int = 3, address: str = "", answers: bool = True, notes: list[dict[str, Any]] | None = None) -> Instance:
    record = {"answers": answers, "clients": clients, "login": "127.0.0.1:26379", "examined": {"notes": notes or []}}
    return Instance(host, "sentinel", record, address)


def node(host: str, address: str = "", journal: dict[str, Any] | None = None) -> Instance:
    return Instance(host, "redis", {"answers": True, "journal": journal}, address)


def test_the_last_one_where_nothing_else_tells() -> None:
    sentinels = [sentinel("s1"), sentinel("s2"), sentinel("s3")]
    assert choose_handover_host(sentinels, [node("r1"), node("r2")], "r1", WANTED) == "s3"


def test_not_on_the_host_of_a_replica() -> None:
    """The old master's own host is fine."""
    sentinels, nodes = [sentinel("a"), sentinel("b"), sentinel("c")], [node("a"), node("b"), node("c")]
    assert choose_handover_host(sentinels, nodes, "a", WANTED) == "a"
    assert choose_handover_host(sentinels, nodes, "b", WANTED) == "b"


def test_hosts_are_told_apart_by_address_unless_that_is_a_loopback() -> None:
    sentinels = [sentinel("s1", address="10.0.0.1"), sentinel("s2", address="10.0.0.2")]
    nodes = [node("r1", "10.0.0.1"), node("r2", "10.0.0.2")]
    assert choose_handover_host(sentinels, nodes, "r1", WANTED) == "s1"
    sentinels, nodes = [sentinel("s1", address="127.0.0.1"), sentinel("s2", address="127.0.0.1")], [node("r1", "127.0.0.1")]
    assert choose_handover_host(sentinels, nodes, "", WANTED) == "s2"


def test_the_fewest_clients() -> None:
    sentinels = [sentinel("s1", 2), sentinel("s2", 90), sentinel("s3", 5)]
    assert choose_handover_host(sentinels, [node("r1")], "r1", WANTED) == "s1"


def test_only_a_sentinel_that_answers() -> None:
    sentinels = [sentinel("s1", 9), sentinel("s2", 1, answers=False)]
    assert choose_handover_host(sentinels, [], "", WANTED) == "s1"
    assert choose_handover_host([sentinel("s1", answers=False)], [], "", WANTED) == ""


def test_the_operator_s_choice_comes_first() -> None:
    chosen = Settings("7.0.15", handover_host="bastion")
    assert choose_handover_host([sentinel("s1")], [node("r1", journal={"handover_host": "s1"})], "r1", chosen) == "bastion"


def test_then_that_of_an_earlier_run() -> None:
    """After the restarts of the Sentinels their clients tell nothing."""
    sentinels = [sentinel("s1", 50), sentinel("s2", 0), sentinel("s3", 0)]
    nodes = [node("r1"), node("r2", journal={"handover_host": "s1"})]
    assert choose_handover_host(sentinels, nodes, "r1", WANTED) == "s1"
    gone = [sentinel("s1", answers=False), *sentinels[1:]]
    assert choose_handover_host(gone, nodes, "r1", WANTED) == "s3"


@pytest.mark.parametrize(
    ("path", "more", "host"),
    [
        ("/j/handover-mymaster-26379.json", {}, "s2"),
        ("/j/handover-other-26379.json", {}, ""),
        ("/j/handover-mymaster-26380.json", {}, ""),
        ("/j/handover-mymaster-26379.json", {"held_by": 4711}, ""),
        ("/j/handover-mymaster-26379.json", {"error": "not JSON"}, ""),
    ],
    ids=["this shard's", "another shard's", "another deployment's", "of a handover that runs", "unreadable"],
)
def test_the_host_of_an_undo_file(path: str, more: dict[str, Any], host: str) -> None:
    sentinels = [sentinel("s1"), sentinel("s2", notes=[{"path": path, "changes": [], "error": "", "held_by": 0, **more}])]
    assert recovery_host(sentinels, "mymaster") == host


def test_several_shards_take_sentinels_in_turn() -> None:
    sentinels = [sentinel("s1", clients=5), sentinel("s2"), sentinel("s3"), sentinel("r1")]
    found = [choose_handover_host(sentinels, [node("r1"), node("m")], "m", WANTED, turn) for turn in range(4)]
    assert found == ["s3", "s2", "s1", "s3"]
