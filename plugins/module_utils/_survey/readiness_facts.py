# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of one instance for the preflight: rights, write rate, memory, disks, clock and leftovers.

Reads only. The facts are part of the survey's record, under the key ``examined``: JSON types, sizes
in bytes.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import time
from typing import Any, Mapping

from .._errors import AccessDenied, CommandRefused, PreconditionFailed, SentinelOpsError
from .._handover.overrides import SettingOverride
from .._host.disk_space import file_system_of
from .._host.facts import available_memory, lock_holder, may_write, programs_bytes
from .._host.process_facts import process_facts_from
from .._instance.start_losses import lost_commands, lost_modules
from .._records.journal import read_journal
from .._server.acl import is_unknown, refused_on_node, refused_on_sentinel
from .._server.commands import Server
from .._server.info import parse_info
from .._server.settings import config_values
from .._wait import Clock
from .pace_facts import load_facts
from .script_facts import VERBATIM, script_facts

__all__ = ["journal_or_reason", "not_surveyed", "readiness_facts"]

RATE_FOR_S = 0.5  # the time for which the write rate of a master is measured
SETTINGS = (
    "repl-backlog-size",
    "maxmemory",
    "maxmemory-policy",
    "client-output-buffer-limit",
    "dbfilename",
    VERBATIM,
)


def journal_or_reason(path: str) -> tuple[dict[str, Any] | None, str]:
    """Return the journal, and the reason if it cannot be read."""
    try:
        return read_journal(path), ""
    except PreconditionFailed as error:
        return None, str(error)


def not_surveyed(server: Server, kind: str, journal: dict[str, Any] | None, error: SentinelOpsError) -> dict[str, Any]:
    """Return the record of an instance whose survey failed, with the error under ``refused``."""
    login: dict[str, Any] = {"kind": kind, "login": str(server.address), "journal": journal, "role": "unreachable"}
    denied = isinstance(error, AccessDenied)
    refused = {
        "message": error.message,
        "advice": error.advice,
        "denied": denied,
        "right": denied and "NOPERM" in error.message,
        "unknown": isinstance(error, CommandRefused) and is_unknown(error),
    }
    return {**login, "answers": False, "stopped": False, "error": str(error), "refused": refused}


def readiness_facts(
    server: Server, record: Mapping[str, Any], journal_path: str, asked_at_s: float, clock: Clock, backup_folder: str = ""
) -> dict[str, Any]:
    """Return the facts for the preflight, on top of an instance's survey record.

    ``asked_at_s``: the controller's time of day when it started this task; 0 if unknown.
    ``backup_folder``: the folder of backups, which need not exist.
    """
    found: dict[str, Any] = {
        "clock": {"asked_at_s": asked_at_s, "host_s": time.time()},
        "notes": _undo_files(os.path.dirname(journal_path)),
        "rights": {},
        "unknown": {},
        **_host(record),
        **({"backup": file_system_of(backup_folder)} if backup_folder else {}),
    }
    refused = record.get("refused") or {}
    if record.get("answers") or refused.get("right") or refused.get("unknown"):
        refusals = refused_on_sentinel(server) if record["kind"] == "sentinel" else refused_on_node(server)
        found.update(rights=refusals.denied, unknown=refusals.unknown)
    if record.get("process"):
        found["start"] = _start(server, record)
    if record.get("answers") and record["kind"] == "redis":
        # no finding: the instance has answered the survey, and the run itself checks again
        with contextlib.suppress(SentinelOpsError):
            found.update(_data_node(server, record, clock))
    return found


def _host(record: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"available_memory": available_memory(), "writable": {"file": None, "folder": None, "mounted": False}}
    folder, data = str(record.get("folder", "")), str(record.get("dir", ""))
    if folder:
        staged = str((record.get("activation") or {}).get("staged") or folder + ".new")
        needed = programs_bytes(folder, str(record.get("executable", "")))
        found["versions"] = {**file_system_of(os.path.dirname(staged)), "needed": needed, "left": os.path.isdir(staged)}
    if data and _files_are_local(record):
        found["data"] = file_system_of(data)
    if record.get("pid") and (record.get("config_identity") or not _files_are_local(record)):
        found["writable"] = may_write(record["pid"], record["config_file"])
    return found


def _files_are_local(record: Mapping[str, Any]) -> bool:
    """Return whether the paths that the server tells are paths of this host."""
    return (record.get("activation") or {}).get("method") != "command"


def _start(server: Server, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the restart of a plain process would lose: limits, output, commands, modules.

    ``lost_output`` is empty if a log file is set, or the output can be opened again.
    """
    facts, config_file = process_facts_from(record["process"]), str(record.get("config_file", ""))
    if facts is None or (record.get("service") or {}).get("manager", "process") != "process":
        return {}
    output = facts.stdout.path if facts.stdout and facts.stdout.is_lost and not record.get("log_file") else ""
    found: dict[str, Any] = {"impossible": facts.impossible(config_file), "lost_output": output}
    if record.get("answers") and record["kind"] == "redis":
        asked = (server, str(record["version"]), config_file, facts.start_folder(config_file))
        found.update(lost_commands=lost_commands(*asked), lost_modules=lost_modules(*asked))
    return found


def _undo_files(folder: str) -> list[dict[str, Any]]:
    """Return the undo files of handovers on this host, and of handovers that run now.

    ``held_by``: the process that holds the lock beside an undo file, 0 if there is none.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), "handover-*.json"))):
        found[path] = {"path": path, "changes": [], "error": "", "held_by": 0}
        try:
            with open(path, encoding="utf-8") as file:
                changes = [SettingOverride.from_dict(one) for one in json.load(file)["overrides"]]
                found[path]["changes"] = [f"{one.setting} of {one.address} (was {one.original})" for one in changes]
        except (OSError, ValueError, KeyError, TypeError, PreconditionFailed) as error:
            found[path]["error"] = str(error) or type(error).__name__
    for lock in sorted(glob.glob(os.path.join(glob.escape(folder), "handover-*.json.lock"))):
        holder, path = lock_holder(lock), lock[: -len(".lock")]
        if holder:
            known = path if path in found else lock
            found[known] = {"path": known, "changes": [], "error": "", **found.get(known, {}), "held_by": holder}
    return [file for _path, file in sorted(found.items())]


def _data_node(server: Server, record: Mapping[str, Any], clock: Clock) -> dict[str, Any]:
    """Return memory, files, failures and write rate of a data node; the rate only of a master."""
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
        "rdb_bytes": os.path.getsize(dump) if _files_are_local(record) and os.path.isfile(dump) else 0,
        "save_failed": info.get("rdb_last_bgsave_status", "ok") != "ok",
        "aof_failed": info.get("aof_last_write_status", "ok") != "ok",
        "load": load_facts(str(record.get("log_file") or "")) if _files_are_local(record) else {},
        "last_save_s": _number(info, "rdb_last_bgsave_time_sec"),  # 0 for -1, which is none
        "failover_state": info.get("master_failover_state", "no-failover"),
        "rate_bytes_s": 0.0,
        **script_facts(info, config),
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
    """Return hard limit, soft limit (bytes) and seconds of ``client-output-buffer-limit`` for
    replicas; zeros if there is no limit.
    """
    words = text.split()
    for position, word in enumerate(words[:-3]):
        if word in ("replica", "slave"):
            return [int(number) for number in words[position + 1 : position + 4]]
    return [0, 0, 0]
