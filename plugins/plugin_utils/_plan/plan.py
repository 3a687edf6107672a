# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: a pure function from the survey of all instances to what will be done, in which order,
and why.

Nothing here reads or writes anything. Instances are given as survey records (see _survey/survey);
the plan is a dictionary of JSON types, since the plays take their hosts and batch sizes from it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from itertools import zip_longest
from typing import Any, Mapping, Sequence

from ...module_utils._server.versions import can_downgrade, can_replicate, is_downgrade
from ...module_utils._topology.fence import is_fence
from ...module_utils._topology.sentinel import SentinelView, view_from_dict
from .._finding import REFUSAL, WARNING, Finding
from .rollback import missing_previous, previous_version, rollback_barriers, rolls_back, version_to_run

__all__ = ["Instance", "Plan", "Settings", "ShardPlan", "Step", "journal_of", "make_plan", "no_way_back", "wanted_server"]

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Instance:
    """One server process: its inventory host, ``redis`` or ``sentinel``, its survey record, and the
    host's address.
    """

    host: str
    kind: str
    record: Record
    host_address: str = ""

    @property
    def key(self) -> str:
        return f"{self.host}/{self.kind}"

    @property
    def port(self) -> str:
        return str(self.record.get("login", "")).rpartition(":")[2]


@dataclass(frozen=True)
class Settings:
    """What the user wants. ``master_names`` empty means every master that the Sentinels monitor.

    ``canary``: end when so many data nodes of each shard run the new version; 0 means to go through
    to the end. ``rollback``: the version is left again, for the one that each instance ran before.
    """

    version: str
    master_names: tuple[str, ...] = ()
    fail_back: bool = True
    accept_no_way_back: bool = False
    handover_host: str = ""
    canary: int = 0
    rollback: bool = False


@dataclass(frozen=True)
class Step:
    """What is done to one instance: ``upgrade``, ``rollback``, ``resume`` (an earlier run stopped
    it) or ``skip``.

    ``wanted``: the version that it runs then. ``config_identity``: owner, group and mode of its
    configuration file before the upgrade (see FileIdentity).
    """

    host: str
    kind: str
    do: str
    why: str
    running: str
    shard: str = ""
    address: str = ""
    config_identity: Mapping[str, int] | None = None
    wanted: str = ""


@dataclass
class ShardPlan:
    """One shard. Hosts are inventory hosts, addresses are ``host:port`` as the Sentinels know them."""

    name: str
    master: str = ""
    master_host: str = ""
    original_master: str = ""
    original_master_host: str = ""
    target: str = ""
    target_host: str = ""
    handover: bool = False
    fail_back: bool = False
    replicas: int = 0
    sentinels: int = 0
    fenced: list[str] = field(default_factory=list)
    priorities: dict[str, int] = field(default_factory=dict)
    nodes: dict[str, str] = field(default_factory=dict)


@dataclass
class Plan:
    """What the plays carry out; ``*_serial`` are the batch sizes of a play over ``*_hosts``.

    ``recovery_hosts``: masters of shards whose interrupted handover is finished first.
    ``touched_hosts``: all hosts, unless there is nothing to do.
    ``has_stopped_instances``: an earlier run left an instance stopped; until it is started again
    not every node can be reached.
    ``deferred``: what a canary leaves for the next run, for a person to read.
    ``rollback``: instances leave ``version``. Sentinels that an earlier run stopped are then in
    ``first_sentinel_hosts``, and the others come last.
    """

    version: str
    handover_host: str = ""
    shards: dict[str, ShardPlan] = field(default_factory=dict)
    steps: dict[str, Step] = field(default_factory=dict)
    sentinel_hosts: list[str] = field(default_factory=list)
    replica_hosts: list[str] = field(default_factory=list)
    replica_serial: list[int] = field(default_factory=list)
    handover_hosts: list[str] = field(default_factory=list)
    old_master_hosts: list[str] = field(default_factory=list)
    old_master_serial: list[int] = field(default_factory=list)
    fail_back_hosts: list[str] = field(default_factory=list)
    recovery_hosts: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    touched_hosts: list[str] = field(default_factory=list)
    deferred: list[str] = field(default_factory=list)
    has_stopped_instances: bool = False
    nothing_to_do: bool = False
    rollback: bool = False
    first_sentinel_hosts: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def make_plan(instances: Sequence[Instance], settings: Settings) -> Plan:
    """The plan for all instances of a deployment; what stands against it is in ``problems``."""
    plan = Plan(settings.version, rollback=settings.rollback)
    sentinels = [instance for instance in instances if instance.kind == "sentinel"]
    nodes = [instance for instance in instances if instance.kind == "redis"]
    plan.handover_host = settings.handover_host or next((s.host for s in sentinels if s.record.get("answers")), "")
    for instance in sentinels:
        plan.steps[instance.key] = _step(instance, settings)
    pending = [plan.steps[s.key] for s in sentinels if plan.steps[s.key].do != "skip"]
    # one that an earlier run stopped comes first: until it is back no other one can be done without
    plan.sentinel_hosts = [step.host for step in sorted(pending, key=lambda step: step.do != "resume")]
    if settings.rollback:
        plan.first_sentinel_hosts = [step.host for step in pending if step.do == "resume"]
        plan.sentinel_hosts = [step.host for step in pending if step.do != "resume"]
    views = _views(sentinels)
    if not views:
        plan.problems.append(
            Finding(
                "plan", "no Sentinel answers, so it cannot be told who is master", "Nothing can be planned", "Mend that first", "answers"
            )
        )
    for name in settings.master_names or sorted({view.master.name for view in views}):
        _plan_shard(plan, name, [view for view in views if view.master.name == name], nodes, len(sentinels), settings)
    plan.problems += _left_over(plan, nodes)
    plan.replica_hosts, plan.replica_serial = _waves([_replicas_of(plan, shard) for shard in plan.shards.values()])
    moving = [shard for shard in plan.shards.values() if shard.handover]
    plan.handover_hosts = [shard.target_host for shard in moving]
    plan.old_master_hosts, plan.old_master_serial = _waves([[shard.master_host] for shard in moving])
    plan.fail_back_hosts = [shard.original_master_host for shard in plan.shards.values() if shard.fail_back]
    plan.recovery_hosts = [shard.master_host for shard in plan.shards.values() if shard.fenced]
    plan.pending = [key for key, step in plan.steps.items() if step.do != "skip"]
    plan.has_stopped_instances = any(instance.record.get("stopped") for instance in instances)
    if settings.rollback:
        _judge_kept(plan, instances, settings)
    silent = [instance.key for instance in instances if not instance.record.get("answers")]
    work = [plan.pending, plan.fail_back_hosts, plan.recovery_hosts, _journals(instances), silent, plan.problems]
    plan.nothing_to_do = not any(work)
    plan.touched_hosts = [] if plan.nothing_to_do else list(dict.fromkeys(instance.host for instance in instances))
    return plan


def _views(sentinels: Sequence[Instance]) -> list[SentinelView]:
    return [view_from_dict(view) for sentinel in sentinels for view in sentinel.record.get("views", [])]


def _journals(instances: Sequence[Instance]) -> list[str]:
    return [instance.key for instance in instances if instance.record.get("journal")]


def _judge_kept(plan: Plan, instances: Sequence[Instance], settings: Settings) -> None:
    """What is kept of the version before. Where nothing goes back, and no upgrade is under way,
    nothing is missing either.
    """
    if not plan.pending and not _journals(instances):
        return
    for instance in instances:
        if instance.key in plan.steps:
            plan.problems += missing_previous(instance.host, instance.kind, instance.record, settings.version)


def _step(instance: Instance, settings: Settings, shard: str = "", address: str = "") -> Step:
    record = instance.record
    running = str(record.get("version", ""))
    wanted = version_to_run(record, settings.version) if settings.rollback else settings.version
    if record.get("stopped"):
        do, why = "resume", "an earlier run stopped it and did not start it again"
    elif not record.get("answers"):
        do, why = "skip", "it does not answer"
    elif settings.rollback and running == settings.version == wanted:
        do, why = (
            "skip",
            f"it runs {running}, and ran nothing else before" + ("" if previous_version(record)[1] else ", as far as is known"),
        )
    elif running == wanted:
        do, why = "skip", f"it runs {wanted} already"
    else:
        do, why = "rollback" if settings.rollback else "upgrade", f"it runs {running}"
    before = record.get("journal") or record
    return Step(instance.host, instance.kind, do, why, running, shard, address, before.get("config_identity"), wanted)


def _matches(node: Instance, address: str, run_ids: Sequence[str]) -> bool:
    """Whether an inventory host is the node that Sentinels know under an address: by run id, else
    by address.
    """
    record = node.record
    if record.get("run_id") and record["run_id"] in run_ids:
        return True
    journal = record.get("journal") or {}
    return address in (journal.get("address"), record.get("login"), f"{node.host_address}:{node.port}")


def _members(views: Sequence[SentinelView], nodes: Sequence[Instance]) -> dict[str, Instance | None]:
    """The addresses that any Sentinel names for the shard, each with its inventory host (None:
    there is none).
    """
    run_ids: dict[str, list[str]] = {}
    for view in views:
        run_ids.setdefault(view.master.address, []).append(view.master.run_id)
        for replica in view.replicas:
            run_ids.setdefault(replica.address, []).append(replica.run_id)
    return {address: next((node for node in nodes if _matches(node, address, ids)), None) for address, ids in run_ids.items()}


def _plan_shard(
    plan: Plan, name: str, views: Sequence[SentinelView], nodes: Sequence[Instance], sentinels: int, settings: Settings
) -> None:
    if not views:
        seen = f"no Sentinel monitors a master named '{name}'"
        plan.problems.append(Finding("plan", seen, "It cannot be upgraded", "Correct redis_upgrade_master_name", "inventory"))
        return
    members = _members(views, nodes)
    for address in sorted(address for address, node in members.items() if node is None):
        plan.problems.append(
            Finding(
                f"shard {name}",
                f"the Sentinels know the data node {address}, which the inventory does not have",
                "It would be left behind; or it is a ghost, and Sentinels wait for it",
                "Add it to the inventory, or, if it is gone for good, forget it with SENTINEL RESET on one Sentinel after the other",
                "inventory",
            )
        )
    # in the order of the inventory, so that the same deployment always gets the same plan
    known = {address: node for node in nodes for address, member in members.items() if member is node}
    for address, node in known.items():
        plan.steps[node.key] = _step(node, settings, name, address)
    shard = ShardPlan(name, replicas=len(members) - 1, sentinels=sentinels)
    shard.nodes = {node.host: address for address, node in known.items()}
    shard.priorities = {node.host: _priority(node) for node in known.values()}
    shard.fenced = [node.host for node in known.values() if is_fence(int(node.record.get("min_replicas_to_write") or 0))]
    shard.master = views[0].master.address
    if known.get(shard.master) is None:
        return
    plan.shards[name] = shard
    _give_roles(plan, shard, known, settings)
    if settings.canary and not settings.rollback:
        _defer(plan, shard, settings)
    if settings.rollback:
        records = {node.host: node.record for node in known.values()}
        plan.problems += rollback_barriers(name, (shard.master_host, records[shard.master_host]), records, settings.version)
    else:
        _judge_versions(plan, shard, list(known.values()), settings)


def _priority(node: Instance) -> int:
    """The priority before any steering: what the journal noted, else what is set."""
    journal = node.record.get("journal") or {}
    return int(journal.get("priority") or node.record.get("priority", 100))


def _original_master(known: Mapping[str, Instance], master: str) -> str:
    """The node that was master when the upgrade began: an unfinished run's journal tells, else it
    is the master now.
    """
    noted = [str((node.record.get("journal") or {}).get("original_master", "")) for node in known.values()]
    return next((address for address in noted if address in known), master)


def _give_roles(plan: Plan, shard: ShardPlan, known: Mapping[str, Instance], settings: Settings) -> None:
    shard.master_host = known[shard.master].host
    shard.original_master = _original_master(known, shard.master)
    shard.original_master_host = known[shard.original_master].host
    shard.handover = plan.steps[known[shard.master].key].do in ("upgrade", "rollback")
    final = shard.master
    if shard.handover:
        candidates = [address for address in known if address != shard.master and shard.priorities[known[address].host] > 0]
        if not candidates:
            plan.problems.append(
                Finding(
                    f"shard {shard.name}",
                    "there is no replica that may become master (none at all, or all have priority 0)",
                    f"The master {shard.master} cannot be upgraded without an outage",
                    "Add a replica, or give one a replica-priority other than 0",
                    "target",
                )
            )
            shard.handover = False
            return

        def rank(address: str) -> tuple[bool, bool, int]:
            # whoever goes back should be home at once
            return (
                _eligible_last(known[address]),
                settings.rollback and address != shard.original_master,
                shard.priorities[known[address].host],
            )

        shard.target = min(candidates, key=rank)
        shard.target_host = known[shard.target].host
        final = shard.target
    shard.fail_back = settings.fail_back and final != shard.original_master


def _eligible_last(node: Instance) -> bool:
    """Nodes that do not serve well now come last in the choice of the target."""
    return not (node.record.get("answers") and node.record.get("link_up"))


def _replicas_of(plan: Plan, shard: ShardPlan) -> list[str]:
    """The replicas to upgrade: one that is stopped first, then the future master, which has the
    longest time to settle.
    """
    pending = [
        step
        for step in plan.steps.values()
        if step.kind == "redis" and step.shard == shard.name and step.do != "skip" and step.host != shard.master_host
    ]
    return [step.host for step in sorted(pending, key=lambda step: (step.do != "resume", step.host != shard.target_host))]


def _defer(plan: Plan, shard: ShardPlan, settings: Settings) -> None:
    """Leaves of the shard's steps only what a canary needs. What an earlier run has stopped is
    started in any case.
    """
    own = {key: step for key, step in plan.steps.items() if step.kind == "redis" and step.shard == shard.name}
    upgraded = sum(step.running == settings.version and step.do == "skip" for step in own.values())
    chosen = _replicas_of(plan, shard)[: max(settings.canary - upgraded, 0)]
    for key, step in own.items():
        if step.do == "upgrade" and step.host not in chosen:
            plan.steps[key] = replace(step, do="skip", why=f"it runs {step.running}, and waits for a run without redis_upgrade_canary")
            plan.deferred.append(step.host)
    if shard.fail_back and not shard.handover:
        plan.deferred.append(f"the fail back of {shard.name} to {shard.original_master_host}")
    shard.handover = shard.fail_back = False


def _waves(queues: Sequence[Sequence[str]]) -> tuple[list[str], list[int]]:
    """Hosts in waves, at most one of each queue (shard) per wave: the hosts in order, and the size
    of each wave.
    """
    waves = [[host for host in wave if host is not None] for wave in zip_longest(*queues)]
    return [host for wave in waves for host in wave], [len(wave) for wave in waves]


def wanted_server(record: Mapping[str, Any]) -> str:
    """``redis`` or ``valkey``: what the instance shall run, which only packages change."""
    return str((record.get("activation") or {}).get("product") or record.get("server", "redis"))


def _judge_versions(plan: Plan, shard: ShardPlan, nodes: Sequence[Instance], settings: Settings) -> None:
    for node in nodes:
        server, running = str(node.record.get("server", "redis")), str(node.record.get("version", ""))
        if not running or running == settings.version:
            continue
        wanted = (wanted_server(node.record), settings.version)
        if wanted[0] == server and is_downgrade(running, settings.version):
            plan.problems.append(
                Finding(
                    node.host,
                    f"{node.host} runs {running}, which is newer than the wanted {settings.version}: a downgrade is refused",
                    "An older server may be unable to read the data",
                    "Correct redis_upgrade_version",
                    "downgrade",
                )
            )
        elif not can_replicate((server, running), wanted):
            plan.problems.append(
                Finding(
                    node.host,
                    f"a replica with {settings.version} cannot read the data of a master with {running}",
                    "The first replica that is upgraded could not follow the master",
                    "Choose another version; there may be one in between",
                    "format",
                )
            )
        elif not can_downgrade((server, running), wanted) and not settings.accept_no_way_back:
            plan.problems.append(no_way_back(shard.name, running, settings.version, accepted=False))
            return


def journal_of(record: Record, plan: Mapping[str, Any], step: Mapping[str, Any]) -> dict[str, Any]:
    """What an instance's journal notes: all that could not be asked any more once the instance is
    stopped.

    Of one that goes back it is what the upgrade's journal noted, so that an interrupted rollback is
    like an interrupted upgrade.
    """
    noted = (
        "kind",
        "server",
        "version",
        "executable",
        "config_file",
        "config_identity",
        "folder",
        "activation",
        "log_file",
        "process_owner",
        "service",
        "priority",
    )
    source = record["before"] if plan.get("rollback") and rolls_back(record, plan["version"]) else record
    journal = {name: source[name] for name in noted if name in source}
    journal.update({"priority": record["priority"]} if "priority" in record else {})
    shard = plan["shards"].get(step.get("shard"))
    if shard is not None:
        journal.update(shard=step["shard"], address=step["address"], original_master=shard["original_master"])
    return journal


def no_way_back(shard: str, running: str, wanted: str, accepted: bool) -> Finding:
    """What it means that an older server cannot read the new one's data; a warning once it is
    accepted.
    """
    return Finding(
        f"shard {shard}",
        f"there is no way back from {wanted} to {running}",
        f"Once the master runs {wanted}, a node with {running} cannot read its data: it could not follow any more, a failed node could not "
        "be put back, and only a restore from a backup leads back, without all that was written since",
        "Nothing, it was accepted (redis_upgrade_accept_no_way_back). Have a backup"
        if accepted
        else "Make a backup, and accept that with redis_upgrade_accept_no_way_back: true",
        "format",
        WARNING if accepted else REFUSAL,
    )


def _left_over(plan: Plan, nodes: Sequence[Instance]) -> list[Finding]:
    return [
        Finding(
            node.host,
            f"{node.host} is in the inventory as a data node ({node.record.get('login')}) and belongs to no shard that is to be upgraded",
            "It would be left as it is",
            "Take it out, or name its master in redis_upgrade_master_name",
            "inventory",
        )
        for node in nodes
        if node.key not in plan.steps and node.record.get("answers")
    ]
