#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Survey one instance on its own host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_survey
short_description: Survey one Redis, Valkey or Sentinel instance on its host
version_added: 1.0.0
description:
  - Returns a record of what runs, in which role, from which executable and configuration file, and
    which versions are installed and staged. For a Sentinel, the record also has its view of every
    monitored master.
  - A stopped instance is described from its journal, if an upgrade left one.
  - The filter P(sentinelops.redis.upgrade_plan#filter) makes the plan from the records of all
    instances.
  - With O(close_if), it also closes the journal of an instance that is as the run should leave it.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection
  - sentinelops.redis.connection.attributes
  - sentinelops.redis.connection.group
attributes:
  check_mode:
    support: full
    details: The journal stays open. Otherwise the module only reads.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  kind:
    description: Whether the instance is a data node (V(redis)) or a Sentinel.
    type: str
    choices: [redis, sentinel]
    required: true
  journal:
    description: The instance's journal.
    type: path
    required: true
  folder:
    description: The version folder of the instance, or the symbolic link to that folder. By default
      the link through which the server was started, else the folder of the running executable
      (without C(src) or C(bin)).
    type: path
  activation:
    description: How a new version takes the place of the running one. V(auto) is V(symlink) if the
      server runs through a symbolic link to the folder of its version, V(files) if other instances,
      other programs or data are in the folder of its programs, else V(folder). With V(command),
      nothing is read from the files of the server, which may be those of a container. See also
      O(has_source).
    type: str
    choices: [auto, folder, files, symlink, package, command]
    default: auto
  product:
    description: With O(activation=package), the product of the new packages.
    type: str
    choices: [redis, valkey]
    default: redis
  package_version:
    description: With O(activation=package), the exact version of the new packages. By default any
      whose upstream version is O(version).
    type: str
  package_hold:
    description: With O(activation=package), whether held packages may be changed, and are held
      again.
    type: bool
    default: false
  has_source:
    description: Whether the user says where the new version comes from. If not, O(activation=auto)
      is V(package) for a server that belongs to a package of apt or dnf, unless O(folder) is set.
      The packages are then those of the running server, whatever O(product) is.
    type: bool
    default: true
  version:
    description: The version to stage, after which a release folder is named.
    type: str
  service_manager:
    description: The manager that stops and starts the instance; see
      M(sentinelops.redis.redis_instance).
    type: str
    choices: [auto, systemd, process, command]
    default: auto
  start_command:
    description: The start command; the module only checks that its program exists. Required with
      O(service_manager=command).
    type: raw
  stop_command:
    description: The stop command, checked likewise. Required with O(service_manager=command).
    type: raw
  stage_command:
    description: With O(activation=command), the command that stages a version. The module only
      checks that its program exists, and returns the result under C(commands).
    type: raw
  activate_command:
    description: The command that activates a version, checked likewise.
    type: raw
  deactivate_command:
    description: The command that puts the previous version back, checked likewise.
    type: raw
  examine:
    description:
      - Whether to add the facts for the preflight, under C(examined). These are missing rights, the
        write rate (which takes half a second on a master), memory, disks, the clock, and leftovers
        of earlier runs.
      - An instance that answers and cannot be surveyed gives a record with the reason, instead of a
        failure.
    type: bool
    default: false
  rollback:
    description: Whether to add the version before the upgrade, and whether that is still kept,
      under C(before).
    type: bool
    default: false
  backup_folder:
    description: The folder of backups, whose free space O(examine) adds.
    type: path
    default: ""
  asked_at_s:
    description: The controller's time of day when it started this task, in seconds since 1970, for
      the comparison of clocks.
    type: float
    default: 0
  close_if:
    description:
      - The instance as the run should leave it. If it is so, and has sent its master no errors, the
        journal is closed in this call, as M(sentinelops.redis.redis_journal) does; see RV(closed).
      - The record still has the journal's fields.
    type: dict
    suboptions:
      version:
        description: The version.
        type: str
        required: true
      role:
        description: The role.
        type: str
        choices: [master, replica, sentinel]
        required: true
      lock:
        description: The file of the lock to release then.
        type: path
      run:
        description: The identity of the run that may hold the lock, from the lookup
          P(sentinelops.redis.controller_run#lookup).
        type: dict
"""

EXAMPLES = r"""
- name: Survey the data node
  sentinelops.redis.redis_survey:
    kind: redis
    login_password: "{{ redis_password }}"
    journal: /var/lib/sentinelops-redis/redis-6379.json
  register: survey
"""

RETURN = r"""
instance:
  description: The record of the instance.
  returned: success
  type: dict
  sample:
    kind: redis
    answers: true
    version: 7.0.15
    role: replica
    executable: /opt/redis-6379/redis/redis-server
    config_file: /opt/redis-6379/redis/redis.conf
    service:
      manager: systemd
      unit: redis-server.service
      program: /opt/redis-6379/redis/redis-server
      enabled: enabled
closed:
  description: Whether the journal is closed now; also true if there was none.
  returned: with O(close_if)
  type: bool
"""

from typing import Any

from ..module_utils._module import run_module
from ..module_utils._host.service import command_words
from ..module_utils._install.own_commands import COMMAND_NAMES
from ..module_utils._records.journal import close_journal, read_journal, read_rollback_record
from ..module_utils._records.reserve_record import read_reserve_record
from ..module_utils._records.run_lock import RunLock
from ..module_utils._server.commands import Server
from ..module_utils._server.connection import server_from
from ..module_utils._server.login import CONNECTION_SPEC
from ..module_utils._survey.survey import SurveyRequest, survey

SPEC: dict[str, Any] = {
    **CONNECTION_SPEC,
    "kind": {"type": "str", "choices": ["redis", "sentinel"], "required": True},
    "journal": {"type": "path", "required": True},
    "folder": {"type": "path"},
    "activation": {"type": "str", "choices": ["auto", "folder", "files", "symlink", "package", "command"], "default": "auto"},
    "product": {"type": "str", "choices": ["redis", "valkey"], "default": "redis"},
    "package_version": {"type": "str"},
    "package_hold": {"type": "bool", "default": False},
    "has_source": {"type": "bool", "default": True},
    "version": {"type": "str"},
    "service_manager": {"type": "str", "choices": ["auto", "systemd", "process", "command"], "default": "auto"},
    "start_command": {"type": "raw"},
    "stop_command": {"type": "raw"},
    "stage_command": {"type": "raw"},
    "activate_command": {"type": "raw"},
    "deactivate_command": {"type": "raw"},
    "examine": {"type": "bool", "default": False},
    "rollback": {"type": "bool", "default": False},
    "backup_folder": {"type": "path", "default": ""},
    "asked_at_s": {"type": "float", "default": 0},
    "close_if": {
        "type": "dict",
        "options": {
            "version": {"type": "str", "required": True},
            "role": {"type": "str", "choices": ["master", "replica", "sentinel"], "required": True},
            "lock": {"type": "path"},
            "run": {"type": "dict"},
        },
        "required_together": [("lock", "run")],
    },
}


def surveyed(server: Server, params: dict[str, Any], journal: dict[str, Any] | None) -> dict[str, Any]:
    """Return the survey's record."""
    manager, folder = params["service_manager"], params["folder"] or ""
    names = [*COMMAND_NAMES, *(["start", "stop"] if manager == "command" else [])]
    request = SurveyRequest(
        manager,
        folder,
        params["activation"],
        params["version"] or "",
        params["product"],
        params["package_version"] or "",
        params["package_hold"],
        params["rollback"],
        {name: params[f"{name}_command"] for name in names},
        params["has_source"],
    )
    path = params["journal"]
    reserve = read_reserve_record(path) if params["kind"] == "redis" else None
    return survey(server, params["kind"], journal, request, lambda running: read_rollback_record(path, running), reserve)


def close(path: str, record: dict[str, Any], wanted: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Close the journal of an instance that is as wanted; return that part of the result."""
    as_wanted = record.get("answers") and (record["version"], record["role"]) == (wanted["version"], wanted["role"])
    if not as_wanted or int(record.get("errors_sent") or 0) or check_mode:
        return {"closed": False}
    journal = read_journal(path)
    if journal is not None:
        close_journal(path, journal, record["version"])
    if wanted["lock"]:
        RunLock(wanted["lock"]).release(wanted["run"])
    return {"closed": True, "changed": journal is not None}


def read(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Return the module's result."""
    server = server_from(params)
    for name in ("start_command", "stop_command") if params["service_manager"] == "command" else ():
        command_words(params[name], name)
    if params["examine"]:
        from ..module_utils._survey.examination import examined

        record = examined(server, params, lambda journal: surveyed(server, params, journal))
    else:
        record = surveyed(server, params, read_journal(params["journal"]))
    wanted = params["close_if"]
    return {"instance": record, **(close(params["journal"], record, wanted, check_mode) if wanted else {})}


def main() -> None:
    run_module(
        SPEC,
        read,
        required_if=[("service_manager", "command", ["start_command", "stop_command"])],
    )


if __name__ == "__main__":
    main()
