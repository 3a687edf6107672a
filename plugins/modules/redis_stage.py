#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepare one instance for another version, before anything is stopped."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_stage
short_description: Prepare one instance for another version, before anything is stopped
version_added: 1.0.0
description:
  - Does in one call, in this order, what its options ask for. Opens the journal of the instance;
    places the new version beside the running one; keeps the programs of the running version; has
    the server save the settings that were changed at run time; tries the configuration with the new
    version.
  - Stops no server. A repetition continues after a failure.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection
  - sentinelops.redis.connection.attributes
  - sentinelops.redis.connection.group
  - sentinelops.redis.connection.progress
attributes:
  check_mode:
    support: none
    details: The configuration cannot be tried with a version that is not placed.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  journal:
    description: The file of the journal, as M(sentinelops.redis.redis_journal) describes it.
    type: path
    required: true
  journal_content:
    description: The fields to record. Those that the journal has already stay as they are.
    type: dict
    required: true
  place:
    description: A dictionary of the options of M(sentinelops.redis.redis_version_folder), which
      places the new version. Without it, the version is in place already.
    type: dict
  keep:
    description:
      - Links the programs of the running version (server, sentinel, cli, benchmark and check
        programs) into another folder, from which the instance can be started if the next version
        fails.
      - If the file on disk was replaced already, and the server still runs the old one, the old one
        is copied from the running process.
      - Kept programs of another version are renamed to C(<kept>.<version>) first, never
        overwritten.
    type: dict
    suboptions:
      folder:
        description: The folder of the programs in use, for example C(/usr/local/bin).
        type: path
        required: true
      staged:
        description: The folder in which the next version is staged.
        type: path
        required: true
      kept:
        description: The folder for the kept programs, on the same file system as O(keep.folder)
          unless O(keep.manager) is given.
        type: path
        required: true
      version:
        description: The version to keep, as the running server reports it.
        type: str
        required: true
      executable:
        description: The server's executable in O(keep.folder).
        type: path
        required: true
      pid:
        description: The id of a process that runs O(keep.version); V(0) if there is none.
        type: int
        default: 0
      manager:
        description: The package manager, for programs that belong to packages. Then the server is
          copied, with the record of its packages, which are downloaded for a rollback if they can
          still be had.
        type: str
        choices: [apt, dnf]
  save_configuration:
    description: A dictionary of the options of M(sentinelops.redis.redis_config_rewrite) beside the
      login, by which the running server saves its settings. The login is needed for this only.
    type: dict
  trial:
    description: A dictionary of the options of M(sentinelops.redis.redis_config_try), by which the
      new version tries the configuration, unless that was done when it was saved.
    type: dict
seealso:
  - module: sentinelops.redis.redis_instance
"""

EXAMPLES = r"""
- name: Prepare a data node for another version
  sentinelops.redis.redis_stage:
    login_port: 6380
    journal: /var/lib/sentinelops-redis/redis-6380.json
    journal_content:
      original_master: 10.0.0.1:6380
    place:
      path: /opt/redis-6380/redis.new
      source: /opt/builds/redis-7.0.15
      version: 7.0.15
    save_configuration:
      running_executable: /opt/redis-6380/redis/redis-server
    trial:
      folder: /opt/redis-6380/redis.new
      version_folder: /opt/redis-6380/redis
      config_file: /opt/redis-6380/redis/redis.conf
"""

RETURN = r"""
journal_opened:
  description: Whether the journal was written.
  returned: success
  type: bool
placed:
  description: Whether files of the new version were copied.
  returned: success
  type: bool
kept:
  description: Whether programs of the running version had to be kept.
  returned: success
  type: bool
configuration_saved:
  description: Whether the configuration file has changed.
  returned: success
  type: bool
tried:
  description: Whether the configuration was tried, and accepted.
  returned: success
  type: bool
other_defaults:
  description: The settings that nothing gives a value, and that have another default in the new
    version; none within a release line, or if a server cannot be asked. They are a warning, too.
  returned: success
  type: list
  elements: dict
  sample: [{"name": "lazyfree-lazy-expire", "running": "no", "new": "yes"}]
config_file:
  description: The file with the refused line, as M(sentinelops.redis.redis_config_try) returns it,
    with its C(line), C(reason) and C(output).
  returned: when the configuration is refused
  type: str
"""

from ..module_utils._module import run_module
from ..module_utils._instance.stage_instance import STAGE_SPEC, stage_instance
from ..module_utils._progress_file import PROGRESS_SPEC
from ..module_utils._server.login import CONNECTION_SPEC


def main() -> None:
    run_module(
        {**CONNECTION_SPEC, **STAGE_SPEC, **PROGRESS_SPEC},
        lambda params, _check_mode: stage_instance(params),
        os_error="the journal {journal} cannot be written: {error}. Nothing else was touched.",
        supports_check_mode=False,
    )


if __name__ == "__main__":
    main()
