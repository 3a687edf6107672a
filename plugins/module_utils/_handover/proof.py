# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove by the servers' own numbers which node was promoted, and that no write was lost.

A replica that is promoted keeps the replication id of its old master as ``master_replid2``, and
the offset of its promotion, plus 1, as ``second_repl_offset`` (INFO replication, 4.0 and later).
The proof needs the role and both numbers: a replica after a partial resync, and a master of 7.0
that was restarted from an RDB file, have the same second id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

from .._server.address import Address
from .._server.commands import Server
from .._server.info import parse_info

__all__ = [
    "LossProof",
    "ReplicationState",
    "StopPoint",
    "continues_from",
    "loss_by_resync",
    "loss_of",
    "promotion_doubt",
    "read_replication",
    "replication_state",
    "stop_point",
]


@dataclass(frozen=True)
class ReplicationState:
    """A data node by its INFO replication. Offsets are bytes of the replication stream.

    ``role`` is ``master`` or ``replica``; ``master`` is the address that a replica follows.
    ``promoted_at``: the offset at which ``replid2`` ended, negative if there is none. ``online``:
    the number of replicas with ``state=online``. ``good``: min_slaves_good_slaves, -1 if absent.
    """

    role: str
    replid: str
    replid2: str
    offset: int
    promoted_at: int
    master: str = ""
    link_up: bool = False
    online: int = 0
    good: int = -1

    @property
    def is_master(self) -> bool:
        return self.role == "master"


@dataclass(frozen=True)
class StopPoint:
    """The old master at the moment when its writes stopped.

    ``replid`` and ``offset``: of its replication stream. ``changes``: rdb_changes_since_last_save,
    -1 if not known; ``saved_at``: rdb_last_save_time.
    """

    replid: str = ""
    offset: int = 0
    changes: int = -1
    saved_at: int = 0


@dataclass(frozen=True)
class LossProof:
    """The answer to "was a write lost?": ``none``, ``found`` or ``unknown``, and the reason.

    ``diverged_bytes``: bytes of the stream that only the old master has, None if not known. The
    number is an upper bound: PUBLISH (also Sentinel's hello), expiry and GETACK are in the stream.
    """

    loss: str
    diverged_bytes: int | None
    reason: str


def _number(fields: Mapping[str, str], name: str, default: int = 0) -> int:
    try:
        return int(fields.get(name, default))
    except ValueError:
        return default


def replication_state(text: str) -> ReplicationState:
    """Parse an INFO replication reply."""
    fields = parse_info(text)
    is_master = fields.get("role") == "master"
    lines = [value for name, value in fields.items() if name.startswith("slave") and name[5:].isdigit()]
    return ReplicationState(
        role="master" if is_master else "replica",
        replid=fields.get("master_replid", ""),
        replid2=fields.get("master_replid2", ""),
        offset=_number(fields, "master_repl_offset" if is_master else "slave_repl_offset"),
        promoted_at=_number(fields, "second_repl_offset", -1) - 1,
        master="" if is_master else str(Address(fields.get("master_host", ""), _number(fields, "master_port"))),
        link_up=fields.get("master_link_status") == "up",
        online=sum("state=online" in value.split(",") for value in lines),
        good=_number(fields, "min_slaves_good_slaves", -1),
    )


def read_replication(server: Server) -> ReplicationState:
    """Ask a data node for INFO replication; raises as ``Server.command`` does."""
    return replication_state(server.command("INFO", "replication"))


def stop_point(replication: str, persistence: str) -> StopPoint:
    """Return the stop point by INFO replication and INFO persistence of one moment."""
    state, fields = replication_state(replication), parse_info(persistence)
    return StopPoint(
        state.replid,
        state.offset,
        _number(fields, "rdb_changes_since_last_save", -1),
        _number(fields, "rdb_last_save_time"),
    )


def promotion_doubt(state: ReplicationState, point: StopPoint) -> str:
    """Return the doubt that a node is the promoted replica; empty if its numbers prove that."""
    if not state.is_master:
        return "it is a replica"
    if state.replid2 != point.replid:
        if state.replid == point.replid:
            return "it says role:master with the replication id of the old master, so it was not promoted"
        return "it says role:master, but its data do not come from the old master (another replication id)"
    if state.promoted_at < point.offset:
        return f"it says role:master, but its data end {point.offset - state.promoted_at} bytes before the old master's"
    return ""


def continues_from(state: ReplicationState, master: str, point: StopPoint) -> bool:
    """Return whether a replica's numbers prove that its master was promoted.

    After a partial resync with a promoted master, a replica has that master's new id, and the old
    master's id as its second id.
    """
    linked = not state.is_master and state.link_up and state.master == master
    return linked and state.replid2 == point.replid != state.replid and state.promoted_at >= point.offset


def loss_of(point: StopPoint, old: ReplicationState, old_persistence: Mapping[str, str], promoted_at: int) -> LossProof:
    """Judge by the old master's numbers at its demotion, and the offset of the promotion."""
    diverged = max(0, old.offset - promoted_at)
    if diverged == 0:
        return LossProof("none", 0, "the old master had no byte of the stream that the new master lacks")
    if point.changes < 0:
        return LossProof("unknown", diverged, f"the old master had {diverged} bytes of the stream that the new master lacks")
    changes = _number(old_persistence, "rdb_changes_since_last_save", -1) - point.changes
    if _number(old_persistence, "rdb_last_save_time") != point.saved_at:
        return LossProof("unknown", diverged, f"the old master had {diverged} bytes more, and saved its data after its writes had stopped")
    if changes == 0:
        return LossProof("none", diverged, f"the old master had {diverged} bytes more, none of which changed its data")
    if promoted_at > point.offset:  # the new master has a part of these changes
        why = f"the old master accepted {changes} changes after its writes were to stop, and the new master lacks the last {diverged} bytes"
        return LossProof("found", diverged, why)
    return LossProof("found", diverged, f"the old master accepted {changes} changes ({diverged} bytes) that the new master lacks")


def loss_by_resync(full_resyncs: int) -> LossProof:
    """Judge without the old master's numbers.

    A partial resync with the new master proves that the old master had no byte more.
    """
    if full_resyncs == 0:
        return LossProof("none", 0, "the old master continued from the new one's stream by a partial resync")
    return LossProof("unknown", None, "the old master needed a full resync, so its last bytes were not compared")
