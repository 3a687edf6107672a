#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open or close the journal of one instance."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_journal
short_description: Open or close the journal of one instance's upgrade
version_added: 1.0.0
description:
  - Records facts that a crash would lose in a small JSON file on the instance's host, such as the
    original master, the priorities and the instance's files.
  - An existing journal keeps its values, and only missing ones are added, so that a second run
    finishes the upgrade that the first run began.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection.attributes
  - sentinelops.redis.connection.no_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  path:
    description: The journal's file.
    type: path
    required: true
  state:
    description:
      - V(open) ensures that the journal exists and has every field of O(content).
      - V(closed) removes the journal. If the journal has a C(config_file) and its
        C(config_identity), the owner, group and mode of that file are restored first. Servers set
        mode 0644 whenever they rewrite their file, as in every failover.
      - With O(followed_by), V(closed) may keep the journal as the rollback record
        C(<name>.before.json).
    type: str
    choices: [open, closed]
    default: open
  content:
    description: The fields to record.
    type: dict
    default: {}
  followed_by:
    description: With O(state=closed), the version that the instance runs now. If the journal has
      another C(version), it is kept as the rollback record, which the playbook
      C(sentinelops.redis.rollback) needs.
    type: str
    default: ""
  lock:
    description: With O(state=closed), the file of the lock to release then, as
      M(sentinelops.redis.redis_run_lock) does.
    type: path
  run:
    description: The identity of the run that may hold O(lock), from the lookup
      P(sentinelops.redis.controller_run#lookup).
    type: dict
"""

EXAMPLES = r"""
- name: Record the state of the instance before anything is changed
  sentinelops.redis.redis_journal:
    path: /var/lib/sentinelops-redis/redis-6379.json
    content:
      original_master: 10.0.0.1:6379
      priority: 100
"""

RETURN = r"""
journal:
  description: The fields of the journal.
  returned: with O(state=open)
  type: dict
"""

import json
from typing import Any

from ..module_utils._module import run_module
from ..module_utils._records.journal import close_journal, open_journal, read_journal
from ..module_utils._records.run_lock import RunLock

SPEC: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["open", "closed"], "default": "open"},
    "content": {"type": "dict", "default": {}},
    "followed_by": {"type": "str", "default": ""},
    "lock": {"type": "path"},
    "run": {"type": "dict"},
}


def ensure(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Open or close the journal, and return the module's result."""
    path = params["path"]
    if params["state"] == "open":
        before, after = open_journal(path, params["content"], check_mode)
        return {"changed": after != before, "journal": after, "diff": _diff(path, before or {}, after)}
    existing = read_journal(path)
    if existing is not None and not check_mode:
        close_journal(path, existing, params["followed_by"])
    if params["lock"] and not check_mode:
        RunLock(params["lock"]).release(params["run"])
    return {"changed": existing is not None, "diff": _diff(path, existing or {}, {})}


def _diff(path: str, before: dict[str, Any], after: dict[str, Any]) -> dict[str, str]:
    texts = [json.dumps(content, indent=2, sort_keys=True) + "\n" if content else "" for content in (before, after)]
    return {"before": texts[0], "after": texts[1], "before_header": path, "after_header": path}


def main() -> None:
    run_module(
        SPEC,
        ensure,
        os_error="the journal {path} cannot be written: {error}. Nothing else was touched.",
        required_together=[("lock", "run")],
    )


if __name__ == "__main__":
    main()
