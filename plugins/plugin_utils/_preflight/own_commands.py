# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight of servers that the user's own commands activate, and of servers in containers. Pure.

Their programs, configuration and data may be invisible on the host, so that no check of files
applies. What the commands need can be checked.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...module_utils._host.pid_namespace import HIDDEN, OTHER_PIDS
from ...module_utils._install.own_commands import COMMAND_NAMES, filled
from ...module_utils._server.versions import can_downgrade
from .._finding import WARNING, Finding
from .._plan.model import Instance, Plan, Record
from .._plan.versions import wanted_server

__all__ = ["by_commands", "command_findings", "command_notes"]

_PURPOSE = {
    "stage": "nothing would stage the new version before an instance is stopped",
    "activate": "nothing would activate the new version",
    "deactivate": "there is no way back if the new version fails",
}


def by_commands(record: Record) -> bool:
    """Return whether the user's commands activate the instance; in a rollback, whether they did."""
    return ((record.get("before") or record).get("activation") or {}).get("method") == "command"


def _option(instance: Instance, name: str) -> str:
    return f"redis_upgrade_{instance.kind}_{name}_command"


def command_findings(instance: Instance, plan: Plan) -> Iterator[Finding]:
    """Yield what is wrong with the commands of an instance, or with a container without them."""
    record, given = instance.record, instance.record.get("commands") or {}
    if not by_commands(record):
        yield from _isolation_findings(instance)
        yield from _unused_findings(instance)
        return
    for name in COMMAND_NAMES[1:] if plan.rollback else COMMAND_NAMES:
        command: Mapping[str, Any] = given.get(name) or {}
        if not command.get("words") or command.get("problem"):
            yield Finding(
                instance.host,
                command.get("problem") or f"{_option(instance, name)} is not set, and redis_upgrade_activation is command",
                f"Without that command, {_PURPOSE[name]}",
                f"Set {_option(instance, name)}, as a list of words",
                "commands",
            )
    if (record.get("service") or {}).get("manager", "process") == "process":
        yield Finding(
            instance.host,
            "a version is activated by commands, and the server is a plain process",
            "The server to start, and how to start it, are not known",
            f"Set redis_upgrade_service_manager: command, with {_option(instance, 'start')} and {_option(instance, 'stop')}; "
            "or systemd, if a unit starts it",
            "commands",
        )
    if record.get("answers") and not record.get("config_file"):
        yield Finding(
            instance.host,
            "the server runs without a configuration file",
            "Its settings would be lost at the restart",
            "Start it with a configuration file",
            "files",
        )
    yield from _format_findings(instance, plan)


def _unused_findings(instance: Instance) -> Iterator[Finding]:
    """Yield that commands are given which the setting of the activation does not use."""
    given = instance.record.get("commands") or {}
    unused = [_option(instance, name) for name in COMMAND_NAMES if (given.get(name) or {}).get("words")]
    if unused:
        yield Finding(
            instance.host,
            f"{' and '.join(unused)} {'are' if len(unused) > 1 else 'is'} set, and redis_upgrade_activation is not command",
            "Commands activate a version only with that setting",
            "Set redis_upgrade_activation: command, or remove the commands",
            "commands",
        )


def _isolation_findings(instance: Instance) -> Iterator[Finding]:
    """Yield why a server in other namespaces cannot be upgraded by its files."""
    isolation = str(instance.record.get("isolation") or "")
    manager = (instance.record.get("service") or {}).get("manager", "process")
    has_local_files = isolation == OTHER_PIDS and instance.record.get("config_identity")
    if not isolation or (has_local_files and manager != "process"):
        return
    seen = "its process is not to be found on this host" if isolation == HIDDEN else "it runs in namespaces of its own, as in a container"
    become = "run with become, if it is a process of this host; else " if isolation == HIDDEN else ""
    do = f"{become}give commands that stage, activate and deactivate a version (redis_upgrade_activation: command)"
    why = "Its programs and its configuration are not files of this host, or it could not be started again as it was"
    yield Finding(instance.host, seen, why, do[0].upper() + do[1:], "files")


def _format_findings(instance: Instance, plan: Plan) -> Iterator[Finding]:
    """Yield a warning if the previous version cannot read data files that only the command sees."""
    record = instance.record
    before = record.get("before") or {} if plan.rollback else record
    old = (str(before.get("server", "redis")), str(before.get("version", "")))
    new = (wanted_server(record), plan.version)
    if instance.kind == "redis" and old[1] and old[1] != new[1] and not can_downgrade(old, new):
        yield Finding(
            instance.host,
            f"{old[1]} cannot read data files that {new[1]} has written, and these files are not visible here",
            f"A {old[1]} that is put back would not start",
            f"Let {_option(instance, 'deactivate')} rename these files first, so that the node gets its data from its master",
            "commands",
            WARNING,
        )


def command_notes(instances: Sequence[Instance], plan: Plan) -> list[str]:
    """Return notes for the plan: which commands run, and what is not tried."""
    users: dict[str, list[str]] = {}
    for instance in instances:
        if instance.key in plan.pending and by_commands(instance.record):
            users.setdefault(_described(instance, plan), []).append(f"{instance.host} ({instance.kind})")
    return [f"{', '.join(names)}: {text}" for text, names in users.items()]


def _described(instance: Instance, plan: Plan) -> str:
    given = instance.record.get("commands") or {}
    step = plan.steps[instance.key]
    versions = (plan.version, step.wanted if plan.rollback else step.running)

    def of(name: str) -> str:
        words = (given.get(name) or {}).get("words") or []
        return f"`{shlex.join(filled(words, *versions))}`" if words else "no command"

    manager = instance.record.get("service") or {}
    around = f"stopped by {of('stop')}, started by {of('start')}" if manager.get("manager") == "command" else str(manager.get("unit") or "")
    if plan.rollback:
        return f"the previous version is activated by {of('deactivate')}, while it is down ({around}); if that fails, {of('activate')}"
    return (
        f"staged by {of('stage')}, once per machine; activated by {of('activate')} while it is down ({around}); put back by "
        f"{of('deactivate')}. Its configuration is not tried with the new version"
    )
