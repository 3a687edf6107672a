#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set a data node up for the reserve of its shard, or put that back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_reserve
short_description: Set a data node up for the reserve of its shard, or put that back
version_added: 1.0.0
description:
  - The reserve of a shard is a replica that stays on the old version during and after an upgrade,
    as a way back. It follows the newer master by partial resynchronisations, which cross the format
    barriers that a full one cannot cross.
  - The reserve gets C(replica-priority 0), so that no Sentinel promotes it unasked, and
    C(repl-diskless-load swapdb), so that a full synchronisation that it cannot read does not empty
    it. Every node of its shard gets a backlog that is large enough, and the others a
    C(repl-diskless-sync-delay) of 30 s, which bounds the forks for synchronisations in vain. The
    configuration file is rewritten.
  - The values before are in a file beside the journal, written before the first setting is changed.
  - Where an installation is shared, the unit of the reserve is pointed to the kept program, so that
    a reboot does not start the new version.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection
  - sentinelops.redis.connection.attributes
  - sentinelops.redis.connection.group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  state:
    description:
      - V(held) sets the node up.
      - V(promotable) gives a reserve its C(replica-priority) back, and leaves the rest.
      - V(released) puts everything back, and removes the file. A setting that somebody has changed
        since stays as it is.
    type: str
    choices: [held, promotable, released]
    default: held
  journal:
    description: The path of the instance's journal. The file of the reserve is beside it.
    type: path
    required: true
  role:
    description:
      - Whether this node is the reserve, or another node of its shard.
      - V(bystander) is a node that must not become the master while a backup is restored on the
        node O(reserve). It only gets C(replica-priority 0).
    type: str
    choices: [reserve, other, bystander]
    default: other
  shard:
    description: The name of the shard.
    type: str
    default: ""
  reserve:
    description: The address of the reserve, as the Sentinels know it.
    type: str
    default: ""
  backlog_bytes:
    description: The least size of the backlog.
    type: int
    default: 0
  instance:
    description: The record of the instance (M(sentinelops.redis.redis_survey)).
    type: dict
    required: true
seealso:
  - module: sentinelops.redis.redis_survey
"""

EXAMPLES = r"""
- name: Set the reserve up
  sentinelops.redis.redis_reserve:
    journal: /var/lib/sentinelops-redis/redis-6379.json
    role: reserve
    shard: mymaster
    reserve: 10.0.0.3:6379
    backlog_bytes: 67108864
    instance: "{{ surveyed.instance }}"
"""

RETURN = r"""
done:
  description: What was changed, as sentences.
  returned: success
  type: list
  elements: str
  sample: ["replica-priority is 0 (was 100)"]
"""

import time
from typing import Any

from ..module_utils._module import run_module
from ..module_utils._instance.reserve import HoldRequest, hold, let_promote, release
from ..module_utils._instance.reserve_start import keep_start
from ..module_utils._records.reserve_record import read_reserve_record
from ..module_utils._server.commands import Server
from ..module_utils._server.connection import server_from
from ..module_utils._server.info import node_info, parse_info
from ..module_utils._server.login import CONNECTION_SPEC

SPEC: dict[str, Any] = {
    **CONNECTION_SPEC,
    "state": {"type": "str", "choices": ["held", "promotable", "released"], "default": "held"},
    "journal": {"type": "path", "required": True},
    "role": {"type": "str", "choices": ["reserve", "other", "bystander"], "default": "other"},
    "shard": {"type": "str", "default": ""},
    "reserve": {"type": "str", "default": ""},
    "backlog_bytes": {"type": "int", "default": 0},
    "instance": {"type": "dict", "required": True},
}


def ensure(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Bring the node to the wanted state, and return the module's result."""
    server, journal, instance = server_from(params), params["journal"], params["instance"]
    local = (instance.get("activation") or {}).get("method") != "command"
    is_reserve = params["role"] == "reserve" or (read_reserve_record(journal) or {}).get("role") == "reserve"
    if params["state"] == "held":
        role, shard, reserve, backlog_bytes = (params[name] for name in ("role", "shard", "reserve", "backlog_bytes"))
        request = HoldRequest(role, shard, reserve, backlog_bytes, instance, round(time.time()))
        done = hold(server, journal, request, check_mode)
    else:
        put_back = let_promote if params["state"] == "promotable" else release
        done = put_back(server, journal, local, check_mode)
    warnings: list[str] = []
    if is_reserve and local:
        started, warnings = _keep_start(server, instance, check_mode)
        done += started
    return {"changed": bool(done), "done": done, "warnings": warnings}


def _keep_start(server: Server, instance: dict[str, Any], check_mode: bool) -> tuple[list[str], list[str]]:
    node = node_info(parse_info(server.command("INFO")))
    # the pid of a server in a container is not one of this host: the survey's is
    pid = node.pid if node.run_id != instance.get("run_id") else int(instance.get("pid") or 0)
    return keep_start(instance, pid, node.version, check_mode)


def main() -> None:
    run_module(SPEC, ensure, os_error="the record of the reserve, or the configuration file, cannot be written: {error}. Use become.")


if __name__ == "__main__":
    main()
