# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan, the report and the result of a handover as lines for a person to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from . import reserve_text
from .audit import audit_lines
from .backup import backup_lines
from .deployments import deployment_lines
from .estimate_text import estimate_lines
from .installations import installation_lines
from .restore import restore_lines
from .steps import Play, plays_of

__all__ = ["handover_lines", "plan_lines", "report_lines"]

WAYS_BACK = (*reserve_text.PLAYS, "backup", "hold", "restore", "unhold", "returning")


def plan_lines(plan: Mapping[str, Any]) -> list[str]:
    """Return the plan as lines, numbered like the plays of the run."""
    version, rollback = plan["version"], bool(plan.get("rollback"))
    if plan["deployments"]:
        return deployment_lines(plan["deployments"])
    masters = ", ".join(f"{name} (master {shard['master_host']})" for name, shard in plan["shards"].items())
    if plan["nothing_to_do"]:
        if not rollback:
            reserves = reserve_text.reserves_of(plan)
            but = "".join(f" but {one['host']}" for one in reserves.values())
            return [f"Nothing to do: every instance{but} runs {version}, {masters}", *reserve_text.reserve_notes(reserves)]
        return [f"Nothing to do: no instance can be rolled back from {version}, {masters}", *_other_lines(plan)]
    what = f"Roll back from {version}" if rollback else f"Upgrade to {version}"
    if plan["restore_hosts"]:
        what = f"Restore the backups, with the loss of all later writes, and roll back from {version}"
    lines = [f"{what}, one step after the other:"]
    for play in plays_of(rollback):
        lines += _play_lines(plan, play)
    return [*lines, *estimate_lines(plan), *_other_lines(plan)]


def _play_lines(plan: Mapping[str, Any], play: Play) -> Iterator[str]:
    begin = f"{play.position} {play.label}"
    if play.name == "recovery":
        fenced = {name: ", ".join(shard["fenced"]) for name, shard in plan["shards"].items() if shard["fenced"]}
        yield from (f"{begin} {name}: a handover was interrupted, {hosts} is fenced" for name, hosts in fenced.items())
    elif play.name in WAYS_BACK:
        yield from (f"{begin} {line}" for line in _way_back_lines(plan, play.name, plan[play.hosts]))
    elif play.kind == "sentinel":
        for host in plan[play.hosts]:
            yield f"{begin} {host}: {_arrow(plan['steps'][host + '/sentinel'])}"
    elif play.kind == "redis":
        yield from _wave_lines(begin, plan[play.hosts], plan[play.serial], plan["steps"])
    elif play.kind == "handover":
        moving = {name: shard for name, shard in plan["shards"].items() if shard[play.name]}
        yield from (f"{begin} {name}: {_role_change(shard, play)}" for name, shard in moving.items())
        at_once = min(len(moving), plan["handover_serial"][0]) if moving else 0
        if at_once > 1:
            yield f"{begin} up to {at_once} of these side by side; one at a time stops writes"
    if play.name == "replicas":
        yield from (f"{play.position} backup    {line}" for line in backup_lines(plan, plan["replica_backup_hosts"]))
    if play.name == "replicas" and plan["deferred"]:
        yield f"(stop)          after the canary, without a handover; left for the next run: {', '.join(plan['deferred'])}"


def _way_back_lines(plan: Mapping[str, Any], play: str, hosts: list[str]) -> Iterator[str]:
    """Yield the lines of a play about reserves, backups and restores."""
    if play in reserve_text.PLAYS:
        yield from reserve_text.play_lines(plan, play, hosts)
    elif play == "backup":
        yield from backup_lines(plan, hosts)
    elif play == "returning":
        yield from (f"{host}: restarted, as it runs from the kept programs" for host in hosts)
    else:
        yield from restore_lines(plan, play, hosts)


def _arrow(step: Mapping[str, Any]) -> str:
    return f"{'stopped by an earlier run' if step['do'] == 'resume' else step['running']} -> {step['wanted']}"


def _role_change(shard: Mapping[str, Any], play: Play) -> str:
    promoted = f"{shard[play.promotes + '_host']} ({shard[play.promotes]})"
    if play.name == "handover":
        return f"{shard['master_host']} ({shard['master']}) -> {promoted}"
    return f"{shard['target_host'] if shard['handover'] else shard['master_host']} -> {promoted}"


def _wave_lines(begin: str, hosts: list[str], serial: list[int], steps: Mapping[str, Any]) -> Iterator[str]:
    first = 0
    for number, size in enumerate(serial, 1):
        text = ", ".join(f"{host}: {_arrow(steps[host + '/redis'])}" for host in hosts[first : first + size])
        yield f"{begin} {f'wave {number}: ' if len(serial) > 1 else ''}{text}"
        first += size


def _other_lines(plan: Mapping[str, Any]) -> list[str]:
    skipped = [f"skipped: {step['host']} ({step['kind']}): {step['why']}" for step in plan["steps"].values() if step["do"] == "skip"]
    shared = [] if plan.get("rollback") else list(installation_lines(plan.get("installations", []), plan["steps"]))
    return shared + skipped + [f"note: {warning}" for warning in plan["warnings"]]


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """Return the report as lines: one for each instance, shard and handover."""
    lines = [f"{'instance':<28} {'before':<10} {'now':<10} role"]
    for row in report["instances"]:
        lines.append(f"{row['host'] + ' (' + row['kind'] + ')':<28} {row['before'] or 'stopped':<10} {row['now']:<10} {row['role']}")
    for name, shard in report["shards"].items():
        lines.append(f"shard {name}: master before {shard['before']}, now {shard['now']}, original master {shard['original_master']}")
    for handover in report["handovers"]:
        gap = "" if handover["write_gap_ms"] is None else f"write gap {handover['write_gap_ms']:.0f} ms, "
        lines.append(
            f"handover {handover['old_master']} -> {handover['new_master']}: writes paused for {handover['pause_ms']:.0f} ms, {gap}"
            f"{handover['full_resyncs']} full resynchronisations, led by Sentinel {handover['leader']}"
        )
    if not report["handovers"]:
        lines.append("no handover was needed")
    lines += audit_lines(report["audits"])
    lines += report.get("passed", [])
    lines += reserve_text.reserve_notes(report["reserves"])
    if report["deferred"]:
        lines.append(
            f"stopped after the canary, as requested. Left: {', '.join(report['deferred'])}. The deployment serves with both versions. "
            "Run the upgrade without redis_upgrade_canary to continue"
        )
    return lines


def handover_lines(result: Mapping[str, Any], check_mode: bool = False) -> list[str]:
    """Return as lines what a handover without an upgrade has done, or would do in check mode."""
    old, new = result["old_master"], result["new_master"]
    lines = [f"finished for an earlier handover: {text}" for text in result.get("recovered", [])]
    if old == new:
        return [*lines, f"{new} is the master already"]
    if check_mode:
        return [f"{new} would become the master instead of {old}, in mode {result['mode']}"]
    return [
        *lines,
        f"{new} is the master now, {old} is its replica",
        f"mode {result['mode']}: {result['mode_reason']}",
        f"writes were stopped for {result['pause_ms']:.0f} ms, {result['full_resyncs']} full resynchronisations",
    ]
