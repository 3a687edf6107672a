# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The survey of an instance that the user's own commands activate: nothing is read from its files,
which may be those of a container.
"""

from __future__ import annotations

import os
from typing import Any, Mapping

from .._host.pid_namespace import is_same_file_for
from .._host.process import machine_id
from .._install.own_commands import COMMAND_NAMES, command_record, read_command

__all__ = ["commands_of", "files_elsewhere"]


def commands_of(given: Mapping[str, Any], method: str) -> dict[str, Any]:
    """Return the user's commands by name, each as ``read_command`` returns it.

    Empty if no command activates a version and none is given. ``start`` and ``stop`` are among them
    if commands start and stop the instance.
    """
    if method != "command" and not any(given.get(name) for name in COMMAND_NAMES):
        return {}
    names = [*COMMAND_NAMES, *(name for name in ("start", "stop") if given.get(name))]
    return {name: read_command(given.get(name), f"{name}_command") for name in names}


def files_elsewhere(info: Mapping[str, str], pid: int, log_file: str) -> dict[str, Any]:
    """Return the files of an instance as the server tells them, and none that this host would read.

    The log counts if it is the same file here as for the process. ``pid``: see ``visible_pid``.
    """
    return {
        "executable": info.get("executable", ""),
        "config_file": info.get("config_file", ""),
        "config_identity": None,
        "config_writable": True,
        "folder": "",
        "activation": command_record(),
        "process": None,
        "our_uid": os.geteuid(),
        "machine": machine_id("/"),
        "neighbours": [],
        "log_file": log_file if is_same_file_for(pid, log_file) else "",
    }
