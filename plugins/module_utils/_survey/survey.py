# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Surveying one instance on its own host: what runs, from which files, in which role; or what its
journal says.

The record is a dictionary of JSON types, since it travels through Ansible facts to the plan.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any, Callable

from .._atomic_write import FileIdentity
from .._errors import ConnectionFailed, OperationFailed, PreconditionFailed
from .._host.process import binary_version, executable_of, machine_id, owner_of
from .._host.systemd import service_of
from .._host.unit_files import when_stopped
from .._install.activation import activation_from, choose, restaged
from .._install.folders import version_in
from .._install.packages import package_record
from .._install.symlink import Symlink
from .._server.commands import Server
from .._server.config_file import directives, is_mount_point, read_text
from .._server.info import NodeInfo, is_sentinel, node_info, parse_info
from .._topology.sentinel import monitored_masters, read_view
from .._topology.shard import config_values

__all__ = ["Wanted", "files_of", "survey"]

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
class Wanted:
    """What the user has set for an instance: by whom it is started, its version folder, how and
    what is activated.

    ``product`` is what the packages have that are activated, ``redis`` or ``valkey``. ``rollback``:
    what the instance ran before is wanted, too.
    """

    manager: str = "auto"
    folder: str = ""
    activation: str = "auto"
    version: str = ""
    product: str = ""
    rollback: bool = False


def files_of(node: NodeInfo, info: dict[str, str], service: dict[str, Any], wanted: Wanted) -> dict[str, Any]:
    """Where the instance's files are. ``config_identity`` is None if the file cannot be seen."""
    claimed, config_file = info.get("executable", ""), info.get("config_file", "")
    executable = executable_of(node.pid, claimed)
    if wanted.activation == "package":
        record = package_record(service, executable, node.server, wanted.product)
    else:
        claims = [claimed, str(service.get("program", ""))]
        record = choose(wanted.activation, wanted.folder, executable, claims, config_file, (node.version, wanted.version))
    activation = activation_from(record)
    if isinstance(activation, Symlink):
        record["doubts"] += _doubts_of_link(activation, config_file, str(service.get("manager")))
        executable, config_file = activation.named(executable), activation.named(config_file)
    owner = owner_of(node.pid)
    exists = bool(config_file) and os.path.isfile(config_file)
    return {
        "executable": executable,
        "config_file": config_file,
        "config_identity": asdict(FileIdentity.of(config_file)) if exists else None,
        "config_writable": exists and os.access(os.path.dirname(config_file), os.W_OK) and not is_mount_point(config_file),
        "folder": record["folder"],
        "activation": record,
        "process_owner": owner._asdict() if owner else None,
        "our_uid": os.geteuid(),
        "machine": machine_id(_existing(activation.places()[-1])),
    }


def _doubts_of_link(activation: Symlink, config_file: str, manager: str) -> list[dict[str, str]]:
    """A configuration file that is named without the link; a plain process is started by us, and
    with the link.
    """
    if manager == "process" or activation.named(config_file) == config_file:
        return []
    return [
        {
            "seen": f"it was started with the configuration file {config_file}, which is in the release that {activation.link} points to",
            "why": "It cannot be told whether it would be started with that one again, or with the one in the new release",
            "do": f"Start it with {activation.named(config_file)}, or move the file out of the release",
        }
    ]


def _existing(folder: str) -> str:
    """The folder, or the nearest one above it that exists."""
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    return folder


def _staging(record: dict[str, Any]) -> dict[str, Any]:
    """Which versions are in use, and staged beside it."""
    activation = activation_from(record)
    return {
        "installed_version": activation.installed_version(),
        "staged_version": activation.staged_version(),
        "interrupted": activation.interrupted(),
        "folder_writable": all(os.access(_existing(folder), os.W_OK) for folder in activation.places()),
    }


def _data_node(server: Server, info: dict[str, str]) -> dict[str, Any]:
    node, config = node_info(info), config_values(server, *NODE_CONFIG)
    return {
        "role": node.role,
        "master": node.master,
        "link_up": node.link_up,
        "loading": node.loading,
        "offset": node.offset,
        "replicas": [replica.address for replica in node.replicas],
        "priority": int(config.get("replica-priority", "100")),
        "min_replicas_to_write": int(config.get("min-replicas-to-write", "0")),
        "dir": config.get("dir", ""),
        "save": config.get("save", ""),
        "appendonly": config.get("appendonly", "no"),
        "announced_port": int(config.get("replica-announce-port", "0") or 0),
        "log_file": _absolute_log(config.get("logfile", ""), config.get("dir", "")),
    }


def _sentinel(server: Server, info: dict[str, str]) -> dict[str, Any]:
    lines = directives(read_text(info["config_file"])) if os.path.isfile(info.get("config_file", "")) else {}
    folder = (lines.get("dir") or [[""]])[-1][0]
    return {
        "role": "sentinel",
        "views": [read_view(server, master.name).as_dict() for master in monitored_masters(server)],
        "log_file": _absolute_log((lines.get("logfile") or [[""]])[-1][0], folder),
        "dir": folder,
    }


def _stopped(error: ConnectionFailed, journal: dict[str, Any], wanted: Wanted) -> dict[str, Any]:
    """The record of an instance that an earlier run stopped and did not start again."""
    known: list[str] = [
        "executable",
        "config_file",
        "config_identity",
        "folder",
        "log_file",
        "process_owner",
        "address",
        "shard",
        "server",
        "version",
    ]
    noted = journal.get("activation") or choose("folder", journal["folder"], "", [], "", ("", ""))
    activation = restaged(noted, journal["version"], wanted.version)
    return {
        "answers": False,
        "stopped": True,
        "error": str(error),
        "role": "stopped",
        **{name: journal[name] for name in known if name in journal},
        "service": when_stopped(wanted.manager, journal.get("service")),
        "our_uid": os.geteuid(),
        "activation": activation,
        **_staging(activation),
    }


def _before(journal: dict[str, Any] | None, before: dict[str, Any] | None) -> dict[str, Any] | None:
    """What the instance ran before the upgrade, as its journal notes it or, where that is closed,
    the note of it.

    ``there``: whether it is still kept; ``kept``: where.
    """
    noted = journal or before
    if noted is None or not {"version", "executable", "activation"} <= set(noted):
        return None
    activation, executable = activation_from(noted["activation"]), str(noted["executable"])
    moved = activation.moved(executable)
    kept = executable if moved else str(noted["activation"].get("kept", ""))
    there = (_version_of(executable) if moved else version_in(kept)) == noted["version"]
    return {**noted, "kept": kept, "there": there or (not moved and activation.in_place(noted["version"]))}


def _version_of(executable: str) -> str:
    try:
        return binary_version(executable)
    except OperationFailed:
        return ""


def survey(
    server: Server, kind: str, journal: dict[str, Any] | None, wanted: Wanted, note_of: Callable[[str], dict[str, Any] | None] | None = None
) -> dict[str, Any]:
    """The record of the instance at ``server``, of kind ``redis`` or ``sentinel``.

    ``note_of`` gives the note of the version before a running one.

    Raises AccessDenied; an instance that cannot be reached gives a record with ``answers: false``,
    and ``stopped: true`` where the journal tells that an upgrade stopped it.
    """
    record: dict[str, Any] = {"kind": kind, "login": str(server.address), "journal": journal}
    try:
        info = parse_info(server.command("INFO"))
        if is_sentinel(info) != (kind == "sentinel"):
            other = "a Sentinel" if kind == "redis" else "a data node"
            raise PreconditionFailed(
                f"this is {other}, the inventory has it as {'data node' if kind == 'redis' else 'Sentinel'}",
                node=str(server.address),
                advice="Check the groups and ports of the inventory",
            )
        node = node_info(info)
        record.update(answers=True, stopped=False, error="", server=node.server, version=node.version)
        record.update(run_id=node.run_id, pid=node.pid, uptime_s=node.uptime_s)
        record.update(service=service_of(node.pid, wanted.manager))
        record.update(files_of(node, info, record["service"], wanted))
        record.update(_staging(record["activation"]))
        record.update(_sentinel(server, info) if kind == "sentinel" else _data_node(server, info))
        if wanted.rollback:
            record.update(before=_before(journal, note_of(node.version) if note_of else None))
    except ConnectionFailed as error:
        if journal is None or not error.refused:
            return {**record, "answers": False, "stopped": False, "error": str(error), "role": "unreachable"}
        back = {"before": _before(journal, None)} if wanted.rollback else {}
        return {**record, **_stopped(error, journal, wanted), **back}
    return record
