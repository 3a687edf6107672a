# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for the steps of a run: locks, gates, hooks, messages, and arguments of modules."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.audit import audit_error
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.deployments import deployment_lines, named_deployments
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.arguments import audit_login, handover_arguments
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.lock import judge_lock
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.messages import (
    Failure,
    failure_lines,
    hook_variables,
    incomplete_lines,
    question,
    stop_lines,
)
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.operator import missing_hosts_lines
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.process import run_state


def upgrade_deployments(hostvars: Mapping[str, Any], redis_hosts: Sequence[str], sentinel_hosts: Sequence[str]) -> list[dict[str, Any]]:
    """Return the deployments that redis_upgrade_deployment_name names; empty if no host has it.

    Hosts without variables, those that --limit excludes, belong to none.
    """
    found = {str(host): hostvars[host] for host in [*redis_hosts, *sentinel_hosts] if host in hostvars}
    names = {host: str(variables.get("redis_upgrade_deployment_name") or "") for host, variables in found.items()}
    try:
        return named_deployments(names, *([str(host) for host in hosts if str(host) in found] for hosts in (redis_hosts, sentinel_hosts)))
    except ValueError as error:
        raise AnsibleFilterError(f"{error}. Nothing was touched. Set it for all hosts, or for none") from error


def upgrade_missing_hosts(groups: Mapping[str, Sequence[str]], wanted: Sequence[str], in_play: Sequence[str], limit: str = "") -> list[str]:
    """Return the refusal of a play that lacks hosts of some groups."""
    return missing_hosts_lines(groups, wanted, in_play, limit)


def upgrade_lock(hostvars: Mapping[str, Any], hosts: Sequence[str], override: str = "") -> dict[str, Any]:
    """Return the verdict on the lock; the second reply of a host replaces its first."""
    asked = {}
    for host in hosts:
        for name in ("__redis_upgrade_lock_again", "__redis_upgrade_lock_asked"):
            reply = hostvars[host].get(name) or {}
            if "held" in reply:
                asked[str(host)] = reply
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
    """Return whether a step may begin now.

    ``pause_s`` and ``ask``: the wait before the step. ``stop``: the message if the step must not
    begin. ``holds``: whether there is any of these. The argument ``done``: the steps that are
    complete in this run (None: unknown).
    """
    gate = question(plan, keys, confirm, int(pause_s))
    deadline = plan.get("deadline") or {}
    late = deadline and time.time() >= deadline["at_s"]
    stop = [] if done is None else incomplete_lines(plan, keys, done, lost_hosts)
    if late and not stop:
        stop = upgrade_stop_message(plan, keys, f"The deadline {deadline['text']} has passed, so no new step begins.")
    return {**gate, "stop": stop, "holds": bool(stop or gate["ask"] or gate["pause_s"] > 0)}


def upgrade_stop_message(plan: Mapping[str, Any], keys: Sequence[str], reason: str, after: bool = False) -> list[str]:
    """Return the message of a run that stops between two steps; empty without such a step."""
    return stop_lines(plan, keys, [reason], after)


def upgrade_hook(plan: Mapping[str, Any], name: str, keys: Sequence[str], key: str) -> dict[str, Any]:
    """Return the variables of a hook; empty if the plan has no such step."""
    return hook_variables(plan, name, keys, key)


def upgrade_failure(plan: Mapping[str, Any], keys: Sequence[str], key: str, failure: Mapping[str, Any]) -> list[str]:
    """Return the message of a run that stops because an instance failed."""
    given: dict[str, Any] = {name: str(failure.get(name) or "") for name in ("reason", "previous_version", "revert_error")}
    given |= {name: [str(item) for item in failure.get(name) or []] for name in ("log", "set_aside")}
    given |= {name: bool(failure.get(name)) for name in ("untouched", "revert_refused")}
    return failure_lines(plan, keys, key, Failure(**given))


def _variables(hostvars: Mapping[str, Any], host: str) -> Mapping[str, Any]:
    # the method get of hostvars differs between versions of Ansible
    found: Mapping[str, Any] = hostvars[host] if host in hostvars else {}  # noqa: SIM401
    return found


def upgrade_handover(hostvars: Mapping[str, Any], host: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the login and folder arguments of redis_sentinel_failover on a host."""
    return handover_arguments(_variables(hostvars, host), options)


def upgrade_audit_login(hostvars: Mapping[str, Any], host: str, master: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the login arguments of redis_write_audit on a host."""
    return audit_login(_variables(hostvars, host), _variables(hostvars, master), options)


class FilterModule:
    """The filters of a run."""

    def filters(self) -> dict[str, Any]:
        return {
            "upgrade_audit_error": audit_error,
            "upgrade_audit_login": upgrade_audit_login,
            "upgrade_deployment_lines": deployment_lines,
            "upgrade_deployments": upgrade_deployments,
            "upgrade_failure": upgrade_failure,
            "upgrade_gate": upgrade_gate,
            "upgrade_handover": upgrade_handover,
            "upgrade_hook": upgrade_hook,
            "upgrade_lock": upgrade_lock,
            "upgrade_missing_hosts": upgrade_missing_hosts,
            "upgrade_stop_message": upgrade_stop_message,
        }
