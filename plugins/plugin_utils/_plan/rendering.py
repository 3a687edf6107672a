# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan and the report as lines for a person to read."""

from __future__ import annotations

from typing import Any, Mapping

__all__ = ["handover_lines", "plan_lines", "report_lines"]


def _arrow(step: Mapping[str, Any]) -> str:
    return f"{'stopped by an earlier run' if step['do'] == 'resume' else step['running']} -> {step['wanted']}"


def plan_lines(plan: Mapping[str, Any]) -> list[str]:
    """What will be done, numbered like the plays of upgrade.yml, or of rollback.yml."""
    version = plan["version"]
    names = ", ".join(f"{name} (master {shard['master_host']})" for name, shard in plan["shards"].items())
    if plan.get("rollback"):
        return _back_lines(plan, names)
    if plan["nothing_to_do"]:
        return [f"Nothing to do: every instance runs {version}, {names}"]
    steps: dict[str, Any] = plan["steps"]
    lines = [f"Upgrade to {version}, one step after the other:"]
    lines += _fence_lines(plan)
    for host in plan["sentinel_hosts"]:
        lines.append(f"(4/8) Sentinel  {host}: {_arrow(steps[host + '/sentinel'])}")
    lines += _wave_lines("(5/8) replica ", plan["replica_hosts"], plan["replica_serial"], steps)
    if plan["deferred"]:
        lines.append(f"(stop)          after the canary, without a handover; left for the next run: {', '.join(plan['deferred'])}")
    lines += _handover_lines(plan, "(6/8)")
    lines += _wave_lines("(7/8) old master", plan["old_master_hosts"], plan["old_master_serial"], steps)
    return lines + _fail_back_lines(plan, "(8/8)") + _other_lines(plan)


def _back_lines(plan: Mapping[str, Any], names: str) -> list[str]:
    """The same for going back: the Sentinels come last."""
    version, steps = plan["version"], plan["steps"]
    skipped = _other_lines(plan)
    if plan["nothing_to_do"]:
        return [f"Nothing to do: nothing goes back from {version}, {names}", *skipped]
    lines = [f"Go back from {version}, one step after the other:", *_fence_lines(plan)]
    lines += [f"(3/8) Sentinel  {host}: {_arrow(steps[host + '/sentinel'])}" for host in plan["first_sentinel_hosts"]]
    lines += _wave_lines("(4/8) replica ", plan["replica_hosts"], plan["replica_serial"], steps)
    lines += _handover_lines(plan, "(5/8)")
    lines += _wave_lines("(6/8) old master", plan["old_master_hosts"], plan["old_master_serial"], steps)
    lines += _fail_back_lines(plan, "(7/8)")
    lines += [f"(8/8) Sentinel  {host}: {_arrow(steps[host + '/sentinel'])}" for host in plan["sentinel_hosts"]]
    return lines + skipped


def _fence_lines(plan: Mapping[str, Any]) -> list[str]:
    return [
        f"(3/8) finish    {name}: a handover was cut short, {', '.join(shard['fenced'])} is fenced"
        for name, shard in plan["shards"].items()
        if shard["fenced"]
    ]


def _handover_lines(plan: Mapping[str, Any], number: str) -> list[str]:
    return [
        f"{number} handover  {name}: {shard['master_host']} ({shard['master']}) -> {shard['target_host']} ({shard['target']})"
        for name, shard in plan["shards"].items()
        if shard["handover"]
    ]


def _fail_back_lines(plan: Mapping[str, Any], number: str) -> list[str]:
    return [
        f"{number} fail back {name}: {shard['target_host'] if shard['handover'] else shard['master_host']} -> "
        f"{shard['original_master_host']} ({shard['original_master']})"
        for name, shard in plan["shards"].items()
        if shard["fail_back"]
    ]


def _other_lines(plan: Mapping[str, Any]) -> list[str]:
    skipped = [f"skipped: {step['host']} ({step['kind']}): {step['why']}" for step in plan["steps"].values() if step["do"] == "skip"]
    return skipped + [f"note: {warning}" for warning in plan["warnings"]]


def _wave_lines(what: str, hosts: list[str], serial: list[int], steps: Mapping[str, Any]) -> list[str]:
    lines, begin = [], 0
    for number, size in enumerate(serial, 1):
        wave = hosts[begin : begin + size]
        text = ", ".join(f"{host}: {_arrow(steps[host + '/redis'])}" for host in wave)
        lines.append(f"{what} {'wave ' + str(number) + ': ' if len(serial) > 1 else ''}{text}")
        begin += size
    return lines


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """What was done: a line per instance, per shard and per handover."""
    lines = [f"{'instance':<28} {'before':<10} {'now':<10} role"]
    for row in report["instances"]:
        lines.append(f"{row['host'] + ' (' + row['kind'] + ')':<28} {row['before'] or 'stopped':<10} {row['now']:<10} {row['role']}")
    for name, shard in report["shards"].items():
        lines.append(f"shard {name}: the master was {shard['before']}, is {shard['now']}, home is {shard['original_master']}")
    for handover in report["handovers"]:
        lines.append(
            f"handover {handover['old_master']} -> {handover['new_master']}: writes paused for {handover['pause_ms']:.0f} ms, "
            f"{handover['full_resyncs']} full resynchronisations, led by Sentinel {handover['leader']}"
        )
    if not report["handovers"]:
        lines.append("no handover was needed")
    if report["deferred"]:
        lines.append(
            f"stopped after the canary, as wanted. Left: {', '.join(report['deferred'])}. The deployment serves with both versions. "
            "Run the upgrade without redis_upgrade_canary to go on"
        )
    return lines


def handover_lines(result: Mapping[str, Any], check_mode: bool = False) -> list[str]:
    """What a handover on its own has done, or would do."""
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
