#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens or closes the journal of one instance."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_journal
short_description: Open or close the journal of one instance's upgrade
version_added: 0.1.0
description:
  - Notes what the live deployment cannot tell after a crash (which node was master at the start, priorities, where
    the files of an instance are) in a
    small JSON file on the instance's host.
  - A journal that exists is kept, only what it does not say is added, so that a second run finishes what the first
    one began.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
  action_group:
    support: none
    membership: []
options:
  path:
    description: The journal's file.
    type: path
    required: true
  state:
    description:
      - V(open) ensures that there is a journal that says what is in O(content).
      - V(closed) removes it. If it notes a C(config_file) and its C(config_identity), that file gets its owner, group and
        mode back first, since servers give it mode 0644 whenever they rewrite it, as every failover makes them do.
      - Of an instance that runs another version than before it is kept beside, as C(<name>.before.json) (O(followed_by)).
    type: str
    choices: [open, closed]
    default: open
  content:
    description: What to note.
    type: dict
    default: {}
  followed_by:
    description: With O(state=closed), the version that the instance runs now. If that is not the C(version) that the journal notes,
      the journal is kept as the note of the version before, from which the playbook C(sentinelops.redis.rollback) goes back.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Note what the instance is like before anything is touched
  sentinelops.redis.redis_journal:
    path: /var/lib/sentinelops-redis/redis-6379.json
    content:
      home: 10.0.0.1:6379
      priority: 100
"""

RETURN = r"""
journal:
  description: What the journal says.
  returned: with O(state=open)
  type: dict
"""

import json
from typing import Any

from ..module_utils._module import run_module
from ..module_utils._records.journal import close_journal, merged, read_journal, write_journal

SPEC: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["open", "closed"], "default": "open"},
    "content": {"type": "dict", "default": {}},
    "followed_by": {"type": "str", "default": ""},
}


def ensure(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    path = params["path"]
    existing = read_journal(path)
    if params["state"] == "closed":
        if existing is not None and not check_mode:
            close_journal(path, existing, params["followed_by"])
        return {"changed": existing is not None, "diff": _diff(path, existing or {}, {})}
    content = merged(existing, params["content"])
    if content != existing and not check_mode:
        write_journal(path, content)
    return {"changed": content != existing, "journal": content, "diff": _diff(path, existing or {}, content)}


def _diff(path: str, before: dict[str, Any], after: dict[str, Any]) -> dict[str, str]:
    texts = [json.dumps(content, indent=2, sort_keys=True) + "\n" if content else "" for content in (before, after)]
    return {"before": texts[0], "after": texts[1], "before_header": path, "after_header": path}


def main() -> None:
    run_module(SPEC, ensure, os_error="the journal {path} cannot be written: {error}. Nothing else was touched.")


if __name__ == "__main__":
    main()
