"""Views of real Sentinels, and the differences between them."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import CommandRefused, PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address
from ansible_collections.sentinelops.redis.plugins.module_utils._topology.sentinel import (
    NEVER_MS,
    SentinelView,
    disagreements,
    master_name_of,
    monitored_masters,
    parse_master,
    parse_peer,
    parse_replica,
    read_view,
    sentinels_of,
    view_from_dict,
)
from ansible_collections.sentinelops.redis.tests.unit.support.recorded import (
    MASTER,
    OTHER_REPLICA,
    REPLICA,
    SENTINELS,
    VERSIONS,
    RecordedSentinel,
    flat,
    recorded,
)

pytestmark = pytest.mark.parametrize("version", VERSIONS)


def views_of(said: dict[str, Any]) -> list[SentinelView]:
    return [read_view(RecordedSentinel(one), "mymaster") for one in said.values()]


def healthy(version: str) -> list[SentinelView]:
    return views_of(recorded(version, "healthy")["sentinels"])


def test_a_view(version: str) -> None:
    for view, address in zip(healthy(version), SENTINELS, strict=True):
        assert (view.address, view.server, view.version) == (address, "redis", version)
        assert (view.master.name, view.master.address, view.master.flags) == ("mymaster", MASTER, ("master",))
        assert (view.master.quorum, view.master.config_epoch, view.master.parallel_syncs) == (2, 0, 1)
        assert (view.master.down_after_ms, view.master.failover_timeout_ms) == (2000, 180000)
        assert (view.master.replicas, view.master.other_sentinels) == (2, 2)
        assert sorted(replica.address for replica in view.replicas) == [REPLICA, OTHER_REPLICA]
        assert {peer.address for peer in view.peers} == set(SENTINELS) - {address}
        assert view.quorum_ok
        assert view.quorum_reply.startswith("OK 3 usable Sentinels")
        assert not view.tilt
        assert not view.master.failover_in_progress
        assert view.stale_links() == []


def test_a_replica_in_a_view(version: str) -> None:
    replica = healthy(version)[0].replica(REPLICA)
    assert replica is not None
    assert (replica.flags, replica.link_up, replica.priority, replica.master) == (("slave",), True, 100, MASTER)
    assert 0 <= replica.ping_age_ms < 2000
    assert 0 <= replica.info_age_ms < 12000
    assert replica.ping_pending_ms == 0
    assert healthy(version)[0].replica("127.0.0.1:1") is None


def test_the_run_ids_are_those_of_the_nodes(version: str) -> None:
    info = recorded(version, "healthy")["nodes"]["redis-1"]["info"]
    assert f"run_id:{healthy(version)[0].master.run_id}" in info


def test_a_sentinel_that_was_just_stopped_still_counts(version: str) -> None:
    """CKQUORUM alone is no proof: the flags of the connection change sooner."""
    for view in views_of(recorded(version, "sentinel_stopped")["at once"]):
        assert view.quorum_ok
        assert view.quorum_reply.startswith("OK 3 usable")
        assert view.stale_links() == [f"Sentinel {SENTINELS[2]} is flagged disconnected"]


def test_a_stopped_sentinel_is_flagged(version: str) -> None:
    (view,) = views_of(recorded(version, "sentinel_stopped")["when flagged"])
    assert view.quorum_reply.startswith("OK 2 usable")
    assert view.stale_links() == [f"Sentinel {SENTINELS[2]} is flagged s_down, disconnected"]


def test_no_quorum_with_two_stopped(version: str) -> None:
    (view,) = views_of(recorded(version, "sentinel_stopped")["two stopped"])
    assert not view.quorum_ok
    assert view.quorum_reply.startswith("NOQUORUM 1 usable Sentinels.")
    assert len(view.stale_links()) == 2


def test_a_sentinel_that_has_just_started_has_pings_pending(version: str) -> None:
    """The replica hangs, and has no flag yet."""
    (view,) = views_of(recorded(version, "sentinel_restarted"))
    hanging = view.replica(OTHER_REPLICA)
    assert hanging is not None
    assert hanging.flags == ("slave",)
    assert hanging.ping_age_ms < 1000, "it says that it answered a moment ago"
    assert view.stale_links() == [f"replica {OTHER_REPLICA} has not answered a PING for {hanging.ping_pending_ms} ms"]


def test_a_stopped_replica(version: str) -> None:
    (view,) = views_of(recorded(version, "replica_stopped")["sentinels"])
    assert view.stale_links() == [f"replica {OTHER_REPLICA} is flagged s_down, disconnected"]


def test_a_failover_that_was_just_accepted(version: str) -> None:
    (view,) = views_of(recorded(version, "failover")["accepted"]["sentinels"])
    assert view.master.failover_in_progress
    assert view.master.address == MASTER


def test_the_leader_is_ahead_of_the_others_when_it_has_promoted(version: str) -> None:
    views = views_of(recorded(version, "failover")["promoted"]["sentinels"])
    assert [view.master.failover_in_progress for view in views] == [True, False, False]
    assert [view.master.address for view in views] == [MASTER] * 3, "SENTINEL MASTER names the old one until the end"
    assert disagreements(views) == [f"config epoch: 1 says {SENTINELS[0]}; 0 says {SENTINELS[1]}, {SENTINELS[2]}"]


def test_sentinels_that_agree(version: str) -> None:
    assert disagreements(healthy(version)) == []
    assert disagreements([]) == []


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("address", REPLICA, f"address of the master: {MASTER} says {SENTINELS[0]}, {SENTINELS[1]}; {REPLICA} says {SENTINELS[2]}"),
        ("config_epoch", 4, f"config epoch: 0 says {SENTINELS[0]}, {SENTINELS[1]}; 4 says {SENTINELS[2]}"),
        ("quorum", 3, f"quorum: 2 says {SENTINELS[0]}, {SENTINELS[1]}; 3 says {SENTINELS[2]}"),
        ("other_sentinels", 3, f"number of Sentinels: 3 says {SENTINELS[0]}, {SENTINELS[1]}; 4 says {SENTINELS[2]}"),
    ],
)
def test_a_sentinel_that_differs(version: str, field: str, value: Any, sentence: str) -> None:
    *others, last = healthy(version)
    changed = dataclasses.replace(last, master=dataclasses.replace(last.master, **{field: value}))
    assert disagreements([*others, changed]) == [sentence]


def test_a_sentinel_that_misses_a_replica(version: str) -> None:
    *others, last = healthy(version)
    changed = dataclasses.replace(last, replicas=tuple(replica for replica in last.replicas if replica.address == REPLICA))
    both = f"{REPLICA}, {OTHER_REPLICA}"
    assert disagreements([*others, changed]) == [f"replicas: {both} says {SENTINELS[0]}, {SENTINELS[1]}; {REPLICA} says {SENTINELS[2]}"]


def test_the_order_of_the_replicas_does_not_matter(version: str) -> None:
    *others, last = healthy(version)
    assert disagreements([*others, dataclasses.replace(last, replicas=last.replicas[::-1])]) == []


def test_a_view_travels_as_json(version: str) -> None:
    view = healthy(version)[0]
    assert view_from_dict(json.loads(json.dumps(view.as_dict()))) == view


def test_masters_and_sentinels_of_a_sentinel(version: str) -> None:
    sentinel = RecordedSentinel(recorded(version, "healthy")["sentinels"]["sentinel-1"])
    assert [master.name for master in monitored_masters(sentinel)] == ["mymaster"]
    first, *others = map(str, sentinels_of(sentinel, "mymaster"))
    assert first == SENTINELS[0]
    assert sorted(others) == [SENTINELS[1], SENTINELS[2]]


def test_a_master_that_is_not_monitored(version: str) -> None:
    sentinel = RecordedSentinel(recorded(version, "healthy")["sentinels"]["sentinel-1"])
    with pytest.raises(CommandRefused, match="No such master"):
        read_view(sentinel, "other")
    with pytest.raises(PreconditionFailed, match=r"no master named 'other' \(it monitors: mymaster\)") as caught:
        sentinels_of(sentinel, "other")
    assert caught.value.node == SENTINELS[0]


class SeveralMasters:
    """A Sentinel that monitors several masters, each with the replicas of a recording."""

    def __init__(self, said: dict[str, Any], *names: str) -> None:
        self.address = Address.parse(said["address"])
        self._of = {name: _elsewhere(said, name, number) for number, name in enumerate(names)}

    def command(self, *words: Any) -> Any:
        if words[1] == "MASTERS":
            return [flat(said["master"]) for said in self._of.values()]
        return [flat(replica) for replica in self._of[words[2]]["replicas"]]

    def of(self, name: str) -> dict[str, Any]:
        return self._of[name]

    def set_timeout(self, timeout_ms: int) -> None:
        """Do nothing: replies are recorded."""

    def close(self) -> None:
        """Do nothing: there is no connection."""


def _elsewhere(said: dict[str, Any], name: str, number: int) -> dict[str, Any]:
    """Return the same shard under another name, on other ports, with other run ids."""

    def moved(fields: dict[str, str]) -> dict[str, str]:
        return {**fields, "port": str(int(fields["port"]) + 1000 * number), "runid": str(number) + fields["runid"][1:]}

    return {"master": {**moved(said["master"]), "name": name}, "replicas": [moved(replica) for replica in said["replicas"]]}


def test_the_master_of_a_node_among_several(version: str) -> None:
    sentinel = SeveralMasters(recorded(version, "healthy")["sentinels"]["sentinel-1"], "one", "two", "three")
    for number, name in enumerate(["one", "two", "three"]):
        for port in (23100, 23101, 23102):
            assert master_name_of(sentinel, f"127.0.0.1:{port + 1000 * number}") == name
            assert master_name_of(sentinel, f"localhost:{port + 1000 * number}") == name
        for run_id in (sentinel.of(name)["master"]["runid"], *(replica["runid"] for replica in sentinel.of(name)["replicas"])):
            assert master_name_of(sentinel, run_id) == name


@pytest.mark.parametrize("target", ["127.0.0.1:1", "f" * 40])
def test_a_node_that_none_of_several_masters_has(version: str, target: str) -> None:
    sentinel = SeveralMasters(recorded(version, "healthy")["sentinels"]["sentinel-1"], "one", "two")
    with pytest.raises(PreconditionFailed, match=f"knows no node {target}") as caught:
        master_name_of(sentinel, target)
    assert "it monitors: one (127.0.0.1:23100), two (127.0.0.1:24100)" in str(caught.value)
    assert "Nothing was changed" in str(caught.value)


@pytest.mark.parametrize("target", ["127.0.0.1:23101", "127.0.0.1:1", "f" * 40])
def test_the_only_master_is_the_one(version: str, target: str) -> None:
    """A later step checks that the node belongs to the master."""
    assert master_name_of(RecordedSentinel(recorded(version, "healthy")["sentinels"]["sentinel-1"]), target) == "mymaster"


def test_what_a_reply_does_not_say_is_never_taken_for_fresh(version: str) -> None:
    replica = recorded(version, "healthy")["sentinels"]["sentinel-1"]["replicas"][0]
    bare = parse_replica(flat({key: value for key, value in replica.items() if key in ("ip", "port", "flags")}))
    assert (bare.info_age_ms, bare.ping_age_ms, bare.link_up, bare.priority) == (NEVER_MS, NEVER_MS, False, 100)
    assert parse_peer(["ip", "127.0.0.1", "port", "1"]).hello_age_ms == NEVER_MS
    assert parse_master(["flags", ""]).flags == ()
