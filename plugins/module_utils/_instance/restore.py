# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restoring a backup on a data node: the old version, with the data of the backup, as a master.

The newer data is saved, and set aside beside the data files. One call does it all, so that the node
is down for a moment only. If the old version does not serve, the newer data is in place again.
"""

from __future__ import annotations

import os
import shutil
from typing import Any, Mapping

from .._atomic_write import FileIdentity, replacing
from .._errors import OperationFailed, SentinelOpsError
from .._install.activation import Activation
from .._install.instance_files import InstanceFiles
from .._owned_files import remove, rename
from .._server.commands import Server
from .._server.data_files import data_files, set_aside, set_configured_master
from .._server.info import NodeInfo, parse_info
from .._server.settings import config_values
from .._wait import Clock
from .backup import DATA
from .config_backup import configuration_was_refused, restore_configuration
from .lifecycle import running_instance, start, stop
from .start_proof import StartProof
from .switch_version import Reverted, running_with_files

__all__ = ["restore"]

_CHUNK = 1 << 20


def restore(
    server: Server,
    files: InstanceFiles,
    activation: Activation,
    backup: Mapping[str, Any],
    wait_s: float,
    clock: Clock,
) -> Reverted:
    """Stop the node, put the old version and the data of a backup in place, and start the node.

    ``backup``: its facts (``backup.read_backup``). The result names the files that were set aside.
    Raises OperationFailed, whose ``state`` says what was left.
    """
    node, running = running_with_files(server, files, activation)
    proof = StartProof.of(server, node)
    if node is None:
        files.service.keep_down(False, wait_s, clock)
    else:
        _have_it_save(server)
        stop(server, node, running, wait_s, clock)
    files = activation.revert(files, backup["version"])
    proof.repair(files.local_config)
    set_configured_master(files.config_file, "")
    renamed = _place_data(files.config_file, os.path.join(backup["folder"], DATA))
    try:
        started = _start(server, files, wait_s, clock)
        _prove(server, started, backup)
    except (SentinelOpsError, OSError) as error:
        raise _undone(server, files, renamed, error, wait_s, clock) from error
    return Reverted(started, tuple(renamed.values()), tuple(proof.lost(server, started, files.service, files.local_config)))


def _have_it_save(server: Server) -> None:
    """Set a save point at run time where there is none, so that the stop saves the newer data."""
    values = config_values(server, "save", "appendonly")
    if not values.get("save") and values.get("appendonly") != "yes":
        server.command("CONFIG", "SET", "save", "3600 1")


def _place_data(config_file: str, source: str) -> dict[str, str]:
    """Set all data files aside, and copy the backup's to their place.

    An append-only file may be an RDB file: every version loads it so. Returns the new names by the
    old ones.
    """
    data = data_files(config_file)
    found = [path for path in (data.rdb, data.aof, data.aof_folder) if os.path.lexists(path)]
    renamed = dict(zip(found, set_aside(found, config_file)))
    with open(source, "rb") as backup, replacing(_place_of(config_file), FileIdentity.of(backup.fileno())) as placed:
        shutil.copyfileobj(backup, placed, _CHUNK)
    return renamed


def _place_of(config_file: str) -> str:
    data = data_files(config_file)
    return data.aof if data.appends else data.rdb


def _start(server: Server, files: InstanceFiles, wait_s: float, clock: Clock) -> NodeInfo:
    while True:
        try:
            return start(server, files, wait_s, clock)
        except OperationFailed as error:
            if not configuration_was_refused(error) or not restore_configuration(files.local_config):
                raise
            set_configured_master(files.local_config, "")


def _prove(server: Server, node: NodeInfo, backup: Mapping[str, Any]) -> None:
    """Compare the number of keys with the backup's; keys may have expired since."""
    keyspace = parse_info(server.command("INFO", "keyspace"))
    keys = sum(int(dict(pair.split("=") for pair in value.split(","))["keys"]) for name, value in keyspace.items() if name.startswith("db"))
    data = backup["data"]
    if not data["keys"] - data["expiring"] <= keys <= data["keys"] or node.version != backup["version"]:
        raise OperationFailed(
            f"it runs {node.version} with {keys} keys, and the backup is of {backup['version']}, with {data['keys']} keys, "
            f"of which {data['expiring']} may have expired",
            node=str(server.address),
        )


def _undone(
    server: Server, files: InstanceFiles, renamed: Mapping[str, str], error: Exception, wait_s: float, clock: Clock
) -> OperationFailed:
    """Put the newer data back in place; return the error to raise."""
    facts, reason = getattr(error, "facts", {}), getattr(error, "message", str(error))
    try:
        node = running_instance(server, files.config_file)
        if node is not None:
            stop(server, node, files, wait_s, clock)
        remove(_place_of(files.config_file))
        for old, new in renamed.items():
            rename(new, old)
    except (SentinelOpsError, OSError) as second:
        return OperationFailed(
            f"the backup could not be restored ({reason}), and the newer data could not be put back ({second})",
            node=str(server.address),
            state=f"The instance is down; its newer data is in {', '.join(renamed.values())}",
            advice="Put these files back by hand, and start the newer version",
            **facts,
        )
    return OperationFailed(
        f"the backup could not be restored: {reason}",
        node=str(server.address),
        state="The instance is down; its newer data is in place again",
        advice="Fix the cause and run again",
        **facts,
    )
