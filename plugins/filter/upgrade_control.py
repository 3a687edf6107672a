# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters by which the operator stays in control of a run; the logic is in module_utils."""

from __future__ import annotations

import time
from typing import Any, Mapping, Sequence

from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.messages import (
    Failure,
    failure_lines,
    hook_variables,
    judge_lock,
    lost_lines,
    missing_hosts,
    question,
    stop_lines,
)
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.process import run_state


def upgrade_missing_hosts(groups: Mapping[str, Sequence[str]], wanted: Sequence[str], in_play: Sequence[str], limit: str = "") -> list[str]:
    """What to say if a play does not have all hosts of some groups."""
    return missing_hosts(groups, wanted, in_play, limit)


def upgrade_lock(hostvars: Mapping[str, Any], hosts: Sequence[str], override: str = "") -> dict[str, Any]:
    """What the Sentinels' hosts said when the lock was asked for, or was asked for again."""
    asked = {}
    for host in hosts:
        for name in ("__redis_upgrade_lock_again", "__redis_upgrade_lock_asked"):
            answer = hostvars[host].get(name) or {}
            if "held" in answer:
                asked[str(host)] = answer
                break
    return judge_lock(asked, override, run_state)


def upgrade_gate(
    plan: Mapping[str, Any],
    keys: Sequence[str],
    confirm: str = "never",
    pause_s: int = 0,
    done: Sequence[str] | None = None,
    lost_hosts: Sequence[str] = (),
) -> dict[str, Any]:
    """Whether a step may be begun now: ``pause_s`` and ``ask`` before it, ``stop``: what to say if
    it may not; ``holds``: any of these.

    ``done``: the steps that have come to their end in this run (None: not known).
    """
    gate = question(plan, keys, confirm, int(pause_s))
    deadline = plan.get("deadline") or {}
    late = deadline and time.time() >= deadline["at_s"]
    stop = [] if done is None else lost_lines(plan, keys, done, lost_hosts)
    if late and not stop:
        stop = upgrade_stop_message(plan, keys, f"The deadline {deadline['text']} has passed, so nothing new is begun.")
    return {**gate, "stop": stop, "holds": bool(stop or gate["ask"] or gate["pause_s"] > 0)}


def upgrade_stop_message(plan: Mapping[str, Any], keys: Sequence[str], reason: str, after: bool = False) -> list[str]:
    """What a run says that stops between two steps; nothing if the plan has no such step."""
    return stop_lines(plan, keys, [reason], after)


def upgrade_hook(plan: Mapping[str, Any], name: str, keys: Sequence[str], key: str) -> dict[str, Any]:
    """What a hook is told; empty if the plan has no such step."""
    return hook_variables(plan, name, keys, key)


def upgrade_failure(plan: Mapping[str, Any], keys: Sequence[str], key: str, failed: Mapping[str, Any]) -> list[str]:
    """What a run says that stops because an instance failed, and was put back or could not be."""
    given: dict[str, Any] = {name: str(failed.get(name) or "") for name in ("reason", "before", "second")}
    given |= {name: [str(item) for item in failed.get(name) or []] for name in ("log", "set_aside")}
    given |= {name: bool(failed.get(name)) for name in ("untouched", "left")}
    return failure_lines(plan, keys, key, Failure(**given))


class FilterModule:
    """The filters."""

    def filters(self) -> dict[str, Any]:
        return {
            "upgrade_failure": upgrade_failure,
            "upgrade_gate": upgrade_gate,
            "upgrade_hook": upgrade_hook,
            "upgrade_missing_hosts": upgrade_missing_hosts,
            "upgrade_lock": upgrade_lock,
            "upgrade_stop_message": upgrade_stop_message,
        }
