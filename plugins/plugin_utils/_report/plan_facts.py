# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of a plan that a report needs. Pure.

A plan has much more: the arguments of all steps, and the results of the preflight.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .._plan.steps import StepToDo, play_options, plays_of, steps_to_do

__all__ = ["facts_of"]

_STEP_FIELDS = ("host", "kind", "shard", "address", "running", "wanted")
_SHARD_FIELDS = ("master", "master_host", "original_master_host")


def facts_of(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a report tells of a plan, its estimate among it.

    ``instances``: what ran before. ``steps``: the disruptive steps in their order; those of one
    ``batch`` may be under way at the same time.
    """
    rollback = bool(plan.get("rollback"))
    findings = (plan.get("preflight") or {}).get("findings", [])
    warned = [str(finding["text"]) for finding in findings if finding.get("severity") == "warning"]
    return {
        "playbook": "restore" if plan.get("restore_hosts") else "rollback" if rollback else "upgrade",
        "version": plan["version"],
        "deployment": plan.get("deployment", ""),
        "metrics_file": plan.get("metrics_file", ""),
        "plan": list(plan.get("lines", [])),
        "warnings": [*plan.get("warnings", []), *warned],
        "deferred": list(plan.get("deferred", [])),
        "estimate": dict(plan.get("estimate") or {}),
        "instances": [{name: step[name] for name in _STEP_FIELDS} for step in plan["steps"].values()],
        "shards": {name: {field: shard[field] for field in _SHARD_FIELDS} for name, shard in plan["shards"].items()},
        "steps": list(_steps(plan, rollback)),
    }


def _steps(plan: Mapping[str, Any], rollback: bool) -> Iterator[dict[str, Any]]:
    plays = plays_of(rollback)
    for step in steps_to_do(plan):
        play = plays[step.play]
        host, _slash, kind = step.key.partition("/")
        instance = plan["steps"].get(f"{host}/{'sentinel' if kind == 'sentinel' else 'redis'}", {})
        yield {
            "key": step.key,
            "host": host,
            "kind": kind,
            "shard": step.shard or instance.get("shard", ""),
            "text": step.text,
            "play": play.full_title,
            "batch": _batch(play_options(plan, play.name, rollback, False), step),
            "from": "" if step.promotes else instance.get("running", ""),
            "to": "" if step.promotes else instance.get("wanted", ""),
        }


def _batch(options: Mapping[str, Any], step: StepToDo) -> int:
    """Return the number, from 0, of the batch of a play in which a step is done."""
    position = options["hosts"].index(step.host) if step.host in options["hosts"] else 0
    return _batch_at(position, options["serial"])


def _batch_at(position: int, serial: Sequence[int]) -> int:
    """Return the batch of a host; the last size holds for all further batches, as in Ansible."""
    for number, size in enumerate(serial[:-1]):
        if position < size:
            return number
        position -= size
    return len(serial[:-1]) + position // max(1, serial[-1]) if serial else 0
