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
    description: Name under which the Sentinels monitor the master.
    type: str
    required: true
  target:
    description: The node that shall be the master, as C(host:port); an IPv6 address in brackets.
    type: str
    required: true
  mode:
    description:
      - V(pause) is the lossless handover.
      - V(plain) sends C(SENTINEL FAILOVER) and does nothing for the writes. It exists for comparison, B(loses
        acknowledged writes) and
        says so in a warning.
    type: str
    choices: [pause, plain]
    default: pause
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
      longer, the pause is ended and another attempt made.
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

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._address import Address
from ..module_utils._connection import (
    CONNECTION_SPEC,
    NODE_LOGIN_SPEC,
    connect,
    login_from,
    node_login_from,
    require_redis_py,
)
from ..module_utils._errors import SentinelOpsError
from ..module_utils._guard import Guard
from ..module_utils._handover import Handover, HandoverRequest
from ..module_utils._sentinel import sentinel_set
from ..module_utils._shard import ShardServers
from ..module_utils._wait import Clock

SPEC: dict[str, Any] = {
    **CONNECTION_SPEC,
    **NODE_LOGIN_SPEC,
    "login_port": {"type": "int", "default": 26379},
    "master_name": {"type": "str", "required": True},
    "target": {"type": "str", "required": True},
    "mode": {"type": "str", "choices": ["pause", "plain"], "default": "pause"},
    "sentinels": {"type": "list", "elements": "str", "default": []},
    "version": {"type": "str", "default": ""},
    "align": {"type": "bool", "default": True},
    "max_lag_bytes": {"type": "int", "default": 1048576},
    "catch_up_ms": {"type": "int", "default": 300},
    "wait_s": {"type": "int", "default": 60},
}


def request_from(params: dict[str, Any]) -> HandoverRequest:
    return HandoverRequest(
        master_name=params["master_name"],
        target=str(Address.parse(params["target"])),
        mode=params["mode"],
        align=params["align"],
        wanted_version=params["version"],
        max_lag_bytes=params["max_lag_bytes"],
        wait_s=params["wait_s"],
        catch_up_ms=params["catch_up_ms"],
    )


def servers_from(params: dict[str, Any]) -> ShardServers:
    login, node_login = login_from(params), node_login_from(params)
    first = connect(Address(params["login_host"], params["login_port"]), login)
    addresses = sentinel_set(params["sentinels"], first, params["master_name"])
    return ShardServers(addresses, lambda address: connect(address, login), lambda address: connect(address, node_login))


def ensure(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Makes the target master if it is not; returns the module's result."""
    request = request_from(params)
    handover = Handover(servers_from(params), request, Clock(), Guard.standing_by)
    is_master = handover.survey()
    names = {"old_master": handover.outcome.old_master, "new_master": handover.outcome.new_master, "mode": request.mode}
    if is_master or check_mode:
        return {"changed": not is_master, **names}
    return handover.run().as_result()


def main() -> None:
    module = AnsibleModule(SPEC, supports_check_mode=True)
    try:
        require_redis_py()
        result = ensure(module.params, module.check_mode)
    except SentinelOpsError as error:
        module.fail_json(**error.as_result())
    for warning in result.pop("warnings", []):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
