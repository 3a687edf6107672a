# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""INFO replies: parsing, and the view of a data node that decisions need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

from .address import Address

__all__ = ["NodeInfo", "ReplicaLine", "is_sentinel", "node_info", "parse_info", "server_of"]


def parse_info(text: str) -> dict[str, str]:
    """Return the fields of an INFO reply, as ``{"role": "master", "slave0": "ip=..,port=.."}``."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, separator, value = line.partition(":")
        if separator and not line.startswith("#"):
            fields[name] = value.strip()
    return fields


def server_of(info: Mapping[str, str]) -> tuple[str, str]:
    """Return the product and version: ``("redis", "7.0.15")`` or ``("valkey", "8.0.1")``.

    Valkey has ``redis_version:7.2.4`` beside its own ``valkey_version``.
    """
    if "valkey_version" in info:
        return "valkey", info["valkey_version"]
    return "redis", info.get("redis_version", "")


@dataclass(frozen=True)
class ReplicaLine:
    """A ``slaveN`` field of a master's INFO; ``offset`` counts bytes of the replication stream."""

    address: str
    state: str
    offset: int


@dataclass(frozen=True)
class NodeInfo:
    """A data node as its INFO describes it.

    ``role`` is ``master`` or ``replica`` (INFO says ``slave``). ``offset`` counts bytes of the
    replication stream: master_repl_offset on a master, slave_repl_offset on a replica. ``link_up``
    is true on a master. ``pid`` is what the server itself says, and ``port`` its ``tcp_port`` (0 if
    unknown); see _host/pid_namespace. ``errors_sent``: see sent_errors.py; 0 if not counted.
    """

    server: str
    version: str
    run_id: str
    pid: int
    uptime_s: int
    loading: bool
    role: str
    master: str
    link_up: bool
    sync_in_progress: bool
    offset: int
    replicas: tuple[ReplicaLine, ...]
    sync_full: int
    config_file: str = ""
    port: int = 0
    errors_sent: int = 0

    @property
    def is_master(self) -> bool:
        return self.role == "master"


def is_sentinel(info: Mapping[str, str]) -> bool:
    """Return whether this INFO is a Sentinel's.

    Its field is ``redis_mode``; Valkey has ``server_mode`` from 8.0 on.
    """
    return "sentinel" in (info.get("redis_mode"), info.get("server_mode"))


def _number(info: Mapping[str, str], name: str) -> int:
    try:
        return int(info.get(name, "0"))
    except ValueError:
        return 0


def _replica_line(value: str) -> ReplicaLine:
    parts = dict(part.split("=", 1) for part in value.split(",") if "=" in part)
    address = Address(parts.get("ip", ""), int(parts.get("port", "0")))
    return ReplicaLine(str(address), parts.get("state", ""), int(parts.get("offset", "0")))


def node_info(info: Mapping[str, str]) -> NodeInfo:
    """Return the data node that an INFO describes.

    Needed are the sections server, persistence, replication and stats.
    """
    server, version = server_of(info)
    is_master = info.get("role") == "master"
    lines = [info[name] for name in sorted(info) if name.startswith("slave") and name[5:].isdigit()]
    return NodeInfo(
        server=server,
        version=version,
        run_id=info.get("run_id", ""),
        pid=_number(info, "process_id"),
        uptime_s=_number(info, "uptime_in_seconds"),
        loading=info.get("loading", "0") == "1",
        role="master" if is_master else "replica",
        master="" if is_master else str(Address(info.get("master_host", ""), _number(info, "master_port"))),
        link_up=is_master or info.get("master_link_status") == "up",
        sync_in_progress=info.get("master_sync_in_progress", "0") == "1",
        offset=_number(info, "master_repl_offset" if is_master else "slave_repl_offset"),
        replicas=tuple(_replica_line(line) for line in lines),
        sync_full=_number(info, "sync_full"),
        config_file=info.get("config_file", ""),
        port=_number(info, "tcp_port"),
        errors_sent=_number(info, "unexpected_error_replies"),
    )
