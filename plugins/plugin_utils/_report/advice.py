# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict of a report in a sentence, and what to do next. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["next_lines", "verdict"]

Record = Mapping[str, Any]
_HALF = (
    "Between two steps every instance serves, with its old or its new version. A step that was under way may have left its instance "
    "stopped; a restart that has begun on a host is completed there, and the standby process finishes or reverts a handover."
)
_AGAIN = "Run the same command again: it surveys the deployment and does what is left, whatever state it finds."


def _run(report: Record) -> str:
    name = {"restore": "restore of the backups and rollback"}.get(report["playbook"], report["playbook"])
    return f"The {name} {'to' if report['playbook'] == 'upgrade' else 'from'} {report['version'] or 'another version'}"


def _counted(report: Record) -> str:
    done = sum(step["state"] == "done" for step in report["steps"])
    return f"{done} of {len(report['steps'])} steps" if report["steps"] else "no planned step"


def verdict(report: Record) -> str:
    """Return how the run has ended, or how far it has come."""
    if report["outcome"] == "done" and report["deferred"]:
        return f"{_run(report)} stopped after the canary, as requested."
    if report["outcome"] == "done":
        return f"{_run(report)} is done, and every instance is as it should be."
    if report["outcome"] == "stopped":
        return f"{_run(report)} stopped by itself, with {_counted(report)} done."
    if report["problems"]:
        return f"{_run(report)} came to its end, but the deployment is not as it should be."
    if report["outcome"] == "incomplete":
        return f"{_run(report)} did not end: it was cut off, with {_counted(report)} done."
    return f"{_run(report)} has not ended: {_counted(report)} done at the last record."


def next_lines(report: Record) -> list[str]:
    """Return what to do, as sentences."""
    left = [step["text"] for step in report["steps"] if step["state"] not in ("done", "next")]
    upcoming = [step["text"] for step in report["steps"] if step["state"] == "next"]
    if report["outcome"] == "done":
        return _after_the_end(report)
    if report["outcome"] == "stopped":
        return [
            *([f"Left: {', '.join(left)}."] if left else []),
            "Do what the message says, then run the same command again: it surveys the deployment and does what is left.",
        ]
    if report["problems"]:
        return ["The deployment serves. Fix the problems above, then run the same command again: it does what is left."]
    lines = [f"Under way or next when this was recorded: {', '.join(upcoming)}."] if upcoming else []
    lines += [f"Left after that: {', '.join(left)}."] if left else []
    if report["outcome"] == "incomplete":
        return [*lines, _HALF, _AGAIN]
    run = report["run"]
    process = f" (process {run['pid']} on {run.get('controller', '')})" if run.get("pid") else ""
    return [
        *lines,
        f"If ansible-playbook{process} is still at work, wait: this report follows it.",
        "If it is not, that run was cut off.",
        _HALF,
        _AGAIN,
    ]


def _after_the_end(report: Record) -> list[str]:
    if report["deferred"]:
        return [
            f"Left: {', '.join(report['deferred'])}. The deployment serves with both versions.",
            "Run the upgrade without redis_upgrade_canary to continue.",
        ]
    if report["reserves"]:
        hosts = ", ".join(str(one.get("host", name)) for name, one in report["reserves"].items())
        return [f"Left as a way back: {hosts}. The playbook sentinelops.redis.finish upgrades it, sentinelops.redis.rollback uses it."]
    return ["Nothing is left to do."]
