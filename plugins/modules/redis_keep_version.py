#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the programs of a running version aside, before another version replaces them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_keep_version
short_description: Keep the programs of a running version, before another version replaces them
version_added: 0.1.0
description:
  - Links the programs of a Redis or Valkey version (server, sentinel, cli, benchmark and check
    programs) into another folder, from which an instance can be started if the next version fails.
  - If the file on disk was replaced already, and the server still runs the old one, the old one is
    copied from the running process.
  - Kept programs of another version are renamed to C(<kept>.<version>) first, never overwritten.
  - With O(manager), the server of a package is copied instead, with the record of its packages,
    which are downloaded for a rollback if they can still be had.
  - Touches no server.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
  action_group:
    support: none
    membership: []
options:
  folder:
    description: The folder of the programs in use, for example C(/usr/local/bin).
    type: path
    required: true
  staged:
    description: The folder in which the next version is staged.
    type: path
    required: true
  kept:
    description: The folder for the kept programs, on the same file system as O(folder) unless
      O(manager) is given.
    type: path
    required: true
  version:
    description: The version to keep, as the running server reports it.
    type: str
    required: true
  executable:
    description: The server's executable in O(folder).
    type: path
    required: true
  pid:
    description: The id of a process that runs O(version); V(0) if there is none.
    type: int
    default: 0
  manager:
    description: The package manager, for programs that belong to packages.
    type: str
    choices: [apt, dnf]
"""

EXAMPLES = r"""
- name: Keep the programs of the running version
  sentinelops.redis.redis_keep_version:
    folder: /usr/local/bin
    staged: /usr/local/bin/redis.new
    kept: /usr/local/bin/redis.old
    version: 7.0.15
    executable: /usr/local/bin/redis-server
    pid: 1234
"""

RETURN = r"""
kept:
  description: The folder that holds the version now.
  returned: success
  type: str
  sample: /usr/local/bin/redis.old
"""

from typing import Any

from ..module_utils._install.package_update import PackageUpdate, manager_named
from ..module_utils._install.programs import Programs
from ..module_utils._module import run_module

SPEC: dict[str, Any] = {
    "folder": {"type": "path", "required": True},
    "staged": {"type": "path", "required": True},
    "kept": {"type": "path", "required": True},
    "version": {"type": "str", "required": True},
    "executable": {"type": "path", "required": True},
    "pid": {"type": "int", "default": 0},
    "manager": {"type": "str", "choices": ["apt", "dnf"]},
}


def keep(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Keep the programs unless they are kept already; return the module's result."""
    if params["manager"]:
        return keep_package(params, check_mode)
    programs = Programs(params["folder"], params["staged"], params["kept"])
    changed = programs.kept_version() != params["version"]
    if changed and not check_mode:
        programs.keep(params["executable"], params["pid"], params["version"])
    return {"changed": changed, "kept": params["kept"]}


def keep_package(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Keep the server of a package; return the module's result."""
    update = PackageUpdate(params["folder"], params["staged"], params["kept"], manager_named(params["manager"]))
    changed = update.kept_version() != params["version"]
    if not check_mode:
        changed = update.keep(params["executable"], params["pid"], params["version"])
    return {"changed": changed, "kept": params["kept"]}


def main() -> None:
    run_module(SPEC, keep, os_error="the running version cannot be kept in {kept}: {error}. Nothing was stopped.")


if __name__ == "__main__":
    main()
