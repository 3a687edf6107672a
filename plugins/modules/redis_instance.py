#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, stop or restart an instance through its service manager, also with another version."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_instance
short_description: Start, stop, or switch the version of a Redis, Valkey or Sentinel server
version_added: 1.0.0
description:
  - Starts a server and waits until it serves; or stops a server with C(SHUTDOWN), so that it saves
    its data, and waits until its process is gone.
  - A server that a unit of systemd runs is kept down by C(systemctl stop) after its C(SHUTDOWN),
    and C(Restart=) is switched off meanwhile. It is started by C(systemctl start). The unit is
    never enabled or disabled.
  - V(switched) stops the server and copies the configuration files of its version folder
    (C(redis)) into the staged folder (C(redis.new)). It then renames C(redis) to C(redis.old) and
    C(redis.new) to C(redis), and starts the server again. Where O(folder) is a symbolic link, that
    is pointed to the new version instead (O(activation)).
  - If the new version does not serve, V(switched) restores and starts the old version, and fails.
    All of this is one call, so that the server is down for a moment only, and is not left stopped
    if the controller dies.
  - Refuses to stop a Sentinel that the next failover needs, or while a failover is in progress.
  - Refuses to stop a master, since a stop is an outage. Without persistence, the master would
    start empty, and empty its replicas. A master without replicas may hold the only copy of the
    data.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection
  - sentinelops.redis.connection.attributes
  - sentinelops.redis.connection.group
  - sentinelops.redis.connection.process
  - sentinelops.redis.connection.progress
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
      - V(started) and V(stopped) ensure that the instance serves, or is stopped.
      - V(switched) ensures that the instance runs O(version) from its version folder.
      - V(previous) ensures that the instance runs O(version) again, which V(switched) has kept in
        C(redis.old). Data files that this version cannot read are renamed
        (C(dump.rdb.set-aside)), never removed, and the data comes from the current master. If
        O(version) could not read the data of that master either, nothing is touched, and the
        module fails.
      - V(restored) ensures that the instance runs O(version) again, with the data of O(backup), as
        a master that follows nobody. The newer data is saved, and its files are renamed. This stops
        a master, and loses all writes since the backup.
    type: str
    choices: [started, stopped, switched, previous, restored]
    required: true
  executable:
    description:
      - The server's executable. Required with O(state=switched) and O(state=previous), and with
        O(state=started) for a plain process.
      - A unit of systemd that starts another executable gets a drop-in
        (C(zz-sentinelops-redis.conf)), by which it starts this executable with its own arguments.
        The drop-in is removed from a unit that names this executable itself. A unit that starts the
        server by a script is not changed.
    type: path
  config_file:
    description:
      - The server's configuration file. A server on this port with another configuration file is
        not touched, and the module fails. Required unless O(state=stopped).
    type: path
  sentinel:
    description: Whether the server is a Sentinel, and must be started as one.
    type: bool
    default: false
  log_file:
    description: The server's log, shown if something fails. By default the configured C(logfile).
    type: path
  folder:
    description:
      - The version folder, for example C(/opt/redis-6379/redis). The staged version is beside it
        with the suffix C(.new), the kept version has C(.old), an earlier one C(.old.<version>).
      - With O(activation.method=symlink), the symbolic link, for example C(/opt/redis/current).
      - Required with O(state=switched) and O(state=previous).
    type: path
  activation:
    description: How the staged version takes the place of the running one, and how that is
      reverted. By default by swapping folders.
    type: dict
    suboptions:
      method:
        description:
          - V(folder) renames O(folder) to C(.old) and C(.new) to O(folder).
          - V(files) replaces the programs in O(folder) one by one, and no other file. Other
            instances may run from them. With O(state=previous), an instance whose neighbours run
            the new version already is started from O(activation.kept) alone.
          - V(symlink) points O(folder), a symbolic link, to O(activation.staged). No release is
            renamed.
          - V(package) copies configuration and data from the paths of Redis's package to those of
            Valkey's, which is installed beside it, and starts the unit of Valkey's package. The
            files of the old unit stay, for O(state=previous).
          - V(package_update) installs a later version of the packages that the server belongs to,
            once for all instances of the host. The others go on running from the deleted files.
            Nothing is started, stopped or restarted by the scripts of the packages.
          - V(command) runs O(activate_command), or O(deactivate_command) with O(state=previous),
            while the server is down. O(executable), O(config_file) and O(folder) are not read, may
            be those of a container, and O(folder) may be empty.
        type: str
        choices: [folder, files, symlink, package, package_update, command]
        required: true
      staged:
        description: With V(symlink), the release folder with the new version. With V(files) and
          V(package_update), the folder with the new programs.
        type: path
      kept:
        description: With V(symlink), the release that runs now, to which O(state=previous) points
          the link. Without it, the instance ran from elsewhere, and there was no link. With
          V(files) and V(package_update), the folder in which
          M(sentinelops.redis.redis_stage) keeps the programs.
        type: path
      unit:
        description: With V(package), the unit of the new package, for example
          C(valkey-server.service).
        type: str
      old_unit:
        description: With V(package), the unit of the package that runs now.
        type: str
      enabled:
        description: With V(package), whether the unit in use is enabled, and the other unit
          disabled.
        type: bool
        default: true
      manager:
        description: With V(package_update), the package manager.
        type: str
        choices: [apt, dnf]
      hold:
        description: With V(package_update), whether held packages may be changed, and are held
          again.
        type: bool
        default: false
      new_version:
        description: With V(command), the version of the upgrade, for C({version}) in both commands.
        type: str
      previous_version:
        description: With V(command), the version before the upgrade, for C({previous}).
        type: str
      whole:
        description: With V(files), V(symlink) and V(package_update), whether O(state=previous)
          restores the programs, the link or the packages for all instances that share them, and
          starts none from O(activation.kept) alone. Packages that cannot be had any more are not
          restored.
        type: bool
        default: false
  version:
    description: The version to run. Required with O(state=switched) and O(state=previous).
    type: str
  config_identity:
    description: Owner, group and mode to give the configuration file, if the server itself has
      changed them since the upgrade began.
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
  service_manager:
    description:
      - The manager that stops and starts the server.
      - V(auto) is V(systemd) for a server that is the main process of a system unit, or if O(unit)
        is given, else V(process).
      - V(systemd) uses O(unit), or the unit of the running process. It needs root.
      - V(process) starts the server detached, from O(executable).
      - V(command) uses O(start_command) and O(stop_command).
    type: str
    choices: [auto, systemd, process, command]
    default: auto
  unit:
    description: The unit of systemd, for example C(redis-server@6380.service). A running server of
      another unit is not touched, and the module fails.
    type: str
  start_command:
    description:
      - The command that starts the server, as a list of words or a line, run without a shell. The
        command may end at once, or stay as long as the server.
      - Required with O(service_manager=command).
    type: raw
  stop_command:
    description:
      - The command that stops the server. It must let the server save its data, and must prevent
        that the server is started again. The module waits for the end of the process.
      - Required with O(service_manager=command).
    type: raw
  activate_command:
    description:
      - With O(activation.method=command), the command that makes the next start start
        O(activation.new_version), as a list of words or a line, run without a shell. The words may
        have the placeholders C({version}) and C({previous}); the environment has
        E(SENTINELOPS_VERSION) and E(SENTINELOPS_PREVIOUS).
      - The command must be idempotent, since it runs again after an interruption.
    type: raw
  deactivate_command:
    description:
      - With O(activation.method=command), the command that makes the next start start
        O(activation.previous_version), likewise.
    type: raw
  replicas:
    description:
      - With O(state=switched) and O(state=previous), the number of replicas that the master of a
        replica must have online, including this replica. Otherwise the replica is not stopped,
        since a replica that was restarted before may have crashed.
      - Not checked by default, for a master, and if the master does not answer.
    type: int
  backup:
    description: With O(state=restored), the folder of a backup (M(sentinelops.redis.redis_backup)).
    type: path
  conditions:
    description:
      - Conditions that must hold, within O(wait_s), once the instance runs. If they do not, the
        module fails, and the instance stays as it is.
      - The conditions are those of M(sentinelops.redis.redis_info_check). C(masters) has the names
        of the masters that a Sentinel must monitor, each with conditions of its own, such as
        C(known_replicas). The version is a condition in any case. With C(log_clean), the log is
        judged from the start on, if it is known.
    type: dict
  save_configuration:
    description: Options of M(sentinelops.redis.redis_config_rewrite), which is done first, since a
      restart loses settings made at run time. If it fails, nothing is stopped.
    type: dict
  force:
    description: With O(state=stopped), stop also a master, or a Sentinel that is needed.
    type: bool
    default: false
  wait_s:
    description: How long to wait, in seconds, until the server serves (has loaded its data), or
      until its process is gone.
    type: int
    default: 60
seealso:
  - module: sentinelops.redis.redis_info_check
"""

EXAMPLES = r"""
- name: Start the replica again
  sentinelops.redis.redis_instance:
    state: started
    executable: /opt/redis-6380/redis/redis-server
    config_file: /opt/redis-6380/redis/redis.conf

- name: Restart the replica with the version that is staged in /opt/redis-6380/redis.new
  sentinelops.redis.redis_instance:
    state: switched
    version: 7.0.15
    folder: /opt/redis-6380/redis
    executable: /opt/redis-6380/redis/redis-server
    config_file: /opt/redis-6380/redis/redis.conf
"""

RETURN = r"""
pid:
  description: The process id of the server that serves, or of the stopped server (0 if there was
    none).
  returned: success
  type: int
version:
  description: The version that serves.
  returned: unless O(state=stopped)
  type: str
log_file:
  description: The server's log file; empty if there is none.
  returned: success
  type: str
log_offset:
  description: The size of the log, in bytes, before the module acted.
  returned: success
  type: int
log_before:
  description: The last lines of the log before the module acted.
  returned: with O(state=switched) and O(state=previous)
  type: list
  elements: str
duration_s:
  description: How many seconds the module took, with the proof.
  returned: success
  type: float
set_aside:
  description: The new names of data files that the restored version could not read.
  returned: with O(state=previous) and O(state=restored), and with O(state=switched) if the old
    version was restored
  type: list
  elements: str
untouched:
  description: Whether the module refused to stop the instance, which therefore serves as before.
  returned: if the module refused
  type: bool
log_tail:
  description: The last lines of the log.
  returned: if something failed
  type: list
  elements: str
"""

from typing import Any

from ..module_utils._module import run_module
from ..module_utils._instance.config_rewrite import save_before_stop
from ..module_utils._instance.request import INSTANCE_SPEC
from ..module_utils._instance.states import ensure_state
from ..module_utils._instance.work_proof import prove, require_conditions
from ..module_utils._server.connection import server_from
from ..module_utils._wait import Clock


def ensure(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Bring the instance into the wanted state, and prove it; return the module's result."""
    conditions, begun_s = require_conditions(params), Clock().now_s()
    if params["save_configuration"] is not None:
        save_before_stop(server_from(params), params["save_configuration"], check_mode)
    result = ensure_state(params, check_mode)
    if params["conditions"] and params["state"] != "stopped" and not check_mode:
        prove(params, conditions, result)
    return {**result, "duration_s": round(Clock().now_s() - begun_s, 3)}


def main() -> None:
    needed = ["executable", "config_file"]
    run_module(
        INSTANCE_SPEC,
        ensure,
        required_if=[
            ("state", "started", ["config_file"]),
            *[("state", state, [*needed, "folder", "version"]) for state in ("switched", "previous")],
            ("state", "restored", [*needed, "folder", "version", "backup"]),
            ("service_manager", "command", ["start_command", "stop_command"]),
        ],
    )


if __name__ == "__main__":
    main()
