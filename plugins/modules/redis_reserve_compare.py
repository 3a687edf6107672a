#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the data of a reserve with that of its master."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_reserve_compare
short_description: Compare the data of a reserve with that of its master
version_added: 1.0.0
description:
  - Compares the numbers of keys, and the values of a sample of keys or of all. A key that differs
    is read again, since its write may be on its way. Changes nothing.
  - Names the writing commands that clients of the master have used and the reserve does not know.
    After a rollback these clients would get errors.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection
  - sentinelops.redis.connection.attributes
  - sentinelops.redis.connection.group
  - sentinelops.redis.connection.progress
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  master:
    description: The master's address, C(host:port); by default the one that the reserve follows.
    type: str
    default: ""
  sample:
    description: How many keys of each database to compare. V(0) compares all of them.
    type: int
    default: 100
seealso:
  - module: sentinelops.redis.redis_reserve
"""

EXAMPLES = r"""
- name: Compare all data of the reserve on this host with that of its master
  sentinelops.redis.redis_reserve_compare:
    sample: 0
"""

RETURN = r"""
keys:
  description: For each database the number of keys on the master and on the reserve.
  returned: success
  type: dict
  sample: {"db0": [1000, 1000]}
compared:
  description: The number of keys with equal values, by type.
  returned: success
  type: dict
  sample: {"string": 80, "hash": 20}
differing:
  description: Keys of the master that have another value on the reserve, or none.
  returned: success
  type: list
  elements: str
unreadable:
  description: The number of keys of a type that cannot be compared, such as those of modules.
  returned: success
  type: int
unknown_commands:
  description: Writing commands that clients of the master have used, and the reserve does not know.
  returned: success
  type: list
  elements: str
"""

from dataclasses import asdict
from typing import Any

from ..module_utils._module import run_module
from ..module_utils._audit.comparison import compare, unknown_writes
from ..module_utils._errors import PreconditionFailed
from ..module_utils._progress_file import PROGRESS_SPEC
from ..module_utils._server.address import Address
from ..module_utils._server.connection import connect, server_from
from ..module_utils._server.info import node_info, parse_info
from ..module_utils._server.login import CONNECTION_SPEC, login_from
from ..module_utils._wait import Clock

SPEC: dict[str, Any] = {
    **CONNECTION_SPEC,
    **PROGRESS_SPEC,
    "master": {"type": "str", "default": ""},
    "sample": {"type": "int", "default": 100},
}


def read(params: dict[str, Any]) -> dict[str, Any]:
    """Return the module's result."""
    replica = server_from(params)
    followed = params["master"] or node_info(parse_info(replica.command("INFO"))).master
    if not followed:
        raise PreconditionFailed("it is a master, so there is nothing to compare it with", node=str(replica.address))
    master = connect(Address.parse(followed), login_from(params))
    try:
        found = compare(master, replica, params["sample"], Clock())
        return {**asdict(found), "unknown_commands": unknown_writes(master, replica)}
    finally:
        master.close()


def main() -> None:
    run_module(SPEC, lambda params, _check_mode: read(params))


if __name__ == "__main__":
    main()
