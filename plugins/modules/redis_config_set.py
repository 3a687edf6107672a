#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set configuration parameters of a running server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_config_set
short_description: Set configuration parameters of a running server
version_added: 1.0.0
description:
  - Ensures that parameters have the given values (C(CONFIG SET)). Use
    M(sentinelops.redis.redis_config_rewrite) to make them persistent.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection
  - sentinelops.redis.connection.attributes
  - sentinelops.redis.connection.group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: The values of parameters that hold secrets are masked.
  idempotent:
    support: full
options:
  settings:
    description: The names of parameters with their values, as C(CONFIG GET) prints them.
    type: dict
    required: true
seealso:
  - module: sentinelops.redis.redis_config_rewrite
"""

EXAMPLES = r"""
- name: Restore the priority of the replica
  sentinelops.redis.redis_config_set:
    settings:
      replica-priority: 100
"""

RETURN = r"""
before:
  description: The values before the change; those of secrets are masked.
  returned: success
  type: dict
  sample: {"replica-priority": "1"}
"""

from typing import Any

from ..module_utils._module import run_module
from ..module_utils._errors import PreconditionFailed
from ..module_utils._server.connection import server_from
from ..module_utils._server.login import CONNECTION_SPEC
from ..module_utils._server.secret_directives import is_secret
from ..module_utils._server.settings import config_values

SPEC: dict[str, Any] = {**CONNECTION_SPEC, "settings": {"type": "dict", "required": True}}


def ensure(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Set the parameters that differ, and return the module's result."""
    server = server_from(params)
    wanted = {str(name): str(value) for name, value in params["settings"].items()}
    before = config_values(server, *wanted)
    unknown = sorted(set(wanted) - set(before))
    if unknown:
        raise PreconditionFailed(f"this server has no parameter {', '.join(unknown)}", node=str(server.address), state="Nothing was set")
    differing = {name: value for name, value in wanted.items() if before[name] != value}
    if not check_mode:
        for name, value in differing.items():
            server.command("CONFIG", "SET", name, value)
    return {
        "changed": bool(differing),
        "before": _masked({name: before[name] for name in wanted}),
        "diff": {"before": _masked({name: before[name] for name in differing}), "after": _masked(differing)},
    }


def _masked(values: dict[str, str]) -> dict[str, str]:
    return {name: "********" if is_secret(name) else value for name, value in values.items()}


def secrets(params: dict[str, Any]) -> list[str]:
    """Return the values that no output may show."""
    return [str(value) for name, value in params["settings"].items() if is_secret(name)]


def main() -> None:
    run_module(SPEC, ensure, secrets=secrets)


if __name__ == "__main__":
    main()
