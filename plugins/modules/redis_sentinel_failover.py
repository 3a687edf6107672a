#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ensure that a given node is the master, by a handover that loses no acknowledged write."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_sentinel_failover
short_description: Ensure that a given node is the master, by a lossless handover
version_added: 0.1.0
description:
  - Makes the named node the master of a deployment under Sentinel, without losing an acknowledged
    write.
  - A plain C(SENTINEL FAILOVER) leaves the old master writable for about ten seconds after the
    promotion, and discards all writes of that time.
  - This module makes Sentinel prefer the target, waits for the moment at which a failover is
    shortest, pauses the writes, waits until every replica has all of them, and fails over. It makes
    the old master a replica while the writes are still stopped, waits until the Sentinels agree,
    disconnects the clients of the old master, and waits until all replicas follow the new master.
  - Clients see their writes blocked for about 0.4 seconds, and one disconnection.
  - B(The dead man's fence). Right before the failover, in mode V(pause), C(min-replicas-to-write)
    of the old master is set to the number of its linked replicas. The promoted replica drops its
    link, so from that moment the old master refuses writes by itself, even if the module and its
    standby are dead.
  - B(Proof). A node counts as promoted only if its replication id, its second replication id and
    its offset show that it continued the old master's stream. When the old master is demoted, its
    last offset and its counter of changes are compared with the promotion; see RV(loss).
  - A standby, a process on the same host, takes over if the module is killed. The standby finishes
    the handover, or reverts it if Sentinel was not yet asked for the failover.
  - If all processes are killed, a later run finishes that handover and restores all settings, also
    if the target is already the master. Fences and a delayed ping encode their original values, so
    a run on any host can restore them; priorities and Sentinel settings are restored by a run on
    the same host.
  - The module refuses to begin unless every Sentinel is reachable and agrees, none is in TILT or
    has a failover in progress, every replica is linked with a small lag, and the target is
    eligible. It waits up to O(wait_s) for problems that may pass by themselves.
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
    description:
      - Name under which the Sentinels monitor the master. By default the name of the shard to which
        the target belongs.
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
        for about 0.4 seconds. The dead man's fence protects the writes if the module and its
        standby die.
      - V(fence) makes the old master refuse writes (C(min-replicas-to-write)). Clients get
        C(NOREPLICAS) errors for as long. This mode works with Redis 5.0 and 6.0 and has no time
        limit. If the module and its standby die, writes stay refused until a later run.
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
      - The file is removed at the end. A handover that finds such a file restores these settings
        first.
      - A lock in this folder excludes a second handover of the same master on this host.
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
      - The Sentinel that should lead the failover, as C(host:port). It must be one of the Sentinels
        of the set.
      - By default a Sentinel on a host without a replica of this shard, then the Sentinel with the
        fewest clients, then the last one.
      - This is a preference. A Sentinel of 7.0 or later whose INFO period the module may set comes
        before others. Without such a Sentinel, another one leads if its shortest moment comes more
        than two seconds sooner.
      - The leader names the old master for about one second longer than the other Sentinels do, to
        clients that ask C(SENTINEL MASTERS) or C(SENTINEL MASTER).
    type: str
    default: ''
  align:
    description:
      - Whether to wait for the moment at which the failover takes 0.35 instead of 1.05 seconds.
    type: bool
    default: true
  max_lag_bytes:
    description: Largest lag of a replica before the pause begins, in bytes of the stream.
    type: int
    default: 1048576
  catch_up_ms:
    description:
      - Time limit for the replicas to receive the last writes during the pause, in milliseconds.
        After that the pause is ended, and another attempt is made. At most 2000.
    type: int
    default: 300
  disconnect_ms:
    description:
      - Duration of the final burst of C(CLIENT KILL TYPE normal) on the old master, in
        milliseconds. V(0) for none.
      - Some clients reconnect to the old master and stay there without an error. The burst makes
        them ask a Sentinel again. All other clients of that node are disconnected too; links of
        replicas are not.
    type: int
    default: 300
  wait_s:
    description:
      - How long to wait, in seconds, until the deployment is ready and an attempt has succeeded.
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

- name: Hand the master role to redis-2, and prove that no write was lost
  sentinelops.redis.redis_sentinel_failover:
    login_host: 10.0.0.1
    master_name: mymaster
    target: 10.0.0.2:6379
    login_password: "{{ sentinel_password }}"
    node_login_password: "{{ redis_password }}"
  register: handover
  failed_when: handover is failed or (handover is changed and handover.loss != 'none')

- name: Hand over with the Sentinel as leader that clients ask last
  sentinelops.redis.redis_sentinel_failover:
    login_host: 10.0.0.1
    target: 10.0.0.2:6379
    leader: 10.0.0.3:26379
    disconnect_ms: 500

- name: Finish a handover that was cut short, and restore its settings
  sentinelops.redis.redis_sentinel_failover:
    login_host: 10.0.0.1
    target: 10.0.0.2:6379
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
  sample: "2026-01-31T23:59:59.123Z"
mode:
  description: How the writes were stopped.
  returned: success
  type: str
  sample: pause
mode_reason:
  description: Why that mode was used.
  returned: when anything was changed
  type: str
  sample: redis 7.0.15 can pause writes, clients wait and see no error
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
  sample: the old master had no byte of the stream that the new master lacks
diverged_bytes:
  description:
    - Bytes of the replication stream that the old master had and the new master lacks; null if not
      known. An upper bound, since C(PUBLISH), expiry and acknowledgements of replicas are in the
      stream too.
  returned: when anything was changed
  type: int
  sample: 0
foreign:
  description:
    - Whether a failover that this run did not start has moved the role. The module then demotes the
      old master at once, without a pause, and RV(loss) may be V(unknown).
  returned: when anything was changed
  type: bool
recovered:
  description:
    - The steps that finished an earlier handover, and the settings that were restored for it, a
      sentence each.
  returned: when anything was changed
  type: list
  elements: str
  sample: ["replica-priority of 10.0.0.2:6379 is 100 again (an earlier handover had set 1)"]
leader:
  description: The Sentinel that led the failover, as C(host:port).
  returned: when anything was changed
  type: str
  sample: 10.0.0.1:26379
pause_ms:
  description: How long writes were stopped, in milliseconds.
  returned: when anything was changed
  type: float
  sample: 371.2
aligned:
  description: Whether the failover began at the moment at which it is shortest.
  returned: when anything was changed
  type: bool
attempts:
  description:
    - How many times the writes were stopped; more than once if replicas did not catch up in time.
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

from ..module_utils._errors import SentinelOpsError
from ..module_utils._handover.handover import Handover
from ..module_utils._handover.options import SPEC, request_from, shard_from
from ..module_utils._handover.undo_file import UndoFile
from ..module_utils._host.standby import Standby
from ..module_utils._module import run_module
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
