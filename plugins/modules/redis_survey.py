#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Surveys one instance on its own host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_survey
short_description: Survey one Redis, Valkey or Sentinel instance on its host
version_added: 0.1.0
description:
  - Finds out what runs, in which role, from which executable and configuration file, which versions are installed
    and staged beside it, and, for a
    Sentinel, what it knows of every master that it monitors.
  - An instance that does not run is described from its journal, if an upgrade left one.
  - The records of all instances are what the filter P(sentinelops.redis.upgrade_plan#filter) makes the plan from.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection
  - sentinelops.redis.connection.attributes
attributes:
  check_mode:
    support: full
    details: The module only reads.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  kind:
    description: What the instance is.
    type: str
    choices: [redis, sentinel]
    required: true
  journal:
    description: The instance's journal.
    type: path
    required: true
  folder:
    description: The version folder of the instance. By default the folder of the running executable (without C(src)
      or C(bin)).
    type: path
"""

EXAMPLES = r"""
- name: Survey the data node
  sentinelops.redis.redis_survey:
    kind: redis
    login_password: "{{ redis_password }}"
    journal: /var/lib/sentinelops-redis/redis-6379.json
  register: survey
"""

RETURN = r"""
instance:
  description: The record of the instance.
  returned: success
  type: dict
  sample:
    kind: redis
    answers: true
    version: 7.0.15
    role: replica
    executable: /opt/redis-6379/redis/redis-server
    config_file: /opt/redis-6379/redis/redis.conf
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._address import Address
from ..module_utils._connection import CONNECTION_SPEC, connect, login_from, require_redis_py
from ..module_utils._errors import SentinelOpsError
from ..module_utils._journal import read_journal
from ..module_utils._survey import survey

SPEC: dict[str, Any] = {
    **CONNECTION_SPEC,
    "kind": {"type": "str", "choices": ["redis", "sentinel"], "required": True},
    "journal": {"type": "path", "required": True},
    "folder": {"type": "path"},
}


def main() -> None:
    module = AnsibleModule(SPEC, supports_check_mode=True)
    params = module.params
    try:
        require_redis_py()
        server = connect(Address(params["login_host"], params["login_port"]), login_from(params))
        record = survey(server, params["kind"], read_journal(params["journal"]), params["folder"] or "")
    except SentinelOpsError as error:
        module.fail_json(**error.as_result())
    module.exit_json(changed=False, instance=record)


if __name__ == "__main__":
    main()
