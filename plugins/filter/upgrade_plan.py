# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that make the plan and the report from the survey; the logic is in module_utils."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any, Mapping, Sequence

from ansible.errors import AnsibleFilterError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.sentinelops.redis.plugins.plugin_utils._finding import REFUSAL, preflight_result
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.plan import Instance, Settings, journal_of, make_plan
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.rendering import handover_lines, plan_lines
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.report import make_report
from ansible_collections.sentinelops.redis.plugins.plugin_utils._preflight.preflight import preflight, relocations
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.deadline import parse_deadline
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.messages import operator_findings
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.process import has_terminal, main_pid

SURVEYED = "__redis_upgrade_surveyed"


def _plain(value: Any) -> Any:
    """A copy of built-in types: Ansible hands over containers that render their content when it is
    looked at.
    """
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _instances(hostvars: Mapping[str, Any], hosts: Sequence[str]) -> list[Instance]:
    """The instances of all hosts, from what redis_survey returned on each of them."""
    found = []
    for host in hosts:
        variables = hostvars[host]
        for surveyed in (variables.get(SURVEYED) or {}).get("results", []):
            record = _plain(surveyed["instance"])
            found.append(Instance(str(host), record["kind"], record, str(variables.get("ansible_host", host))))
    if not found:
        raise AnsibleFilterError("no host was surveyed: run the survey entry point of the role redis_upgrade first")
    return found


def _settings(settings: Mapping[str, Any]) -> Settings:
    names = settings.get("master_name") or ()
    return Settings(
        version=str(settings["version"]),
        master_names=(names,) if isinstance(names, str) else tuple(names),
        fail_back=boolean(settings.get("fail_back", True)),
        accept_no_way_back=boolean(settings.get("accept_no_way_back", False)),
        handover_host=str(settings.get("handover_host") or ""),
        canary=int(settings.get("canary") or 0),
        rollback=boolean(settings.get("rollback", False)),
    )


def _deadline(text: str, start: datetime) -> tuple[datetime | None, str]:
    """The deadline, if there is one, and what is wrong with it."""
    if not text:
        return None, ""
    try:
        deadline = parse_deadline(text, start)
    except ValueError as error:
        return None, str(error)
    passed = f"it is {deadline.isoformat(' ', 'seconds')}, which has passed" if deadline <= start else ""
    return deadline, passed


def upgrade_plan(hostvars: Mapping[str, Any], hosts: Sequence[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The plan, its text in ``lines``, in ``findings`` everything that stands against it, and in
    ``preflight`` all that was found.
    """
    instances = _instances(hostvars, hosts)
    plan = make_plan(instances, _settings(settings))
    max_lag_bytes, mode = int(settings.get("max_lag_bytes", 1048576)), str(settings.get("handover_mode", "auto"))
    findings = preflight(instances, plan, max_lag_bytes, mode, time.time())
    plan.warnings += relocations(instances, plan)
    deadline, passed = _deadline(str(settings.get("deadline") or ""), datetime.now().astimezone())
    if deadline is not None:
        plan.warnings.append(f"no step is begun after {deadline.isoformat(' ', 'seconds')} (redis_upgrade_deadline)")
    if not plan.nothing_to_do:
        findings += operator_findings(_plain(settings), passed, has_terminal(main_pid()))
    result = plan.as_dict()
    result["deadline"] = {} if deadline is None else {"at_s": deadline.timestamp(), "text": deadline.isoformat(" ", "seconds")}
    result["lines"] = plan_lines(result)
    result["findings"] = [str(finding) for finding in findings if finding.severity == REFUSAL]
    result["preflight"] = preflight_result(plan.version, findings)
    return result


def upgrade_journal(record: Mapping[str, Any], plan: Mapping[str, Any], step: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the journal of a surveyed instance notes."""
    return journal_of(_plain(record), _plain(plan), _plain(step or {}))


def upgrade_report(
    plan: Mapping[str, Any], hostvars: Mapping[str, Any], hosts: Sequence[str], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """What was done and what is not as it should be, from the plan and a survey made afterwards."""
    handovers = [_plain(done) for host in hosts for done in hostvars[host].get("__redis_upgrade_handovers", [])]
    return make_report(_plain(plan), _instances(hostvars, hosts), _settings(settings), handovers)


def lines_of_handover(result: Mapping[str, Any], check_mode: bool = False) -> list[str]:
    """What the result of redis_sentinel_failover says, for a person to read."""
    return handover_lines(_plain(result), boolean(check_mode))


class FilterModule:
    """The filters of this collection."""

    def filters(self) -> dict[str, Any]:
        return {
            "upgrade_plan": upgrade_plan,
            "upgrade_journal": upgrade_journal,
            "upgrade_report": upgrade_report,
            "handover_lines": lines_of_handover,
        }
