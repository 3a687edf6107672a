#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that a folder holds a server of a given version that runs on this host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_binary_check
short_description: Check the server version in a folder
version_added: 0.1.0
description:
  - Runs the server in a version folder with C(--version), and fails if there is none, if it does not run on this
    host, or if it has another version.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection.attributes
attributes:
  check_mode:
    support: full
    details: The module only reads. In check mode it does not fail, since the folder may not have been made.
  diff_mode:
    support: none
  idempotent:
    support: full
  action_group:
    support: none
    membership: []
options:
  folder:
    description: The version folder; the server is at its top, in C(bin) or in C(src).
    type: path
    required: true
  version:
    description: The version that it must have.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Check what was staged
  sentinelops.redis.redis_binary_check:
    folder: /opt/redis-6379/redis.new
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
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._errors import PreconditionFailed, SentinelOpsError
from ..module_utils._folders import server_in
from ..module_utils._process import binary_version


def check(folder: str, wanted: str) -> dict[str, Any]:
    executable = server_in(folder)
    if executable is None:
        raise PreconditionFailed(
            f"{folder} holds no redis-server or valkey-server (at its top, in bin or in src)",
            state="No server was touched",
            advice="Give the folder or archive of a built server version",
        )
    found = binary_version(executable)
    if found != wanted:
        raise PreconditionFailed(
            f"{executable} is version {found}, announced was {wanted}",
            state="No server was touched",
            advice="Correct the version, or give the right folder or archive",
        )
    return {"changed": False, "version": found, "executable": executable}


def main() -> None:
    module = AnsibleModule(
        {"folder": {"type": "path", "required": True}, "version": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    try:
        result = check(module.params["folder"], module.params["version"])
    except SentinelOpsError as error:
        if module.check_mode:
            module.exit_json(changed=False, version="", executable="")
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
