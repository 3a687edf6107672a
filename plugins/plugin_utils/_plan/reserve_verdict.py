# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on a reserve: whether it has every write of its master. Pure.

``replication`` of a record is the state of its stream (see _survey/reserve_facts): ids, offsets and
the backlog.
"""

from __future__ import annotations

from dataclasses import dataclass

from .model import Record

__all__ = ["AT_RISK", "GOOD", "LOST", "Verdict", "judge"]

GOOD, AT_RISK, LOST = "good", "at risk", "lost"


@dataclass(frozen=True)
class Verdict:
    """``state`` is ``good``, ``at risk`` or ``lost``; ``reasons``: sentences about the reserve."""

    state: str
    reasons: tuple[str, ...] = ()


def judge(reserve: Record, master: Record, max_lag_bytes: int = 1048576) -> Verdict:
    """Return whether a reserve has all writes of its master, from the records of both."""
    known = reserve.get("reserve") or {}
    if not reserve.get("answers"):
        return Verdict(AT_RISK, (f"it does not answer: {reserve.get('error', '')}",))
    if reserve.get("role") == "master":
        return Verdict(GOOD, ("it is the master",))
    errors = int(known.get("errors") or 0)
    if errors:
        return Verdict(LOST, (f"it has refused {errors} of the writes that its master sent since then, as its log says (CRITICAL)",))
    return _judge_stream(reserve.get("replication") or {}, master.get("replication") or {}, reserve, known, max_lag_bytes)


def _judge_stream(own: Record, theirs: Record, reserve: Record, known: Record, max_lag_bytes: int) -> Verdict:
    missing = int(theirs.get("offset") or 0) - int(own.get("offset") or 0)
    if not theirs:
        state, seen = AT_RISK, "its master does not answer"
    elif reserve.get("link_up") and own.get("id") != theirs.get("id"):
        state, seen = AT_RISK, "it does not have the replication id of the master yet: it follows another node, or is about to"
    elif reserve.get("link_up") and missing > max_lag_bytes:
        state, seen = AT_RISK, f"it is {missing} bytes behind its master"
    elif reserve.get("link_up") and known.get("restarted") and not reserve.get("log_file"):
        state, seen = AT_RISK, "it was restarted, and has no log that would tell of writes that it has refused before"
    elif reserve.get("link_up"):
        return Verdict(GOOD)
    elif _continues(own, theirs):
        left = int(theirs.get("backlog_bytes") or 0) - missing
        state = AT_RISK
        seen = f"its link is down; it lacks {missing} bytes of the stream, which the backlog of its master has, with room for {left} more"
    else:
        state = LOST
        seen = "its link is down, and the backlog of its master does not reach back to what it has: it needs a full synchronisation"
    return Verdict(state, (seen,))


def _continues(own: Record, theirs: Record) -> bool:
    """Return whether the master would accept a partial resynchronisation (PSYNC) of the reserve."""
    following = int(own.get("offset") or 0) + 1
    if not own.get("resumable"):
        return False
    same = own.get("id") == theirs.get("id") or (own.get("id") == theirs.get("id2") and following <= int(theirs.get("offset2") or 0))
    return same and int(theirs.get("backlog_first") or 0) <= following <= int(theirs.get("offset") or 0) + 1
