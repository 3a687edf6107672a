#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of the action plugin of this name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_deployments
short_description: Run the playbook once for each deployment of the inventory
version_added: 1.0.0
description:
  - Begins the command of this run again for each deployment, as a process of its own, with two
    inventory groups that hold this deployment only. So each deployment has its own plan, lock,
    gates and report, and one that is refused or fails does not touch the others.
  - Tells each play of each deployment as it begins, and the end of the output of one that fails.
  - Fails if one of them fails. If this run is interrupted, so are they.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection.attributes
  - sentinelops.redis.connection.no_group
attributes:
  check_mode:
    support: full
    details: The option C(--check) is a part of the command.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  deployments:
    description: The deployments, each with C(name), C(redis_hosts) and C(sentinel_hosts).
    type: list
    elements: dict
    required: true
  wanted:
    description: The names of those to run. Empty means all.
    type: list
    elements: str
    default: []
  canary:
    description: The name of the one that runs first, alone.
    type: str
    default: ""
  at_once:
    description: How many may run side by side.
    type: int
    default: 5
  max_failed:
    description: How many may fail before no further one is begun.
    type: int
    default: 0
  folder:
    description: A folder on the controller, in which the run gets a folder for the output and the
      reports of all.
    type: path
    required: true
notes:
  - Runs on the controller, and reaches no host.
  - The processes cannot ask for passwords, so options such as C(--ask-become-pass) are refused.
"""

EXAMPLES = r"""
- name: Run once for each deployment
  sentinelops.redis.redis_deployments:
    folder: ~/.cache/sentinelops-redis/runs
    canary: staging
    deployments:
      - name: staging
        redis_hosts: [redis-s1, redis-s2]
        sentinel_hosts: [sentinel-s1, sentinel-s2, sentinel-s3]
      - name: production
        redis_hosts: [redis-p1, redis-p2]
        sentinel_hosts: [sentinel-p1, sentinel-p2, sentinel-p3]
"""

RETURN = r"""
deployments:
  description: For each its C(name), C(state) (done, failed, or not begun), C(seconds), and the
    files C(log), C(report) and C(page).
  returned: always
  type: list
  elements: dict
lines:
  description: The same for a person to read, and what to do.
  returned: always
  type: list
  elements: str
"""
