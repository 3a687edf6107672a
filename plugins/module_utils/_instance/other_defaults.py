# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that have another value with the new version, since nothing gives them a value.

The new version reads the configuration of the running one in a trial, so what differs between the
two is a default. Source: CONFIG GET * of both.
"""

from __future__ import annotations

import os
import re
from typing import Any, Mapping, Sequence

from .._errors import SentinelOpsError
from .._server.commands import Server
from .._server.info import node_info, parse_info
from .._server.settings import config_values
from .config_attempt import attempt
from .trial_guest import Guest

__all__ = ["other_defaults", "other_defaults_text"]

# A trial gives these a value of its own, or their value depends on limits of the process, or is
# only written in another way.
_OF_THE_TRIAL = re.compile(
    r"(.*-)?port|bind.*|unixsocket.*|dir|pidfile|logfile|loglevel|syslog-enabled|save|appendonly|cluster-enabled|daemonize|supervised"
    r"|replicaof|rdma-.*|aclfile|tls-.*|maxclients|replica-priority|replica-announced"
)
_OLD_NAME = re.compile(r"slave|repl-slave|min-slaves")
_SECRET = re.compile(r"requirepass|(master|primary)(auth|user)")


def other_defaults(server: Server, trial: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return ``name``, ``running`` and ``new`` of each setting with another default.

    ``server``: the running data node. ``trial``: the options of redis_config_try for the new
    version. None within a release line, such as 7.0, and none if a server cannot be asked: what is
    not known stops no upgrade.
    """
    try:
        running_version = node_info(parse_info(server.command("INFO", "server"))).version
        if _line(running_version) == _line(str(trial["version"] or "")):
            return []
        now = config_values(server, "*")
        acl_file = now.get("aclfile", "")
        guest = Guest("CONFIG GET *", "+config", os.path.join(now.get("dir", ""), acl_file) if acl_file else "")
        attempt(trial, visit=guest)
    except SentinelOpsError:
        return []
    then = dict(zip(guest.reply[::2], guest.reply[1::2]))
    return [{"name": name, "running": now[name], "new": then[name]} for name in sorted(now) if _tells(name, now, then)]


def other_defaults_text(version: str, found: Sequence[Mapping[str, str]]) -> str:
    """Return the warning about these settings."""
    changes = ", ".join(f"{one['name']} {one['running'] or 'empty'} -> {one['new'] or 'empty'}" for one in found)
    return (
        f"{version} has other defaults for settings that the configuration does not name: {changes}. To keep a value, set it with CONFIG "
        "SET and CONFIG REWRITE, now or after the upgrade"
    )


def _line(version: str) -> list[str]:
    """Return the release line of a version: 7.0 of 7.0.15."""
    return version.split(".")[:2]


def _tells(name: str, now: Mapping[str, str], then: Mapping[str, str]) -> bool:
    if name not in then or now[name] == then[name]:
        return False
    return not (_OF_THE_TRIAL.fullmatch(name) or _OLD_NAME.match(name) or _SECRET.fullmatch(name))
