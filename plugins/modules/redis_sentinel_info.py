#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the topology of a deployment as every Sentinel of a set sees it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_sentinel_info
short_description: Read the topology as every Sentinel of a set sees it
version_added: 1.0.0
description:
  - Asks every Sentinel of a set for its view of a master, the replicas and the other Sentinels, and
    reports the differences between the views.
  - A Sentinel that does not answer is reported. The module fails only if no Sentinel answers.
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
  login_port:
    description: Port on which the Sentinel listens.
    default: 26379
  master_name:
    description: The name under which the Sentinels monitor the master. By default the module reads
      all masters that the Sentinel monitors.
    type: str
    default: ''
  sentinels:
    description: All Sentinels of the set, as C(host:port). By default the Sentinel at
      O(login_host) and those that it knows.
    type: list
    elements: str
    default: []
seealso:
  - module: sentinelops.redis.redis_sentinel_failover
"""

EXAMPLES = r"""
- name: Read the current master, and whether the Sentinels agree
  sentinelops.redis.redis_sentinel_info:
    login_host: 10.0.0.1
    master_name: mymaster
  register: topology

- name: Stop if they do not
  ansible.builtin.assert:
    that: topology.masters.mymaster.disagreements | length == 0
"""

RETURN = r"""
masters:
  description: One entry per master name.
  returned: success
  type: dict
  contains:
    master:
      description: The master's address (C(host:port)) in the view of the first Sentinel that
        answered.
      type: str
      returned: success
    agreed:
      description: Whether all Sentinels answered and have the same view.
      type: bool
      returned: success
    disagreements:
      description: A sentence for each difference between the Sentinels' views.
      type: list
      elements: str
      returned: success
    unreachable:
      description: The Sentinels that did not answer, with the reason.
      type: list
      elements: str
      returned: success
    views:
      description: Each Sentinel's view. Ages are in milliseconds.
      type: list
      elements: dict
      returned: success
  sample:
    mymaster:
      master: 10.0.0.1:6379
      agreed: true
      disagreements: []
      unreachable: []
"""

from typing import Any

from ..module_utils._module import run_module
from ..module_utils._errors import SentinelOpsError
from ..module_utils._server.connection import connect, server_from
from ..module_utils._server.login import CONNECTION_SPEC, login_from
from ..module_utils._topology.sentinel import disagreements, monitored_masters, read_view, sentinel_set

SPEC: dict[str, Any] = {
    **CONNECTION_SPEC,
    "login_port": {"type": "int", "default": 26379},
    "master_name": {"type": "str", "default": ""},
    "sentinels": {"type": "list", "elements": "str", "default": []},
}


def topology(params: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the entry of one master: the Sentinels' views and their differences."""
    login = login_from(params)
    first = server_from(params)
    addresses = sentinel_set(params["sentinels"], first, name)
    views, unreachable = [], []
    for address in addresses:
        try:
            views.append(read_view(connect(address, login), name))
        except SentinelOpsError as error:
            unreachable.append(str(error))
    if not views:
        raise SentinelOpsError("no Sentinel answered: " + "; ".join(unreachable), advice="Check login_host and login_port")
    differing = disagreements(views)
    return {
        "master": views[0].master.address,
        "agreed": not differing and not unreachable,
        "disagreements": differing,
        "unreachable": unreachable,
        "views": [view.as_dict() for view in views],
    }


def read(params: dict[str, Any]) -> dict[str, Any]:
    """Return the module's result."""
    names = [params["master_name"]]
    if not names[0]:
        names = [master.name for master in monitored_masters(server_from(params))]
    return {"masters": {name: topology(params, name) for name in names}}


def main() -> None:
    run_module(SPEC, lambda params, _check_mode: read(params))


if __name__ == "__main__":
    main()
