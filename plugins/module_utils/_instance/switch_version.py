# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Switching an instance to its staged version, and reverting it to the version before.

Each is one call, so that the instance is down for a moment only, and is not left stopped if the
controller dies. A new version that does not serve is reverted at once.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Callable

from .._atomic_write import FileIdentity
from .._errors import OperationFailed, PreconditionFailed, SentinelOpsError
from .._host.process import binary_version, executable_of
from .._install.activation import Activation
from .._install.instance_files import InstanceFiles
from .._server.address import Address
from .._server.commands import Server
from .._server.config_file import quote_sentinel_secrets, read_text, write_text
from .._server.data_files import configured_master, data_files, data_was_refused, set_aside, set_configured_master, unreadable
from .._server.info import NodeInfo
from .._server.versions import can_downgrade
from .._wait import Clock
from .config_backup import back_up_configuration, configuration_was_refused, restore_configuration
from .lifecycle import ensure_down, is_same_file, running_instance, start
from .start_proof import StartProof
from .stop_guards import master_of

__all__ = ["Reverted", "VersionLookup", "revert", "running_with_files", "runs_previous", "switch_version"]

# Returns the server and version at an address, ``("redis", "7.0.15")``; None if unknown.
VersionLookup = Callable[[Address], "tuple[str, str] | None"]


@dataclass(frozen=True)
class Reverted:
    """The node with the old version, the new names of data files that it could not read, and what
    it has less of than before (``maxclients 992 instead of 10000``).
    """

    node: NodeInfo
    set_aside: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def running_with_files(server: Server, files: InstanceFiles, activation: Activation) -> tuple[NodeInfo | None, InstanceFiles]:
    """Return the running node (None: none), and its files: from before or after the activation."""
    new = activation.files_after(files)
    node = running_instance(server, files.config_file, new.config_file)
    is_new = node is not None and not is_same_file(node.config_file, files.config_file)
    return node, new if is_new else files


def runs_previous(node: NodeInfo, files: InstanceFiles, activation: Activation, version: str) -> bool:
    """Return whether a node runs the version before the switch, from the place of that version."""
    return node.version == version and activation.serves_previous(executable_of(node.pid, files.executable), version)


# -- switch


def switch_version(
    server: Server,
    files: InstanceFiles,
    activation: Activation,
    version: str,
    identity: FileIdentity | None,
    wait_s: float,
    clock: Clock,
) -> NodeInfo:
    """Stop the instance, activate the staged version, start that version, and return the node.

    Another instance of the installation, or an interrupted run, may have activated the version. If
    the new version does not serve, the old version is restored and started, and OperationFailed is
    raised. Its ``state`` says whether the old version serves again.
    """
    activated = activation.activated(version)
    if not activated:
        activation.require_staged(version)
    activation.files_after(files).service.require_startable(activation.new_server(), activation.changes_server_path(files.executable))
    if not activated:
        activation.require_activatable(files)
    node, running = running_with_files(server, files, activation)
    old_version, proof = _old_version(node, files, activation, version), StartProof.of(server, node)
    _back_up(node, version, files, activation)
    ensure_down(server, node, running, wait_s, clock)
    try:
        if files.sentinel and files.local:
            _repair_sentinel_config(activation.current_path(files.config_file))
        new = activation.files_after(files) if activation.activated(version) else activation.activate(files, identity)
        started = start(server, new, wait_s, clock)
        if started.version != version:
            raise OperationFailed(
                f"the started server is version {started.version}, not {version}",
                node=str(server.address),
                advice=f"Correct the unit or command, which does not start {new.executable if new.local else 'that version'}",
            )
        proof.require(server, started, new.service, new.local_config)
        return started
    except (SentinelOpsError, OSError) as error:
        raise _revert_after_failure(old_version, server, files, activation, wait_s, clock, error, proof) from error


def _old_version(node: NodeInfo | None, files: InstanceFiles, activation: Activation, version: str) -> str:
    """Return the version to restore if the switch to ``version`` fails."""
    if activation.activated(version):
        return activation.kept_version()
    if not activation.runs_elsewhere(files.executable):
        return activation.installed_version()
    return node.version if node is not None and is_same_file(node.config_file, files.config_file) else binary_version(files.executable)


def _back_up(node: NodeInfo | None, version: str, files: InstanceFiles, activation: Activation) -> None:
    """Back up the configuration of a running old version, unless each version has its own copy."""
    if node is not None and node.version != version and not activation.copies(files.config_file):
        back_up_configuration(files.config_file)


def _repair_sentinel_config(path: str) -> None:
    """Quote the secrets that a stopped Sentinel has written unquoted, for both versions."""
    text = read_text(path)
    repaired = quote_sentinel_secrets(text)
    if repaired != text:
        write_text(path, repaired)


def _revert_after_failure(
    old_version: str,
    server: Server,
    files: InstanceFiles,
    activation: Activation,
    wait_s: float,
    clock: Clock,
    error: Exception,
    proof: StartProof,
) -> OperationFailed:
    """Restore and start the old version; return the error to raise."""
    facts = getattr(error, "facts", {})
    try:
        reverted = revert(server, files, activation, old_version, wait_s, clock, proof=proof)
    except (SentinelOpsError, OSError) as revert_error:
        return OperationFailed(
            f"the new version failed ({error}), and the old version {old_version} could not be started again ({revert_error})",
            node=str(server.address),
            state="The instance is down",
            advice="Start it by hand before anything else",
            **facts,
        )
    names = ", ".join(reverted.set_aside)
    return OperationFailed(
        f"the new version failed: {error}",
        node=str(server.address),
        state=f"The old version {old_version} was restored and serves again"
        + (f", with {' and '.join(reverted.lost)}" if reverted.lost else "")
        + (f"; data that {old_version} could not read was set aside: {names}" if names else ""),
        advice="Fix the cause and run again",
        **{**facts, "set_aside": list(reverted.set_aside)},
    )


# -- revert


def revert(
    server: Server,
    files: InstanceFiles,
    activation: Activation,
    version: str,
    wait_s: float,
    clock: Clock,
    version_at: VersionLookup = lambda _address: None,
    proof: StartProof | None = None,
) -> Reverted:
    """Undo switch_version: stop the new version, restore and start the kept one, unless that
    serves.

    Data files that the old version cannot read are set aside; the master sends the data again.
    ``version_at`` looks up the master's version. ``proof``: the numbers before the switch; by
    default those of the running version. Raises PreconditionFailed, with nothing touched, if the
    old version could not replicate from that master.
    """
    node, running = running_with_files(server, files, activation)
    if node is not None and runs_previous(node, files, activation, version):
        return Reverted(node)
    old = ("valkey" if "valkey" in os.path.basename(files.executable) else "redis", version)
    if not files.sentinel:
        _refuse_format_barrier(server, node, files, old, version_at)
    proof = proof or StartProof.of(server, node)
    ensure_down(server, node, running, wait_s, clock)
    files = activation.revert(files, version)
    proof.repair(files.local_config)
    renamed = [] if files.sentinel else _prepare_data(server, node, files, old)
    started = _start_old(server, node, files, renamed, wait_s, clock)
    return Reverted(started, tuple(renamed), tuple(proof.lost(server, started, files.service, files.local_config)))


def _start_old(server: Server, node: NodeInfo | None, files: InstanceFiles, renamed: list[str], wait_s: float, clock: Clock) -> NodeInfo:
    """Start the old version; replace what that version cannot read, each thing once.

    ``renamed`` gets the new names of data files.
    """
    while True:
        try:
            return start(server, files, wait_s, clock)
        except OperationFailed as error:
            if configuration_was_refused(error) and restore_configuration(files.local_config):
                if not files.sentinel:
                    _follow_master(node, files.local_config)
                continue
            data = [] if files.sentinel or not files.local_config else data_files(files.local_config).all()
            if not data or not data_was_refused(error.facts.get("log_tail", [])) or not configured_master(files.local_config):
                raise
            renamed += set_aside(data, files.local_config)


def _follow_master(node: NodeInfo | None, config_file: str) -> None:
    """Write the current master into a configuration file; ``node``: the data node as it ran."""
    master = master_of(node) if node is not None else None
    if master is not None:
        set_configured_master(config_file, f"{master.host} {master.port}")


def _refuse_format_barrier(
    server: Server, node: NodeInfo | None, files: InstanceFiles, old: tuple[str, str], version_at: VersionLookup
) -> None:
    """Raise PreconditionFailed if the old version could read neither its data nor the master's."""
    named = configured_master(files.local_config).split() if files.local_config else []
    master = master_of(node) if node is not None else Address(named[0], int(named[1])) if len(named) == 2 else None
    if master is None or (node is None and not unreadable(data_files(files.config_file), old)):
        # readable data may allow a partial resynchronisation, which no format prevents
        return
    current = version_at(master)
    if current is not None and not can_downgrade(old, current):
        raise PreconditionFailed(
            f"a rollback to {old[1]} is not possible: its master {master} runs {current[1]}, whose data {old[1]} cannot read",
            node=str(server.address),
            state="The new version was left in place" + ("" if node is not None else ", and does not serve"),
            advice="Fix the cause that keeps the new version from serving; only the restore of a backup leads back to the old version",
        )


def _prepare_data(server: Server, node: NodeInfo | None, files: InstanceFiles, old: tuple[str, str]) -> list[str]:
    """Follow the current master, and set unreadable data aside; return the new names."""
    if not files.local_config:
        return []
    _follow_master(node, files.config_file)
    paths = unreadable(data_files(files.config_file), old)
    if paths and not configured_master(files.config_file):
        raise OperationFailed(
            f"{old[1]} cannot read {', '.join(paths)}, and would start empty: its configuration names no master to get the data from",
            node=str(server.address),
            state="The instance is down",
            advice="Start the new version again by hand, or restore a backup",
        )
    return set_aside(paths, files.config_file)
