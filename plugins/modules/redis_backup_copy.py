#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of the action plugin of this name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_backup_copy
short_description: Copy a backup to the controller, and check the copy
version_added: 1.0.0
description:
  - Copies all files of a backup that M(sentinelops.redis.redis_backup) has made into a folder on
    the controller, part by part, and compares size and SHA-256 of the data file.
  - A copy is complete, or not there. A complete copy is never removed or replaced; if it is as it
    should be, nothing is done.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection.attributes
  - sentinelops.redis.connection.no_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  backup:
    description: The facts of the backup, as M(sentinelops.redis.redis_backup) returns them.
    type: dict
    required: true
  folder:
    description: The folder on the controller, in which the copy gets a folder with the name of the
      backup's. Only the user of the run may write it.
    type: path
    required: true
  check_program:
    description:
      - A program on the controller to check the data file with, too, C(redis-check-rdb) or the
        server itself, of the version of the backup. Empty for none.
    type: path
    default: ""
notes:
  - Runs on the controller. It uses M(sentinelops.redis.redis_backup_part) on the host.
seealso:
  - module: sentinelops.redis.redis_backup
"""

EXAMPLES = r"""
- name: Copy the backup to the controller
  sentinelops.redis.redis_backup_copy:
    backup: "{{ made.backup }}"
    folder: /srv/backups/redis-1
"""

RETURN = r"""
path:
  description: The folder of the copy.
  returned: success
  type: str
"""
