# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight of the next start: what a plain process has, and would not have after its restart.

A unit of systemd, or a start command, has all of that itself. Pure functions of the survey.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .._finding import WARNING, Finding
from .._plan.model import Instance
from .own_commands import by_commands

__all__ = ["shared_config_findings", "start_findings"]


def start_findings(instance: Instance) -> Iterator[Finding]:
    """Yield what the restart of a plain process would lose."""
    record = instance.record
    found: Mapping[str, Any] = (record.get("examined") or {}).get("start") or {}
    if (record.get("service") or {}).get("manager", "process") != "process" or not found:
        return
    commands = f"redis_upgrade_{instance.kind}_start_command and redis_upgrade_{instance.kind}_stop_command"
    by_command = f"or give its {commands} (redis_upgrade_service_manager: command), or let a unit of systemd start it"
    if found.get("lost_commands"):
        names = ", ".join(found["lost_commands"])
        yield Finding(
            instance.host,
            f"commands are renamed or disabled that its configuration file does not rename ({names}), so it was started with arguments",
            "The arguments of a running server cannot be read, so the restart would make these commands available again",
            f"Write its rename-command lines into {record.get('config_file')}, {by_command}",
            "start",
        )
    if found.get("lost_modules"):
        yield Finding(
            instance.host,
            f"it has loaded {found['lost_modules']} more modules than its configuration file names",
            "CONFIG REWRITE of this version does not save modules, so the restart would lose them",
            f"Write their loadmodule lines into {record.get('config_file')}, {by_command}",
            "start",
        )
    yield from _limit_findings(instance, found, by_command)
    if found.get("lost_output"):
        yield Finding(
            instance.host,
            f"it logs to standard output (logfile is empty), which is {found['lost_output']}",
            "That cannot be opened again, so the log would be lost after the restart",
            f"Nothing, if the log does not matter. Restart it first, with its output to a file, {by_command}",
            "start",
            WARNING,
        )


def _limit_findings(instance: Instance, found: Mapping[str, Any], by_command: str) -> Iterator[Finding]:
    """Yield which limits the modules on the host cannot give to the new process."""
    impossible = [str(one) for one in found.get("impossible", [])]
    files = [one for one in impossible if one.startswith("limit nofile ")]
    others = [one for one in impossible if one not in files]
    if files:
        yield Finding(
            instance.host,
            f"the server could not be started with its limit of open files ({files[0][len('limit nofile ') :]})",
            "The server would lower its maxclients, and refuse clients",
            f"Run with become, raise the limit of the user that Ansible logs in as (hard nofile), {by_command}",
            "start",
        )
    if others:
        yield Finding(
            instance.host,
            f"the server could not be started as it was: {', '.join(others)}",
            "The user that Ansible logs in as has lower limits, or may not set this",
            f"Nothing, if this does not matter. Run with become, {by_command}",
            "start",
            WARNING,
        )


def shared_config_findings(instances: Sequence[Instance]) -> Iterator[Finding]:
    """Yield which instances of a host have the same configuration file, and so differ by their
    arguments only.
    """
    users: dict[tuple[str, str], list[str]] = {}
    for instance in instances:
        if by_commands(instance.record):
            continue  # each container has a file of that name
        examined = instance.record.get("examined") or {}
        # links lead to the same file
        path = str(examined.get("real_config_file") or instance.record.get("config_file") or "")
        if path:
            users.setdefault((instance.host_address or instance.host, path), []).append(instance.key)
    for (_host, path), keys in users.items():
        if len(keys) > 1:
            yield Finding(
                ", ".join(keys),
                f"they share the configuration file {path}",
                "CONFIG REWRITE would write port, folder and master of one of them into the file of all",
                "Give each a file of its own; it may include a common one",
                "files",
            )
