# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the operator's options: hooks, confirmation, deadline, and ``--limit``. Pure."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._finding import Finding, named

__all__ = [
    "HOOKS",
    "asks_for_handovers",
    "metrics_findings",
    "missing_hosts_lines",
    "operator_findings",
    "reason_for_no_answer",
    "report_findings",
]

HOOKS = ("before_run", "after_run", "on_failure", "before_node", "after_node", "before_handover", "after_handover")


def asks_for_handovers(confirm: Any) -> bool:
    """Return whether ``redis_upgrade_confirm`` asks before each handover."""
    return confirm in ("handover", "all")


def reason_for_no_answer(terminal: bool, environment: Mapping[str, str]) -> str:
    """Return why nobody could answer a question of this run; empty if somebody can.

    ``terminal``: whether the run reads from one. ansible-runner, and so AWX, gives each playbook a
    pseudo terminal at which nobody sits; it also sets RUNNER_OMIT_EVENTS for each (2.0 and later).
    """
    if not terminal:
        return "this run has no terminal"
    return "this run is a job of AWX or ansible-runner" if "RUNNER_OMIT_EVENTS" in environment else ""


def operator_findings(
    options: Mapping[str, Any], deadline_error: str, no_answer: str, exists: Callable[[str], bool] = os.path.isfile
) -> list[Finding]:
    """Return what is wrong with options of the operator, or with the deadline.

    ``no_answer``: see ``reason_for_no_answer``.
    """
    found = []
    if deadline_error:
        found.append(Finding("redis_upgrade_deadline", deadline_error, "No step may begin", "Give a later deadline, or none"))
    confirm, hooks = options.get("confirm", "never"), options.get("hooks") or {}
    if confirm != "never" and no_answer:
        found.append(
            Finding(
                "redis_upgrade_confirm",
                f"it is {confirm}, and {no_answer}",
                "Nobody could answer, and the run would hang or continue unasked",
                "Run ansible-playbook in a terminal, or set redis_upgrade_confirm: never, perhaps with redis_upgrade_pause_s",
            )
        )
    often = float(options.get("audit_writes_per_second", 1))
    if often <= 0:
        seen = f"it is {often:g}, which is not more than 0"
        found.append(
            Finding("redis_upgrade_audit_writes_per_second", seen, "The audit would write nothing", "Give a larger number, such as 10")
        )
    for name, path in hooks.items():
        if name not in HOOKS:
            seen, do = "there is no such hook", f"Use one of {', '.join(HOOKS)}"
        elif not os.path.isabs(str(path)):
            seen, do = f"{path} is not an absolute path", "Write {{ inventory_dir }} or {{ playbook_dir }} before the path"
        elif not exists(str(path)):
            seen, do = f"the task file {path} does not exist on the controller", "Correct the path"
        else:
            continue
        found.append(Finding(f"redis_upgrade_hooks, {name}", seen, "The hook could not run in the middle of the upgrade", do))
    return named("operator", found)


def _may_write(folder: str) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def report_findings(file: str, may_write: Callable[[str], bool] = _may_write) -> list[Finding]:
    """Return why ``redis_upgrade_report_file`` cannot be written; empty for no file."""
    path = os.path.abspath(os.path.expanduser(file))
    folder = os.path.dirname(path)
    if not file or (may_write(folder) and not os.path.isdir(path)):
        return []
    seen = f"{path} is a folder" if os.path.isdir(path) else f"{folder} on the controller is no folder that this user may write"
    do = "Name a file in a folder that exists and that this user may write, or none"
    return named("operator", [Finding("redis_upgrade_report_file", seen, "The run would end without its report", do)])


def metrics_findings(folder: str, report_file: str, may_write: Callable[[str], bool] = _may_write) -> list[Finding]:
    """Return why no metrics can be written to ``redis_upgrade_metrics_folder``; empty for none."""
    if not folder:
        return []
    if not os.path.isabs(folder):
        seen, do = f"{folder} is not an absolute path", "Give the absolute path of the folder that node_exporter reads"
    elif not os.path.isdir(folder) or not may_write(folder):
        seen, do = f"{folder} on the controller is no folder that this user may write", "Create it, or name another one, or none"
    elif not report_file:
        seen, do = "there is no redis_upgrade_report_file, from which metrics are made", "Set both, or none"
    else:
        return []
    return named("operator", [Finding("redis_upgrade_metrics_folder", seen, "The run would end without its metrics", do)])


def missing_hosts_lines(groups: Mapping[str, Sequence[str]], wanted: Sequence[str], in_play: Sequence[str], limit: str) -> list[str]:
    """Return the refusal of a run that ``--limit`` keeps from hosts; empty if it has all hosts."""
    hosts = dict.fromkeys(host for group in wanted for host in groups.get(group, []))
    missing = [host for host in hosts if host not in in_play]
    if not missing:
        return []
    return [
        f"Nothing was touched. --limit {limit} keeps this run from a part of the deployment: {', '.join(missing)}.",
        "An upgrade and a handover need every instance, since they check all of them before and after each step.",
        "Run without --limit; a run skips what is done already. To try the new version on one replica of each shard first: "
        "-e redis_upgrade_canary=1. If an inventory has several deployments, -e redis_upgrade_deployments=... chooses some of them; "
        "the playbook handover needs the groups of one: -e redis_upgrade_redis_group=... -e redis_upgrade_sentinel_group=...",
    ]
