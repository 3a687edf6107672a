#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rewrite a configuration file, and keep its owner, group and mode."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_config_rewrite
short_description: Make the running configuration persistent
version_added: 0.1.0
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

from ..module_utils._atomic_write import FileIdentity, write_atomically
from ..module_utils._errors import PreconditionFailed, SentinelOpsError
from ..module_utils._instance.config_attempt import trial_options, try_rewritten
from ..module_utils._instance.config_rewrite import order_rewrite, require_rewritable, rewrite_file
from ..module_utils._module import run_module
from ..module_utils._server.commands import Server
from ..module_utils._server.config_file import difference, read_text
from ..module_utils._server.connection import server_from
from ..module_utils._server.info import is_sentinel, parse_info
from ..module_utils._server.login import CONNECTION_SPEC
from ..module_utils._server.secret_directives import masked


def running_values(server: Server) -> dict[str, str]:
    reply = server.command("CONFIG", "GET", "*")
    return dict(zip(reply[::2], reply[1::2]))


def tried(params: dict[str, Any], path: str, before: str, identity: FileIdentity) -> bool:
    """Try a file that was rewritten; return whether that was asked for.

    If a version refuses the file, restore its content and raise PreconditionFailed.
    """
    if not params["trial"]:
        return False
    try:
        try_rewritten(trial_options(params["trial"]), params["running_executable"] or "")
    except SentinelOpsError as refused:
        write_atomically(path, before, identity)
        raise PreconditionFailed(
            f"{refused.message}. So the server had rewritten it (CONFIG REWRITE)",
            state="Nothing was stopped, the running server was not touched, and its configuration file is as before",
            advice="If the line repeats one of an included file, move that line from there to the main file. "
            "Otherwise correct the setting so that both versions can read it. Then run again",
            **refused.facts,
        ) from refused
    return True


def rewrite(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Rewrite the configuration file, and return the module's result."""
    server = server_from(params)
    info = parse_info(server.command("INFO", "server"))
    path = info.get("config_file", "")
    if not params["local_file"]:
        if not check_mode:
            order_rewrite(server, info, path)
        return {"config_file": path, "restored": False, "tried": False, "changed": False}
    require_rewritable(path, str(server.address))
    before, identity = read_text(path), FileIdentity.of(path)
    result: dict[str, Any] = {"config_file": path, "restored": False, "tried": False}
    if check_mode:
        differing = [] if is_sentinel(info) else difference(before, running_values(server))
        return {**result, "changed": bool(differing), "differing": differing}
    result["restored"] = rewrite_file(server, info, path, identity)
    after = read_text(path)
    result["changed"] = after != before
    result["tried"] = after != before and tried(params, path, before, identity)
    result["diff"] = {
        "before": masked(before),
        "after": masked(after),
        "before_header": path,
        "after_header": path,
    }
    return result


def main() -> None:
    run_module(
        {
            **CONNECTION_SPEC,
            "local_file": {"type": "bool", "default": True},
            "trial": {"type": "dict"},
            "running_executable": {"type": "path"},
        },
        rewrite,
        os_error="the configuration file cannot be read, or its owner cannot be restored: {error}. Run the task with become.",
    )


if __name__ == "__main__":
    main()
