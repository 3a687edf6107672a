#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take, renew or release the lock of a run on one host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_run_lock
short_description: Take, renew or release the lock that keeps a second run away from a deployment
version_added: 1.0.0
description:
  - Keeps a small file on the host that names the run that works on the deployment, with a lease
    that the run must renew.
  - The host's clocks measure the lease, so the controllers' clocks do not matter.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection.attributes
  - sentinelops.redis.connection.no_group
attributes:
  check_mode:
    support: full
    details: Reports whether the lock could be taken, and who holds it.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  path:
    description: The lock's file. A missing folder is created. An empty folder is removed with the
      lock.
    type: path
    required: true
  state:
    description:
      - V(taken) takes the lock if nobody holds it, if its lease has run out, or if the holder is
        one of O(instead_of). Otherwise the module does not fail; see RV(held).
      - V(renewed) renews the lease, and fails if the run has lost the lock.
      - V(released) removes the lock if this run holds it.
    type: str
    choices: [taken, renewed, released]
    default: taken
  run:
    description: The identity of this run, from the lookup
      P(sentinelops.redis.controller_run#lookup).
    type: dict
    required: true
  lease_s:
    description: How long a run holds the lock without renewing it, in seconds.
    type: int
    default: 300
  instead_of:
    description: The ids of runs that are known to be dead. Their lock may be taken before its
      lease has run out.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Keep other runs away
  sentinelops.redis.redis_run_lock:
    path: /var/lib/sentinelops-redis/sentinel-26379.lock.json
    run: "{{ lookup('sentinelops.redis.controller_run') }}"
  register: lock
  failed_when: not lock.held
"""

RETURN = r"""
held:
  description: Whether this run holds the lock now, or would hold it in check mode.
  returned: with O(state=taken)
  type: bool
right:
  description:
    - The right by which the lock was taken; empty if it was not taken.
    - C(free), nobody held the lock; C(own), this run did; C(expired), the holder's lease had run
      out; C(override), the holder is one of O(instead_of).
  returned: with O(state=taken)
  type: str
holder:
  description: The previous holder, with C(since) (UTC), C(age_s), the seconds since its last
    renewal, and C(left_s), the rest of its lease.
  returned: with O(state=taken), if somebody held the lock
  type: dict
"""

import time
from typing import Any

from ..module_utils._module import run_module
from ..module_utils._records.run_lock import Moment, Record, RunLock, age_s, now, right_to_take

SPEC: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["taken", "renewed", "released"], "default": "taken"},
    "run": {"type": "dict", "required": True},
    "lease_s": {"type": "int", "default": 300},
    "instead_of": {"type": "list", "elements": "str", "default": []},
}


def ensure(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Bring the lock into the wanted state, and return the module's result."""
    lock, run = RunLock(params["path"]), params["run"]
    if params["state"] == "taken":
        found = lock.read()
        moment = now()
        right = right_to_take(found, str(run["id"]), moment, params["instead_of"])
        if not check_mode:
            right, found = lock.take(run, params["lease_s"], params["instead_of"])
        result = {"changed": right in ("free", "expired", "override"), "held": bool(right), "right": right}
        return {**result, "holder": _holder(found, moment)} if found else result
    if params["state"] == "renewed":
        if not check_mode:
            lock.renew(run, params["lease_s"])
        return {"changed": not check_mode}
    if not check_mode:
        return {"changed": lock.release(run)}
    held = lock.read()
    return {"changed": held is not None and held["run"]["id"] == run["id"]}


def _holder(record: Record, moment: Moment) -> dict[str, Any]:
    age = age_s(record, moment)
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record["since_s"]))
    return {**record["run"], "since": since, "age_s": round(age), "left_s": max(0, round(record["lease_s"] - age))}


def main() -> None:
    run_module(
        SPEC,
        ensure,
        os_error="the lock {path} cannot be read or written: {error.strerror}. Nothing else was touched. "
        "Run with become, as the user of earlier runs, make room, or give another redis_upgrade_journal_folder.",
    )


if __name__ == "__main__":
    main()
