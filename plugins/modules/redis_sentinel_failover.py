#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ensures that a given node is the master, by a handover that loses no acknowledged write."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_sentinel_failover
short_description: Ensure that a given node is the master, by a lossless handover
version_added: 0.1.0
description:
  - Makes the named node the master of a deployment under Sentinel, without losing a write that was acknowledged.
  - A plain C(SENTINEL FAILOVER) leaves the old master writable for about ten seconds after the promotion and
    discards what it
    accepted. This module steers the choice of the replica, waits for the moment at which the failover is shortest,
    pauses the
    writes, waits until every replica has all of them, fails over, makes the old master a replica before its writes
    go on, waits until
    the Sentinels agree, sends the clients away from the old master, and waits until all replicas follow the new one.
  - Clients see their writes blocked for about 0.4 seconds and one disconnection.
  - A process of its own stands by on the same host. Should the module be killed, it finishes the handover, or takes it back.
  - If everything is killed, a later run on the same host recognises what was left (a fence, a steered priority, Sentinel settings),
    finishes that handover and puts everything back, also if the target is the master already.
  - It refuses to begin unless every Sentinel is reachable and agrees, none is in TILT or has a failover in progress,
    every replica is
    linked with a small lag, and the target is eligible. What may pass by itself is waited for, up to O(wait_s).
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection
  - sentinelops.redis.connection.nodes
  - sentinelops.redis.connection.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  login_port:
    description: Port on which the Sentinel listens.
    default: 26379
  master_name:
    description: Name under which the Sentinels monitor the master. By default that of the shard to which the target belongs.
    type: str
    default: ''
  target:
    description:
      - The node that shall be the master, as C(host:port); an IPv6 address in brackets.
      - Or its run id (C(run_id) of C(INFO)), which is right wherever addresses differ by who asks.
    type: str
    required: true
  mode:
    description:
      - V(pause) pauses the writes on the old master (Redis 6.2 and later, Valkey). Clients wait, for about 0.4 seconds.
      - V(fence) refuses the writes there instead (C(min-replicas-to-write)). Clients get C(NOREPLICAS) errors for as long. It is
        the one for Redis 5.0 and 6.0, has no time limit, and holds even if all of ours is killed.
      - V(coordinated) leaves it to the servers (C(SENTINEL FAILOVER COORDINATED), Sentinels of Valkey 9.1.1 and later). Takes
        about one second.
      - V(auto) takes V(pause) where the master can pause writes, and else V(fence); RV(mode_reason) says why.
      - V(plain) sends C(SENTINEL FAILOVER) and does nothing for the writes. It exists for comparison, B(loses
        acknowledged writes) and
        says so in a warning.
    type: str
    choices: [auto, pause, fence, coordinated, plain]
    default: pause
  journal_folder:
    description:
      - Folder, on the host that runs the module, for the note of what has to be put back (priorities, Sentinel settings) if
        everything dies in the middle. The note is removed in the end. The next handover that finds one puts that back first.
      - It also keeps two handovers of one master from running at once on this host.
    type: path
    default: /var/lib/sentinelops-redis
  sentinels:
    description:
      - All Sentinels of the set, as C(host:port). By default the Sentinel at O(login_host) and those that it knows.
    type: list
    elements: str
    default: []
  version:
    description: Refuse to hand over to a node that does not run this version.
    type: str
    default: ''
  align:
    description: Whether to wait for the moment at which the failover takes 0.35 instead of 1.05 seconds.
    type: bool
    default: true
  max_lag_bytes:
    description: How many bytes of the replication stream a replica may lag before the pause begins.
    type: int
    default: 1048576
  catch_up_ms:
    description: How long the replicas may take to receive the last writes during the pause, in milliseconds. If they
      take
      longer, the pause is ended and another attempt made. At most 2000.
    type: int
    default: 300
  wait_s:
    description: How long to wait, in seconds, until the deployment is ready and an attempt has succeeded.
    type: int
    default: 60
seealso:
  - module: sentinelops.redis.redis_sentinel_info
  - module: sentinelops.redis.redis_info_check
"""

EXAMPLES = r"""
- name: Move the master role away from a host that goes down for maintenance
  sentinelops.redis.redis_sentinel_failover:
    login_host: 10.0.0.1
    target: 10.0.0.3:6379
    mode: auto

- name: Hand the master role to redis-2
  sentinelops.redis.redis_sentinel_failover:
    login_host: 10.0.0.1
    master_name: mymaster
    target: 10.0.0.2:6379
    login_password: "{{ sentinel_password }}"
    node_login_password: "{{ redis_password }}"
  register: handover
"""

RETURN = r"""
changed:
  description: Whether the master role was moved.
  returned: success
  type: bool
old_master:
  description: The node that was master, as C(host:port).
  returned: success
  type: str
  sample: 10.0.0.1:6379
new_master:
  description: The node that is master now, as C(host:port).
  returned: success
  type: str
  sample: 10.0.0.2:6379
begun_at:
  description: When the module began, in UTC.
  returned: when the role was moved
  type: str
  sample: "2026-01-31T23:59:59.123Z"
mode:
  description: How the role was moved.
  returned: success
  type: str
  sample: pause
mode_reason:
  description: Why it was moved that way.
  returned: when the role was moved
  type: str
  sample: redis 7.0.15 can pause writes, clients wait and see no error
recovered:
  description: What an earlier handover had left and was put back by this one, a sentence each.
  returned: when anything was changed
  type: list
  elements: str
leader:
  description: The Sentinel that carried the failover out, as C(host:port).
  returned: when the role was moved
  type: str
  sample: 10.0.0.1:26379
pause_ms:
  description: For how long writes were paused, in milliseconds.
  returned: when the role was moved
  type: float
  sample: 371.2
aligned:
  description: Whether the failover was begun at the moment at which it is shortest.
  returned: when the role was moved
  type: bool
attempts:
  description: How many times the writes were paused; more than one if replicas did not catch up at once.
  returned: when the role was moved
  type: int
full_resyncs:
  description: How many replicas needed a full resynchronisation with the new master.
  returned: when the role was moved
  type: int
timeline:
  description: What happened when, in milliseconds since the module began.
  returned: when the role was moved
  type: list
  elements: dict
  sample:
    - at_ms: 5312.2
      event: "pause: writes on 10.0.0.1:6379 wait for at most 4000 ms"
problems:
  description: Everything that speaks against the handover.
  returned: when it was refused
  type: list
  elements: str
"""

from typing import Any

from ..module_utils._errors import PreconditionFailed, SentinelOpsError
from ..module_utils._handover.handover import Handover, HandoverRequest
from ..module_utils._handover.modes import MODES
from ..module_utils._handover.undo_file import UndoFile
from ..module_utils._host.standby import Standby
from ..module_utils._module import run_module
from ..module_utils._server.address import Address, is_run_id
from ..module_utils._server.connection import connect
from ..module_utils._server.login import CONNECTION_SPEC, NODE_LOGIN_SPEC, login_from, node_login_from
from ..module_utils._topology.sentinel import master_name_of, sentinel_set
from ..module_utils._topology.shard import ShardServers
from ..module_utils._wait import Clock

# a fence that stands for three seconds without a failover is taken for a dead handover's
MAX_CATCH_UP_MS = 2000

SPEC: dict[str, Any] = {
    **CONNECTION_SPEC,
    **NODE_LOGIN_SPEC,
    "login_port": {"type": "int", "default": 26379},
    "master_name": {"type": "str", "default": ""},
    "target": {"type": "str", "required": True},
    "mode": {"type": "str", "choices": ["auto", *MODES], "default": "pause"},
    "journal_folder": {"type": "path", "default": "/var/lib/sentinelops-redis"},
    "sentinels": {"type": "list", "elements": "str", "default": []},
    "version": {"type": "str", "default": ""},
    "leader": {"type": "str", "default": ""},
    "align": {"type": "bool", "default": True},
    "max_lag_bytes": {"type": "int", "default": 1048576},
    "catch_up_ms": {"type": "int", "default": 300},
    "disconnect_ms": {"type": "int", "default": 300},
    "wait_s": {"type": "int", "default": 60},
}


def request_from(params: dict[str, Any], master_name: str) -> HandoverRequest:
    if not 0 < params["catch_up_ms"] <= MAX_CATCH_UP_MS:
        raise PreconditionFailed(
            f"catch_up_ms is {params['catch_up_ms']}, and must be from 1 to {MAX_CATCH_UP_MS}: writes are stopped for so long",
            state="Nothing was changed",
        )
    return HandoverRequest(
        master_name=master_name,
        target=_target(params),
        mode=params["mode"],
        align=params["align"],
        wanted_version=params["version"],
        max_lag_bytes=params["max_lag_bytes"],
        wait_s=params["wait_s"],
        catch_up_ms=params["catch_up_ms"],
        leader=str(Address.parse(params["leader"])) if params["leader"] else "",
        disconnect_ms=params["disconnect_ms"],
    )


def _target(params: dict[str, Any]) -> str:
    text: str = params["target"]
    return text if is_run_id(text) else str(Address.parse(text))


def shard_from(params: dict[str, Any]) -> tuple[ShardServers, str]:
    """The servers of the shard, and its master name."""
    target = _target(params)
    login, node_login = login_from(params), node_login_from(params)
    first = connect(Address(params["login_host"], params["login_port"]), login)
    name = params["master_name"] or master_name_of(first, target)
    addresses = sentinel_set(params["sentinels"], first, name)
    return ShardServers(addresses, lambda address: connect(address, login), lambda address: connect(address, node_login)), name


def ensure(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Makes the target master if it is not, and puts back what an earlier handover has left;
    returns the module's result.
    """
    try:
        servers, name = shard_from(params)
    except SentinelOpsError as error:
        error.state = error.state or "Nothing was changed"
        raise
    undo_file = UndoFile(params["journal_folder"], f"{name}-{params['login_port']}")  # a host may have Sentinels of several deployments
    handover = Handover(servers, request_from(params, name), Clock(), Standby.standing_by, undo_file)
    is_master = handover.survey()
    needed = not is_master or bool(handover.leftovers)
    if needed and not check_mode:
        return handover.run().as_result()
    result = handover.result
    found = [f"an earlier handover was cut short, and will be finished: {text}" for text in handover.leftovers.sentences()]
    return {
        "changed": needed,
        "old_master": result.old_master,
        "new_master": result.new_master,
        "mode": result.mode,
        "warnings": found,
    }


def main() -> None:
    run_module(SPEC, ensure)


if __name__ == "__main__":
    main()
