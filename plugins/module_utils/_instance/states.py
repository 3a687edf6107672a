# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states of redis_instance: one function for each, which returns the module's result.

Each function finds out what runs, decides whether that must change, and acts unless in check mode.
All raise PreconditionFailed, with nothing touched, or OperationFailed, whose ``state`` says what
was left.
"""

from __future__ import annotations

from typing import Any

from .._errors import AccessDenied, CommandRefused, ConnectionFailed, OperationFailed
from .._install.installation_lock import installation_lock
from .._install.instance_files import InstanceFiles
from .._server.address import Address
from .._server.commands import Server
from .._server.connection import connect
from .._server.info import NodeInfo, node_info, parse_info
from .._server.log import last_lines, size_of
from .._signals import uninterrupted
from .._wait import Clock
from .lifecycle import is_same_file, restart, running_instance, start, stop
from .missed_writes import copy_in_full, missed_writes
from .request import InstanceRequest, SwitchRequest, instance_request, switch_request, with_process, with_service
from .start_losses import refuse_lost_commands
from .start_proof import StartProof
from .stop_guards import master_of, refuse_unsafe_stop, refuse_while_replicas_are_missing
from .switch_version import VersionLookup, revert, running_with_files, runs_previous, switch_version

__all__ = ["ensure_state"]


def ensure_state(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Bring the instance into the option ``state``; return the result of redis_instance."""
    if params["state"] == "started":
        return ensure_started(instance_request(params), check_mode)
    if params["state"] == "stopped":
        return ensure_stopped(instance_request(params), check_mode)
    if params["state"] == "switched":
        return ensure_switched(switch_request(params), check_mode)
    if params["state"] == "restored":
        return ensure_restored(switch_request(params), check_mode)
    return ensure_previous(switch_request(params), check_mode)


def ensure_started(request: InstanceRequest, check_mode: bool) -> dict[str, Any]:
    """Start the instance unless it runs, whatever its version."""
    server, log = connect(request.address, request.login), _log_position(request.files)
    node = running_instance(server, request.files.config_file)
    changed = node is None
    if changed and not check_mode:
        files = with_service(request, None)
        with uninterrupted():
            node = start(server, files, request.wait_s, Clock())
    return {**log, **_running(node, changed)}


def ensure_stopped(request: InstanceRequest, check_mode: bool) -> dict[str, Any]:
    """Stop the instance if it runs, and the deployment can do without it or ``force`` is set."""
    server, log = connect(request.address, request.login), _log_position(request.files)
    node = running_instance(server, request.files.config_file)
    if node is None:
        return {**log, "changed": False, "pid": 0}
    if not request.force:
        refuse_unsafe_stop(server, node, request.files.sentinel, Clock())
    if not check_mode:
        stop(server, node, with_service(request, node), request.wait_s, Clock())
    return {**log, "changed": True, "pid": node.pid}


def ensure_switched(request: SwitchRequest, check_mode: bool) -> dict[str, Any]:
    """Activate and start the staged version unless it runs from its place already."""
    server, activation = connect(request.address, request.login), request.activation
    log = {**_log_position(activation.files_after(request.files)), "log_before": last_lines(request.files.log_file)}
    node, _files = running_with_files(server, request.files, activation)
    changed = node is None or node.version != request.version or not activation.in_place(request.version)
    if changed:
        _require_replicas(server, node, request)
    if changed and not check_mode:
        files = _with_old_service(request, node)
        refuse_lost_commands(server, node, files)
        copies = _lacks_writes(node, request)
        with uninterrupted(), installation_lock(activation, request.wait_s, Clock()):
            node = _switch(server, node, files, request)
            if copies:
                copy_in_full(server, node)
    return {**log, **_running(node, changed)}


def _switch(server: Server, node: NodeInfo | None, files: InstanceFiles, request: SwitchRequest) -> NodeInfo:
    activation, clock = request.activation, Clock()
    if activation.activated(request.version) and not activation.kept_version():
        # an interrupted run has activated the version, and nothing is kept to revert to
        new, proof = activation.files_after(files), StartProof.of(server, node)
        started = restart(server, new, request.wait_s, clock)
        proof.require(server, started, new.service, new.local_config)
        return started
    return switch_version(server, files, activation, request.version, request.config_identity, request.wait_s, clock)


def ensure_previous(request: SwitchRequest, check_mode: bool) -> dict[str, Any]:
    """Restore and start the version before the switch unless it runs from its place already."""
    server, activation = connect(request.address, request.login), request.activation
    log, node, changed = _before_return(server, request)
    renamed: tuple[str, ...] = ()
    if changed:
        _require_replicas(server, node, request)
    if changed and not check_mode:
        files, copies = _with_old_service(request, node), _lacks_writes(node, request)
        with uninterrupted(), installation_lock(activation, request.wait_s, Clock()):
            reverted = revert(server, files, activation, request.version, request.wait_s, Clock(), _version_lookup(request))
            if copies:
                copy_in_full(server, reverted.node)
        node, renamed = reverted.node, reverted.set_aside
        if reverted.lost:
            raise OperationFailed(
                f"version {node.version} was restored, with {' and '.join(reverted.lost)}",
                node=str(server.address),
                state="The server serves, with less than before",
                advice="Raise the limits with which it is started, and restart it",
                set_aside=list(renamed),
            )
    return {**log, **_running(node, changed), "set_aside": list(renamed)}


def _before_return(server: Server, request: SwitchRequest) -> tuple[dict[str, Any], NodeInfo | None, bool]:
    """Return the position in the log, the running node, and whether it has to be stopped."""
    activation = request.activation
    log = {**_log_position(request.files), "log_before": last_lines(activation.files_after(request.files).log_file)}
    node, _files = running_with_files(server, request.files, activation)
    return log, node, node is None or not runs_previous(node, request.files, activation, request.version)


def ensure_restored(request: SwitchRequest, check_mode: bool) -> dict[str, Any]:
    """Start the version before the switch with the data of a backup, unless that version runs."""
    from .backup import read_backup, require_version
    from .restore import restore

    server, activation = connect(request.address, request.login), request.activation
    log, node, changed = _before_return(server, request)
    renamed: tuple[str, ...] = ()
    if changed:
        backup = read_backup(request.backup)
        require_version(backup, request.version)
    if changed and not check_mode:
        files = _with_old_service(request, node)
        with uninterrupted(), installation_lock(activation, request.wait_s, Clock()):
            restored = restore(server, files, activation, backup, request.wait_s, Clock())
        node, renamed = restored.node, restored.set_aside
    return {**log, **_running(node, changed), "set_aside": list(renamed)}


def _log_position(files: InstanceFiles) -> dict[str, Any]:
    return {"log_file": files.log_file, "log_offset": size_of(files.log_file)}


def _running(node: NodeInfo | None, changed: bool) -> dict[str, Any]:
    return {"changed": changed, "pid": node.pid if node else 0, "version": node.version if node else ""}


def _with_old_service(request: SwitchRequest, node: NodeInfo | None) -> InstanceFiles:
    """Return the files before the switch with their service.

    The service is found by ``node`` if that runs from these files.
    """
    is_old = node is not None and (not request.files.config_file or is_same_file(node.config_file, request.files.config_file))
    return with_service(with_process(request, node), node if is_old else None)


def _lacks_writes(node: NodeInfo | None, request: SwitchRequest) -> bool:
    """Return whether a running node is a replica that may lack writes of its master."""
    master = master_of(node) if node is not None and not request.files.sentinel else None
    if node is None or master is None:
        return False
    log_file = request.activation.files_after(request.files).log_file or request.files.log_file
    return missed_writes(node, _version_lookup(request)(master), log_file)


def _require_replicas(server: Server, node: NodeInfo | None, request: SwitchRequest) -> None:
    if node is not None and request.replicas:
        refuse_while_replicas_are_missing(server, node, request.replicas, lambda address: _node_at(address, request), Clock())


def _version_lookup(request: InstanceRequest) -> VersionLookup:
    def version_at(address: Address) -> tuple[str, str] | None:
        found = _node_at(address, request)
        return (found.server, found.version) if found else None

    return version_at


def _node_at(address: Address, request: InstanceRequest) -> NodeInfo | None:
    """Return the node at an address, reached with the same login; None if it gives no answer."""
    other = connect(address, request.login)
    try:
        return node_info(parse_info(other.command("INFO")))
    except (ConnectionFailed, CommandRefused, AccessDenied):
        return None
    finally:
        other.close()
