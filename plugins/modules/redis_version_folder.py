#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ensure that a folder holds a server of a given version that runs on this host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_version_folder
short_description: Ensure that a folder holds a given server version
version_added: 0.1.0
description:
  - Copies a built server version from a folder on the same host, if O(source) is given, and then
    runs the server with C(--version).
  - Fails if there is no server, if the server is built for another machine or does not run on this
    host, if its version is another one, or if the disk has too little space.
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
    description: The version that the folder must hold.
    type: str
    required: true
  source:
    description:
      - A folder on the same host with the built version. Its files are copied with their modes, the
        server last. Equal files are not copied, and files that are only in O(path) stay.
      - Without O(source), O(path) is only checked.
    type: path
  spare_bytes:
    description: The bytes that must stay free on the file system of O(path) after the copy.
      Otherwise nothing is copied.
    type: int
    default: 0
  origin:
    description:
      - The origin of the version in O(source), for example the checksum of an archive.
      - With O(origin), the copy is made beside O(path) and renamed to O(path) once its server has
        run. The earlier content of O(path) is removed. O(path) therefore never holds a part of a
        version.
      - The origin is written into the folder, where M(sentinelops.redis.redis_disk_space) finds it.
    type: str
"""

EXAMPLES = r"""
- name: Place a version beside the one in use
  sentinelops.redis.redis_version_folder:
    path: /opt/redis-6379/redis.new
    source: /opt/builds/redis-7.0.15
    version: 7.0.15

- name: Check an unpacked version
  sentinelops.redis.redis_version_folder:
    path: /opt/redis-6379/redis.new
    version: 7.0.15
"""

RETURN = r"""
version:
  description: The version of the server.
  returned: success
  type: str
executable:
  description: The server's executable.
  returned: success
  type: str
copied:
  description: The copied files, relative to the folder.
  returned: success
  type: list
  elements: str
"""

import os
from typing import Any

from ..module_utils._errors import PreconditionFailed
from ..module_utils._host.disk_space import free_bytes, is_noexec, require_machine, require_space
from ..module_utils._host.process import binary_version
from ..module_utils._install.elf import machine_here, machine_of
from ..module_utils._install.folders import NO_SERVER, copy_version, origin_of, outdated_files, put_in_place, server_in
from ..module_utils._module import run_module
from ..module_utils._owned_files import remove_tree

SPEC: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "version": {"type": "str", "required": True},
    "source": {"type": "path"},
    "origin": {"type": "str"},
    "spare_bytes": {"type": "int", "default": 0},
}


def require_version(folder: str, wanted: str) -> str:
    """Return the server's executable in the folder.

    Raises PreconditionFailed unless the server is of the wanted version and runs here.
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
    """Copy the version, if a source is given, and check it; return the module's result."""
    path, source, wanted = params["path"], params["source"], params["version"]
    copied: list[str] = []
    if source:
        if not is_noexec(source):
            require_version(source, wanted)
        copied = outdated_files(source, path)
        if copied:
            needed = sum(os.path.getsize(os.path.join(source, name)) for name in copied)
            require_space(path, needed, params["spare_bytes"], free_bytes(path))
        if not check_mode:
            copy_version(source, path, copied)
    executable = require_version(source if copied and check_mode else path, wanted)
    return {"changed": bool(copied), "version": wanted, "executable": executable, "copied": copied}


def ensure_renamed(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Copy the source beside the version folder and rename the copy, unless its origin is recorded
    there already.
    """
    path, source, wanted, origin = params["path"], params["source"], params["version"], params["origin"]
    if origin_of(path) == origin:
        return {"changed": False, "version": wanted, "executable": require_version(path, wanted), "copied": []}
    if check_mode:
        executable = require_version(source, wanted)
        return {"changed": True, "version": wanted, "executable": os.path.join(path, os.path.relpath(executable, source)), "copied": []}
    partial = path + ".partial"
    remove_tree(partial)  # of a killed run
    copied = outdated_files(source, partial)
    try:
        copy_version(source, partial, copied)
        # not in the source, where no program may run if its file system says so
        executable = require_version(partial, wanted)
        put_in_place(partial, path, origin)
    finally:
        remove_tree(partial)
    return {"changed": True, "version": wanted, "executable": os.path.join(path, os.path.relpath(executable, partial)), "copied": copied}


def main() -> None:
    run_module(
        SPEC,
        lambda params, check_mode: (ensure_renamed if params["origin"] else ensure)(params, check_mode),
        os_error="{source} cannot be put in place as {path}: {error}. No server was touched.",
        required_by={"origin": ["source"]},
    )


if __name__ == "__main__":
    main()
