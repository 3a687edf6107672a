#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ensures that a folder holds a server of a given version that runs on this host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_version_folder
short_description: Ensure that a folder holds a given server version
version_added: 0.1.0
description:
  - Copies a built server version from a folder on the same host, if O(source) is given, and then runs the server with
    C(--version). It fails if there is none, if it is built for another machine, if it does not run on this host, if it has
    another version, or if there is no room for it.
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
  path:
    description: The version folder; the server is at its top, in C(bin) or in C(src).
    type: path
    required: true
  version:
    description: The version that it must hold.
    type: str
    required: true
  source:
    description:
      - A folder on the same host with the built version. Its files are copied with their modes; files that are the same
        already are left alone, and files that are only in O(path) stay. The server comes last.
      - Without it, O(path) is only checked.
    type: path
  spare_bytes:
    description: How much must stay free on the file system of O(path) besides what is copied, in bytes. Else nothing is copied.
    type: int
    default: 0
  origin:
    description:
      - What the version in O(source) comes from, for example the checksum of an archive. With it, O(source) is not copied, but takes the
        place of O(path), which is removed, if its server is right; so O(path) is never there in part. Both must be on one file system.
      - It is written into the folder, so that M(sentinelops.redis.redis_disk_space) finds it.
    type: str
"""

EXAMPLES = r"""
- name: Place a version beside the one in use
  sentinelops.redis.redis_version_folder:
    path: /opt/redis-6379/redis.new
    source: /opt/builds/redis-7.0.15
    version: 7.0.15

- name: Check what was unpacked there
  sentinelops.redis.redis_version_folder:
    path: /opt/redis-6379/redis.new
    version: 7.0.15
"""

RETURN = r"""
version:
  description: The version found.
  returned: success
  type: str
executable:
  description: The server's executable.
  returned: success
  type: str
copied:
  description: The files that were copied, relative to the folder. None if the folder was renamed.
  returned: success
  type: list
  elements: str
"""

import os
from typing import Any

from ..module_utils._errors import PreconditionFailed
from ..module_utils._host.disk_space import free_bytes, require_machine, require_room
from ..module_utils._host.process import binary_version
from ..module_utils._install.elf import machine_here, machine_of
from ..module_utils._install.folders import NO_SERVER, copy_version, origin_of, put_in_place, server_in, to_update
from ..module_utils._module import run_module

SPEC: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "version": {"type": "str", "required": True},
    "source": {"type": "path"},
    "origin": {"type": "str"},
    "spare_bytes": {"type": "int", "default": 0},
}


def require_version(folder: str, wanted: str) -> str:
    """The server's executable in the folder; raises PreconditionFailed unless it is of the wanted
    version.
    """
    executable = server_in(folder)
    if executable is None:
        raise PreconditionFailed(
            f"{folder} {NO_SERVER}",
            state="No server was touched",
            advice="Give the folder or archive of a built server version",
        )
    require_machine(executable, machine_of(executable), machine_here())
    found = binary_version(executable)
    if found != wanted:
        raise PreconditionFailed(
            f"{executable} is version {found}, announced was {wanted}",
            state="No server was touched",
            advice="Correct the version, or give the right folder or archive",
        )
    return executable


def ensure(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    path, source, wanted = params["path"], params["source"], params["version"]
    copied: list[str] = []
    if source:
        require_version(source, wanted)
        copied = to_update(source, path)
        if copied:
            needed = sum(os.path.getsize(os.path.join(source, name)) for name in copied)
            require_room(path, needed, params["spare_bytes"], free_bytes(path))
        if not check_mode:
            copy_version(source, path, copied)
    executable = require_version(source if copied and check_mode else path, wanted)
    return {"changed": bool(copied), "version": wanted, "executable": executable, "copied": copied}


def ensure_renamed(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    path, source, wanted, origin = params["path"], params["source"], params["version"], params["origin"]
    if origin_of(path) == origin:
        return {"changed": False, "version": wanted, "executable": require_version(path, wanted), "copied": []}
    executable = os.path.join(path, os.path.relpath(require_version(source, wanted), source))
    if not check_mode:
        put_in_place(source, path, origin)
    return {"changed": True, "version": wanted, "executable": executable, "copied": []}


def main() -> None:
    run_module(
        SPEC,
        lambda params, check_mode: (ensure_renamed if params["origin"] else ensure)(params, check_mode),
        os_error="{source} cannot be put in place as {path}: {error}. No server was touched.",
        required_by={"origin": ["source"]},
    )


if __name__ == "__main__":
    main()
