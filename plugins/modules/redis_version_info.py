#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Examine a folder or archive with a built version."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_version_info
short_description: Examine a folder or archive with a built server version
version_added: 1.0.0
description:
  - Returns the disk space that a built version needs and the machine that its server is built for,
    without unpacking or running anything.
  - An archive is read to its end, so that truncation is detected. The module fails for an archive
    with another checksum, for a damaged archive, for an archive without exactly one folder at its
    top, and if there is no server in the folder or archive.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection.attributes
  - sentinelops.redis.connection.no_group
attributes:
  check_mode:
    support: full
    details: The module changes nothing.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  path:
    description: The folder, or the C(tar) archive, also compressed with C(gzip), C(bzip2) or C(xz).
    type: path
    required: true
  checksum:
    description: The SHA-256 checksum of the archive, with or without the prefix C(sha256:). An
      archive without a given checksum is refused.
    type: str
  built:
    description: Whether the folder or archive must hold a built server. An archive with the source
      code of a server holds none.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Examine an archive before it is sent to any host
  sentinelops.redis.redis_version_info:
    path: /srv/builds/redis-7.0.15-built.tar.gz
    checksum: 9d1d2b5e5a2a0b8bb1a90dd0a9b4ef3b1d17e1d2a7f0b7ca2b0b3f8e50b5d3a1
  delegate_to: localhost
"""

RETURN = r"""
bytes:
  description: The disk space that the version needs.
  returned: success
  type: int
machine:
  description: The machine that the server is built for, as C(uname -m) names it; empty if the
    server is no ELF file.
  returned: success
  type: str
server:
  description: The server's file, relative to the folder; empty if there is none.
  returned: success
  type: str
checksum:
  description: The SHA-256 checksum of the archive; empty for a folder.
  returned: success
  type: str
"""

import os
from typing import Any

from ..module_utils._module import run_module
from ..module_utils._errors import PreconditionFailed
from ..module_utils._install.build import archive_contents, folder_contents, verify_checksum
from ..module_utils._install.folders import NO_SERVER

SPEC: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "checksum": {"type": "str"},
    "built": {"type": "bool", "default": True},
}


def examine(params: dict[str, Any]) -> dict[str, Any]:
    """Return the module's result."""
    path = params["path"]
    state = "Nothing was placed and no server was touched"
    if not os.path.exists(path):
        raise PreconditionFailed(f"{path} does not exist", state=state, advice="Correct redis_binaries_source")
    is_folder = os.path.isdir(path)
    checksum = "" if is_folder else verify_checksum(path, params["checksum"] or "")
    contents = folder_contents(path) if is_folder else archive_contents(path)
    if params["built"] and not contents.server:
        raise PreconditionFailed(f"{path} {NO_SERVER}", state=state, advice="Give the folder or archive of a built server version")
    return {"bytes": contents.bytes, "machine": contents.machine, "server": contents.server, "checksum": checksum}


def main() -> None:
    run_module(SPEC, lambda params, _check_mode: examine(params))


if __name__ == "__main__":
    main()
