#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Surveys one instance on its own host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_survey
short_description: Survey one Redis, Valkey or Sentinel instance on its host
version_added: 0.1.0
description:
  - Finds out what runs, in which role, from which executable and configuration file, which versions are installed
    and staged beside it, and, for a
    Sentinel, what it knows of every master that it monitors.
  - An instance that does not run is described from its journal, if an upgrade left one.
  - The records of all instances are what the filter P(sentinelops.redis.upgrade_plan#filter) makes the plan from.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection
  - sentinelops.redis.connection.attributes
attributes:
  check_mode:
    support: full
    details: The module only reads.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  kind:
    description: What the instance is.
    type: str
    choices: [redis, sentinel]
    required: true
  journal:
    description: The instance's journal.
    type: path
    required: true
  folder:
    description: The version folder of the instance, or the symbolic link to it. By default the link that the server
      was started through, else the folder of the running executable (without C(src) or C(bin)).
    type: path
  activation:
    description: How a new version takes the place of the one that runs. V(auto) is V(symlink) where the server runs
      through a symbolic link to the folder of its version, else V(folder).
    type: str
    choices: [auto, folder, symlink, package]
    default: auto
  product:
    description: With O(activation=package), what the new packages have.
    type: str
    choices: [redis, valkey]
    default: redis
  version:
    description: The version that is to be staged, after which a release folder is named.
    type: str
  service_manager:
    description: By whom the instance is stopped and started; see M(sentinelops.redis.redis_instance).
    type: str
    choices: [auto, systemd, process, command]
    default: auto
  start_command:
    description: The start command; only whether it could be run is checked. Required with O(service_manager=command).
    type: raw
  stop_command:
    description: The same for the stop command.
    type: raw
  examine:
    description:
      - Whether to find out as well what only the preflight asks, under C(examined) - rights that are missing, the write rate (which takes
        half a second on a master), memory, disks, the clock, and what earlier runs have left.
      - An instance that answers and cannot be surveyed gives a record that says why, instead of a failure.
    type: bool
    default: false
  rollback:
    description: Whether to find out as well what the instance ran before the upgrade and whether that is still kept, under C(before).
    type: bool
    default: false
  asked_at_s:
    description: The controller's time of day when it started this task, in seconds since 1970, to compare clocks with.
    type: float
    default: 0
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
    service: {manager: systemd, unit: redis-server.service, program: /opt/redis-6379/redis/redis-server, enabled: enabled}
"""

from typing import Any

from ..module_utils._errors import SentinelOpsError
from ..module_utils._host.service import command_words
from ..module_utils._module import run_module
from ..module_utils._records.journal import read_journal, read_rollback_record
from ..module_utils._server.commands import Server
from ..module_utils._server.connection import server_from
from ..module_utils._server.login import CONNECTION_SPEC
from ..module_utils._survey.readiness_facts import examine, journal_or_reason, not_surveyed
from ..module_utils._survey.survey import Wanted, survey
from ..module_utils._wait import Clock

SPEC: dict[str, Any] = {
    **CONNECTION_SPEC,
    "kind": {"type": "str", "choices": ["redis", "sentinel"], "required": True},
    "journal": {"type": "path", "required": True},
    "folder": {"type": "path"},
    "activation": {"type": "str", "choices": ["auto", "folder", "symlink", "package"], "default": "auto"},
    "product": {"type": "str", "choices": ["redis", "valkey"], "default": "redis"},
    "version": {"type": "str"},
    "service_manager": {"type": "str", "choices": ["auto", "systemd", "process", "command"], "default": "auto"},
    "start_command": {"type": "raw"},
    "stop_command": {"type": "raw"},
    "examine": {"type": "bool", "default": False},
    "rollback": {"type": "bool", "default": False},
    "asked_at_s": {"type": "float", "default": 0},
}


def examined(server: Server, params: dict[str, Any]) -> dict[str, Any]:
    """The survey's record, or why there is none, and what only the preflight wants to know."""
    journal, reason = journal_or_reason(params["journal"])
    try:
        record = surveyed(server, params, journal)
    except SentinelOpsError as error:
        record = not_surveyed(server, params["kind"], journal, error)
    found = examine(server, record, params["journal"], params["asked_at_s"], Clock())
    return {**record, "journal_error": reason, "examined": found}


def surveyed(server: Server, params: dict[str, Any], journal: dict[str, Any] | None) -> dict[str, Any]:
    manager, folder = params["service_manager"], params["folder"] or ""
    wanted = Wanted(manager, folder, params["activation"], params["version"] or "", params["product"], params["rollback"])
    return survey(server, params["kind"], journal, wanted, lambda running: read_rollback_record(params["journal"], running))


def read(params: dict[str, Any]) -> dict[str, Any]:
    """Return the module's result."""
    server = server_from(params)
    for name in ("start_command", "stop_command") if params["service_manager"] == "command" else ():
        command_words(params[name], name)
    return {"instance": examined(server, params) if params["examine"] else surveyed(server, params, read_journal(params["journal"]))}


def main() -> None:
    run_module(
        SPEC,
        lambda params, _check_mode: read(params),
        required_if=[("service_manager", "command", ["start_command", "stop_command"])],
    )


if __name__ == "__main__":
    main()
