# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reserve of a shard: a replica that stays on the old version, as a way back. Pure.

A partial resynchronisation crosses the format barriers that a full one cannot. So a replica that
keeps its link follows a newer master with every write, and can be promoted again. The record of a
survey has ``reserve`` if an earlier run has set the node up for that (see _instance/reserve), and
``replication`` (see reserve_verdict.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ...module_utils._server.versions import can_downgrade, is_newer_line, misses_in_silence
from .._finding import WARNING, Finding
from .model import Instance, Plan, Record, Settings, ShardPlan
from .reserve_verdict import GOOD, Verdict, judge
from .unlisted import followers_in
from .versions import wanted_server

__all__ = ["existing_reserve", "original_priority", "plan_reserve", "plan_return", "plan_way_back", "way_back_finding"]

MIB = 1 << 20
LEAST_BACKLOG = 16 * MIB


def existing_reserve(nodes: Sequence[Instance]) -> Instance | None:
    """Return the node that an earlier run has made the reserve, if there is one."""
    return next((node for node in nodes if (node.record.get("reserve") or {}).get("role") == "reserve"), None)


def original_priority(record: Record) -> int:
    """Return the ``replica-priority`` before any run has changed it.

    That is the one before the node was set up for a reserve, or the journal's, or the current one.
    """
    settings = (record.get("reserve") or {}).get("settings") or {}
    known = [(settings.get("replica-priority") or {}).get("original"), (record.get("journal") or {}).get("priority")]
    return int(next((one for one in known if one is not None), record.get("priority", 100)))


# -- an upgrade


def plan_reserve(plan: Plan, shard: ShardPlan, known: Mapping[str, Instance], settings: Settings) -> None:
    """Leave one replica of the shard on its version, if that is wanted or was so before."""
    nodes = list(known.values())
    reserve, pending = existing_reserve(nodes), [node for node in nodes if plan.steps[node.key].do != "skip"]
    if reserve is not None and reserve.record.get("version") == settings.version:
        reserve = None  # a killed run has upgraded it already
    if reserve is not None and settings.reserve == "false":
        plan.warnings.append(_last_way_back(reserve, shard, settings))
    if reserve is None and settings.reserve == "true" and pending:
        reserve = _chosen(plan, shard, known)
        plan.problems += [*_problems(shard, reserve, known, settings), *_canary_problem(shard, settings)]
    if reserve is None or settings.reserve == "false":
        plan.release_hosts += [node.host for node in nodes if node.record.get("reserve")]
        return
    shard.reserve = next(address for address, node in known.items() if node is reserve)
    shard.reserve_host, shard.reserve_version = reserve.host, str(reserve.record.get("version", ""))
    shard.priorities[reserve.host] = 0
    shard.backlog_bytes = _backlog(known[shard.master].record, nodes, settings)
    why = f"it is the reserve of {shard.name}, and stays on {shard.reserve_version}"
    plan.steps[reserve.key] = replace(plan.steps[reserve.key], do="skip", why=why)
    plan.reserve_hosts += [node.host for node in nodes if not (node.record.get("reserve") or {}).get("held")]


def _chosen(plan: Plan, shard: ShardPlan, known: Mapping[str, Instance]) -> Instance | None:
    """Return the best replica to keep: one whose programs nobody shares, the least preferred one.

    The next master must be another one, so one more candidate must be left.
    """
    followers = followers_in(shard)
    candidates = [
        node
        for address, node in known.items()
        if address != shard.master and node.host not in (*shard.hidden, *shard.upstreams) and shard.priorities[node.host] > 0
    ]
    original = _original_masters(known)
    kept = [
        node
        for node in candidates
        if plan.steps[node.key].do == "upgrade"
        and node.record.get("link_up")
        and not followers.get(node.host)
        and node.host not in original
    ]
    if len(candidates) < 2 or not kept:
        return None
    return max(kept, key=lambda node: (not _shares_programs(node), shard.priorities[node.host], kept.index(node)))


def _original_masters(known: Mapping[str, Instance]) -> list[str]:
    recorded = {str((node.record.get("journal") or {}).get("original_master", "")) for node in known.values()}
    return [node.host for address, node in known.items() if address in recorded]


def _shares_programs(node: Instance) -> bool:
    """Return whether other servers of the host run from the same programs."""
    return any(pid != node.record.get("pid") for pid in node.record.get("neighbours") or [])


def _backlog(master: Record, nodes: Sequence[Instance], settings: Settings) -> int:
    """Return the size that the backlog of every node should have at least, in bytes."""
    set_before = [int((node.record.get("reserve") or {}).get("backlog_bytes") or 0) for node in nodes]
    if max(set_before):
        return max(set_before)
    examined = master.get("examined") or {}
    wanted = float(examined.get("rate_bytes_s") or 0) * settings.reserve_outage_s
    return max(LEAST_BACKLOG, int(examined.get("backlog_bytes") or 0), -(-int(wanted) // MIB) * MIB)


def _problems(shard: ShardPlan, reserve: Instance | None, known: Mapping[str, Instance], settings: Settings) -> Iterator[Finding]:
    """Yield why there can be no reserve."""
    node, why = f"shard {shard.name}", "redis_upgrade_reserve is true, and no replica can stay on the old version as the way back"
    if reserve is None:
        yield Finding(
            node,
            "it has no two replicas that may become master, of which one runs the old version, with its link up, and follows the master",
            why,
            "Add a replica, or upgrade without redis_upgrade_reserve",
            "reserve",
        )
        return
    master = known[shard.master].record
    old = (str(reserve.record.get("server", "redis")), str(reserve.record.get("version", "")))
    new = (wanted_server(reserve.record), settings.version)
    if misses_in_silence(old) and is_newer_line(old, new):
        yield Finding(
            node,
            f"{old[1]} does not understand all that a master with {new[1]} sends, and does not say so",
            why,
            "Upgrade without redis_upgrade_reserve; have a backup",
            "reserve",
        )
    needed, replicas = int(master.get("min_replicas_to_write") or 0), len(known) - 1 - len(shard.upstreams)
    if needed > replicas - 1:
        yield Finding(
            node,
            f"min-replicas-to-write is {needed}, and there are {replicas} replicas",
            "A reserve that has lost its link for good would stop all writes",
            f"CONFIG SET min-replicas-to-write {max(replicas - 1, 0)} on {shard.master_host or shard.master}, add a replica, "
            "or upgrade without redis_upgrade_reserve",
            "reserve",
        )


def _canary_problem(shard: ShardPlan, settings: Settings) -> Iterator[Finding]:
    if settings.canary:
        yield Finding(
            f"shard {shard.name}",
            "redis_upgrade_canary and redis_upgrade_reserve are both set",
            "A canary ends before the handover, so every other node is a way back already",
            "Leave out redis_upgrade_reserve until the run without redis_upgrade_canary",
            "reserve",
        )


def _last_way_back(reserve: Instance, shard: ShardPlan, settings: Settings) -> str:
    old, new = (str(reserve.record.get("server", "redis")), str(reserve.record.get("version", ""))), settings.version
    after = "a rollback is possible" if can_downgrade(old, (wanted_server(reserve.record), new)) else "no node leads back"
    return f"{reserve.host} is the reserve of {shard.name} and is upgraded, too: afterwards {after} from {new} to {old[1]}"


def way_back_finding(shard: ShardPlan, wanted: str) -> Finding:
    """Return the warning that only the reserve leads back."""
    return Finding(
        f"shard {shard.name}",
        f"the only way back from {wanted} to {shard.reserve_version} is the reserve {shard.reserve_host}",
        f"No node with {shard.reserve_version} can read the data of {wanted}; the reserve follows as long as its link lasts, or comes back "
        f"before {shard.backlog_bytes // MIB} MiB of writes, and as long as no client uses what {shard.reserve_version} does not know",
        "Watch it with the playbook reserve; end with the playbook finish, or go back with the playbook rollback",
        "reserve",
        WARNING,
    )


# -- a rollback


def plan_way_back(plan: Plan, shard: ShardPlan, known: Mapping[str, Instance], settings: Settings) -> None:
    """Lead a rollback over the reserve, if there is a good one and the master is to be left.

    The reserve becomes the master first. Then the newer nodes go back, as its replicas.
    """
    nodes = list(known.values())
    plan.release_hosts += [node.host for node in nodes if node.record.get("reserve")]
    reserve = existing_reserve(nodes)
    if reserve is None or reserve.record.get("version") == settings.version:
        return
    if plan.steps[known[shard.master].key].do != "rollback":
        return
    verdict = judge(reserve.record, known[shard.master].record)
    if verdict.state != GOOD:
        plan.problems += _lost_way_back(shard, reserve, known, verdict, settings)
        return
    shard.reserve = next(address for address, node in known.items() if node is reserve)
    shard.reserve_host, shard.reserve_version = reserve.host, str(reserve.record.get("version", ""))
    plan.promotable_hosts.append(reserve.host)


def _lost_way_back(
    shard: ShardPlan, reserve: Instance, known: Mapping[str, Instance], verdict: Verdict, settings: Settings
) -> Iterator[Finding]:
    old, theirs = reserve.record, known[shard.master].record
    pair = [(str(one.get("server", "redis")), str(one.get("version", ""))) for one in (old, theirs)]
    if can_downgrade(*pair):
        return  # the rollback needs no reserve
    yield Finding(
        f"shard {shard.name}",
        f"its reserve {reserve.host} is {verdict.state}: {'; '.join(verdict.reasons)}",
        f"As the master it would lack writes that clients have been told of; and nothing else leads back from {settings.version} to "
        f"{old.get('version')}",
        "Run the playbook reserve, which says more. Wait if the reserve catches up. Otherwise stay on the new version: the playbook finish "
        f"upgrades the reserve, too; its data, as of the moment it lost the link, can be saved before (BGSAVE on {reserve.host})",
        "reserve",
    )


def plan_return(plan: Plan, shard: ShardPlan) -> None:
    """Restart a reserve that runs from the kept programs once it is a replica again."""
    key = f"{shard.reserve_host}/redis"
    if not plan.rollback or not shard.reserve or plan.steps[key].do == "skip":
        return
    if shard.fail_back:
        plan.returning_hosts.append(shard.reserve_host)
    else:
        why = f"it runs {plan.steps[key].running} from the kept programs as the master; its next start is from their place"
        plan.steps[key] = replace(plan.steps[key], do="skip", why=why)
