#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write through Sentinel during a change of the deployment, and count the lost writes."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_write_audit
short_description: Write through Sentinel while the deployment is changed, and count lost writes
version_added: 1.0.0
description:
  - Runs writers that find the master through Sentinel, as applications do. Each writer appends
    increasing numbers to its own list.
  - At the end, when the deployment has settled, the module reads the lists from the master and
    every replica and compares them with the acknowledged writes.
  - Meant to run as an asynchronous task beside an upgrade or a handover, on the embedded sandbox
    or, in a maintenance window, on the real deployment. The module writes only its own keys, and
    deletes them.
  - The terms are those of Jepsen's set checker. Nothing is retried, since a retry turns a write of
    unknown outcome into a duplicate.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection
  - sentinelops.redis.connection.nodes
  - sentinelops.redis.connection.attributes
  - sentinelops.redis.connection.group
attributes:
  check_mode:
    support: full
    details: Nothing is written and nothing is measured in check mode.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: The module leaves no key behind, and never reports a change.
options:
  login_port:
    description: Port on which the Sentinel listens.
    default: 26379
  master_name:
    description: The name under which the Sentinels monitor the master.
    type: str
    required: true
  sentinels:
    description: The Sentinels that the writers ask, as C(host:port). By default the Sentinel at
      O(login_host) and those that it knows.
    type: list
    elements: str
    default: []
  discovery:
    description:
      - How the writers find the master.
      - V(get-master-addr-by-name) is the command that most clients use. V(masters) is redis-py's
        own client, which reads C(SENTINEL MASTERS).
    type: str
    choices: [get-master-addr-by-name, masters]
    default: get-master-addr-by-name
  writers:
    description: The number of writers.
    type: int
    default: 4
  writes_per_second:
    description: The number of writes that each writer attempts per second, at most.
    type: float
    default: 250.0
  duration_s:
    description: How long to write, in seconds, at most.
    type: int
    default: 600
  stop_file:
    description: The writers stop as soon as this file exists, or its folder does not.
    type: path
  lock:
    description: The file of a run's lock on this host. The writers also stop as soon as the run
      O(run) does not hold it any more, as after the end of a run that was killed.
    type: path
  run:
    description: The id of the run that must hold the O(lock).
    type: str
  settle_s:
    description: How long every replica may take to catch up after the last write, in seconds.
    type: int
    default: 60
  key_prefix:
    description: The lists are named C(<key_prefix>:<number of the writer>).
    type: str
    default: sentinelops:audit
  result_file:
    description: A file on the host that runs the module, for the result as JSON.
    type: path
seealso:
  - module: sentinelops.redis.redis_sentinel_failover
"""

EXAMPLES = r"""
- name: Write during the upgrade
  sentinelops.redis.redis_write_audit:
    master_name: mymaster
    duration_s: 600
    stop_file: /run/stop-the-audit
  async: 700
  poll: 0
  register: audit
"""

RETURN = r"""
acknowledged:
  description: Writes that a server acknowledged.
  returned: success
  type: int
  sample: 60251
lost:
  description: Writes that were acknowledged and are missing, on the node that misses the most.
  returned: success
  type: int
  sample: 0
unexpected:
  description: Values in a list that were never attempted, or were certainly refused.
  returned: success
  type: int
  sample: 0
recovered:
  description: Writes of unknown outcome (the connection broke) that were applied.
  returned: success
  type: int
duplicates:
  description: Values that are in a list more than once.
  returned: success
  type: int
reordered:
  description: Values that follow a larger value.
  returned: success
  type: int
attempted:
  description: Writes that were attempted.
  returned: success
  type: int
refused:
  description: Writes that were certainly not applied.
  returned: success
  type: int
unknown:
  description: Writes whose outcome is unknown to the client.
  returned: success
  type: int
errors:
  description: The number of errors of each kind.
  returned: success
  type: dict
  sample: {"READONLY": 3, "closed or timed out": 8}
longest_gap_ms:
  description: The longest time without an acknowledged write of one writer, in milliseconds.
  returned: success
  type: float
acknowledged_per_second:
  description: Acknowledged writes of all writers in each second, from C(begun_at_s) on, in seconds
    since the epoch by the clock of the host.
  returned: success
  type: dict
  sample: {"begun_at_s": 1795356379.1, "counts": [10, 10, 6, 10]}
longest_gap_all_ms:
  description: The longest time without an acknowledged write of any writer, in milliseconds.
  returned: success
  type: float
writers:
  description: The results of each writer.
  returned: success
  type: list
  elements: dict
  contains:
    key:
      description: The writer's list.
      returned: success
      type: str
    acknowledged:
      description: The writer's acknowledged writes.
      returned: success
      type: int
    longest_gap_ms:
      description: The longest time without an acknowledged write, in milliseconds.
      returned: success
      type: float
    gaps:
      description: Every gap that is 100 ms longer, or more, than the time between two writes, with
        its beginning in seconds since the epoch.
      returned: success
      type: list
      elements: dict
      sample: [{"at_s": 1795356379.123, "gap_ms": 432.1}]
nodes:
  description: The counts for each node's lists.
  returned: success
  type: dict
master:
  description: The master at the end, as C(host:port).
  returned: success
  type: str
seconds:
  description: How long the writers wrote.
  returned: success
  type: float
"""

import contextlib
import json
import os
from typing import Any

from ..module_utils._module import run_module
from ..module_utils._atomic_write import write_atomically
from ..module_utils._audit.writers import Audit, AuditRequest, MasterAddrClient, by_master_addr, by_masters
from ..module_utils._errors import PreconditionFailed, SentinelOpsError
from ..module_utils._records.run_lock import RunLock
from ..module_utils._server.address import Address
from ..module_utils._server.connection import connect, server_from
from ..module_utils._server.login import CONNECTION_SPEC, NODE_LOGIN_SPEC, login_from, node_login_from
from ..module_utils._topology.sentinel import sentinel_set
from ..module_utils._wait import Clock

SPEC: dict[str, Any] = {
    **CONNECTION_SPEC,
    **NODE_LOGIN_SPEC,
    "login_port": {"type": "int", "default": 26379},
    "master_name": {"type": "str", "required": True},
    "sentinels": {"type": "list", "elements": "str", "default": []},
    "discovery": {
        "type": "str",
        "choices": ["get-master-addr-by-name", "masters"],
        "default": "get-master-addr-by-name",
    },
    "writers": {"type": "int", "default": 4},
    "writes_per_second": {"type": "float", "default": 250.0},
    "duration_s": {"type": "int", "default": 600},
    "stop_file": {"type": "path"},
    "lock": {"type": "path"},
    "run": {"type": "str"},
    "settle_s": {"type": "int", "default": 60},
    "key_prefix": {"type": "str", "default": "sentinelops:audit", "no_log": False},
    "result_file": {"type": "path"},
}


def audit_from(params: dict[str, Any]) -> Audit:
    """Return the audit that the options describe."""
    if params["writers"] < 1 or params["writes_per_second"] <= 0:
        raise PreconditionFailed("writers must be at least 1 and writes_per_second more than 0")
    login, node_login, name = login_from(params), node_login_from(params), params["master_name"]
    addresses = sentinel_set(params["sentinels"], server_from(params), name)

    def to_sentinel(address: Address) -> Any:
        return connect(address, login)

    def to_node(address: Address) -> Any:
        return connect(address, node_login)

    new_client = (
        by_masters(addresses, name, login, node_login)
        if params["discovery"] == "masters"
        else by_master_addr(addresses, name, to_sentinel, to_node)
    )
    request = AuditRequest(
        master_name=name,
        writers=params["writers"],
        writes_per_second=params["writes_per_second"],
        key_prefix=params["key_prefix"],
        duration_s=params["duration_s"],
        settle_s=params["settle_s"],
    )
    return Audit(request, new_client, MasterAddrClient(addresses, name, to_sentinel, to_node), to_node)


def told_to_stop(stop_file: str) -> bool:
    """Return whether the file exists, or its folder does not.

    An audit ends with the sandbox that had the folder.
    """
    return bool(stop_file) and (os.path.exists(stop_file) or not os.path.isdir(os.path.dirname(stop_file)))


def audit_writes(params: dict[str, Any], clock: Clock) -> dict[str, Any]:
    """Run the audit, delete its keys, and return the module's result."""
    audit = audit_from(params)
    audit.require_unused_keys()
    stop_file, lock = params["stop_file"] or "", RunLock(params["lock"]) if params["lock"] else None
    try:
        seconds = audit.write(lambda: told_to_stop(stop_file) or bool(lock and not lock.is_held_by(params["run"])), clock)
        result: dict[str, Any] = {"seconds": round(seconds, 1), **audit.verdict(clock)}
    except SentinelOpsError:
        with contextlib.suppress(SentinelOpsError):  # the first error is reported
            audit.clean_up()
        raise
    audit.clean_up()
    if params["result_file"]:
        write_atomically(params["result_file"], json.dumps(result, indent=2), mode=0o644)
    return result


def main() -> None:
    run_module(SPEC, lambda params, check_mode: {} if check_mode else audit_writes(params, Clock()), required_together=[("lock", "run")])


if __name__ == "__main__":
    main()
