#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts and stops a server that runs as a plain process, without a service manager."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_instance
short_description: Start or stop a Redis, Valkey or Sentinel process
version_added: 0.1.0
description:
  - Starts a server from its executable and configuration file, detached, and waits until it serves; or stops it with C(SHUTDOWN) and waits until
    its process is gone.
  - For servers that run as plain processes. Where a service manager owns the process, use that.
  - Refuses to stop a master that has replicas, since that is an outage and, without persistence, empties the replicas at the next start.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection
  - sentinelops.redis.connection.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  state:
    description: Whether the instance shall run and serve, or be gone.
    type: str
    choices: [started, stopped]
    required: true
  executable:
    description: The server's executable. Required with O(state=started).
    type: path
  config_file:
    description:
      - The server's configuration file. A server on this port that has another one is not touched, it is an error.
      - Required with O(state=started).
    type: path
  sentinel:
    description: Whether to start the server as a Sentinel.
    type: bool
    default: false
  log_file:
    description: The server's log; its last lines are shown if it does not start. By default what C(logfile) in the configuration file says.
    type: path
  force:
    description: Stop it even if it is a master with replicas.
    type: bool
    default: false
  wait_s:
    description: How long to wait, in seconds, until the server serves (has loaded its data), or until its process is gone.
    type: int
    default: 60
seealso:
  - module: sentinelops.redis.redis_info_check
"""

EXAMPLES = r"""
- name: Stop the replica
  sentinelops.redis.redis_instance:
    login_port: 6380
    state: stopped

- name: Start it again
  sentinelops.redis.redis_instance:
    login_port: 6380
    state: started
    executable: /opt/redis-6380/redis/redis-server
    config_file: /opt/redis-6380/redis/redis.conf
"""

RETURN = r"""
pid:
  description: The process id of the server that serves, or of the one that was stopped (0 if there was none).
  returned: success
  type: int
version:
  description: The version that serves.
  returned: with O(state=started)
  type: str
log_file:
  description: The server's log file; empty if it has none.
  returned: with O(state=started)
  type: str
log_offset:
  description: The size of the log, in bytes, before the server was started.
  returned: with O(state=started)
  type: int
log_tail:
  description: The last lines of the log.
  returned: when the server did not start or did not stop
  type: list
  elements: str
"""

import os
import tempfile
from typing import Any, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._address import Address
from ..module_utils._configfile import directives, read_text
from ..module_utils._connection import CONNECTION_SPEC, Server, connect, login_from, require_redis_py
from ..module_utils._errors import (
    CommandRefused,
    ConnectionFailed,
    OperationFailed,
    PreconditionFailed,
    SentinelOpsError,
)
from ..module_utils._info import NodeInfo, node_info, parse_info
from ..module_utils._process import Started, alive, start_detached
from ..module_utils._serverlog import size_of, tail
from ..module_utils._wait import Clock, until

SPEC: Dict[str, Any] = {
    **CONNECTION_SPEC,
    "state": {"type": "str", "choices": ["started", "stopped"], "required": True},
    "executable": {"type": "path"},
    "config_file": {"type": "path"},
    "sentinel": {"type": "bool", "default": False},
    "log_file": {"type": "path"},
    "force": {"type": "bool", "default": False},
    "wait_s": {"type": "int", "default": 60},
}


def serving(server: Server, config_file: Optional[str]) -> Optional[NodeInfo]:
    """The instance's INFO if one answers, else None.

    Something that is not a Redis server, or one with another configuration file than the wanted one, is an error.
    """
    try:
        info = parse_info(server.command("INFO"))
    except ConnectionFailed as error:
        if error.sent:
            raise PreconditionFailed(
                "something answers on this port that does not speak the Redis protocol, or hangs: " + error.message,
                node=str(server.address),
                advice="Find out what listens there (ss -ltnp) before starting a server on it",
            ) from error
        return None
    if "redis_version" not in info:
        raise PreconditionFailed("what answers on this port is not a Redis server", node=str(server.address))
    node, running = node_info(info), info.get("config_file", "")
    if config_file and not (running and os.path.realpath(running) == os.path.realpath(config_file)):
        raise PreconditionFailed(
            f"another server is there: pid {node.pid}, version {node.version}, configuration file {running or 'none'}; "
            f"expected was {config_file}",
            node=str(server.address),
            state="It was left alone",
            advice="Choose another port, or stop that server if it is yours",
        )
    return node


def _paths(params: Dict[str, Any]) -> List[str]:
    for name in ("executable", "config_file"):
        if not params[name] or not os.path.isfile(params[name]):
            raise PreconditionFailed(
                f"the {name.replace('_', ' ')} {params[name]} does not exist",
                node=str(Address(params["login_host"], params["login_port"])),
                state="Nothing was started",
            )
    return [params["executable"], params["config_file"], *(["--sentinel"] if params["sentinel"] else [])]


def log_file_of(config_file: str) -> str:
    """The log file that a configuration file names, made absolute by its ``dir``; empty if the log goes to stdout."""
    lines = directives(read_text(config_file))
    path = (lines.get("logfile") or [[""]])[-1][0]
    folder = (lines.get("dir") or [[os.path.dirname(config_file)]])[-1][0]
    return os.path.join(folder, path) if path else ""


def _not_started(what: str, server: Server, process: Started, log_file: str, offset: int) -> OperationFailed:
    log_tail = tail(log_file, offset)
    said = "; ".join([part for part in (process.printed(), *log_tail[-6:]) if part])
    return OperationFailed(
        f"{what}: {said or 'it printed nothing'}",
        node=str(server.address),
        state="The instance does not serve",
        advice=f"See {log_file or 'the output above'}",
        log_tail=log_tail,
        printed=process.printed(),
    )


def start(server: Server, params: Dict[str, Any], check_mode: bool) -> Dict[str, Any]:
    node = serving(server, params["config_file"])
    arguments = _paths(params)
    log_file = params["log_file"] or log_file_of(params["config_file"])
    offset = size_of(log_file)
    result: Dict[str, Any] = {"changed": node is None, "log_file": log_file, "log_offset": offset}
    if node is None and not check_mode:
        with tempfile.TemporaryFile() as output:
            process = start_detached(arguments, os.path.dirname(params["config_file"]), output)
            node = _wait_until_serving(server, params["wait_s"], process, log_file, offset)
    return {**result, "pid": node.pid if node else 0, "version": node.version if node else ""}


def _wait_until_serving(server: Server, wait_s: int, process: Started, log_file: str, offset: int) -> NodeInfo:
    def observe() -> Optional[NodeInfo]:
        ended = process.ended()
        if ended:
            raise _not_started(f"the server ended at once with exit code {ended}", server, process, log_file, offset)
        try:
            return node_info(parse_info(server.command("INFO")))
        except (ConnectionFailed, CommandRefused):
            return None

    waited = until(
        observe, lambda seen: seen is not None and not seen.loading, deadline_s=wait_s, interval_s=0.05, clock=Clock()
    )
    if not waited.satisfied:
        last = "it still loads its data" if waited.seen else "it does not answer"
        raise _not_started(f"the server does not serve after {wait_s} s, {last}", server, process, log_file, offset)
    assert waited.seen is not None
    ours = process.process.pid
    if process.ended() is None and waited.seen.pid != ours:
        raise _not_started(f"another server (pid {waited.seen.pid}) answers on this port", server, process, log_file, offset)
    return waited.seen


def stop(server: Server, params: Dict[str, Any], check_mode: bool) -> Dict[str, Any]:
    node = serving(server, params["config_file"])
    if node is None:
        return {"changed": False, "pid": 0}
    replicas = ", ".join(replica.address for replica in node.replicas)
    if node.is_master and replicas and not params["force"]:
        raise PreconditionFailed(
            f"it is a master, followed by {replicas}, and will not be stopped",
            node=str(server.address),
            state="It goes on serving",
            advice="Hand the master role over first (redis_sentinel_failover)",
        )
    if not check_mode:
        _shut_down(server, node.pid, params)
    return {"changed": True, "pid": node.pid}


def _shut_down(server: Server, pid: int, params: Dict[str, Any]) -> None:
    log_file = params["log_file"] or ""
    offset = size_of(log_file)
    try:
        server.command("SHUTDOWN")
    except ConnectionFailed:
        pass  # the answer to a SHUTDOWN that works is the end of the connection
    except CommandRefused as refused:
        raise OperationFailed(
            f"it refuses to shut down: {refused.reply}",
            node=str(server.address),
            state="It goes on serving",
            advice="Its log says why; often it cannot save its data (disk full, folder not writable)",
            log_tail=tail(log_file, offset),
        ) from refused
    waited = until(lambda: alive(pid), lambda lives: not lives, deadline_s=params["wait_s"], interval_s=0.02, clock=Clock())
    if not waited.satisfied:
        raise OperationFailed(
            f"its process {pid} is still there {params['wait_s']} s after SHUTDOWN",
            node=str(server.address),
            state="It may be saving its data",
            advice="Look at its log, and run again when it is gone",
            log_tail=tail(log_file, offset),
        )


def main() -> None:
    module = AnsibleModule(SPEC, supports_check_mode=True, required_if=[("state", "started", ["executable", "config_file"])])
    try:
        require_redis_py()
        server = connect(Address(module.params["login_host"], module.params["login_port"]), login_from(module.params))
        act = start if module.params["state"] == "started" else stop
        result = act(server, module.params, module.check_mode)
    except SentinelOpsError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
