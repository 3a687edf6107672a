# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of a data node in a shard with a reserve: its stream, and what was set there."""

from __future__ import annotations

from typing import Any, Mapping

from .._server.commands import Server
from .._server.log import read_from, size_of
from .._server.sent_errors import COUNTER, MOST_BYTES, lines_of

__all__ = ["replication_facts", "reserve_facts"]


def replication_facts(info: Mapping[str, str]) -> dict[str, Any]:
    """Return the state of a node's replication stream, from the section replication of INFO.

    ``offset``: the bytes of the stream that the node has. ``id2``: the replication id before the
    last promotion, which counts up to the offset ``offset2``. ``backlog_first``: the first offset
    in its backlog, 0 without a backlog. ``resumable``: whether a replica could ask its master for a
    partial resynchronisation.
    """
    is_master = info.get("role") == "master"
    own, followed = _number(info, "master_repl_offset"), _number(info, "slave_repl_offset")
    return {
        "id": info.get("master_replid", ""),
        "id2": info.get("master_replid2", ""),
        "offset": own if is_master else max(own, followed),
        "offset2": _number(info, "second_repl_offset"),
        "backlog_first": _number(info, "repl_backlog_first_byte_offset") if info.get("repl_backlog_active") == "1" else 0,
        "backlog_bytes": _number(info, "repl_backlog_size"),
        "syncs_refused": _number(info, "sync_partial_err"),
        "syncs_full": _number(info, "sync_full"),
        # 1 or less: the server has neither a master nor the state of a lost one
        "resumable": is_master or followed > 1,
        "link_down_s": max(0, _number(info, "master_link_down_since_seconds")),
    }


def _number(info: Mapping[str, str], name: str) -> int:
    try:
        return int(info.get(name, "0"))
    except ValueError:
        return 0


def reserve_facts(server: Server, info: Mapping[str, str], kept: Mapping[str, Any] | None, log_file: str) -> dict[str, Any] | None:
    """Return the record that an earlier run has left; None without one.

    ``held``: whether all of it is still set. ``errors``: the number of writes of its master that
    the node has refused since then. ``restarted``: whether the node was started again since then.
    """
    if kept is None:
        return None
    from .._instance.reserve import is_held

    restarted = kept.get("run_id") != info.get("run_id")
    counted = max(0, _number(info, COUNTER) - (0 if restarted else int(kept.get("errors_before") or 0)))
    since = int(kept.get("log_offset") or 0)
    start = max(since, size_of(log_file) - MOST_BYTES) if since <= size_of(log_file) else 0
    logged = lines_of(read_from(log_file, start))
    return {**kept, "held": is_held(server, kept), "errors": max(counted, logged), "restarted": restarted}
