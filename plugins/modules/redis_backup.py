#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Back up the data and the configuration of an instance before an upgrade."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_backup
short_description: Back up an instance before its data crosses a format barrier
version_added: 1.0.0
description:
  - Has a data node save its data (C(BGSAVE)), copies the data file, the configuration file and the
    ACL file into a new folder, and checks the copy with the server's own C(redis-check-rdb), which
    compares the checksum.
  - The facts of the backup are in C(backup.json) in that folder, and in the journal of the
    instance, from which a restore takes them.
  - A backup is complete, or not there. No complete backup is ever removed or replaced.
  - If the journal has a backup already that was made before the upgrade to O(new_version), nothing
    is done, unless it has data and is older than ten minutes.
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
    support: partial
    details: Only with a journal.
options:
  state:
    description:
      - V(present) makes the backup.
      - V(checked) makes sure that O(path) is a whole backup of the version O(version), and that
        there is room for its data and the newer data beside the data of O(instance).
    type: str
    choices: [present, checked]
    default: present
  folder:
    description: With O(state=present), the folder of all backups of this host. Only the user of the
      module may write it.
    type: path
  path:
    description: With O(state=checked), the folder of the backup.
    type: path
  version:
    description: With O(state=checked), the version to restore.
    type: str
  journal:
    description: With O(state=present), the path of the instance's journal.
    type: path
  instance:
    description: The record of the instance (M(sentinelops.redis.redis_survey)).
    type: dict
    required: true
  new_version:
    description: With O(state=present), the version to which the instance is about to be upgraded.
    type: str
  data:
    description: Whether to back up the data, beside the configuration.
    type: bool
    default: true
  spare_bytes:
    description: The bytes that must stay free on the file system of O(folder).
    type: int
    default: 0
  wait_s:
    description: How long the server may take to save its data, in seconds.
    type: int
    default: 3600
seealso:
  - module: sentinelops.redis.redis_survey
"""

EXAMPLES = r"""
- name: Back up the replica before the upgrade to 7.0.15
  sentinelops.redis.redis_backup:
    folder: /var/lib/sentinelops-redis/backup
    journal: /var/lib/sentinelops-redis/redis-6379.json
    instance: "{{ surveyed.instance }}"
    new_version: 7.0.15
"""

RETURN = r"""
backup:
  description: The facts of the backup. C(data) has size, SHA-256, the number of keys, and
    the place in the replication stream (C(replication_id), C(offset)).
  returned: unless in check mode
  type: dict
"""

from dataclasses import fields
from typing import Any

from ..module_utils._module import run_module
from ..module_utils._instance.backup import BackupRequest, back_up, check_backup, is_recent, journal_field
from ..module_utils._progress_file import PROGRESS_SPEC
from ..module_utils._records.journal import read_journal
from ..module_utils._server.connection import server_from
from ..module_utils._server.login import CONNECTION_SPEC
from ..module_utils._wait import Clock

SPEC: dict[str, Any] = {
    **CONNECTION_SPEC,
    **PROGRESS_SPEC,
    "state": {"type": "str", "choices": ["present", "checked"], "default": "present"},
    "folder": {"type": "path"},
    "path": {"type": "path"},
    "version": {"type": "str"},
    "journal": {"type": "path"},
    "instance": {"type": "dict", "required": True},
    "new_version": {"type": "str"},
    "data": {"type": "bool", "default": True},
    "spare_bytes": {"type": "int", "default": 0},
    "wait_s": {"type": "int", "default": 3600},
}


def ensure(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Make the backup unless there is one, or check one; return the module's result."""
    if params["state"] == "checked":
        return {"backup": check_backup(params["path"], params["version"], params["instance"]["dir"])}
    known = (read_journal(params["journal"]) or {}).get(journal_field(params["data"]))
    if known and known["new_version"] == params["new_version"] and is_recent(known):
        return {"changed": False, "backup": known}
    if check_mode:
        return {"changed": True}
    request = BackupRequest(**{field.name: params[field.name] for field in fields(BackupRequest)})
    return {"changed": True, "backup": back_up(server_from(params), request, Clock())}


def main() -> None:
    run_module(
        SPEC,
        ensure,
        os_error="the backup cannot be made or read: {error}. No server was stopped. Use become.",
        required_if=[("state", "present", ["folder", "journal", "new_version"]), ("state", "checked", ["path", "version"])],
    )


if __name__ == "__main__":
    main()
