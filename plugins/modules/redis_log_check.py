#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks through what a server has logged since a given moment."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_log_check
short_description: Look for errors in a server's log
version_added: 0.1.0
description:
  - Reads the log of a Redis, Valkey or Sentinel instance from an offset on, fails if it says that something is broken, and returns other warnings.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection.attributes
attributes:
  check_mode:
    support: full
    details: The module only reads.
  diff_mode:
    support: none
  idempotent:
    support: full
  action_group:
    support: none
    membership: []
options:
  path:
    description: The log file; with an empty one nothing is checked.
    type: str
    required: true
  offset:
    description: From which byte on to read, for example RV(sentinelops.redis.redis_instance#module:log_offset).
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Look for errors since the start
  sentinelops.redis.redis_log_check:
    path: "{{ start.log_file }}"
    offset: "{{ start.log_offset }}"
"""

RETURN = r"""
errors:
  description: Lines that say that something is broken.
  returned: always
  type: list
  elements: str
warnings_logged:
  description: Other lines of level warning that are not known to be harmless.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._serverlog import judge_log, read_from


def main() -> None:
    module = AnsibleModule(
        {"path": {"type": "str", "required": True}, "offset": {"type": "int", "default": 0}}, supports_check_mode=True
    )
    found = judge_log(read_from(module.params["path"], module.params["offset"]))
    result = {"changed": False, "errors": list(found.errors), "warnings_logged": list(found.warnings)}
    if found.errors:
        module.fail_json(msg=f"{module.params['path']} says: {'; '.join(found.errors[:5])}", **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
