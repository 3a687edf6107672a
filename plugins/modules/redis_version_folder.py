#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ensure that a folder holds a server of a given version that runs on this host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_version_folder
short_description: Ensure that a folder holds a given server version
version_added: 1.0.0
description:
  - Copies a built server version from a folder on the same host, if O(source) is given, and then
    runs the server with C(--version).
  - Fails if there is no server, if the server is built for another machine or does not run on this
    host, if its version is another one, or if the disk has too little space.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection.attributes
  - sentinelops.redis.connection.no_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
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

from ..module_utils._module import run_module
from ..module_utils._install.version_folder import NOT_PLACED, PLACE_SPEC, place_version


def main() -> None:
    run_module(PLACE_SPEC, place_version, os_error=NOT_PLACED, required_by={"origin": ["source"]})


if __name__ == "__main__":
    main()
