#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Return a part of a file."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_backup_part
short_description: Return a part of a file of a backup
version_added: 1.0.0
description:
  - Returns a part of a file, for M(sentinelops.redis.redis_backup_copy), which asks for one part
    after the other. So neither the host nor the controller holds a whole data file in its memory.
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
    description: The file, in a folder that only the user of the module may write.
    type: path
    required: true
  offset:
    description: The first byte to return.
    type: int
    default: 0
  bytes:
    description: How many bytes to return at most.
    type: int
    default: 8388608
"""

EXAMPLES = r"""
- name: Read the first part of a data file
  sentinelops.redis.redis_backup_part:
    path: /var/lib/sentinelops-redis/backup/redis-6379-6.2.14-20260102T030405Z/dump.rdb
"""

RETURN = r"""
content:
  description: The bytes of the part in Base64; empty at the end of the file.
  returned: success
  type: str
"""

import base64
import os
from typing import Any

from ..module_utils._module import run_module
from ..module_utils._records.own_folder import require_own_folder

SPEC: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "offset": {"type": "int", "default": 0},
    "bytes": {"type": "int", "default": 8 << 20},
}


def read_part(params: dict[str, Any], _check_mode: bool) -> dict[str, Any]:
    """Return the module's result."""
    require_own_folder(os.path.dirname(params["path"]))
    with open(params["path"], "rb") as file:
        file.seek(params["offset"])
        return {"content": base64.b64encode(file.read(params["bytes"])).decode("ascii")}


def main() -> None:
    run_module(SPEC, read_part, os_error="{path} cannot be read: {error}. Nothing was touched.")


if __name__ == "__main__":
    main()
