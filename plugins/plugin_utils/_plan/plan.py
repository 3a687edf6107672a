# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: a pure function from the survey of all instances to the steps of a run, with reasons.

Nothing here reads or writes anything. The plan is a dictionary of JSON types (Plan.as_dict), since
the plays take their hosts and batch sizes from the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest

from ...module_utils._topology.fence import is_armed, is_fence
from ...module_utils._topology.sentinel import SentinelView, view_from_dict
from .._finding import Finding
from .backup import plan_backup
from .deployments import mixed_deployments, not_chosen, plan_deployments
from .handover_hosts import choose_handover_host, recovery_host
from .installations import installations_of
from .model import Instance, Plan, Settings, ShardPlan, Step
from .reserve import existing_reserve, original_priority, plan_reserve, plan_return, plan_way_back
from .restore import plan_restore
from .rollback import missing_previous, previous_version, rollback_barriers, rolls_back, version_to_run
from .unlisted import Unlisted, depth_in, followers_in, is_node, outsiders, promotion_problems, unlisted_nodes
from .versions import form_problem, version_problems

__all__ = ["make_plan", "may_fail_back"]


def make_plan(instances: Sequence[Instance], settings: Settings) -> Plan:
    """Return the plan for all instances of a deployment; ``problems`` forbid the run."""
    plan = Plan(settings.version, rollback=settings.rollback, problems=form_problem(settings))
    sentinels = [instance for instance in instances if instance.kind == "sentinel"]
    found, homeless = plan_deployments(instances)
    if settings.deployment:
        plan.problems += mixed_deployments(sentinels, settings.deployment)
    elif len(found) > 1:
        plan.deployments, plan.problems = found, plan.problems + homeless
    elif found:
        plan.problems += not_chosen(found[0]["name"], settings.deployments)
    if plan.problems or plan.deployments:
        return plan  # whatever is computed of another version or of two deployments would mislead
    nodes = [instance for instance in instances if instance.kind == "redis"]
    _plan_sentinels(plan, sentinels, settings)
    views = [view_from_dict(view) for sentinel in sentinels for view in sentinel.record.get("views", [])]
    if not views:
        plan.problems.append(
            Finding("plan", "no Sentinel answers, so the master is unknown", "Nothing can be planned", "Fix the Sentinels first", "answers")
        )
    for name in settings.master_names or sorted({view.master.name for view in views}):
        _plan_shard(plan, name, [view for view in views if view.master.name == name], nodes, sentinels, settings)
    plan.problems += _unassigned(plan, nodes) if views else []
    _plan_waves(plan)
    plan.handover_serial = [settings.handovers_at_once]
    plan.installations = list(installations_of(instances, plan.steps))
    plan.pending = [key for key, step in plan.steps.items() if step.do != "skip"]
    plan.has_stopped_instances = any(instance.record.get("stopped") for instance in instances)
    journals = [instance.key for instance in instances if instance.record.get("journal")]
    if settings.rollback and (plan.pending or journals):
        for instance in instances:
            if instance.key in plan.steps:
                plan.problems += missing_previous(instance.host, instance.kind, instance.record, settings.version)
    silent = [instance.key for instance in instances if not instance.record.get("answers")]
    settings_left = [plan.reserve_hosts, plan.release_hosts, plan.unhold_hosts]
    plan.nothing_to_do = not any([plan.pending, plan.fail_back_hosts, plan.recovery_hosts, *settings_left, journals, silent, plan.problems])
    if not plan.nothing_to_do:
        plan.touch([instance.host for instance in instances], settings)
    return plan


def _plan_sentinels(plan: Plan, sentinels: Sequence[Instance], settings: Settings) -> None:
    """Add the steps of all Sentinels; a stopped Sentinel comes first, since it cannot be spared."""
    for instance in sentinels:
        plan.steps[instance.key] = _step(instance, settings)
    pending = [plan.steps[s.key] for s in sentinels if plan.steps[s.key].do != "skip"]
    stopped = [step.host for step in pending if step.do == "resume"]
    running = [step.host for step in pending if step.do != "resume"]
    if settings.rollback:
        plan.first_sentinel_hosts, plan.sentinel_hosts = stopped, running
    else:
        plan.sentinel_hosts = stopped + running


def _plan_waves(plan: Plan) -> None:
    """Collect the hosts of all shards for each play."""
    shards = list(plan.shards.values())
    # a reserve becomes the master first: the others cannot follow another one with the old version
    by_reserve = [shard for shard in shards if plan.rollback and (shard.restore or (shard.reserve and shard.handover))]
    plan.replica_hosts, plan.replica_serial = _waves([_replicas_of(plan, shard) for shard in shards if shard not in by_reserve])
    moving = [shard for shard in shards if shard.handover or shard in by_reserve]
    plan.handover_hosts = [shard.target_host for shard in moving if shard.handover]
    queues = [[*(_replicas_of(plan, shard) if shard in by_reserve else []), shard.master_host] for shard in moving]
    masters_now = [*plan.restore_hosts, *(shard.reserve_host for shard in by_reserve if shard.reserve)]
    queues = [[host for host in queue if host not in masters_now] for queue in queues]
    plan.old_master_hosts, plan.old_master_serial = _waves(queues)
    plan.fail_back_hosts = [shard.original_master_host for shard in shards if shard.fail_back]
    for shard in shards:
        plan_return(plan, shard)
    plan.recovery_hosts = [shard.master_host for shard in shards if shard.recovery_host]


def _step(instance: Instance, settings: Settings, shard: str = "", address: str = "") -> Step:
    record = instance.record
    running = str(record.get("version", ""))
    wanted = version_to_run(record, settings.version) if settings.rollback else settings.version
    if record.get("stopped"):
        do, why = "resume", "an earlier run stopped it and did not start it again"
    elif not record.get("answers"):
        do, why = "skip", "it does not answer"
    elif settings.rollback and running == settings.version == wanted:
        known = "" if previous_version(record)[1] else ", as far as is known"
        do, why = "skip", f"it runs {running}, and ran nothing else before{known}"
    elif running == wanted and not (settings.rollback and rolls_back(record, settings.version)):
        do, why = "skip", f"it runs {wanted} already"
    elif running == wanted:
        do, why = "rollback", f"it runs {wanted} from the kept programs alone"
    else:
        do, why = "rollback" if settings.rollback else "upgrade", f"it runs {running}"
    before = record.get("journal") or record
    return Step(instance.host, instance.kind, do, why, running, shard, address, before.get("config_identity"), wanted)


def _members(views: Sequence[SentinelView], nodes: Sequence[Instance]) -> dict[str, Instance | None]:
    """Return all addresses that any Sentinel names, each with its inventory host or None."""
    run_ids: dict[str, list[str]] = {}
    for view in views:
        run_ids.setdefault(view.master.address, []).append(view.master.run_id)
        for replica in view.replicas:
            run_ids.setdefault(replica.address, []).append(replica.run_id)
    return {address: next((node for node in nodes if is_node(node, address, ids)), None) for address, ids in run_ids.items()}


def _plan_shard(
    plan: Plan, name: str, views: Sequence[SentinelView], nodes: Sequence[Instance], sentinels: Sequence[Instance], settings: Settings
) -> None:
    if not views:
        plan.problems.append(_unknown_shard(name))
        return
    members = _members(views, nodes)
    if all("s_down" in view.master.flags for view in views) and not any(members.values()):
        plan.problems.append(_gone_master(name, views[0].master.address))
        return
    plan.problems += [_not_in_inventory(name, address) for address in sorted(members) if members[address] is None]
    shard = ShardPlan(name, master=views[0].master.address, sentinels=len(sentinels))
    unlisted = unlisted_nodes(name, shard.master, members, nodes)
    members.update({one.address: one.node for one in unlisted})
    # in the order of the inventory, so that the same deployment always gets the same plan
    known = {address: node for node in nodes for address, member in members.items() if member is node}
    for address, node in known.items():
        plan.steps[node.key] = _step(node, settings, name, address)
    shard.nodes = {node.host: address for address, node in known.items()}
    _note_unlisted(plan, shard, unlisted, known)
    shard.replicas = len(members) - 1 - len(shard.upstreams)
    shard.priorities = {node.host: original_priority(node.record) for node in known.values()}
    shard.fenced = [node.host for node in known.values() if _is_fenced(node)]
    counted = max(view.master.replicas for view in views)
    plan.problems += outsiders(shard, members, counted - shard.replicas, nodes)
    if known.get(shard.master) is None:
        return
    shard.handover_host = choose_handover_host(sentinels, list(known.values()), known[shard.master].host, settings, len(plan.shards))
    plan.shards[name] = shard
    undo_file_host = recovery_host(sentinels, name)
    shard.recovery_host = undo_file_host or (shard.handover_host if shard.fenced else "")
    _plan_way_back(settings)(plan, shard, known, settings)
    _assign_roles(plan, shard, known, settings)
    plan.problems += promotion_problems(shard)
    if settings.canary and not settings.rollback:
        _defer(plan, shard, settings)
    plan.problems += _barriers(plan, shard, known, settings)


def _plan_way_back(settings: Settings) -> Callable[[Plan, ShardPlan, Mapping[str, Instance], Settings], None]:
    """Return the function that plans what leads back, or what will."""
    if settings.restore:
        return plan_restore
    return plan_way_back if settings.rollback else plan_reserve


def _barriers(plan: Plan, shard: ShardPlan, known: Mapping[str, Instance], settings: Settings) -> Iterable[Finding]:
    """Return what data formats forbid; a reserve or a backup is the way back, or is given up."""
    nodes = list(known.values())
    if not settings.rollback:
        backed_up = plan_backup(plan, shard, nodes, _replicas_of(plan, shard), settings)
        accepted = settings.accept_no_way_back or backed_up or bool(shard.reserve) or existing_reserve(nodes) is not None
        return version_problems(shard.name, nodes, replace(settings, accept_no_way_back=accepted))
    if shard.reserve or settings.restore:
        return []
    master = (shard.master_host, known[shard.master].record)
    return rollback_barriers(shard.name, master, {node.host: node.record for node in nodes}, settings.version)


def _note_unlisted(plan: Plan, shard: ShardPlan, unlisted: Sequence[Unlisted], known: Mapping[str, Instance]) -> None:
    """Note in the plan which nodes no Sentinel lists, and which replica some of them follow."""
    shard.hidden = [one.node.host for one in unlisted if not one.upstream]
    for one in unlisted:
        if one.upstream:
            # a replica that an earlier run left stopped may be unknown now
            shard.upstreams[one.node.host] = known[one.upstream].host if one.upstream in known else one.upstream
            plan.steps[one.node.key] = replace(plan.steps[one.node.key], upstream=one.upstream)


def _unknown_shard(name: str) -> Finding:
    seen = f"no Sentinel monitors a master named '{name}'"
    return Finding("plan", seen, "The shard is unknown", "Correct redis_upgrade_master_name", "inventory")


def _gone_master(shard: str, address: str) -> Finding:
    return Finding(
        f"shard {shard}",
        f"its master {address} is down, and no data node of it is in the inventory",
        "The Sentinels still monitor it; there is nothing to upgrade",
        f"If it is gone for good: SENTINEL REMOVE {shard} on each Sentinel that monitors it. "
        "Else name the masters to upgrade in redis_upgrade_master_name",
        "inventory",
    )


def _not_in_inventory(shard: str, address: str) -> Finding:
    return Finding(
        f"shard {shard}",
        f"the Sentinels know the data node {address}, which the inventory does not have",
        "The run would leave out a node; or the node is a ghost, and Sentinels wait for it",
        "Add the node to the inventory. If it is gone for good, run SENTINEL RESET on one Sentinel after the other",
        "inventory",
    )


def _is_fenced(node: Instance) -> bool:
    """Return whether a node has a fence of a handover, which is recognised by its own numbers."""
    to_write, max_lag = (int(node.record.get(name) or 0) for name in ("min_replicas_to_write", "min_replicas_max_lag"))
    return is_fence(to_write) or is_armed(max_lag)


def _original_master(known: Mapping[str, Instance], master: str) -> str:
    """Return the master when the upgrade began: from an open journal, else the current master."""
    recorded = [str((node.record.get("journal") or {}).get("original_master", "")) for node in known.values()]
    return next((address for address in recorded if address in known), master)


def _assign_roles(plan: Plan, shard: ShardPlan, known: Mapping[str, Instance], settings: Settings) -> None:
    """Set the master, the target of a handover, and whether there is a fail back."""
    shard.master_host = known[shard.master].host
    shard.original_master = _original_master(known, shard.master)
    shard.original_master_host = known[shard.original_master].host
    leaves = plan.steps[known[shard.master].key].do in ("upgrade", "rollback")
    shard.handover = leaves and shard.master not in (shard.restore, shard.reserve)
    final = shard.master
    if shard.handover:
        listed = [address for address in known if known[address].host not in (*shard.hidden, *shard.upstreams)]
        candidates = [address for address in listed if address != shard.master and shard.priorities[known[address].host] > 0]
        if plan.rollback and (shard.reserve or shard.restore):
            candidates = [shard.restore or shard.reserve]
        followers = followers_in(shard)
        if not candidates:
            plan.problems.append(_no_candidate(shard))
            shard.handover = False
            return

        def rank(address: str) -> tuple[bool, bool, bool, int]:
            # a rollback prefers the original master, so that no fail back is needed
            return (
                _is_unhealthy(known[address]),
                known[address].host in followers,
                settings.rollback and address != shard.original_master,
                shard.priorities[known[address].host],
            )

        shard.target = min(candidates, key=rank)
        shard.target_host = known[shard.target].host
        final = shard.target
    if settings.fail_back and final != shard.original_master:
        shard.fail_back = may_fail_back(shard)
        if not shard.fail_back:
            plan.warnings.append(
                f"no fail back of {shard.name} to {shard.original_master_host}, whose replica-priority is 0, so that no Sentinel makes it "
                f"the master: CONFIG SET replica-priority 100 on {shard.original_master_host} and run again, or hand over by hand later"
            )


def may_fail_back(shard: ShardPlan) -> bool:
    """Return whether a Sentinel would make the original master the master again: by priority."""
    return shard.priorities.get(shard.original_master_host, 100) != 0


def _no_candidate(shard: ShardPlan) -> Finding:
    return Finding(
        f"shard {shard.name}",
        "there is no replica that may become master (none at all, or all have priority 0)",
        f"The master {shard.master} cannot be restarted without an outage",
        "Add a replica, or give one a replica-priority other than 0",
        "target",
    )


def _is_unhealthy(node: Instance) -> bool:
    """Return whether a node is a bad candidate now: it does not answer, or its link is down."""
    return not (node.record.get("answers") and node.record.get("link_up"))


def _replicas_of(plan: Plan, shard: ShardPlan) -> list[str]:
    """Return the replicas to restart: stopped ones, then those that follow another replica (no node
    may be older than the one that it follows), then the target.
    """
    pending = [
        step
        for step in plan.steps.values()
        if step.kind == "redis" and step.shard == shard.name and step.do != "skip" and step.host != shard.master_host
    ]

    def order(step: Step) -> tuple[bool, int, bool]:
        return step.do != "resume", -depth_in(shard, step.host), step.host != shard.target_host

    return [step.host for step in sorted(pending, key=order)]


def _defer(plan: Plan, shard: ShardPlan, settings: Settings) -> None:
    """Skip the steps of a shard that a canary leaves out; stopped instances are always resumed."""
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
    """Return all hosts in waves, and the size of each wave: at most one host of each queue."""
    waves = [[host for host in wave if host is not None] for wave in zip_longest(*queues)]
    return [host for wave in waves for host in wave], [len(wave) for wave in waves]


def _unassigned(plan: Plan, nodes: Sequence[Instance]) -> list[Finding]:
    return [
        Finding(
            node.host,
            "it is in the inventory as a data node and belongs to no shard of this run",
            "The run would leave it as it is",
            "Take it out of the inventory, or name its master in redis_upgrade_master_name",
            "inventory",
        )
        for node in nodes
        if node.key not in plan.steps and node.record.get("answers")
    ]
