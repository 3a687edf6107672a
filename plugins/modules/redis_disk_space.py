#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that a host can take a built version."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_disk_space
short_description: Check that a host can take a built server version
version_added: 0.1.0
description:
  - Fails if there is too little room for a version on the file system that it is to go to, or if it is built for another machine.
    Says whether it has been placed there already.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection.attributes
attributes:
  check_mode:
    support: full
    details: It changes nothing.
  diff_mode:
    support: none
  idempotent:
    support: full
  action_group:
    support: none
    membership: []
options:
  path:
    description: The version folder; it need not exist.
    type: path
    required: true
  bytes:
    description: The room that the version needs.
    type: int
    required: true
  spare_bytes:
    description: How much must stay free besides.
    type: int
    default: 0
  machine:
    description: What the version is built for, as M(sentinelops.redis.redis_version_info) says it. Empty if that is not known.
    type: str
    default: ""
  origin:
    description: What the version comes from, as it was given to M(sentinelops.redis.redis_version_folder).
    type: str
"""

EXAMPLES = r"""
- name: Refuse a host on which there is no room for 40 MiB, with 100 MiB to spare
  sentinelops.redis.redis_disk_space:
    path: /opt/redis-6379/redis.new
    bytes: 41943040
    spare_bytes: 104857600
    machine: x86_64
"""

RETURN = r"""
placed:
  description: Whether the folder is there already and was made from O(origin). Then it was not asked whether there is room.
  returned: success
  type: bool
free_bytes:
  description: What is free on that file system.
  returned: success
  type: int
"""

from typing import Any

from ..module_utils._host.disk_space import free_bytes, require_machine, require_room
from ..module_utils._install.elf import machine_here
from ..module_utils._install.folders import origin_of
from ..module_utils._module import run_module

SPEC: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "bytes": {"type": "int", "required": True},
    "spare_bytes": {"type": "int", "default": 0},
    "machine": {"type": "str", "default": ""},
    "origin": {"type": "str"},
}


def check(params: dict[str, Any]) -> dict[str, Any]:
    path = params["path"]
    require_machine("The new version", params["machine"], machine_here())
    free = free_bytes(path)
    placed = bool(params["origin"]) and origin_of(path) == params["origin"]
    if not placed:
        require_room(path, params["bytes"], params["spare_bytes"], free)
    return {"placed": placed, "free_bytes": free}


def main() -> None:
    run_module(
        SPEC,
        lambda params, _check_mode: check(params),
        os_error="{path}: {error}. Nothing was placed and no server was touched.",
    )


if __name__ == "__main__":
    main()
