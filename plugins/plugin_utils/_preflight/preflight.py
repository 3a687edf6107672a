# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preflight: all checks before a run touches anything. Pure functions of the survey.

The other files of this folder each check one subject. This file also checks the files, folders and
service manager of each instance.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...module_utils._handover.modes import chosen_mode
from ...module_utils._host.unit_files import UNREAD, is_server_program
from ...module_utils._install.copy_files import inside
from ...module_utils._install.package_paths import DATA_FOLDER, new_name
from ...module_utils._topology.sentinel import view_from_dict
from .._finding import REFUSAL, Finding, named
from .._plan.backup import backup_finding
from .._plan.model import Instance, Plan, ShardPlan
from .._plan.reserve import way_back_finding
from .._plan.rollback import missed_writes_warning, set_aside_warning
from .._plan.versions import crosses_barrier, no_way_back, wanted_server
from .consequences import causes, merged
from .data_nodes import error_findings, node_findings
from .following import following_findings, unlisted_findings
from .hosts import (
    backup_space_findings,
    clock_findings,
    disk_findings,
    rewrite_findings,
    rights_findings,
    unknown_findings,
    unreachable_findings,
)
from .included import included_findings
from .installations import files_findings, machine_findings, noexec_findings, shared_by, shared_place_findings, stranger_findings
from .leftovers import leftover_findings, other_run_findings
from .own_commands import by_commands, command_findings
from .packages import package_notes
from .restart_cost import restart_findings
from .scripts import script_findings
from .sentinels import Expected, other_master_findings, time_limit_findings, view_findings
from .start import shared_config_findings, start_findings
from .users import user_findings

__all__ = ["preflight", "relocations"]


def preflight(
    instances: Sequence[Instance], plan: Plan, max_lag_bytes: int, handover_mode: str = "auto", now_s: float = 0
) -> list[Finding]:
    """Return all findings, refusals first.

    ``now_s``: the controller's time of day after the survey; 0 if clocks are not to be compared. If
    there is nothing to do, only leftovers of earlier runs and missed writes are checked.
    """
    findings = [*plan.problems, *other_run_findings(instances), *leftover_findings(instances, plan)]
    findings += error_findings(instances, plan.pending)
    if not plan.nothing_to_do:
        for instance in instances:
            findings += _instance_findings(instance, plan, handover_mode)
        staged = [instance for instance in instances if instance.key in plan.pending]
        findings += [*named("files", shared_place_findings(staged, instances)), *named("service-manager", _shared_units(staged))]
        findings += [*named("files", stranger_findings(plan)), *shared_config_findings(staged)]
        findings += [*([] if plan.rollback else disk_findings(instances, plan)), *clock_findings(instances, now_s)]
        findings += backup_space_findings(instances, plan)
        findings += named("one-machine", machine_findings(instances, plan))
        findings += _other_master_findings(instances, plan)
        for shard in plan.shards.values():
            nodes = [i for i in instances if i.host in shard.nodes and i.kind == "redis"]
            findings += [
                *_shard_findings(shard, instances, nodes, plan, max_lag_bytes, handover_mode),
                *restart_findings(shard, nodes, plan),
                *script_findings(shard, nodes, plan),
            ]
    return sorted(merged(causes(findings, instances, plan)), key=lambda finding: finding.severity != REFUSAL)


def _instance_findings(instance: Instance, plan: Plan, handover_mode: str) -> Iterator[Finding]:
    record = instance.record
    if record.get("answers") or record.get("stopped"):
        if instance.key in plan.pending:
            yield from command_findings(instance, plan)
            local = not by_commands(record)
            yield from named("files", _config_findings(instance) if local else ())
            # a version that was put in place can be reverted
            yield from named("files", _folder_findings(instance) if local and not plan.rollback else ())
            yield from named("service-manager", _service_findings(instance, str(record.get("folder", ""))))
            yield from start_findings(instance)
            yield from included_findings(instance, wanted_server(record), plan.version) if local else ()
            yield from user_findings(instance)
            if record.get("config_writable"):
                yield from rewrite_findings(instance)
    else:
        yield from unreachable_findings(instance)
    backed_up = instance.kind == "redis" and instance.host in plan.backed_up_hosts
    yield from rights_findings(instance, instance.kind == "redis" and _pauses(instance, handover_mode), backed_up)
    yield from unknown_findings(instance, backed_up)


def _other_master_findings(instances: Sequence[Instance], plan: Plan) -> Iterator[Finding]:
    for instance in instances:
        views = [view_from_dict(view) for view in instance.record.get("views", []) if view["master"]["name"] not in plan.shards]
        yield from other_master_findings(views if plan.shards else [])


def _shard_findings(
    shard: ShardPlan, instances: Sequence[Instance], nodes: Sequence[Instance], plan: Plan, max_lag_bytes: int, handover_mode: str
) -> Iterator[Finding]:
    yield from _version_findings(shard, nodes, plan)
    if shard.fenced:
        return  # an interrupted handover: the recovery play finishes and checks it
    views = [view_from_dict(view) for i in instances for view in i.record.get("views", []) if view["master"]["name"] == shard.name]
    stopped = {plan.steps[i.key].address for i in instances if i.record.get("stopped") and i.key in plan.steps}
    stopped_sentinels = sum(1 for i in instances if i.kind == "sentinel" and i.record.get("stopped"))
    yield from view_findings(shard.name, views, Expected(shard.sentinels, stopped_sentinels, stopped))
    yield from following_findings(shard, nodes)
    yield from unlisted_findings(shard)
    yield from node_findings(shard, nodes, max_lag_bytes, plan.pending)
    if (shard.handover or shard.fail_back) and any(_pauses(node, handover_mode) for node in nodes):
        yield from time_limit_findings(shard.name, views)


def _version_findings(shard: ShardPlan, nodes: Sequence[Instance], plan: Plan) -> Iterator[Finding]:
    """Yield warnings about data formats: a missing way back, or the cost of a rollback."""
    if plan.rollback:
        for node in nodes:
            yield from set_aside_warning(node.host, node.record, plan.version, shard.master_host)
        yield from missed_writes_warning(shard.name, {node.host: node.record for node in nodes}, plan.version)
        return
    if any(problem.check in ("downgrade", "format") for problem in plan.problems):
        return
    for node in nodes:
        if crosses_barrier(node.record, plan.version):
            if shard.reserve:
                yield way_back_finding(shard, plan.version)
            elif shard.backup_host:
                yield backup_finding(shard, plan.version)
            else:
                yield no_way_back(shard.name, str(node.record["version"]), plan.version, accepted=True)
            return


def _pauses(node: Instance, handover_mode: str) -> bool:
    """Return whether a handover from this node would pause writes."""
    server, version = str(node.record.get("server", "redis")), str(node.record.get("version") or "7.0")
    return chosen_mode(handover_mode, server, version)[0] == "pause"


def _config_findings(instance: Instance) -> Iterator[Finding]:
    """Yield what is wrong with the owner and the configuration file of an instance."""
    record, host = instance.record, instance.host
    owner, ours = record.get("process") or {}, record.get("our_uid")
    if owner and ours not in (None, 0, owner["uid"]):
        yield Finding(
            host,
            f"the server runs as user id {owner['uid']}, and the modules on this host as {ours}",
            "It could not be started again as the same user",
            "Run with become",
        )
    if not record.get("config_file"):
        yield Finding(
            host,
            "the server runs without a configuration file",
            "Its settings would be lost at the restart",
            "Start it with a configuration file",
        )
    elif record.get("config_identity") is None:
        yield Finding(
            host,
            f"its configuration file {record['config_file']} cannot be seen on this host",
            "The file must be copied to the folder of the new version",
            "Check become, and whether this is the right host",
        )
    elif not record.get("config_writable", True):
        yield Finding(
            host,
            f"the folder of {record['config_file']} is not writable, or the file is a mount",
            "The server cannot save its configuration before it is stopped (CONFIG REWRITE)",
            "Make the folder writable; mount the folder instead of the file",
        )


def _folder_findings(instance: Instance) -> Iterator[Finding]:
    """Yield why a new version cannot be put in place."""
    record, host = instance.record, instance.host
    folder, activation = str(record.get("folder", "")), record.get("activation") or {}
    if activation.get("method") == "package":
        yield from _package_findings(instance)
    elif activation.get("method") == "files":
        yield from files_findings(instance)
    elif folder in ("/usr", "/usr/local", "/", ""):
        yield Finding(
            host,
            f"the server runs from {record.get('executable')}, which is not in a version folder of its own",
            "Only a version folder (for example /opt/redis-6379/redis, with redis-server in it) can be replaced",
            f"Set redis_upgrade_{instance.kind}_folder for this host, to the version folder to run from in future",
        )
    elif not record.get("folder_writable", True):
        yield Finding(
            host,
            f"the folder {os.path.dirname(folder)} is not writable",
            "The new version is placed there",
            "Run with become, or as the owner of the folder",
        )
    yield from noexec_findings(instance)
    for doubt in activation.get("doubts", []):
        yield Finding(host, **doubt)
    data = "" if activation.get("method") == "files" else str(record.get("dir", ""))
    if instance.kind == "redis" and data and any(inside(data, place) for place in (folder, str(activation.get("kept") or folder))):
        yield Finding(
            host,
            f"its data folder {data} lies inside the version folder {folder}",
            "The data would stay behind when the new version takes the place of the folder",
            "Move the data to another folder: CONFIG SET dir, BGSAVE, CONFIG REWRITE",
        )


def _package_findings(instance: Instance) -> Iterator[Finding]:
    """Yield what the unit of the new package cannot take over from the instance."""
    data = str(instance.record.get("dir", ""))
    if instance.kind == "redis" and data and not inside(data, DATA_FOLDER):
        yield Finding(
            instance.host,
            f"its data folder {data} is not in {DATA_FOLDER}",
            "The unit of the new package may not write there",
            f"Move the data there (CONFIG SET dir, BGSAVE, CONFIG REWRITE), or use a version folder (redis_upgrade_{instance.kind}_folder)",
        )
    for drop_in in instance.record["activation"].get("drop_ins", []):
        yield Finding(
            instance.host,
            f"its unit has the drop-in {drop_in}, and the unit of the new package has none of that name",
            "The settings of the drop-in would be lost",
            f"Write {new_name(drop_in)}, which may be empty",
        )


def _service_findings(instance: Instance, folder: str) -> Iterator[Finding]:
    """Yield why the service manager cannot start the instance from its version folder."""
    record, service = instance.record, instance.record.get("service") or {}
    manager, program = service.get("manager", "process"), str(service.get("program", ""))
    # a killed installation of packages has left their units unread, and this run completes it
    completes = record.get("interrupted") and (record.get("activation") or {}).get("method") == "package_update"
    for doubt in service.get("doubts", []):
        if not (completes and UNREAD in doubt["seen"]):
            yield Finding(instance.host, **doubt)
    if manager == "systemd" and record.get("our_uid") not in (None, 0):
        yield Finding(
            instance.host,
            f"it is run by the unit {service['unit']}, and the modules on this host run as user id {record['our_uid']}",
            "Only root may stop and start the unit",
            "Run with become",
        )
    if not _starts_from_elsewhere(record):
        return
    if manager == "command":
        yield Finding(
            instance.host,
            f"it runs from {record['executable']}, which is not in {folder}, and is started by a command of yours",
            "That command decides from which folder the server runs",
            f"Let the command start the server from {folder}, and restart it once; or remove redis_upgrade_{instance.kind}_folder",
        )
    elif manager == "systemd" and not is_server_program(program):
        yield Finding(
            instance.host,
            f"it runs from {record['executable']}, which is not in {folder}, and its unit {service['unit']} starts it by "
            f"{program or 'several programs'}",
            "Only a unit whose ExecStart names the server itself can be made to start another server",
            f"Let the unit start the server in {folder}, and restart it once",
        )


def _starts_from_elsewhere(record: Mapping[str, Any]) -> bool:
    """Return whether an instance runs from another place than its version folder."""
    executable, folder = str(record.get("executable", "")), str(record.get("folder", ""))
    return bool(executable and folder) and not inside(executable, folder)


def _shared_units(instances: Sequence[Instance]) -> Iterator[Finding]:
    units = [(i, (i.host, unit)) for i in instances for unit in [str((i.record.get("service") or {}).get("unit") or "")] if unit]
    for (_host, unit), keys in shared_by(units):
        yield Finding(
            keys,
            f"they belong to the same unit {unit}",
            "Stopping it for one of them stops the others",
            "Give each instance a unit of its own",
        )


def relocations(instances: Sequence[Instance], plan: Plan) -> list[str]:
    """Return notes for the plan about instances that get another folder, unit or package."""
    found = []
    for instance in instances:
        record, service = instance.record, instance.record.get("service") or {}
        activation = record.get("activation") or {}
        if plan.rollback:
            continue  # the plan says to which version each instance rolls back
        if instance.key in plan.pending and activation.get("method") == "package":
            found.append(f"{instance.host} ({instance.kind}) will be run by {activation['unit']} instead of {activation['old_unit']}")
        elif instance.key in plan.pending and _starts_from_elsewhere(record):
            by, then = "", "what starts it at boot must start it there"
            if service.get("manager") == "systemd":
                by, then = f", by a drop-in of {service['unit']}", "hold its package, if it has one: an upgrade of that restarts the unit"
            moves = f"{instance.host} ({instance.kind}) runs from {record['executable']} and will run from {record['folder']}{by}"
            found.append(f"{moves}; {then}")
    return [*found, *package_notes(instances, plan)]
