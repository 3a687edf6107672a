# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a run and the remaining problems, from the plan and a later survey. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...module_utils._server.sent_errors import MEANING, REMEDY
from .audit import audit_problems, write_gap_ms
from .estimate_text import passed_lines
from .model import Instance, Plan, Settings
from .plan import make_plan, may_fail_back
from .rendering import report_lines
from .reserve_text import reserves_of

__all__ = ["make_report"]

HANDOVER_FIELDS = (
    "begun_at",
    "old_master",
    "new_master",
    "mode",
    "pause_ms",
    "aligned",
    "attempts",
    "full_resyncs",
    "leader",
    "timeline",
)


def make_report(
    plan: Mapping[str, Any],
    instances: Sequence[Instance],
    settings: Settings,
    handovers: Sequence[Mapping[str, Any]],
    audits: Mapping[str, Mapping[str, Any]],
    now_s: float,
) -> dict[str, Any]:
    """Return the report; ``problems`` is what the run left undone, ``lines`` is the text.

    ``audits``: see audits_of. ``now_s``: the controller's time of day, for how long the run has
    taken.
    """
    now = {instance.key: instance.record for instance in instances}
    after = make_plan(instances, settings)
    report: dict[str, Any] = {
        "version": plan["version"],
        "instances": [_row(step, now.get(key, {})) for key, step in plan["steps"].items()],
        "shards": {
            name: {"before": shard["master_host"], "now": after.shards[name].master_host, "original_master": shard["original_master_host"]}
            for name, shard in plan["shards"].items()
            if name in after.shards
        },
        "handovers": _handovers(plan, handovers, audits),
        "reserves": reserves_of(after.as_dict()),
        "deferred": after.deferred,
        "audits": dict(audits),
        "passed": passed_lines(plan, now_s),
        "problems": [*_problems(after, settings), *_missed_writes(plan, now), *audit_problems(audits)],
    }
    report["lines"] = report_lines(report)
    return report


def _handovers(
    plan: Mapping[str, Any], handovers: Sequence[Mapping[str, Any]], audits: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the handovers that have moved the master role, in the order of time."""
    shard_of = {step["address"]: step["shard"] for step in plan["steps"].values() if step["kind"] == "redis"}
    return [
        {
            **{key: handover[key] for key in HANDOVER_FIELDS},
            "write_gap_ms": write_gap_ms(handover, audits.get(shard_of.get(handover["new_master"], ""), {})),
        }
        for handover in sorted(handovers, key=lambda done: str(done.get("begun_at", "")))
        if handover.get("changed") and handover["old_master"] != handover["new_master"]
    ]


def _row(step: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "host": step["host"],
        "kind": step["kind"],
        "shard": step["shard"],
        "before": step["running"],
        "now": record["version"] if record.get("answers") else "does not answer",
        "role": record.get("role", "unknown"),
    }


def _problems(after: Plan, settings: Settings) -> list[str]:
    """Return what a plan made now would still have to do."""
    found = [str(problem) for problem in after.problems]
    found += [f"{step.host} ({step.kind}): {step.why}" for step in after.steps.values() if step.do != "skip" or not step.running]
    found += [
        f"shard {shard.name}: the master is {shard.master_host}, the original master was {shard.original_master_host}"
        for shard in after.shards.values()
        if settings.fail_back and not settings.canary and shard.master_host != shard.original_master_host and may_fail_back(shard)
    ]
    return found


def _missed_writes(plan: Mapping[str, Any], now: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the data nodes that have sent their master errors since their restart in this run.

    One of them may have become the master since; a master that was not restarted is left out.
    """
    found = []
    for key, step in plan["steps"].items():
        record = now.get(key, {})
        sent = int(record.get("errors_sent") or 0)
        if sent and (record.get("role") == "replica" or step["do"] != "skip"):
            errors = f"has sent its master {sent} error{'s' if sent > 1 else ''} since its restart"
            found.append(f"{step['host']} ({record.get('login', '')}) {errors}. {MEANING}. {REMEDY}")
    return found
