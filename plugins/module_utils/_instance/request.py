# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request of redis_instance: the module's options with types, and the service they lead to."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any, Mapping

from .._atomic_write import FileIdentity
from .._errors import PreconditionFailed
from .._host.process_facts import PROCESS_OPTIONS, ProcessFacts, facts_of, process_facts_from
from .._host.service import Command, Process, Service, command_words
from .._host.systemd import Systemd, service_of, systemd_for
from .._install.activation import Activation, activation_from
from .._install.folders import Folders
from .._install.instance_files import InstanceFiles, log_file_of
from .._install.own_commands import own_words
from .._progress_file import PROGRESS_SPEC
from .._server.address import Address
from .._server.info import NodeInfo
from .._server.login import CONNECTION_SPEC, Login, login_from

__all__ = [
    "INSTANCE_SPEC",
    "InstanceRequest",
    "ServiceSettings",
    "SwitchRequest",
    "instance_request",
    "service_for",
    "switch_request",
    "with_process",
    "with_service",
]

# The options of redis_instance.
INSTANCE_SPEC: dict[str, Any] = {
    **CONNECTION_SPEC,
    **PROGRESS_SPEC,
    "state": {"type": "str", "choices": ["started", "stopped", "switched", "previous", "restored"], "required": True},
    "executable": {"type": "path"},
    "config_file": {"type": "path"},
    "sentinel": {"type": "bool", "default": False},
    "log_file": {"type": "path"},
    "folder": {"type": "path"},
    "activation": {
        "type": "dict",
        "options": {
            "method": {"type": "str", "choices": ["folder", "files", "symlink", "package", "package_update", "command"], "required": True},
            "staged": {"type": "path"},
            "kept": {"type": "path"},
            "unit": {"type": "str"},
            "old_unit": {"type": "str"},
            "enabled": {"type": "bool", "default": True},
            "whole": {"type": "bool", "default": False},
            "manager": {"type": "str", "choices": ["apt", "dnf"]},
            "hold": {"type": "bool", "default": False},
            "new_version": {"type": "str"},
            "previous_version": {"type": "str"},
        },
        "required_if": [
            ("method", "symlink", ["staged"]),
            ("method", "files", ["staged", "kept"]),
            ("method", "package", ["unit", "old_unit"]),
            ("method", "package_update", ["staged", "kept", "manager"]),
            ("method", "command", ["new_version", "previous_version"]),
        ],
    },
    "version": {"type": "str"},
    "config_identity": {
        "type": "dict",
        "options": {name: {"type": "int", "required": True} for name in ("uid", "gid", "mode")},
    },
    "process": PROCESS_OPTIONS,
    "service_manager": {"type": "str", "choices": ["auto", "systemd", "process", "command"], "default": "auto"},
    "unit": {"type": "str"},
    "start_command": {"type": "raw"},
    "stop_command": {"type": "raw"},
    "activate_command": {"type": "raw"},
    "deactivate_command": {"type": "raw"},
    "replicas": {"type": "int"},
    "backup": {"type": "path"},
    "conditions": {"type": "dict"},
    "save_configuration": {"type": "dict"},
    "force": {"type": "bool", "default": False},
    "wait_s": {"type": "int", "default": 60},
}


@dataclass(frozen=True)
class ServiceSettings:
    """The user's settings for the service manager; the commands are words or a line, unchecked.

    ``process``: the facts that a plain process is started with.
    """

    manager: str = "auto"
    unit: str = ""
    start_command: Any = None
    stop_command: Any = None
    process: ProcessFacts | None = None


@dataclass(frozen=True)
class InstanceRequest:
    """The options that every state has. ``files`` has no service yet; see ``with_service``."""

    address: Address
    login: Login
    files: InstanceFiles
    service: ServiceSettings
    force: bool
    wait_s: int


@dataclass(frozen=True)
class SwitchRequest(InstanceRequest):
    """The options of the states ``switched``, ``previous`` and ``restored``.

    ``replicas``: the number that the master must have online, 0 if that is not checked.
    ``backup``: the folder of the backup to restore.
    """

    version: str
    activation: Activation
    config_identity: FileIdentity | None
    replicas: int
    backup: str


def instance_request(params: Mapping[str, Any]) -> InstanceRequest:
    """Return the typed options of the states ``started`` and ``stopped``."""
    return InstanceRequest(**_common(params))


def switch_request(params: Mapping[str, Any]) -> SwitchRequest:
    """Return the typed options of the states ``switched``, ``previous`` and ``restored``."""
    identity = params["config_identity"]
    return SwitchRequest(
        **_common(params),
        version=params["version"],
        activation=_activation(params),
        config_identity=FileIdentity(**identity) if identity else None,
        replicas=params["replicas"] or 0,
        backup=params["backup"] or "",
    )


def _activation(params: Mapping[str, Any]) -> Activation:
    given = params["activation"]
    if not given:
        return Folders(params["folder"])
    commands = {}
    if given["method"] == "command":
        for name in ("activate", "deactivate"):
            commands[name] = own_words(params[f"{name}_command"], f"{name}_command")
    return activation_from({**given, **commands, "folder": params["folder"], "wait_s": params["wait_s"]})


def _common(params: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "address": Address(params["login_host"], params["login_port"]),
        "login": login_from(params),
        "files": _files(params),
        "service": ServiceSettings(
            manager=params["service_manager"],
            unit=params["unit"] or "",
            start_command=params["start_command"],
            stop_command=params["stop_command"],
            process=process_facts_from(params["process"]),
        ),
        "force": params["force"],
        "wait_s": params["wait_s"],
    }


def _files(params: Mapping[str, Any]) -> InstanceFiles:
    config_file, local = params["config_file"] or "", (params["activation"] or {}).get("method") != "command"
    readable = local and bool(config_file) and os.path.isfile(config_file)
    log_file = params["log_file"] or (log_file_of(config_file) if readable else "")
    return InstanceFiles(params["executable"] or "", config_file, params["sentinel"], log_file, local=local)


def with_service(request: InstanceRequest, node: NodeInfo | None) -> InstanceFiles:
    """Return the request's files with the service that stops and starts them (``service_for``)."""
    return replace(request.files, service=service_for(request, node))


def with_process(request: SwitchRequest, node: NodeInfo | None) -> SwitchRequest:
    """Return the request with the facts of the running process, unless it has the option."""
    if node is None or request.service.process is not None:
        return request
    return replace(request, service=replace(request.service, process=facts_of(node.pid, node.config_file)))


def service_for(request: InstanceRequest, node: NodeInfo | None) -> Service:
    """Return the service of the instance, which runs as ``node`` (None: no server runs).

    Raises PreconditionFailed, with nothing touched, if the service manager is unclear.
    """
    settings, address, pid = request.service, str(request.address), (node.pid or None) if node else None
    if settings.manager == "command":
        start, stop = command_words(settings.start_command, "start_command"), command_words(settings.stop_command, "stop_command")
        return Command(tuple(start), tuple(stop))
    if settings.unit and settings.manager != "process":
        return systemd_for(settings.unit, pid, address)
    if settings.manager == "systemd" and pid is None:
        raise PreconditionFailed("it does not run, so its unit is not known", node=address, advice="Give the option unit")
    found: dict[str, Any] = service_of(pid, settings.manager) if pid is not None else {"manager": "process", "doubts": []}
    for doubt in found["doubts"]:
        raise PreconditionFailed(f"{doubt['seen']}. {doubt['why']}", node=address, state="The server was left alone", advice=doubt["do"])
    if found["manager"] == "systemd":
        return Systemd(found["unit"])
    if node is not None and node.port and not node.pid:
        raise PreconditionFailed(
            "its process is not visible on this host, as that of a container, so it cannot be started again as a plain process",
            node=address,
            state="The server was left alone",
            advice="Give the commands that stop and start it (service_manager: command), or run with become",
        )
    if node is None and not request.files.executable:
        raise PreconditionFailed("it is started as a plain process, and the option executable is missing", node=address)
    return Process(settings.process)
