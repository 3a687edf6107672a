# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The survey of one instance on its own host: what runs, from which files and in which role.

A stopped instance is described by its journal. The record is a dictionary of JSON types, since it
travels through Ansible facts to the plan.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Callable, Mapping

from .._atomic_write import FileIdentity
from .._errors import ConnectionFailed, OperationFailed, PreconditionFailed
from .._host.disk_space import existing_folder, is_noexec
from .._host.pid_namespace import isolation_of, visible_pid
from .._host.process import (
    binary_version,
    executable_of,
    is_replaced,
    machine_id,
    parent_of,
    servers_started_from,
    version_folder,
)
from .._host.process_facts import facts_of
from .._host.systemd import service_of
from .._host.unit_files import manager_when_stopped
from .._install.activation import Neighbours, activation_from, choose_activation, restaged
from .._install.copy_files import inside
from .._install.folders import version_in
from .._install.programs import Programs
from .._install.symlink import Symlink
from .._server.commands import Server
from .._server.config_file import directives, is_mount_point, read_text
from .._server.info import NodeInfo, is_sentinel, node_info, parse_info
from .._server.sent_errors import errors_sent
from .._server.settings import config_values
from .._topology.sentinel import monitored_masters, read_view
from .own_commands import commands_of, files_elsewhere
from .package_facts import kept_path, later_packages, package_update
from .reserve_facts import replication_facts, reserve_facts

__all__ = ["SurveyRequest", "files_of", "survey"]

NODE_CONFIG = (
    "dir",
    "logfile",
    "save",
    "appendonly",
    "replica-priority",
    "replica-announce-ip",
    "replica-announce-port",
    "min-replicas-to-write",
    "min-replicas-max-lag",
)


def _absolute_log(path: str, folder: str) -> str:
    return os.path.join(folder, path) if path else ""


@dataclass(frozen=True)
class SurveyRequest:
    """The user's settings for an instance: its service manager, version folder and activation.

    ``version``: the version to stage. ``product``: the product of the packages to activate,
    ``redis`` or ``valkey``. ``package_version``: their exact version, if it is set. ``hold``:
    whether the packages are held. ``has_source``: whether the user says where the new version comes
    from. ``rollback``: whether to include the version before the upgrade. ``commands``: the user's
    commands by name (``stage``, ``activate``, ...), as given.
    """

    manager: str = "auto"
    folder: str = ""
    activation: str = "auto"
    version: str = ""
    product: str = ""
    package_version: str = ""
    hold: bool = False
    rollback: bool = False
    commands: Mapping[str, Any] = field(default_factory=dict)
    has_source: bool = True


def _activation_of(
    node: NodeInfo, executable: str, info: dict[str, str], service: dict[str, Any], request: SurveyRequest, data: str
) -> dict[str, Any]:
    """Return the record of the instance's activation."""
    if request.activation == "package":
        return _package_activation(node, executable, info, service, request)
    if request.activation == "auto" and not request.has_source and not request.folder:
        versions = (node.version, request.version)
        found = later_packages(kept_path(executable, info), node.server, versions, request.package_version, request.hold)
        if found:
            return found
    claims = [info.get("executable", ""), str(service.get("program", ""))]
    others = [pid for pid in servers_started_from(version_folder(executable)) if pid != node.pid and parent_of(pid) != node.pid]
    versions = (node.version, request.version)
    neighbours = Neighbours(bool(others), data, is_replaced(node.pid, executable))
    return choose_activation(request.activation, request.folder, executable, claims, info.get("config_file", ""), versions, neighbours)


def _package_activation(
    node: NodeInfo, executable: str, info: dict[str, str], service: dict[str, Any], request: SurveyRequest
) -> dict[str, Any]:
    from .._install.package_record import package_update_record
    from .._install.packages import package_record

    if node.server != request.product:
        return package_record(service, executable, node.server, request.product)
    versions = (node.version, request.version)
    return package_update_record(kept_path(executable, info), node.server, versions, request.package_version, request.hold)


def _recorded_activation(executable: str, journal: dict[str, Any] | None, request: SurveyRequest) -> dict[str, Any] | None:
    """Return the journal's activation if an interrupted upgrade has begun to carry that out.

    The instance may run from the kept version alone; instances that shared its programs may be
    stopped.
    """
    recorded = (journal or {}).get("activation") or {}
    kept = str(recorded.get("kept") or "")
    runs_kept = bool(kept) and recorded.get("method") in ("files", "symlink") and inside(executable, kept)
    if not runs_kept and not (recorded.get("method") == "files" and inside(executable, recorded["folder"])):
        return None
    return restaged(recorded, str((journal or {}).get("version", "")), request.version)


def files_of(
    node: NodeInfo,
    info: dict[str, str],
    service: dict[str, Any],
    request: SurveyRequest,
    data: str = "",
    journal: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the instance's files; ``config_identity`` is None if the file is not visible.

    ``data``: the data folder. ``journal``: what an interrupted upgrade has recorded. In the result,
    ``runs_kept`` says whether the instance runs from the kept programs alone.
    """
    config_file = info.get("config_file", "")
    executable = executable_of(node.pid, info.get("executable", ""))
    record = _recorded_activation(executable, journal, request) or _activation_of(node, executable, info, service, request, data)
    activation = activation_from(record)
    if isinstance(activation, Symlink):
        record["doubts"] += _link_doubts(activation, config_file, str(service.get("manager")))
        executable, config_file = activation.through_link(executable), activation.through_link(config_file)
    runs_kept = isinstance(activation, Programs) and activation.runs_kept(executable)
    if isinstance(activation, Programs) and runs_kept:
        executable = os.path.join(activation.active, os.path.basename(executable))
    update = package_update(record, activation)
    executable = update.program(kept_path(executable, info)) if update else executable
    process = facts_of(node.pid, config_file)
    exists = bool(config_file) and os.path.isfile(config_file)
    return {
        "executable": executable,
        "config_file": config_file,
        "config_identity": asdict(FileIdentity.of(config_file)) if exists else None,
        "config_writable": exists and os.access(os.path.dirname(config_file), os.W_OK) and not is_mount_point(config_file),
        "folder": record["folder"],
        "activation": record,
        "runs_kept": runs_kept,
        "process": process.as_dict() if process else None,
        "our_uid": os.geteuid(),
        "machine": machine_id(existing_folder(activation.changed_folders()[-1])),
        "neighbours": servers_started_from(version_folder(executable)),
    }


def _link_doubts(activation: Symlink, config_file: str, manager: str) -> list[dict[str, str]]:
    """Return the doubt about a configuration file that the start does not name through the link.

    There is none for a plain process, which the module itself starts through the link.
    """
    if manager == "process" or activation.through_link(config_file) == config_file:
        return []
    return [
        {
            "seen": f"it was started with the configuration file {config_file}, which is in the release that {activation.link} points to",
            "why": "The next start may use that file again, or the file in the new release",
            "do": f"Start it with {activation.through_link(config_file)}, or move the file out of the release",
        }
    ]


def _staging(record: dict[str, Any]) -> dict[str, Any]:
    """Return the version in use and the staged one, and whether an activation is possible."""
    activation = activation_from(record)
    return {
        "installed_version": activation.installed_version(),
        "staged_version": activation.staged_version(),
        "interrupted": activation.interrupted(),
        "folder_writable": all(os.access(existing_folder(folder), os.W_OK) for folder in activation.changed_folders()),
        "noexec_folder": next(filter(is_noexec, activation.changed_folders()), ""),
    }


def _data_node(server: Server, info: dict[str, str], reserve: Mapping[str, Any] | None) -> dict[str, Any]:
    node, config = node_info(info), config_values(server, *NODE_CONFIG)
    log_file = _absolute_log(config.get("logfile", ""), config.get("dir", ""))
    return {
        "role": node.role,
        "master": node.master,
        "link_up": node.link_up,
        "loading": node.loading,
        "offset": node.offset,
        "replicas": [replica.address for replica in node.replicas],
        "priority": int(config.get("replica-priority", "100")),
        "min_replicas_to_write": int(config.get("min-replicas-to-write", "0")),
        "min_replicas_max_lag": int(config.get("min-replicas-max-lag", "10")),
        "dir": config.get("dir", ""),
        "save": config.get("save", ""),
        "appendonly": config.get("appendonly", "no"),
        "announced_port": int(config.get("replica-announce-port", "0") or 0),
        "log_file": log_file,
        "errors_sent": errors_sent(info, log_file),
        "replication": replication_facts(info),
        "reserve": reserve_facts(server, info, reserve, log_file),
    }


def _sentinel(server: Server, info: dict[str, str]) -> dict[str, Any]:
    lines = directives(read_text(info["config_file"])) if os.path.isfile(info.get("config_file", "")) else {}
    folder = (lines.get("dir") or [[""]])[-1][0]
    return {
        "role": "sentinel",
        "clients": int(info.get("connected_clients", "0")),
        "views": [read_view(server, master.name).as_dict() for master in monitored_masters(server)],
        "log_file": _absolute_log((lines.get("logfile") or [[""]])[-1][0], folder),
        "dir": folder,
    }


def _stopped(error: ConnectionFailed, journal: dict[str, Any], request: SurveyRequest) -> dict[str, Any]:
    """Return the record of an instance that an earlier run stopped and did not start again."""
    kept: list[str] = [
        "executable",
        "config_file",
        "config_identity",
        "folder",
        "log_file",
        "process",
        "address",
        "shard",
        "server",
        "version",
    ]
    recorded = journal.get("activation") or choose_activation("folder", journal["folder"], "", [], "", ("", ""))
    activation = restaged(recorded, journal["version"], request.version)
    return {
        "answers": False,
        "stopped": True,
        "error": str(error),
        "role": "stopped",
        **{name: journal[name] for name in kept if name in journal},
        "service": manager_when_stopped(request.manager, journal.get("service")),
        "our_uid": os.geteuid(),
        "activation": activation,
        **_staging(activation),
    }


def _before(journal: dict[str, Any] | None, closed_journal: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the journal of the version before the upgrade, with ``kept`` and ``there``.

    ``closed_journal``: what a finished upgrade left of its journal. ``kept``: the folder, or the
    executable, of the version before; ``there``: whether that still exists. Packages have
    ``restorable``: whether they can still be had.
    """
    before = journal or closed_journal
    if before is None or not {"version", "executable", "activation"} <= set(before):
        return None
    activation, executable = activation_from(before["activation"]), str(before["executable"])
    ran_elsewhere = activation.runs_elsewhere(executable)
    kept = executable if ran_elsewhere else str(before["activation"].get("kept", ""))
    exists = (_version_of(executable) if ran_elsewhere else (version_in(kept) if kept else "")) == before["version"]
    update = package_update(before["activation"], activation)
    restorable = {"restorable": update.restorable()} if update is not None else {}
    return {**before, **restorable, "kept": kept, "there": exists or (not ran_elsewhere and activation.in_place(before["version"]))}


def _kept_of(reserve: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the record of a reserve, which may run from the kept programs alone."""
    return reserve if reserve is not None and reserve.get("role") == "reserve" else None


def _version_of(executable: str) -> str:
    try:
        return binary_version(executable)
    except OperationFailed:
        return ""


def _require_kind(server: Server, info: dict[str, str], kind: str) -> None:
    if is_sentinel(info) != (kind == "sentinel"):
        other = "a Sentinel" if kind == "redis" else "a data node"
        raise PreconditionFailed(
            f"this is {other}, the inventory has it as {'data node' if kind == 'redis' else 'Sentinel'}",
            node=str(server.address),
            advice="Check the groups and ports of the inventory",
        )


def survey(
    server: Server,
    kind: str,
    journal: dict[str, Any] | None,
    request: SurveyRequest,
    closed_journal_of: Callable[[str], dict[str, Any] | None] | None = None,
    reserve: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the record of the instance at ``server``, of kind ``redis`` or ``sentinel``.

    ``closed_journal_of`` returns what the upgrade to a running version left of its journal.
    ``reserve``: the record of a node in a shard with a reserve (see reserve_record.py). An
    unreachable instance gives a record with ``answers: false``; also with ``stopped: true`` if
    nothing listens and the journal says that an upgrade stopped the instance. Raises AccessDenied,
    and PreconditionFailed for an instance of the other kind.
    """
    record: dict[str, Any] = {"kind": kind, "login": str(server.address), "journal": journal}
    record["commands"] = commands_of(request.commands, request.activation)
    try:
        info = parse_info(server.command("INFO"))
        _require_kind(server, info, kind)
        told = node_info(info)
        node = replace(told, pid=visible_pid(told.pid, told.port))
        record.update(answers=True, stopped=False, error="", isolation=isolation_of(told.pid, node.pid))
        record.update({name: getattr(node, name) for name in ("server", "version", "run_id", "pid", "uptime_s")})
        record.update(service=service_of(node.pid, request.manager))
        record.update(_sentinel(server, info) if kind == "sentinel" else _data_node(server, info, reserve))
        if request.activation == "command":
            record.update(files_elsewhere(info, node.pid, record["log_file"]))
        else:
            record.update(files_of(node, info, record["service"], request, record["dir"] if kind == "redis" else "", journal or reserve))
        record.update(_staging(record["activation"]))
        closed = closed_journal_of(node.version) if request.rollback and closed_journal_of else None
        record.update({"before": _before(journal, closed or _kept_of(reserve))} if request.rollback else {})
    except ConnectionFailed as error:
        if journal is None or not error.refused:
            return {**record, "answers": False, "stopped": False, "error": str(error), "role": "unreachable"}
        before = {"before": _before(journal, None)} if request.rollback else {}
        return {**record, **_stopped(error, journal, request), **before}
    return record
