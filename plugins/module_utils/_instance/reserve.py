# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set the data nodes of a shard up for a reserve, and put back what was set.

The reserve gets ``replica-priority 0``, so that no Sentinel promotes it unasked, and
``repl-diskless-load swapdb`` (6.0 and later), so that a full synchronisation that it cannot read
does not empty it. Every node gets a backlog that is large enough. A reserve that asks for a full
synchronisation in vain asks again at once, and each costs the master a fork; so the other nodes get
a ``repl-diskless-sync-delay`` of 30 s at least. The record is written before the first setting is
changed, and removed after the last one was put back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping

from .._atomic_write import FileIdentity
from .._records.reserve_record import read_reserve_record, remove_reserve_record, write_reserve_record
from .._server.commands import Server
from .._server.info import parse_info
from .._server.log import size_of
from .._server.sent_errors import COUNTER
from .._server.settings import config_values
from .config_rewrite import order_rewrite, require_rewritable, rewrite_file

__all__ = ["HoldRequest", "hold", "is_held", "let_promote", "release"]

PRIORITY, LOADING, BACKLOG = "replica-priority", "repl-diskless-load", "repl-backlog-size"
DISKLESS, DELAY = "repl-diskless-sync", "repl-diskless-sync-delay"
LEAST_DELAY_S = 30
_KEPT_FIELDS = ("version", "server", "executable", "config_file", "folder", "activation")


@dataclass(frozen=True)
class HoldRequest:
    """The reasons to set a data node up, and the values.

    ``role``: ``reserve``, or ``other`` for the other nodes of its shard; ``bystander`` for a node
    that must not become the master while a backup is restored. ``reserve``: the reserve's address,
    or that of the node that is restored. ``backlog_bytes``: the least size of the backlog.
    ``instance``: the node's survey record.
    """

    role: str
    shard: str
    reserve: str
    backlog_bytes: int
    instance: Mapping[str, Any]
    since_s: float = 0


def _wanted(now: Mapping[str, str], request: HoldRequest) -> dict[str, str]:
    if request.role == "bystander":
        return {PRIORITY: "0"}
    wanted = {BACKLOG: str(max(request.backlog_bytes, int(now.get(BACKLOG) or 0)))}
    if request.role == "reserve":
        wanted.update({PRIORITY: "0", LOADING: "swapdb"})
    else:
        wanted.update({DISKLESS: "yes", DELAY: str(max(LEAST_DELAY_S, int(now.get(DELAY) or 0)))})
    return {name: value for name, value in wanted.items() if name in now}


def is_held(server: Server, record: Mapping[str, Any]) -> bool:
    """Return whether all settings of a record are in place, and saved."""
    settings = record.get("settings") or {}
    now = config_values(server, *settings)
    return bool(record.get("saved")) and all(now.get(name) == one["temporary"] for name, one in settings.items())


def hold(server: Server, journal: str, request: HoldRequest, check_mode: bool = False) -> list[str]:
    """Set a data node up; return the changes as sentences. ``journal``: the path of its journal."""
    info, now = parse_info(server.command("INFO")), config_values(server, PRIORITY, LOADING, BACKLOG, DISKLESS, DELAY)
    record = read_reserve_record(journal)
    if record is None or record.get("role") != request.role:
        log = str(request.instance.get("log_file") or "")
        record = {
            **{name: request.instance[name] for name in _KEPT_FIELDS if name in request.instance},
            "role": request.role,
            "shard": request.shard,
            "reserve": request.reserve,
            "since_s": request.since_s,
            "run_id": info.get("run_id", ""),
            "errors_before": int(info.get(COUNTER, "0") or 0),
            "log_offset": size_of(log),
            "backlog_bytes": request.backlog_bytes,
            "settings": (record or {}).get("settings") or {},
        }
    settings = dict(record["settings"])
    for name, value in _wanted(now, request).items():
        original = settings[name]["original"] if name in settings else now[name]
        settings[name] = {"original": original, "temporary": value}
    differing = {name: one["temporary"] for name, one in settings.items() if now.get(name) != one["temporary"]}
    done = [f"{name} is {value} (was {now.get(name)})" for name, value in differing.items()]
    if check_mode or (not done and record.get("saved")):
        return done
    write_reserve_record(journal, {**record, "settings": settings, "saved": False})
    _set(server, differing, info, _local_file(request.instance))
    write_reserve_record(journal, {**record, "settings": settings, "saved": True})
    return done or ["its configuration is saved"]


def let_promote(server: Server, journal: str, local_file: bool, check_mode: bool = False) -> list[str]:
    """Give a reserve its priority back, and keep the rest; return the changes as sentences."""
    return _put_back(server, journal, lambda name: name == PRIORITY, local_file, check_mode)


def release(server: Server, journal: str, local_file: bool, check_mode: bool = False) -> list[str]:
    """Put all settings back that still have our value, and remove the record.

    A setting that somebody has changed since stays. Returns the changes as sentences.
    """
    if read_reserve_record(journal) is None:
        return []
    done = _put_back(server, journal, lambda name: True, local_file, check_mode)
    if not check_mode:
        remove_reserve_record(journal)
    return [*done, "the record of the reserve is removed"]


def _put_back(server: Server, journal: str, chosen: Callable[[str], bool], local_file: bool, check_mode: bool) -> list[str]:
    settings = (read_reserve_record(journal) or {}).get("settings") or {}
    now = config_values(server, *settings)
    ours = {
        name: one["original"] for name, one in settings.items() if chosen(name) and now.get(name) == one["temporary"] != one["original"]
    }
    if ours and not check_mode:
        _set(server, ours, parse_info(server.command("INFO", "server")), local_file)
    return [f"{name} is {value} again (was {now.get(name)})" for name, value in ours.items()]


def _local_file(instance: Mapping[str, Any]) -> bool:
    return (instance.get("activation") or {}).get("method") != "command"


def _set(server: Server, values: Mapping[str, str], info: Mapping[str, str], local_file: bool) -> None:
    """Set these values, and have the server save them."""
    path = info.get("config_file", "")
    if local_file:
        require_rewritable(path, str(server.address))
    for name, value in values.items():
        server.command("CONFIG", "SET", name, value)
    if local_file:
        rewrite_file(server, info, path, FileIdentity.of(path))
    else:
        order_rewrite(server, info, path)
