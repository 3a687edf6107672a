#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ensure that a given node is the master, by a handover that loses no acknowledged write."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_sentinel_failover
short_description: Ensure that a given node is the master, by a lossless handover
version_added: 1.0.0
description:
  - Makes the named node the master of a deployment under Sentinel, without losing an acknowledged
    write. A plain C(SENTINEL FAILOVER) leaves the old master writable for about ten seconds after
    the promotion, and discards all writes of that time.
  - The module makes Sentinel prefer the target, pauses the writes, waits until every replica has
    all of them, and fails over at the moment at which that is shortest. It makes the old master a
    replica while the writes are still stopped, waits until the Sentinels agree, and disconnects the
    clients of the old master. Clients see their writes blocked for about 0.4 seconds.
  - B(The dead man's fence). Right before the failover, in mode V(pause), C(min-replicas-to-write)
    of the old master is set to the number of its linked replicas. The promoted replica drops its
    link, so from that moment the old master refuses writes by itself, even if the module and its
    standby are dead.
  - B(Proof). A node counts as promoted only if its role, its second replication id and its offset
    show that it continued the old master's stream. RV(loss) is proved by the old master's last
    offset and counter of changes.
  - A standby process on the same host takes over if the module is killed, and finishes or reverts
    the handover. If both are killed, a later run does, also if the target is already the master. A
    run on any host lifts a fence; one on the same host restores priorities and Sentinel settings.
  - The module refuses to begin unless every Sentinel is reachable and agrees, none is in TILT or
    has a failover in progress, every replica is linked with a small lag, and the target is
    eligible. It waits up to O(wait_s) for problems that may pass by themselves.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection
  - sentinelops.redis.connection.nodes
  - sentinelops.redis.connection.attributes
  - sentinelops.redis.connection.group
  - sentinelops.redis.connection.progress
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
    description: Name of the master in the Sentinels. By default that of the target's shard.
    type: str
    default: ''
  target:
    description:
      - The node that should be the master, as C(host:port); an IPv6 address in brackets.
      - Or the run id of that node (C(run_id) of C(INFO)), which identifies it also if Sentinels and
        hosts use different addresses.
    type: str
    required: true
  mode:
    description:
      - V(pause) pauses the writes on the old master (Redis 6.2 and later, Valkey). Clients wait,
        for about 0.4 seconds.
      - V(fence) makes the old master refuse writes (C(min-replicas-to-write)). Clients get
        C(NOREPLICAS) errors for as long. This mode works with Redis 5.0 and 6.0 and has no time
        limit. If the module and its standby die, writes stay refused until a later run.
        A master of 6.2 or later is also paused, which holds back the hellos of the Sentinels.
      - V(coordinated) lets the servers stop the writes (C(SENTINEL FAILOVER COORDINATED), Sentinels
        of Valkey 9.1.1 and later). Takes about one second.
      - V(auto) selects V(pause) if the master can pause writes, else V(fence); RV(mode_reason) says
        why.
      - V(plain) sends C(SENTINEL FAILOVER) and does not stop the writes. It exists for comparison,
        B(loses acknowledged writes), and warns of that.
    type: str
    choices: [auto, pause, fence, coordinated, plain]
    default: pause
  journal_folder:
    description:
      - Folder for the undo file, on the host that runs the module. The undo file names the settings
        that a handover overrides (priorities, Sentinel settings), with their original values.
      - A handover that finds such a file restores these settings first. A lock in this folder
        excludes a second handover of the same master on this host.
    type: path
    default: /var/lib/sentinelops-redis
  sentinels:
    description:
      - All Sentinels of the set, as C(host:port). By default the Sentinel at O(login_host) and the
        Sentinels that it knows.
    type: list
    elements: str
    default: []
  version:
    description: Refuse to hand over to a node that does not run this version.
    type: str
    default: ''
  leader:
    description:
      - The Sentinel that should lead the failover, as C(host:port). By default one on a host
        without a replica of this shard, then the one with the fewest clients, then the last one.
      - This is a preference. A Sentinel of 7.0 or later whose INFO period the module may set comes
        first. Without any, another Sentinel leads if its moment comes more than 2 seconds sooner.
      - The leader names the old master a little longer to C(SENTINEL MASTERS).
    type: str
    default: ''
  align:
    description: Wait for the moment at which the failover takes 0.35 instead of 1.05 seconds.
    type: bool
    default: true
  max_lag_bytes:
    description: Largest lag of a replica before the pause begins, in bytes of the stream.
    type: int
    default: 1048576
  catch_up_ms:
    description:
      - Deadline for the replicas to receive the last writes, in milliseconds, at most 2000. After
        that writes go on, and another attempt is made.
    type: int
    default: 300
  disconnect_ms:
    description:
      - Duration of the final burst of C(CLIENT KILL TYPE normal) on the old master, in
        milliseconds; V(0) for none. Links of replicas stay.
      - The burst makes clients that went back to the old master ask a Sentinel again.
    type: int
    default: 300
  wait_s:
    description: Deadline in seconds until the deployment is ready and an attempt has succeeded.
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
    leader: 10.0.0.2:26379
    mode: auto

- name: Hand the master role to redis-2, and prove that no write was lost
  sentinelops.redis.redis_sentinel_failover:
    login_host: 10.0.0.1
    master_name: mymaster
    target: 10.0.0.2:6379
    login_password: "{{ sentinel_password }}"
    node_login_password: "{{ redis_password }}"
  register: handover
  failed_when: handover is failed or (handover is changed and handover.loss != 'none')
"""

RETURN = r"""
changed:
  description: Whether the master role was moved, or settings of an earlier handover were restored.
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
  returned: when anything was changed
  type: str
mode:
  description: How the writes were stopped.
  returned: success
  type: str
  sample: pause
mode_reason:
  description: Why that mode was used.
  returned: when anything was changed
  type: str
loss:
  description:
    - Whether an acknowledged write was lost.
    - V(none) if the servers' own numbers prove that none was. V(unknown) if they prove neither.
    - V(found) if the old master accepted changes that the new master lacks. The module fails then.
  returned: when anything was changed
  type: str
  sample: none
loss_reason:
  description: The numbers behind RV(loss), in a sentence.
  returned: when anything was changed
  type: str
diverged_bytes:
  description:
    - Bytes of the stream that only the old master had, an upper bound of the loss since C(PUBLISH)
      is in the stream too; null if not known.
  returned: when anything was changed
  type: int
foreign:
  description: Whether a failover that this run did not start has moved the role.
  returned: when anything was changed
  type: bool
recovered:
  description: The steps that finished an earlier handover and restored its settings.
  returned: when anything was changed
  type: list
  elements: str
leader:
  description: The Sentinel that led the failover, as C(host:port).
  returned: when anything was changed
  type: str
pause_ms:
  description: How long writes were stopped, in milliseconds.
  returned: when anything was changed
  type: float
aligned:
  description: Whether the failover began at the moment at which it is shortest.
  returned: when anything was changed
  type: bool
attempts:
  description: How many times the writes were stopped, until replicas caught up in time.
  returned: when anything was changed
  type: int
full_resyncs:
  description: How many replicas needed a full resynchronisation with the new master.
  returned: when anything was changed
  type: int
timeline:
  description: The events, with their time in milliseconds since the module began.
  returned: when anything was changed, and on failures of a handover that had begun
  type: list
  elements: dict
  sample:
    - at_ms: 5312.2
      event: "pause: writes on 10.0.0.1:6379 wait for at most 4000 ms"
problems:
  description: Every problem that excludes the handover.
  returned: when it was refused
  type: list
  elements: str
"""

from typing import Any

from ..module_utils._module import run_module
from ..module_utils._errors import SentinelOpsError
from ..module_utils._handover.handover import Handover
from ..module_utils._handover.options import SPEC, request_from, shard_from
from ..module_utils._handover.undo_file import UndoFile
from ..module_utils._host.standby import Standby
from ..module_utils._wait import Clock


def ensure(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Make the target the master, restore the remains of an earlier handover, return the result."""
    try:
        servers, name = shard_from(params)
    except SentinelOpsError as error:
        error.state = error.state or "Nothing was changed"
        raise
    # with the port, since a host may have Sentinels of several deployments
    undo_file = UndoFile(params["journal_folder"], f"{name}-{params['login_port']}")
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
