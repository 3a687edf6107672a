#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Try a configuration with a new server, beside the running one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_config_try
short_description: Try a configuration with another version of the server
version_added: 1.0.0
description:
  - Starts the server in O(folder), or O(executable), for a moment with the configuration of the
    running server. If the new server refuses the configuration, the module fails with the server's
    own words, file and line. The running server is not touched, and nothing is left behind, also if
    the module is killed.
  - The new server reads a temporary copy of the configuration, in which each line keeps its place.
    It listens on no port, but on a socket in a temporary folder below C(/tmp), which also holds its
    C(dir), its process id file and its log. It has no data, saves none, replicates nothing, and
    does not write to the system's log.
  - An answer proves that the new server has read all directives, included files, users and the ACL
    file, certificates and keys, and has loaded the modules. Modules are really loaded, with all
    effects that a module has when loaded.
  - A Sentinel never reaches the real deployment. Each address in its configuration (of masters,
    replicas, other Sentinels) is replaced by an address at which nobody listens, and each script by
    a program that does nothing.
  - The trial does not prove that the server may listen on its addresses and ports, or that it can
    read its data. Neither does it prove that limits and sandboxing of the systemd unit, and further
    arguments in the unit's C(ExecStart), suit the new server.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection.attributes
  - sentinelops.redis.connection.no_group
  - sentinelops.redis.connection.process
  - sentinelops.redis.connection.progress
attributes:
  check_mode:
    support: full
    details: The configuration is tried, since a trial changes nothing.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  folder:
    description:
      - The folder with the new server, at its top, in C(bin) or in C(src).
      - Either O(folder) or O(executable) is required.
    type: path
  executable:
    description: The new server itself, if it has no version folder of its own but is, for example,
      in C(/usr/bin).
    type: path
  config_file:
    description:
      - The configuration file, as the running server has written it (C(CONFIG REWRITE)).
      - Relative names of included files count from the folder in which the server is started, and
        from C(dir), once that was read. The server is started in the C(WorkingDirectory) of
        O(unit), or without a unit in O(process.folder), by default the folder of the configuration
        file.
    type: path
    required: true
  sentinel:
    description: Whether the server is a Sentinel.
    type: bool
    default: false
  version_folder:
    description: The version folder in use, which O(folder) will replace. A module in that folder is
      tried with the file that O(folder) ships, if any.
    type: path
  version:
    description: The new version. If O(folder) does not hold a server any more, but
      O(version_folder) holds this version, the server there is tried. Another instance that shares
      the programs may have put them in use.
    type: str
  unit:
    description: The unit of systemd that starts the server, if any. Its C(WorkingDirectory) and
      C(Environment) are used.
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

- name: Try the saved configuration with the staged version
  sentinelops.redis.redis_config_try:
    folder: /opt/redis-6380/redis.new
    version_folder: /opt/redis-6380/redis
    config_file: /opt/redis-6380/redis/redis.conf

- name: Try the configuration of a Sentinel, unnoticed by the other Sentinels
  sentinelops.redis.redis_config_try:
    folder: /opt/sentinel-26379/redis.new
    config_file: /etc/redis/sentinel.conf
    sentinel: true
    unit: redis-sentinel.service
    process:
      uid: 107
      gid: 113
"""

RETURN = r"""
executable:
  description: The server that was tried.
  returned: success
  type: str
files:
  description: The configuration files that the server has read.
  returned: success
  type: list
  elements: str
config_file:
  description: The file with the refused line; the main file if no line of a file was refused.
  returned: when the configuration is refused
  type: str
line:
  description: The number of the refused line; 0 if no line was refused, but for example a module
    did not load.
  returned: when the configuration is refused
  type: int
reason:
  description: The reason, in the server's own words.
  returned: when the configuration is refused
  type: str
output:
  description: The last lines of the server's output, without passwords.
  returned: when the configuration is refused
  type: list
  elements: str
"""

from ..module_utils._module import run_module
from ..module_utils._instance.config_attempt import TRIAL_SPEC, attempt
from ..module_utils._progress_file import PROGRESS_SPEC


def main() -> None:
    run_module(
        {**TRIAL_SPEC, **PROGRESS_SPEC},
        lambda params, _check_mode: attempt(params),
        os_error="the configuration cannot be tried: {error}. Nothing was stopped, and the running server was not touched.",
        required_one_of=[("folder", "executable")],
        mutually_exclusive=[("folder", "executable")],
    )


if __name__ == "__main__":
    main()
