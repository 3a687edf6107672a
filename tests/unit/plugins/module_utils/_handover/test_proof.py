"""Proofs by replication ids, offsets and counters, on replies of all kinds of nodes."""

from __future__ import annotations

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.proof import (
    ReplicationState,
    StopPoint,
    continues_from,
    loss_by_resync,
    loss_of,
    promotion_doubt,
    replication_state,
    stop_point,
)

OLD, NEW, FOREIGN = "a" * 40, "b" * 40, "c" * 40
POINT = StopPoint(OLD, 5000, changes=100, saved_at=1700000000)
MASTER = """# Replication\r
role:master\r
connected_slaves:2\r
slave0:ip=10.0.0.2,port=6379,state=online,offset=5000,lag=0\r
slave1:ip=10.0.0.3,port=6379,state=wait_bgsave,offset=0,lag=0\r
min_slaves_good_slaves:1\r
master_replid:{replid}\r
master_replid2:{replid2}\r
master_repl_offset:5000\r
second_repl_offset:{second}\r
"""


def master(replid: str = NEW, replid2: str = OLD, second: int = 5001) -> ReplicationState:
    return replication_state(MASTER.format(replid=replid, replid2=replid2, second=second))


def replica(of: str = "10.0.0.2:6379", **changes: object) -> ReplicationState:
    host, _colon, port = of.partition(":")
    fields = {
        "role": "slave",
        "master_host": host,
        "master_port": port,
        "master_link_status": "up",
        "slave_repl_offset": "5200",
        "master_replid": NEW,
        "master_replid2": OLD,
        "second_repl_offset": "5001",
        **changes,
    }
    return replication_state("".join(f"{name}:{value}\r\n" for name, value in fields.items()))


def test_a_reply_is_parsed() -> None:
    state = master()
    assert (state.role, state.replid, state.replid2, state.offset, state.promoted_at) == ("master", NEW, OLD, 5000, 5000)
    assert (state.online, state.good, state.is_master) == (1, 1, True)
    assert (replica().role, replica().master, replica().link_up, replica().offset) == ("replica", "10.0.0.2:6379", True, 5200)


def test_a_master_that_was_never_a_replica() -> None:
    state = master(OLD, "0" * 40, -1)
    assert state.promoted_at == -2
    assert replication_state("role:master\r\n").good == -1


def test_a_stop_point() -> None:
    persistence = "rdb_changes_since_last_save:7\r\nrdb_last_save_time:1700000000\r\n"
    assert stop_point(MASTER.format(replid=OLD, replid2="0" * 40, second=-1), persistence) == StopPoint(OLD, 5000, 7, 1700000000)
    assert stop_point("role:master\r\n", "").changes == -1


@pytest.mark.parametrize(
    ("state", "doubt"),
    [
        (master(), ""),
        (master(second=6000), ""),
        (replica(), "it is a replica"),
        (master(second=4901), "its data end 100 bytes before the old master's"),
        (master(FOREIGN, "0" * 40, -1), "its data do not come from the old master"),
        (master(FOREIGN, FOREIGN, 9000), "its data do not come from the old master"),
        (master(OLD, "0" * 40, -1), "with the replication id of the old master, so it was not promoted"),
    ],
    ids=["promoted", "promoted later", "replica", "stale", "empty", "another data set", "the old master itself"],
)
def test_who_was_promoted(state: ReplicationState, doubt: str) -> None:
    found = promotion_doubt(state, POINT)
    assert doubt in found
    assert bool(found) == bool(doubt)


@pytest.mark.parametrize(
    ("state", "vouches"),
    [
        (replica(), True),
        (replica(master_link_status="down"), False),
        (replica(of="10.0.0.9:6379"), False),
        (replica(master_replid2=FOREIGN), False),
        (replica(master_replid=OLD, master_replid2="0" * 40), False),
        (replica(second_repl_offset="4000"), False),
        (master(), False),
    ],
    ids=["continued", "no link", "of another", "full resync", "not yet", "stale", "a master"],
)
def test_a_replica_vouches_for_its_master(state: ReplicationState, vouches: bool) -> None:
    assert continues_from(state, "10.0.0.2:6379", POINT) is vouches


def old(offset: int) -> ReplicationState:
    return ReplicationState("master", OLD, "0" * 40, offset, -2)


@pytest.mark.parametrize(
    ("offset", "persistence", "point", "loss", "diverged"),
    [
        (5000, {}, POINT, "none", 0),
        (4990, {}, POINT, "none", 0),
        (5150, {"rdb_changes_since_last_save": "100", "rdb_last_save_time": "1700000000"}, POINT, "none", 150),
        (5150, {"rdb_changes_since_last_save": "103", "rdb_last_save_time": "1700000000"}, POINT, "found", 150),
        (5150, {"rdb_changes_since_last_save": "0", "rdb_last_save_time": "1700000099"}, POINT, "unknown", 150),
        (5150, {"rdb_changes_since_last_save": "100", "rdb_last_save_time": "1700000000"}, StopPoint(OLD, 5000), "unknown", 150),
    ],
    ids=["equal", "behind", "only messages", "writes", "saved in between", "no counter before"],
)
def test_whether_a_write_was_lost(offset: int, persistence: dict[str, str], point: StopPoint, loss: str, diverged: int) -> None:
    proof = loss_of(point, old(offset), persistence, 5000)
    assert (proof.loss, proof.diverged_bytes) == (loss, diverged)
    assert not diverged or str(diverged) in proof.reason


def test_writes_that_went_on_before_the_promotion() -> None:
    """Most of the changes are in the promoted node too, so their number is not called the loss."""
    persistence = {"rdb_changes_since_last_save": "2600", "rdb_last_save_time": "1700000000"}
    proof = loss_of(POINT, old(90150), persistence, 90014)
    assert (proof.loss, proof.diverged_bytes) == ("found", 136)
    assert proof.reason.endswith("2500 changes after its writes were to stop, and the new master lacks the last 136 bytes")
    assert loss_of(POINT, old(90014), persistence, 90014).loss == "none"


def test_a_partial_resync_proves_it_too() -> None:
    assert (loss_by_resync(0).loss, loss_by_resync(1).loss) == ("none", "unknown")
