#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that a host has the disk space and the machine for a built version."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_disk_space
short_description: Check that a built server version fits and runs on a host
version_added: 1.0.0
description:
  - Fails if the file system of O(path) has too little space for a version, or if the version is
    built for another machine.
  - Returns whether the version has been placed there already.
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
    description: The version folder, which need not exist.
    type: path
    required: true
  bytes:
    description: The disk space that the version needs, in bytes.
    type: int
    required: true
  spare_bytes:
    description: The bytes that must stay free besides.
    type: int
    default: 0
  machine:
    description: The machine that the version is built for, as returned by
      M(sentinelops.redis.redis_version_info). Empty if unknown.
    type: str
    default: ""
  origin:
    description: The origin of the version, as given to M(sentinelops.redis.redis_version_folder).
    type: str
"""

EXAMPLES = r"""
- name: Refuse a host without space for 40 MiB, with 100 MiB to spare
  sentinelops.redis.redis_disk_space:
    path: /opt/redis-6379/redis.new
    bytes: 41943040
    spare_bytes: 104857600
    machine: x86_64
"""

RETURN = r"""
placed:
  description: Whether the folder exists already and was made from O(origin). The disk space is not
    checked then.
  returned: success
  type: bool
free_bytes:
  description: The free bytes on that file system.
  returned: success
  type: int
"""

from typing import Any

from ..module_utils._module import run_module
from ..module_utils._host.disk_space import free_bytes, require_machine, require_space
from ..module_utils._install.elf import machine_here
from ..module_utils._install.folders import origin_of

SPEC: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "bytes": {"type": "int", "required": True},
    "spare_bytes": {"type": "int", "default": 0},
    "machine": {"type": "str", "default": ""},
    "origin": {"type": "str"},
}


def check(params: dict[str, Any]) -> dict[str, Any]:
    """Return the module's result. Raises PreconditionFailed if the version does not fit."""
    path = params["path"]
    require_machine("The new version", params["machine"], machine_here())
    free = free_bytes(path)
    placed = bool(params["origin"]) and origin_of(path) == params["origin"]
    if not placed:
        require_space(path, params["bytes"], params["spare_bytes"], free)
    return {"placed": placed, "free_bytes": free}


def main() -> None:
    run_module(
        SPEC,
        lambda params, _check_mode: check(params),
        os_error="{path}: {error}. Nothing was placed and no server was touched.",
    )


if __name__ == "__main__":
    main()
