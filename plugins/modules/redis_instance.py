#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts, stops and restarts a server by its service manager, also with another version of its
binary.
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_instance
short_description: Start, stop, or switch the version of a Redis, Valkey or Sentinel server
version_added: 0.1.0
description:
  - Starts a server and waits until it serves; or stops it with C(SHUTDOWN), so that it saves its data, and waits until
    its process is gone.
  - A server that a unit of systemd runs is kept down by C(systemctl stop) after its C(SHUTDOWN), and C(Restart=) is
    switched off meanwhile. It is started by C(systemctl start). Whether the unit is enabled is not changed.
  - V(switched) stops the server, copies the configuration files that lie in its version folder (C(redis)) into the
    staged one (C(redis.new)),
    renames C(redis) to C(redis.old) and C(redis.new) to C(redis), and starts the server again. If it does not serve,
    the old version is put back and
    started, and the module fails. Where O(folder) is a symbolic link, that is pointed to the new version instead
    (O(activation)). This happens in one call, so that the server is down for a moment only and is not
    left stopped if the controller dies.
  - Refuses to stop a Sentinel without which no failover could be agreed on, or while one is in progress.
  - Refuses to stop a master, since that is an outage and, without persistence, empties it, and its replicas, at the
    next start. One that nobody follows may be the only one that is left.
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
    description:
      - V(started) and V(stopped) ensure that the instance serves, or is gone.
      - V(switched) ensures that it runs O(version) from its version folder.
      - V(previous) ensures that it runs O(version) again, which V(switched) has kept in C(redis.old). Data files that this version
        cannot read are renamed (C(dump.rdb.set-aside)), never removed; it follows the master that it has followed until then, and gets
        the data from there. Where O(version) could not read the data of that master either, nothing is touched, and the module fails.
    type: str
    choices: [started, stopped, switched, previous]
    required: true
  executable:
    description:
      - The server's executable. Required with O(state=switched) and O(state=previous), and with O(state=started) for a
        plain process.
      - A unit of systemd that starts another executable gets a drop-in (C(zz-sentinelops-redis.conf)) with which it
        starts this one, with the arguments that it has; a unit that starts this one by itself has that drop-in removed.
        A unit that starts the server by a script is left as it is.
    type: path
  config_file:
    description:
      - The server's configuration file. A server on this port that has another one is not touched, it is an error.
      - Required unless O(state=stopped).
    type: path
  sentinel:
    description: Whether the server is a Sentinel; it is started as one.
    type: bool
    default: false
  log_file:
    description: The server's log; its last lines are shown if something fails. By default what C(logfile) in the
      configuration file says.
    type: path
  folder:
    description:
      - The version folder, for example C(/opt/redis-6379/redis). The staged version is beside it with C(.new) at the
        end, the kept one with C(.old).
      - A C(.old) of an earlier upgrade is set aside as C(.old.<version>).
      - With O(activation.method=symlink), the symbolic link, for example C(/opt/redis/current).
      - Required with O(state=switched) and O(state=previous).
    type: path
  activation:
    description: How the staged version takes the place of the one that runs, and is taken back. By default by swapping
      folders.
    type: dict
    suboptions:
      method:
        description:
          - V(folder) renames O(folder) to C(.old) and C(.new) to O(folder).
          - V(symlink) points O(folder), a symbolic link, to O(activation.staged). No release is renamed.
          - V(package) copies configuration and data from the places of Redis's package to those of Valkey's, which has
            been installed beside it, and starts the unit of that. What the old unit has stays, for O(state=previous).
        type: str
        choices: [folder, symlink, package]
        required: true
      staged:
        description: With V(symlink), the release folder with the new version.
        type: path
      kept:
        description: With V(symlink), the release that runs now, to which O(state=previous) points the link. Without it,
          the instance ran from elsewhere, and there was no link.
        type: path
      unit:
        description: With V(package), the unit of the new package, for example C(valkey-server.service).
        type: str
      old_unit:
        description: With V(package), the unit of the package that it runs from now.
        type: str
      enabled:
        description: With V(package), whether the unit in use is enabled, and the other one disabled.
        type: bool
        default: true
  version:
    description: The version that shall run. Required with O(state=switched) and O(state=previous).
    type: str
  config_identity:
    description: Owner, group and mode to give the configuration file, for where the server itself has changed them
      since the upgrade began.
    type: dict
    suboptions:
      uid:
        description: User id of the owner.
        type: int
        required: true
      gid:
        description: Group id.
        type: int
        required: true
      mode:
        description: Permission bits, as a number.
        type: int
        required: true
  process_owner:
    description: As whom to start a plain process, where the module runs as root. By default as the user that runs the
      module.
    type: dict
    suboptions:
      uid:
        description: User id.
        type: int
        required: true
      gid:
        description: Group id.
        type: int
        required: true
  service_manager:
    description:
      - By whom the server is stopped and started.
      - V(auto) is V(systemd) for a server that is the main process of a system unit, or where O(unit) is given, else
        V(process).
      - V(systemd) uses O(unit), or the unit that the running process belongs to. It needs root.
      - V(process) starts the server detached, from O(executable).
      - V(command) uses O(start_command) and O(stop_command).
    type: str
    choices: [auto, systemd, process, command]
    default: auto
  unit:
    description: The unit of systemd, for example C(redis-server@6380.service). A running server that does not belong to
      it is not touched, it is an error.
    type: str
  start_command:
    description:
      - The command that starts the server, as a list of words or a line, run without a shell. It may end at once, or stay
        as long as the server.
      - Required with O(service_manager=command).
    type: raw
  stop_command:
    description:
      - The command that ends the server in such a way that it saves its data and is not started again. Ours waits for the
        end of the process.
      - Required with O(service_manager=command).
    type: raw
  replicas:
    description:
      - With O(state=switched) and O(state=previous), how many replicas the master of a replica must have online, this one included;
        otherwise it is not stopped. What was restarted before it may have crashed since.
      - Not looked at by default, for a master, and where that master does not answer.
    type: int
  force:
    description: With O(state=stopped), stop it even if it is a master, or a Sentinel that is needed.
    type: bool
    default: false
  wait_s:
    description: How long to wait, in seconds, until the server serves (has loaded its data), or until its process is
      gone.
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

- name: Start a server that systemd runs
  sentinelops.redis.redis_instance:
    login_port: 6380
    state: started
    unit: redis-server@6380.service
    config_file: /etc/redis/redis-6380.conf

- name: Restart it with the version that was staged in /opt/redis-6380/redis.new
  sentinelops.redis.redis_instance:
    login_port: 6380
    state: switched
    version: 7.0.15
    folder: /opt/redis-6380/redis
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
  returned: unless O(state=stopped)
  type: str
log_file:
  description: The server's log file; empty if it has none.
  returned: success
  type: str
log_offset:
  description: The size of the log, in bytes, before anything was done.
  returned: success
  type: int
log_before:
  description: The last lines of the log before anything was done.
  returned: with O(state=switched) and O(state=previous)
  type: list
  elements: str
set_aside:
  description: The new names of data files that the version that was put back could not read.
  returned: with O(state=previous), and with O(state=switched) when the old version was put back
  type: list
  elements: str
untouched:
  description: Whether it was refused to stop the instance, which therefore serves as before.
  returned: when it was
  type: bool
log_tail:
  description: The last lines of the log.
  returned: when something failed
  type: list
  elements: str
"""

import os
from dataclasses import replace
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._atomic_write import FileIdentity
from ..module_utils._errors import AccessDenied, CommandRefused, ConnectionFailed, PreconditionFailed, SentinelOpsError
from ..module_utils._host.process import Owner
from ..module_utils._host.service import Command, Process, Service, command_words
from ..module_utils._host.systemd import Systemd, service_of, systemd_for
from ..module_utils._install.activation import Activation, activation_from
from ..module_utils._install.folders import Folders
from ..module_utils._instance.lifecycle import (
    InstanceFiles,
    log_file_of,
    put_back,
    refuse_unsafe_stop,
    refuse_while_replicas_are_missing,
    restart,
    running_instance,
    running_now,
    runs_previous,
    start,
    stop,
    switch_version,
)
from ..module_utils._server.address import Address
from ..module_utils._server.commands import Server
from ..module_utils._server.connection import connect
from ..module_utils._server.info import NodeInfo, node_info, parse_info
from ..module_utils._server.log import last_lines, size_of
from ..module_utils._server.login import CONNECTION_SPEC, login_from
from ..module_utils._server.redis_py import require_redis_py
from ..module_utils._signals import uninterrupted
from ..module_utils._wait import Clock

SPEC: dict[str, Any] = {
    **CONNECTION_SPEC,
    "state": {"type": "str", "choices": ["started", "stopped", "switched", "previous"], "required": True},
    "executable": {"type": "path"},
    "config_file": {"type": "path"},
    "sentinel": {"type": "bool", "default": False},
    "log_file": {"type": "path"},
    "folder": {"type": "path"},
    "activation": {
        "type": "dict",
        "options": {
            "method": {"type": "str", "choices": ["folder", "symlink", "package"], "required": True},
            "staged": {"type": "path"},
            "kept": {"type": "path"},
            "unit": {"type": "str"},
            "old_unit": {"type": "str"},
            "enabled": {"type": "bool", "default": True},
        },
        "required_if": [("method", "symlink", ["staged"]), ("method", "package", ["unit", "old_unit"])],
    },
    "version": {"type": "str"},
    "config_identity": {
        "type": "dict",
        "options": {name: {"type": "int", "required": True} for name in ("uid", "gid", "mode")},
    },
    "process_owner": {
        "type": "dict",
        "options": {name: {"type": "int", "required": True} for name in ("uid", "gid")},
    },
    "service_manager": {"type": "str", "choices": ["auto", "systemd", "process", "command"], "default": "auto"},
    "unit": {"type": "str"},
    "start_command": {"type": "raw"},
    "stop_command": {"type": "raw"},
    "replicas": {"type": "int"},
    "force": {"type": "bool", "default": False},
    "wait_s": {"type": "int", "default": 60},
}


def files_from(params: dict[str, Any]) -> InstanceFiles:
    config_file = params["config_file"] or ""
    readable = bool(config_file) and os.path.isfile(config_file)
    log_file = params["log_file"] or (log_file_of(config_file) if readable else "")
    return InstanceFiles(params["executable"] or "", config_file, params["sentinel"], log_file)


def service_from(params: dict[str, Any], node: NodeInfo | None, address: str) -> Service:
    """Who stops and starts the instance. Raises PreconditionFailed where that is unclear; nothing
    was touched then.
    """
    manager, unit, pid = params["service_manager"], params["unit"], node.pid if node else None
    if manager == "command":
        begin, end = (tuple(command_words(params[name], name)) for name in ("start_command", "stop_command"))
        return Command(begin, end)
    if unit and manager != "process":
        return systemd_for(unit, pid, address)
    if manager == "systemd" and pid is None:
        raise PreconditionFailed("it does not run, so its unit cannot be found out", node=address, advice="Give the option unit")
    found: dict[str, Any] = service_of(pid, manager) if pid is not None else {"manager": "process", "doubts": []}
    for doubt in found["doubts"]:
        raise PreconditionFailed(f"{doubt['seen']}. {doubt['why']}", node=address, state="It was left alone", advice=doubt["do"])
    if found["manager"] == "systemd":
        return Systemd(found["unit"])
    if params["state"] == "started" and not params["executable"]:
        raise PreconditionFailed("a plain process is to be started, and its executable is not given", node=address)
    return Process(Owner(**params["process_owner"]) if params["process_owner"] else None)


def ensure(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Brings the instance into the wanted state; returns the module's result."""
    server = connect(Address(params["login_host"], params["login_port"]), login_from(params))
    files, clock = files_from(params), Clock()
    result = _log_of(files)
    if params["state"] == "switched":
        result.update(_log_of(activation_of(params).after(files)), log_before=last_lines(files.log_file))
    elif params["state"] == "previous":
        result.update(log_before=last_lines(activation_of(params).after(files).log_file), set_aside=[])
    node = _serving(server, files, params)
    if params["state"] == "stopped":
        return {**result, **_ensure_stopped(server, files, node, params, check_mode)}
    wrong = node is None or _runs_other(node, files, params)
    if wrong and node is not None and params["replicas"]:
        refuse_while_replicas_are_missing(server, node, params["replicas"], lambda address: _info_of(address, params), clock)
    if wrong and not check_mode:
        is_old = node is not None and (not files.config_file or os.path.realpath(node.config_file) == os.path.realpath(files.config_file))
        files = replace(files, service=service_from(params, node if is_old else None, str(server.address)))
        with uninterrupted():
            if params["state"] == "previous":
                back = put_back(server, files, activation_of(params), params["version"], params["wait_s"], clock, _asked(params))
                node, result["set_aside"] = back.node, list(back.set_aside)
            else:
                node = _act(server, files, params, clock)
    return {**result, "changed": wrong, "pid": node.pid if node else 0, "version": node.version if node else ""}


def _log_of(files: InstanceFiles) -> dict[str, Any]:
    return {"log_file": files.log_file, "log_offset": size_of(files.log_file)}


def _serving(server: Server, files: InstanceFiles, params: dict[str, Any]) -> NodeInfo | None:
    """What serves: for a version that is switched, from the files before or after that."""
    if params["state"] in ("switched", "previous"):
        return running_now(server, files, activation_of(params))[0]
    return running_instance(server, files.config_file)


def activation_of(params: dict[str, Any]) -> Activation:
    given = params["activation"]
    return activation_from({**given, "folder": params["folder"]}) if given else Folders(params["folder"])


def _runs_other(node: NodeInfo, files: InstanceFiles, params: dict[str, Any]) -> bool:
    """Whether it runs another version than the wanted one, or from elsewhere."""
    if params["state"] == "started":
        return False
    if params["state"] == "previous":
        return not runs_previous(node, files, activation_of(params), params["version"])
    return node.version != params["version"] or not activation_of(params).in_place(params["version"])


def _asked(params: dict[str, Any]) -> Callable[[Address], tuple[str, str] | None]:
    """Tells the server and version of a node that is reached as ours is; None if it does not say."""

    def ask(address: Address) -> tuple[str, str] | None:
        found = _info_of(address, params)
        return (found.server, found.version) if found else None

    return ask


def _info_of(address: Address, params: dict[str, Any]) -> NodeInfo | None:
    """What a node is like that is reached as ours is; None if it does not say."""
    other = connect(address, login_from(params))
    try:
        return node_info(parse_info(other.command("INFO")))
    except (ConnectionFailed, CommandRefused, AccessDenied):
        return None
    finally:
        other.close()


def _act(server: Server, files: InstanceFiles, params: dict[str, Any], clock: Clock) -> NodeInfo:
    wait_s = params["wait_s"]
    if params["state"] == "started":
        return start(server, files, wait_s, clock)
    activation = activation_of(params)
    if activation.activated(params["version"]):  # an interrupted run has done it already
        return restart(server, activation.after(files), wait_s, clock)
    identity = FileIdentity(**params["config_identity"]) if params["config_identity"] else None
    return switch_version(server, files, activation, params["version"], identity, wait_s, clock)


def _ensure_stopped(
    server: Server, files: InstanceFiles, node: NodeInfo | None, params: dict[str, Any], check_mode: bool
) -> dict[str, Any]:
    if node is None:
        return {"changed": False, "pid": 0}
    if not params["force"]:
        refuse_unsafe_stop(server, node, files.sentinel)
    if not check_mode:
        files = replace(files, service=service_from(params, node, str(server.address)))
        stop(server, node, files, params["wait_s"], Clock())
    return {"changed": True, "pid": node.pid}


def main() -> None:
    needed = ["executable", "config_file"]
    module = AnsibleModule(
        SPEC,
        supports_check_mode=True,
        required_if=[
            ("state", "started", ["config_file"]),
            ("state", "switched", [*needed, "folder", "version"]),
            ("state", "previous", [*needed, "folder", "version"]),
            ("service_manager", "command", ["start_command", "stop_command"]),
        ],
    )
    try:
        require_redis_py()
        result = ensure(module.params, module.check_mode)
    except SentinelOpsError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
