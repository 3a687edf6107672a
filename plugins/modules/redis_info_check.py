#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check, or wait for, conditions on one instance."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_info_check
short_description: Check, or wait for, the state of one Redis, Valkey or Sentinel instance
version_added: 1.0.0
description:
  - Reads C(INFO), and a Sentinel's view of a master, and fails unless all given conditions hold.
  - With O(wait_s) the module waits for the conditions. At the deadline it names each condition that
    does not hold, with the last observation. It does not wait if errors have happened
    (O(no_errors_sent), O(log_clean)).
  - Waits as well for an instance that does not answer or is loading its data. A wrong password is
    an error at once.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection
  - sentinelops.redis.connection.attributes
  - sentinelops.redis.connection.group
  - sentinelops.redis.connection.progress
attributes:
  check_mode:
    support: full
    details:
      - The module only reads. In check mode it does not wait, and reports conditions that do not
        hold without failing.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  role:
    description: The instance must have this role.
    type: str
    choices: [master, replica, sentinel]
  version:
    description: The instance must run exactly this version (of Valkey, if the instance is one).
    type: str
  loaded:
    description: The instance must have loaded its data (C(loading:0)).
    type: bool
  link_up:
    description: The replica's link to its master must be up, with no synchronisation in progress.
    type: bool
  max_lag_bytes:
    description:
      - The replica may lag behind its master by at most this many bytes of the replication stream.
        For a master, this limits the lag of each of its replicas.
      - To find the lag of a replica, the module asks its master with the same credentials.
    type: int
  min_uptime_s:
    description: The instance must have been up for this many seconds.
    type: int
  fields:
    description:
      - Fields of C(INFO) with the values that they must have.
      - A value may begin with an operator (V(>=), V(<=), V(>), V(<), V(!=)). Numbers are compared
        as numbers.
    type: dict
    default: {}
  master_name:
    description: The name of the master that the Sentinel must monitor. The following conditions
      are about this master.
    type: str
  master:
    description: The Sentinel must name this node (C(host:port)) as the master.
    type: str
  quorum:
    description: C(SENTINEL CKQUORUM) must confirm that quorum and majority can be reached.
    type: bool
  links_fresh:
    description:
      - The Sentinel must have a working connection to the master, each replica and each other
        Sentinel, proved by an answered PING.
      - C(CKQUORUM) alone counts a Sentinel that has just been stopped as usable.
    type: bool
  known_sentinels:
    description: The Sentinel must know this many other Sentinels.
    type: int
  known_replicas:
    description: The Sentinel must know this many replicas.
    type: int
  no_tilt:
    description: The Sentinel must not be in TILT.
    type: bool
  no_failover:
    description: The Sentinel must have no failover of this master in progress.
    type: bool
  no_errors_sent:
    description: The replica must not have sent its master an error since its start, which
      C(unexpected_error_replies) counts. Versions before 6.0 do not count them, so their lines in
      the log decide, with O(log_clean).
    type: bool
  log_clean:
    description: The log O(log_file), from O(log_offset) on, must not report an error.
    type: bool
  log_file:
    description: The log file of the instance, on the host that runs the module.
    type: path
  log_offset:
    description: The byte of the log from which to read, such as the
      RV(sentinelops.redis.redis_instance#module:log_offset) of the instance's start.
    type: int
    default: 0
  wait_s:
    description: How long to wait for the conditions, in seconds; V(0) checks once.
    type: int
    default: 0
  interval_ms:
    description: How long to wait between two checks, in milliseconds.
    type: int
    default: 200
seealso:
  - module: sentinelops.redis.redis_sentinel_info
"""

EXAMPLES = r"""
- name: Wait until the replica runs the new version and has caught up
  sentinelops.redis.redis_info_check:
    login_host: 10.0.0.2
    role: replica
    version: 7.0.15
    loaded: true
    link_up: true
    max_lag_bytes: 1048576
    wait_s: 300

- name: Wait until the restarted Sentinel can vote again
  sentinelops.redis.redis_info_check:
    login_host: 10.0.0.2
    login_port: 26379
    role: sentinel
    master_name: mymaster
    known_sentinels: 2
    known_replicas: 2
    quorum: true
    links_fresh: true
    wait_s: 60

- name: Stop the play while a background save runs
  sentinelops.redis.redis_info_check:
    fields:
      rdb_bgsave_in_progress: 0
      connected_slaves: ">= 1"
"""

RETURN = r"""
info:
  description: The last reply to C(INFO), as a dictionary of texts.
  returned: when the instance answered
  type: dict
  sample: {"redis_version": "7.0.15", "role": "slave"}
view:
  description: The Sentinel's view of the master.
  returned: when O(master_name) is given and the Sentinel answered
  type: dict
conditions:
  description: Each condition with the wanted and the observed value.
  returned: always
  type: list
  elements: dict
  sample:
    - {"condition": "link_up", "wanted": true, "seen": "master_link_status down", "ok": false}
log_warnings:
  description: Lines of level warning in the log that are not known to be harmless.
  returned: with O(log_clean=true)
  type: list
  elements: str
met:
  description: Whether all conditions hold. If not, the module fails, except in check mode.
  returned: always
  type: bool
waited_ms:
  description: How long the module waited, in milliseconds.
  returned: always
  type: int
"""

from typing import Any

from ..module_utils._module import run_module
from ..module_utils._progress_file import PROGRESS_SPEC
from ..module_utils._server.login import CONNECTION_SPEC, address_from, login_from
from ..module_utils._topology.condition_check import CONDITIONS_SPEC, OF_A_SENTINEL, CheckRequest, check
from ..module_utils._topology.conditions import ConditionsWanted

SPEC: dict[str, Any] = {
    **CONNECTION_SPEC,
    **CONDITIONS_SPEC,
    **PROGRESS_SPEC,
    "master_name": {"type": "str"},
    "log_file": {"type": "path"},
    "log_offset": {"type": "int", "default": 0},
    "wait_s": {"type": "int", "default": 0},
    "interval_ms": {"type": "int", "default": 200},
}


def check_instance(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Return the module's result; raise ConditionNotMet at the deadline."""
    request = CheckRequest(
        address_from(params),
        login_from(params),
        ConditionsWanted(**{name: params[name] for name in CONDITIONS_SPEC}),
        {params["master_name"]: {}} if params["master_name"] else {},
        params["log_file"] or "",
        params["log_offset"],
        params["wait_s"],
        params["interval_ms"] / 1000,
    )
    return check(request, check_mode)


def main() -> None:
    run_module(SPEC, check_instance, required_by={**dict.fromkeys(OF_A_SENTINEL, "master_name"), "log_clean": "log_file"})


if __name__ == "__main__":
    main()
