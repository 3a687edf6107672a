# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only the preflight wants to know of an instance: rights, write rate, memory, disks, clock,
leftovers. Reads only.

It comes on top of the survey's record, under the key ``examined``; JSON types, sizes in bytes.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import time
from typing import Any, Mapping

from .._errors import AccessDenied, PreconditionFailed, SentinelOpsError
from .._host.facts import available_memory, lock_holder, may_write, programs_bytes, room
from .._records.journal import read_journal
from .._server.acl import denied_on_node, denied_on_sentinel
from .._server.commands import Server
from .._server.info import parse_info
from .._topology.shard import config_values
from .._wait import Clock

__all__ = ["examine", "journal_or_reason", "not_surveyed"]

RATE_FOR_S = 0.5  # how long the write rate of a master is measured
SETTINGS = (
    "repl-backlog-size",
    "maxmemory",
    "maxmemory-policy",
    "client-output-buffer-limit",
    "dbfilename",
)


def journal_or_reason(path: str) -> tuple[dict[str, Any] | None, str]:
    """The journal, and why it cannot be read."""
    try:
        return read_journal(path), ""
    except PreconditionFailed as error:
        return None, str(error)


def not_surveyed(server: Server, kind: str, journal: dict[str, Any] | None, error: SentinelOpsError) -> dict[str, Any]:
    """The record of an instance that answers, but does not tell what the survey asks."""
    login: dict[str, Any] = {"kind": kind, "login": str(server.address), "journal": journal, "role": "unreachable"}
    denied = isinstance(error, AccessDenied)
    refused = {"message": error.message, "advice": error.advice, "denied": denied, "right": denied and "NOPERM" in error.message}
    return {**login, "answers": False, "stopped": False, "error": str(error), "refused": refused}


def examine(server: Server, record: Mapping[str, Any], journal_path: str, asked_at_s: float, clock: Clock) -> dict[str, Any]:
    """``asked_at_s``: the controller's time of day when it sent us here; 0 if it did not say."""
    found: dict[str, Any] = {
        "clock": {"asked_at_s": asked_at_s, "host_s": time.time()},
        "notes": _notes(os.path.dirname(journal_path)),
        "rights": {},
        **_host(record),
    }
    refused = record.get("refused") or {}
    if record.get("answers") or refused.get("right"):
        found["rights"] = denied_on_sentinel(server) if record["kind"] == "sentinel" else denied_on_node(server)
    if record.get("answers") and record["kind"] == "redis":
        # it has answered the survey: what it is now, the run will see
        with contextlib.suppress(SentinelOpsError):
            found.update(_data_node(server, record, clock))
    return found


def _host(record: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"available_memory": available_memory(), "writable": {"file": None, "folder": None, "mounted": False}}
    folder, data = str(record.get("folder", "")), str(record.get("dir", ""))
    if folder:
        needed = programs_bytes(folder, str(record.get("executable", "")))
        found["versions"] = {**room(os.path.dirname(folder)), "needed": needed, "left": os.path.isdir(folder + ".new")}
    if data:
        found["data"] = room(data)
    if record.get("pid") and record.get("config_identity"):
        found["writable"] = may_write(record["pid"], record["config_file"])
    return found


def _notes(folder: str) -> list[dict[str, Any]]:
    """What handovers have noted on this host and not erased, and which process is at one now (0:
    none).
    """
    found = []
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), "handover-*.json"))):
        note: dict[str, Any] = {"path": path, "changes": [], "error": ""}
        try:
            with open(path, encoding="utf-8") as file:
                note["changes"] = [f"{one['setting']} of {one['address']} (was {one['original']})" for one in json.load(file)["overrides"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            note["error"] = str(error) or type(error).__name__
        found.append(note)
    locks = sorted(glob.glob(os.path.join(glob.escape(folder), "handover-*.json.lock")))
    held = {path: lock_holder(path) for path in locks}
    by_path = {note["path"]: note for note in found}
    for path, holder in held.items():
        if holder:
            note = by_path.get(path[: -len(".lock")]) or {"path": path, "changes": [], "error": ""}
            note["held_by"] = holder
            by_path[note["path"]] = note
    return [{"held_by": 0, **note} for _path, note in sorted(by_path.items())]


def _data_node(server: Server, record: Mapping[str, Any], clock: Clock) -> dict[str, Any]:
    begun_s, info = clock.now_s(), parse_info(server.command("INFO"))
    config = config_values(server, *SETTINGS)
    dump = os.path.join(str(record.get("dir", "")), config.get("dbfilename") or "dump.rdb")
    found = {
        "used_memory": _number(info, "used_memory"),
        "counted_memory": max(0, _number(info, "used_memory") - _number(info, "mem_not_counted_for_evict")),
        "resident_memory": _number(info, "used_memory_rss"),
        "maxmemory": _number(config, "maxmemory"),
        "maxmemory_policy": config.get("maxmemory-policy", ""),
        "backlog_bytes": _number(config, "repl-backlog-size"),
        "output_buffer": replica_limit(config.get("client-output-buffer-limit", "")),
        "rdb_bytes": os.path.getsize(dump) if os.path.isfile(dump) else 0,
        "save_failed": info.get("rdb_last_bgsave_status", "ok") != "ok",
        "aof_failed": info.get("aof_last_write_status", "ok") != "ok",
        "failover_state": info.get("master_failover_state", "no-failover"),
        "rate_bytes_s": 0.0,
    }
    if record.get("role") == "master":
        clock.sleep_s(RATE_FOR_S - (clock.now_s() - begun_s))
        later = parse_info(server.command("INFO", "replication"))
        written = _number(later, "master_repl_offset") - _number(info, "master_repl_offset")
        found["rate_bytes_s"] = max(0.0, round(written / max(clock.now_s() - begun_s, 0.001), 1))
    return found


def _number(fields: Mapping[str, str], name: str) -> int:
    text = fields.get(name, "0")
    return int(text) if text.isdigit() else 0


def replica_limit(text: str) -> list[int]:
    """Hard limit, soft limit (bytes) and seconds of ``client-output-buffer-limit`` for replicas;
    zeros where there is no limit.
    """
    words = text.split()
    for position, word in enumerate(words[:-3]):
        if word in ("replica", "slave"):
            return [int(number) for number in words[position + 1 : position + 4]]
    return [0, 0, 0]
