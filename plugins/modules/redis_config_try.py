#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tries a configuration with a new server, beside the running one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_config_try
short_description: Try a configuration with another version of the server
version_added: 0.1.0
description:
  - Starts the server in O(folder), or O(executable), for a moment with the configuration of another one, and fails with the server's own
    words, file and line if it refuses it. The running server is not touched, and nothing is left behind, also if the
    module is killed.
  - The server is started with a throw-away copy of the configuration, in which each line has its place. It listens on
    no port, but on a socket in a throw-away folder below C(/tmp); there are its C(dir), its process id file and its log,
    too. It has no data, saves none, replicates nothing, and does not write to the system's log.
  - That it answers proves that it has read all directives, included files, users and the ACL file, certificates and
    keys, and that it has loaded the modules. Modules are really loaded; one that acts on the world when it is loaded
    does so here, too.
  - A Sentinel never reaches the real deployment. Each address in its configuration (of masters, replicas, other
    Sentinels) is replaced by one at which nobody is, and scripts by one that does nothing. So it connects to none of
    them, and the other Sentinels never hear of it.
  - Not proven are whether the server may listen on its addresses and ports, whether it can read its data, limits and
    sandboxing of its systemd unit, and arguments behind the configuration file in the unit's C(ExecStart).
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection.attributes
attributes:
  check_mode:
    support: full
    details: The configuration is tried, since that changes nothing.
  diff_mode:
    support: none
  idempotent:
    support: full
  action_group:
    support: none
    membership: []
options:
  folder:
    description:
      - The folder with the new server, which is at its top, in C(bin) or in C(src).
      - This or O(executable) is required.
    type: path
  executable:
    description: The new server itself, for where it is not in a version folder of its own but, for example, in C(/usr/bin).
    type: path
  config_file:
    description:
      - The configuration file, as the running server has written it (C(CONFIG REWRITE)).
      - Relative names of included files count from the folder in which the server is started. This is the
        C(WorkingDirectory) of O(unit), or without that the folder of this file; and C(dir), once that was read.
    type: path
    required: true
  sentinel:
    description: Whether it is a Sentinel.
    type: bool
    default: false
  version_folder:
    description: The version folder that is in use, and whose place O(folder) will take. A module in it is tried as
      O(folder) has it, if it has it.
    type: path
  process_owner:
    description: As whom to run the server, where the module runs as root. By default as the user that runs the module.
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
  unit:
    description: The unit of systemd by which the server is started, if any. Its C(WorkingDirectory) and C(Environment)
      are used.
    type: str
  wait_s:
    description: How long the server may take, in seconds, to load its modules and to answer.
    type: int
    default: 30
seealso:
  - module: sentinelops.redis.redis_config_rewrite
"""

EXAMPLES = r"""
- name: Save what was set at run time
  sentinelops.redis.redis_config_rewrite:
    login_port: 6380

- name: Try the saved configuration with the version that is staged
  sentinelops.redis.redis_config_try:
    folder: /opt/redis-6380/redis.new
    version_folder: /opt/redis-6380/redis
    config_file: /opt/redis-6380/redis/redis.conf

- name: Try the configuration of a Sentinel, which the others will not notice
  sentinelops.redis.redis_config_try:
    folder: /opt/sentinel-26379/redis.new
    config_file: /etc/redis/sentinel.conf
    sentinel: true
    unit: redis-sentinel.service
    process_owner:
      uid: 107
      gid: 113
"""

RETURN = r"""
executable:
  description: The server that was tried.
  returned: success
  type: str
files:
  description: The configuration files that it has read.
  returned: success
  type: list
  elements: str
config_file:
  description: The file with the line that was refused; the configuration file itself, if it was not a line of a file.
  returned: when the configuration is refused
  type: str
line:
  description: The number of the line that was refused; 0 if it was not a line, but for example a module that does not load.
  returned: when the configuration is refused
  type: int
reason:
  description: Why, in the server's own words.
  returned: when the configuration is refused
  type: str
output:
  description: The last lines that it has printed, without passwords.
  returned: when the configuration is refused
  type: list
  elements: str
"""

import os
from typing import Any

from ..module_utils._errors import PreconditionFailed
from ..module_utils._host.process import Owner
from ..module_utils._install.folders import server_in
from ..module_utils._instance.config_trial import Trial, surroundings_of, try_config
from ..module_utils._module import run_module
from ..module_utils._wait import Clock

SPEC: dict[str, Any] = {
    "folder": {"type": "path"},
    "executable": {"type": "path"},
    "config_file": {"type": "path", "required": True},
    "sentinel": {"type": "bool", "default": False},
    "version_folder": {"type": "path"},
    "process_owner": {
        "type": "dict",
        "options": {name: {"type": "int", "required": True} for name in ("uid", "gid")},
    },
    "unit": {"type": "str"},
    "wait_s": {"type": "int", "default": 30},
}


def new_server(params: dict[str, Any]) -> str:
    """The executable to try. Raises PreconditionFailed if there is none."""
    folder, executable = params["folder"], params["executable"]
    found = str(server_in(folder) or "") if folder else str(executable)
    if not os.path.isfile(found):
        raise PreconditionFailed(
            f"{folder} holds no redis-server or valkey-server (at its top, in bin or in src)" if folder else f"{found} does not exist",
            state="Nothing was stopped, and the running server was not touched",
            advice="Place the new version there (redis_binaries)",
        )
    return found


def attempt(params: dict[str, Any]) -> dict[str, Any]:
    """Tries it; returns the module's result."""
    executable = new_server(params)
    trial = Trial(executable, params["folder"] or "", params["config_file"], params["sentinel"], params["version_folder"] or "")
    owner = Owner(**params["process_owner"]) if params["process_owner"] else None
    where = surroundings_of(params["config_file"], params["unit"] or "", owner)
    return {"changed": False, "executable": executable, "files": try_config(trial, where, params["wait_s"], Clock())}


def main() -> None:
    run_module(
        SPEC,
        lambda params, _check_mode: attempt(params),
        os_error="the configuration cannot be tried: {error}. Nothing was stopped, and the running server was not touched.",
        required_one_of=[("folder", "executable")],
        mutually_exclusive=[("folder", "executable")],
    )


if __name__ == "__main__":
    main()
