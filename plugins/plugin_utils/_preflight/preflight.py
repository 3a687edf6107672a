# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gates before anything is touched: pure judgements of the survey, all of them at once.

Each subject has a file of its own (_preflight_*); here is what concerns one instance's files,
folders and service manager.
"""

from __future__ import annotations

import os
from typing import Any, Iterator, Mapping, Sequence

from ...module_utils._handover.modes import chosen_mode
from ...module_utils._host.unit_files import is_server_program
from ...module_utils._install.copy_files import inside
from ...module_utils._install.package_paths import DATA_FOLDER, new_name
from ...module_utils._server.versions import can_downgrade
from ...module_utils._topology.sentinel import view_from_dict
from .._finding import REFUSAL, Finding, named
from .._plan.plan import Instance, Plan, ShardPlan, no_way_back, wanted_server
from .._plan.rollback import set_aside_warning
from .data_nodes import of_nodes
from .hosts import of_clocks, of_disks, of_rewriting, of_rights, unreachable_findings
from .leftovers import of_leftovers, of_other_runs
from .restart_cost import of_restarts
from .sentinels import Expected, of_time_limits, of_views

__all__ = ["preflight", "relocations"]


def preflight(
    instances: Sequence[Instance], plan: Plan, max_lag_bytes: int, handover_mode: str = "auto", now_s: float = 0
) -> list[Finding]:
    """Everything that forbids the upgrade now, and everything that is worth a warning; refusals
    first.

    ``now_s``: the controller's time of day after the survey; 0 if clocks shall not be compared.
    Where nothing is to be done, only what is left of earlier runs is judged.
    """
    findings = [*plan.problems, *of_other_runs(instances), *of_leftovers(instances, plan)]
    if not plan.nothing_to_do:
        for instance in instances:
            findings += _of_instance_and_host(instance, plan, handover_mode)
        staged = [instance for instance in instances if instance.key in plan.pending]
        findings += [*named("files", _shared_folders(staged)), *named("service-manager", _shared_units(staged))]
        findings += [*([] if plan.rollback else of_disks(instances, plan)), *of_clocks(instances, now_s)]
        for shard in plan.shards.values():
            nodes = [i for i in instances if i.host in shard.nodes and i.kind == "redis"]
            findings += [*_of_shard(shard, instances, nodes, plan, max_lag_bytes, handover_mode), *of_restarts(shard, nodes, plan)]
    return sorted(findings, key=lambda finding: finding.severity != REFUSAL)


def _of_instance_and_host(instance: Instance, plan: Plan, handover_mode: str) -> Iterator[Finding]:
    record = instance.record
    if record.get("answers") or record.get("stopped"):
        if instance.key in plan.pending:
            yield from named("files", _of_instance(instance))
            if not plan.rollback:  # what was put in place once can be taken back
                yield from named("files", _of_folder(instance))
            yield from named("service-manager", _of_service(instance, str(record.get("folder", ""))))
            if record.get("config_writable"):
                yield from of_rewriting(instance)
    else:
        yield from unreachable_findings(instance)
    yield from of_rights(instance, instance.kind == "redis" and _pauses(instance, handover_mode))


def _of_shard(
    shard: ShardPlan, instances: Sequence[Instance], nodes: Sequence[Instance], plan: Plan, max_lag_bytes: int, handover_mode: str
) -> Iterator[Finding]:
    yield from _of_versions(shard, nodes, plan)
    if shard.fenced:
        return  # in the middle of a handover: play (3/8) finishes that, and judges the shard itself
    views = [view_from_dict(view) for i in instances for view in i.record.get("views", []) if view["master"]["name"] == shard.name]
    stopped = {plan.steps[i.key].address for i in instances if i.record.get("stopped") and i.key in plan.steps}
    stopped_sentinels = sum(1 for i in instances if i.kind == "sentinel" and i.record.get("stopped"))
    yield from of_views(shard.name, views, Expected(shard.sentinels, stopped_sentinels, stopped))
    yield from of_nodes(shard, nodes, max_lag_bytes, any(node.key in plan.pending for node in nodes))
    if (shard.handover or shard.fail_back) and any(_pauses(node, handover_mode) for node in nodes):
        yield from of_time_limits(shard.name, views)


def _of_versions(shard: ShardPlan, nodes: Sequence[Instance], plan: Plan) -> Iterator[Finding]:
    """A way back that is missing and was accepted is told all the same; of a way that is gone back,
    what it costs.
    """
    if plan.rollback:
        for node in nodes:
            yield from set_aside_warning(node.host, node.record, plan.version, shard.master_host)
        return
    if any(problem.check in ("downgrade", "format") for problem in plan.problems):
        return
    for node in nodes:
        server, running = str(node.record.get("server", "redis")), str(node.record.get("version", ""))
        if running and running != plan.version and not can_downgrade((server, running), (wanted_server(node.record), plan.version)):
            yield no_way_back(shard.name, running, plan.version, accepted=True)
            return


def _pauses(node: Instance, handover_mode: str) -> bool:
    """Whether a handover from this node would pause writes."""
    server, version = str(node.record.get("server", "redis")), str(node.record.get("version") or "7.0")
    return chosen_mode(handover_mode, server, version)[0] == "pause"


def _of_instance(instance: Instance) -> Iterator[Finding]:
    """Its owner and its configuration file."""
    record, host = instance.record, instance.host
    owner, ours = record.get("process_owner") or {}, record.get("our_uid")
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
            "The file must be carried over to the new version",
            "Check become, and that the host is the right one",
        )
    elif not record.get("config_writable", True):
        yield Finding(
            host,
            f"the folder of {record['config_file']} is not writable, or the file is a mount",
            "The server cannot save its configuration before it is stopped (CONFIG REWRITE)",
            "Make the folder writable; mount the folder instead of the file",
        )


def _of_folder(instance: Instance) -> Iterator[Finding]:
    """Whether a new version can be put in place."""
    record, host = instance.record, instance.host
    folder, activation = str(record.get("folder", "")), record.get("activation") or {}
    if activation.get("method") == "package":
        yield from _of_packages(instance)
    elif folder in ("/usr", "/usr/local", "/", ""):
        yield Finding(
            host,
            f"the server runs from {record.get('executable')}, which is not in a version folder of its own",
            "Only a version folder (for example /opt/redis-6379/redis, with redis-server in it) can be replaced",
            f"Set redis_upgrade_{instance.kind}_folder for this host, to the version folder that it shall run from from now on",
        )
    elif not record.get("folder_writable", True):
        yield Finding(
            host,
            f"the folder {os.path.dirname(folder)} is not writable",
            "The new version is placed there",
            "Run with become, or as the owner of the folder",
        )
    for doubt in activation.get("doubts", []):
        yield Finding(host, **doubt)
    data = str(record.get("dir", ""))
    if instance.kind == "redis" and data and any(inside(data, place) for place in (folder, str(activation.get("kept") or folder))):
        yield Finding(
            host,
            f"its data folder {data} lies inside the version folder {folder}",
            "The data would stay behind when the new version takes its place",
            "Move the data out: CONFIG SET dir, BGSAVE, CONFIG REWRITE",
        )


def _of_packages(instance: Instance) -> Iterator[Finding]:
    """Whether the unit of the new package can have what the instance has."""
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
            "What it sets would be lost",
            f"Write {new_name(drop_in)}, which may be empty",
        )


def _of_service(instance: Instance, folder: str) -> Iterator[Finding]:
    """Whether its service manager can be used, and can start it from the version folder."""
    record, service = instance.record, instance.record.get("service") or {}
    manager, program = service.get("manager", "process"), str(service.get("program", ""))
    for doubt in service.get("doubts", []):
        yield Finding(instance.host, **doubt)
    if manager == "systemd" and record.get("our_uid") not in (None, 0):
        yield Finding(
            instance.host,
            f"it is run by the unit {service['unit']}, and the modules on this host run as user id {record['our_uid']}",
            "Only root may stop and start it",
            "Run with become",
        )
    if not _starts_from_elsewhere(record):
        return
    if manager == "command":
        yield Finding(
            instance.host,
            f"it runs from {record['executable']}, which is not in {folder}, and is started by a command of yours",
            "That command decides from where it runs",
            f"Let the command start it from {folder}, and restart it once; or take redis_upgrade_{instance.kind}_folder away",
        )
    elif manager == "systemd" and not is_server_program(program):
        yield Finding(
            instance.host,
            f"it runs from {record['executable']}, which is not in {folder}, and its unit {service['unit']} starts it by "
            f"{program or 'several programs'}",
            "Only a unit whose ExecStart names the server itself can be made to start another one",
            f"Let the unit start the server in {folder}, and restart it once",
        )


def _starts_from_elsewhere(record: Mapping[str, Any]) -> bool:
    """Whether it runs from another place than the version folder that was set for it."""
    executable, folder = str(record.get("executable", "")), str(record.get("folder", ""))
    return bool(executable and folder) and not inside(executable, folder)


def _shared_units(instances: Sequence[Instance]) -> Iterator[Finding]:
    units = [(i, (i.host, unit)) for i in instances for unit in [str((i.record.get("service") or {}).get("unit") or "")] if unit]
    for (_host, unit), keys in _shared(units):
        yield Finding(
            keys,
            f"they belong to the same unit {unit}",
            "Stopping it for one of them stops the others",
            "Give each instance a unit of its own",
        )


def _shared_folders(all_instances: Sequence[Instance]) -> Iterator[Finding]:
    instances = [i for i in all_instances if (i.record.get("activation") or {}).get("method") != "package"]

    def owned(instance: Instance, name: str) -> tuple[str, str]:
        record = instance.record
        return str(record.get("machine") or instance.host), str((record.get("activation") or {}).get(name) or record.get("folder"))

    users = _shared([(i, owned(i, "folder")) for i in instances])
    for (_machine, folder), keys in users:
        yield Finding(
            keys,
            f"they share the version folder {folder}",
            "It is replaced as a whole, which would take the files of one instance away while the other is upgraded",
            "Give each instance a version folder (or a link) of its own",
        )
    for (_machine, staged), keys in _shared([(i, owned(i, "staged")) for i in instances]):
        if keys not in [shared for _what, shared in users]:
            yield Finding(
                keys,
                f"their links would point to the same new release {staged}",
                "What one of them has copied there, the other would overwrite",
                "Give each instance a folder of releases of its own",
            )


def _shared(owned: Sequence[tuple[Instance, tuple[str, str]]]) -> list[tuple[tuple[str, str], str]]:
    """What more than one instance has, with the names of those instances."""
    users: dict[tuple[str, str], list[str]] = {}
    for instance, what in owned:
        users.setdefault(what, []).append(instance.key)
    return [(what, ", ".join(keys)) for what, keys in users.items() if len(keys) > 1]


def relocations(instances: Sequence[Instance], plan: Plan) -> list[str]:
    """The instances that will run from elsewhere after the upgrade, for the plan's reader."""
    found = []
    for instance in instances:
        record, service = instance.record, instance.record.get("service") or {}
        activation = record.get("activation") or {}
        if plan.rollback:
            continue  # it has been told what goes back
        if instance.key in plan.pending and activation.get("method") == "package":
            found.append(f"{instance.host} ({instance.kind}) will be run by {activation['unit']} instead of {activation['old_unit']}")
        elif instance.key in plan.pending and _starts_from_elsewhere(record):
            by = f", by a drop-in of {service['unit']}" if service.get("manager") == "systemd" else ""
            found.append(f"{instance.host} ({instance.kind}) runs from {record['executable']} and will run from {record['folder']}{by}")
    return found
