# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gates before anything is touched: pure judgements of the survey, all of them at once.

Each finding says on which node, what was seen, why that matters, and what to do.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any, Iterator, Mapping, Sequence

from ._carry import inside
from ._election import ineligible_because
from ._modes import chosen_mode
from ._places import DATA_FOLDER, new_name
from ._plan import Instance, Plan
from ._sentinel import SentinelView, disagreements, view_from_dict
from ._shard import MAX_HELLO_AGE_MS, MIN_PAUSE_BUDGET_MS, pause_budget_ms
from ._units import is_server_program

__all__ = ["Finding", "moves", "preflight", "warnings"]


@dataclass(frozen=True)
class Finding:
    """Something that must be mended before the upgrade may begin."""

    node: str
    seen: str
    why: str
    do: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.node}: {self.seen}. {self.why}. {self.do}."


def preflight(instances: Sequence[Instance], plan: Plan, max_lag_bytes: int, handover_mode: str = "auto") -> list[Finding]:
    """Everything that forbids the upgrade now; empty if it may begin. Nothing is judged where nothing is to be done."""
    findings = [Finding("plan", problem.rstrip("."), "The plan cannot be made", "Mend it and run again") for problem in plan.problems]
    if plan.nothing_to_do and not findings:
        return []
    for instance in instances:
        findings += _of_instance(instance, plan)
    findings += _shared_folders([instance for instance in instances if instance.key in plan.to_stage])
    findings += _shared_units([instance for instance in instances if instance.key in plan.to_stage])
    for name, shard in plan.shards.items():
        if shard.fenced:
            continue  # in the middle of a handover: play (3/8) finishes that, and judges the shard itself
        views = [
            view_from_dict(view) for instance in instances for view in instance.record.get("views", []) if view["master"]["name"] == name
        ]
        stopped = {plan.steps[i.key].address for i in instances if i.record.get("stopped") and i.key in plan.steps}
        stopped_sentinels = sum(1 for i in instances if i.kind == "sentinel" and i.record.get("stopped"))
        findings += _of_views(name, views, shard.sentinels, stopped_sentinels, stopped)
        nodes = [i for i in instances if i.host in shard.nodes and i.kind == "redis"]
        findings += _of_data(name, nodes, max_lag_bytes)
        if (shard.handover or shard.fail_back) and any(_pauses(node, handover_mode) for node in nodes):
            findings += _of_time_limits(name, views)
    return findings


def _of_instance(instance: Instance, plan: Plan) -> Iterator[Finding]:
    record, host = instance.record, instance.host
    if not record.get("answers") and not record.get("stopped"):
        yield Finding(
            host,
            f"the {'Sentinel' if instance.kind == 'sentinel' else 'data node'} does not answer ({record.get('error')})",
            "A deployment that lacks a node already is not safe to upgrade",
            "Start it, or take it out of the inventory and let the Sentinels forget it (SENTINEL RESET)",
        )
        return
    if instance.key not in plan.to_stage:
        return
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
    yield from _of_service(instance, folder)
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


def _of_views(
    name: str, views: Sequence[SentinelView], sentinels: int, stopped_sentinels: int, stopped: Sequence[str] | set[str]
) -> Iterator[Finding]:
    for difference in disagreements(views):
        yield Finding(
            f"shard {name}",
            f"the Sentinels disagree on the {difference}",
            "Who is master must be beyond doubt",
            "Wait until they agree, or find the Sentinel that is cut off",
        )
    for view in views:
        yield from _of_view(name, view, sentinels, stopped_sentinels, stopped)
    if views:
        quorum = max(view.master.quorum for view in views)
        majority = sentinels // 2 + 1
        if sentinels - 1 < max(quorum, majority):
            yield Finding(
                f"shard {name}",
                f"there are {sentinels} Sentinels, and {max(quorum, majority)} are needed for a failover",
                "While one of them restarts nobody could replace a master that dies",
                "Add a Sentinel",
            )


def _of_view(name: str, view: SentinelView, sentinels: int, stopped_sentinels: int, stopped: Sequence[str] | set[str]) -> Iterator[Finding]:
    node = f"Sentinel {view.address}, shard {name}"
    if view.tilt:
        yield Finding(node, "it is in TILT", "It does not act on failures now", "Wait 30 s; check the host's clock and load")
    if view.master.failover_in_progress:
        yield Finding(node, "a failover is in progress", "The roles are about to change", "Wait until it has ended")
    bad = [flag for flag in view.master.flags if flag in ("s_down", "o_down", "disconnected")]
    if bad:
        yield Finding(node, f"it flags the master {', '.join(bad)}", "A failover may begin at any moment", "Mend the master first")
    if not view.quorum_ok and not stopped_sentinels:
        yield Finding(node, view.quorum_reply, "No failover could be agreed on", "Bring the missing Sentinels back")
    if view.master.other_sentinels + 1 != sentinels:
        yield Finding(
            node,
            f"it knows {view.master.other_sentinels + 1} Sentinels, the inventory has {sentinels}",
            "A Sentinel that is missing, or a ghost that still counts as a voter, endangers the majority",
            "Complete the inventory, or remove ghosts with SENTINEL RESET on one Sentinel after the other",
        )
    for peer in view.peers:
        if "s_down" in peer.flags and not stopped_sentinels:
            yield Finding(
                node,
                f"it does not reach the Sentinel {peer.address}",
                "All must take part in the handover",
                "Start that Sentinel or mend the network",
            )
        elif peer.hello_age_ms > 5 * MAX_HELLO_AGE_MS and not stopped_sentinels:
            yield Finding(
                node,
                f"it last heard of the Sentinel {peer.address} {peer.hello_age_ms} ms ago",
                "It would learn of the new master late",
                "Mend the network between them",
            )
    for replica in view.replicas:
        why = ineligible_because(replica)
        if why and replica.address not in stopped and replica.priority != 0:
            yield Finding(
                node,
                f"the replica {replica.address} is not in order: {why}",
                "One replica after the other is restarted, so the rest must be able to take over",
                "Mend the replica",
            )


def _pauses(node: Instance, handover_mode: str) -> bool:
    """Whether a handover from this node would pause writes."""
    server, version = str(node.record.get("server", "redis")), str(node.record.get("version", ""))
    return chosen_mode(handover_mode, server, version)[0] == "pause"


def _of_time_limits(name: str, views: Sequence[SentinelView]) -> Iterator[Finding]:
    for view in views:
        if pause_budget_ms(view.master.down_after_ms) < MIN_PAUSE_BUDGET_MS:
            yield Finding(
                f"Sentinel {view.address}, shard {name}",
                f"down-after-milliseconds is {view.master.down_after_ms}",
                "A write pause that is long enough for the handover would look like a dead master",
                f"SENTINEL SET {name} down-after-milliseconds 2000 (or more), on every Sentinel; or set redis_upgrade_handover_mode: fence",
            )


def _of_data(name: str, nodes: Sequence[Instance], max_lag_bytes: int) -> Iterator[Finding]:
    masters = [node for node in nodes if node.record.get("role") == "master"]
    if len(masters) != 1:
        who = ", ".join(node.host for node in masters) or "none"
        yield Finding(
            f"shard {name}",
            f"role:master is seen on {len(masters)} nodes ({who})",
            "Exactly one node may accept writes",
            "Find out which one is right and make the others its replicas",
        )
        return
    head = int(masters[0].record.get("offset", 0))
    for node in nodes:
        record = node.record
        if record.get("stopped") or not record.get("answers") or record.get("role") == "master":
            continue
        if record.get("loading"):
            yield Finding(node.host, "it is loading its data", "It cannot take over", "Wait until it has loaded")
        elif not record.get("link_up"):
            yield Finding(
                node.host,
                "its link to the master is down",
                "It cannot take over",
                "Mend the replication; its log says why it fails",
            )
        elif head - int(record.get("offset", 0)) > max_lag_bytes:
            yield Finding(
                node.host,
                f"it lags {head - int(record.get('offset', 0))} bytes behind the master",
                f"More than {max_lag_bytes} bytes cannot be caught up in a short pause",
                "Wait, or lower the write rate",
            )


def moves(instances: Sequence[Instance], plan: Plan) -> list[str]:
    """The instances that will run from elsewhere after the upgrade, for the plan's reader."""
    found = []
    for instance in instances:
        record, service = instance.record, instance.record.get("service") or {}
        activation = record.get("activation") or {}
        if instance.key in plan.to_stage and activation.get("method") == "package":
            found.append(f"{instance.host} ({instance.kind}) will be run by {activation['unit']} instead of {activation['old_unit']}")
        elif instance.key in plan.to_stage and _starts_from_elsewhere(record):
            by = f", by a drop-in of {service['unit']}" if service.get("manager") == "systemd" else ""
            found.append(f"{instance.host} ({instance.kind}) runs from {record['executable']} and will run from {record['folder']}{by}")
    return found


def warnings(instances: Sequence[Instance]) -> list[str]:
    """What the operator should know, and what does not stop the upgrade."""
    found = []
    for instance in instances:
        record = instance.record
        if instance.kind == "redis" and record.get("answers") and not record.get("save") and record.get("appendonly") == "no":
            found.append(
                f'{instance.host} has no persistence (save "", appendonly no): its restart needs a full synchronisation from the master'
            )
    return found
