#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rewrite a configuration file, and keep its owner, group and mode."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_config_rewrite
short_description: Make the running configuration persistent
version_added: 1.0.0
description:
  - Has the server write its running configuration into its configuration file, so that settings
    changed at run time survive a restart (C(CONFIG REWRITE); on a Sentinel
    C(SENTINEL FLUSHCONFIG)).
  - Reports a change only if the content of the file has changed, and restores the owner, group and
    mode of the file. A server turns mode 0600 into 0644.
  - Runs on the host of the server, since the module reads the file.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection
  - sentinelops.redis.connection.attributes
  - sentinelops.redis.connection.group
options:
  local_file:
    description:
      - Whether the configuration file is a file of this host. If not, as for a server in a
        container, only the answer of the server counts. Its file is neither read nor given its
        owner and mode again, and no change is reported.
    type: bool
    default: true
  trial:
    description:
      - Has a new version, and then the version that runs, try the file if its content has changed.
        If either refuses, the file becomes what it was before, and the module fails. The running
        server is not touched.
      - A dictionary of the options of M(sentinelops.redis.redis_config_try), which tells what a
        trial does.
      - Ignored if the file is not local, and in check mode.
    type: dict
  running_executable:
    description: The program of the running server, for O(trial). It is not tried if it does not
      exist any more.
    type: path
attributes:
  check_mode:
    support: partial
    details:
      - Checks that the file can be rewritten. Reports a change if a directive in the file has
        another value in the running server. A value that was set at run time and is not in the
        file at all goes unnoticed.
  diff_mode:
    support: full
    details: The values of directives that hold secrets are masked.
  idempotent:
    support: full
seealso:
  - module: sentinelops.redis.redis_config_try
  - module: sentinelops.redis.redis_instance
"""

EXAMPLES = r"""
- name: Save the settings changed at run time before the server is stopped
  sentinelops.redis.redis_config_rewrite:
    login_host: 10.0.0.2
    login_password: "{{ redis_password }}"

- name: Save them only if the staged version reads the file, too
  sentinelops.redis.redis_config_rewrite:
    login_port: 6380
    trial:
      folder: /opt/redis-6380/redis.new
      config_file: /opt/redis-6380/redis/redis.conf
"""

RETURN = r"""
config_file:
  description: The configuration file of the server.
  returned: success
  type: str
  sample: /etc/redis/redis.conf
restored:
  description: Whether the owner, group or mode of the file had to be restored.
  returned: success
  type: bool
tried:
  description: Whether the new file was tried, and accepted.
  returned: success
  type: bool
differing:
  description: The directives whose values in the file differ from the running ones.
  returned: in check mode
  type: list
  elements: str
"""

from typing import Any

from ..module_utils._module import run_module
from ..module_utils._instance.config_rewrite import NOT_SAVED, SAVE_SPEC, save_configuration
from ..module_utils._server.connection import server_from
from ..module_utils._server.login import CONNECTION_SPEC


def rewrite(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Rewrite the configuration file, and return the module's result."""
    return save_configuration(server_from(params), params, check_mode)


def main() -> None:
    run_module(
        {**CONNECTION_SPEC, **SAVE_SPEC},
        rewrite,
        os_error=NOT_SAVED,
    )


if __name__ == "__main__":
    main()
