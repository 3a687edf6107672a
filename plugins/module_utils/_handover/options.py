# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of redis_sentinel_failover, and what they mean: servers and request."""

from __future__ import annotations

from typing import Any

from .._errors import PreconditionFailed
from .._progress_file import PROGRESS_SPEC
from .._server.address import Address, is_run_id
from .._server.connection import connect
from .._server.login import CONNECTION_SPEC, NODE_LOGIN_SPEC, login_from, node_login_from
from .._topology.sentinel import master_name_of, sentinel_set
from .._topology.shard import ShardServers
from .modes import MODES
from .result import HandoverRequest

__all__ = ["SPEC", "request_from", "shard_from"]

# a fence that is set for three seconds without a failover looks like the fence of a dead handover
MAX_CATCH_UP_MS = 2000

SPEC: dict[str, Any] = {
    **CONNECTION_SPEC,
    **NODE_LOGIN_SPEC,
    **PROGRESS_SPEC,
    "login_port": {"type": "int", "default": 26379},
    "master_name": {"type": "str", "default": ""},
    "target": {"type": "str", "required": True},
    "mode": {"type": "str", "choices": ["auto", *MODES], "default": "pause"},
    "journal_folder": {"type": "path", "default": "/var/lib/sentinelops-redis"},
    "sentinels": {"type": "list", "elements": "str", "default": []},
    "version": {"type": "str", "default": ""},
    "leader": {"type": "str", "default": ""},
    "align": {"type": "bool", "default": True},
    "max_lag_bytes": {"type": "int", "default": 1048576},
    "catch_up_ms": {"type": "int", "default": 300},
    "disconnect_ms": {"type": "int", "default": 300},
    "wait_s": {"type": "int", "default": 60},
}


def request_from(params: dict[str, Any], master_name: str) -> HandoverRequest:
    """Return the typed request; raise PreconditionFailed for an option that cannot be."""
    if not 0 < params["catch_up_ms"] <= MAX_CATCH_UP_MS:
        raise PreconditionFailed(
            f"catch_up_ms is {params['catch_up_ms']}, and must be from 1 to {MAX_CATCH_UP_MS}: writes are stopped for that time",
            state="Nothing was changed",
        )
    return HandoverRequest(
        master_name=master_name,
        target=_target(params),
        mode=params["mode"],
        align=params["align"],
        wanted_version=params["version"],
        max_lag_bytes=params["max_lag_bytes"],
        wait_s=params["wait_s"],
        catch_up_ms=params["catch_up_ms"],
        leader=str(Address.parse(params["leader"])) if params["leader"] else "",
        disconnect_ms=params["disconnect_ms"],
    )


def _target(params: dict[str, Any]) -> str:
    text: str = params["target"]
    return text if is_run_id(text) else str(Address.parse(text))


def shard_from(params: dict[str, Any]) -> tuple[ShardServers, str]:
    """Return the servers of the shard, and its master name."""
    target = _target(params)
    login, node_login = login_from(params), node_login_from(params)
    first = connect(Address(params["login_host"], params["login_port"]), login)
    name = params["master_name"] or master_name_of(first, target)
    addresses = sentinel_set(params["sentinels"], first, name)
    servers = ShardServers(addresses, lambda address: connect(address, login), lambda address: connect(address, node_login))
    servers.node_login = node_login
    return servers, name
