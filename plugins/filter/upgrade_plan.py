# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that make the plan and the report from the survey; plugin_utils holds the logic."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.sentinelops.redis.plugins.plugin_utils._finding import REFUSAL, Finding, preflight_result
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plain import plain
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.audit import audits_of
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.estimate import Circumstances, make_estimate
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.model import Instance, Plan, Settings
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.plan import make_plan
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.rendering import handover_lines, plan_lines
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.report import make_report
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.reserve_status import reserve_status
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.steps import play_options
from ansible_collections.sentinelops.redis.plugins.plugin_utils._preflight.own_commands import command_notes
from ansible_collections.sentinelops.redis.plugins.plugin_utils._preflight.preflight import preflight, relocations
from ansible_collections.sentinelops.redis.plugins.plugin_utils._report.metrics import metrics_file
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.arguments import work_of
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.backup_copy import copy_findings
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.deadline import parse_deadline
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.operator import (
    asks_for_handovers,
    metrics_findings,
    operator_findings,
    reason_for_no_answer,
    report_findings,
)
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.process import has_terminal, main_pid

SURVEYED = "__redis_upgrade_surveyed"


def _instances(hostvars: Mapping[str, Any], hosts: Sequence[str]) -> list[Instance]:
    """Return the instances of all hosts, from the results of redis_survey."""
    found = []
    for host in hosts:
        variables = hostvars[host]
        for surveyed in (variables.get(SURVEYED) or {}).get("results", []):
            record = plain(surveyed["instance"])
            found.append(Instance(str(host), record["kind"], record, str(variables.get("ansible_host", host))))
    if not found:
        raise AnsibleFilterError("no host was surveyed: run the survey entry point of the role redis_upgrade first")
    return found


def _master_names(setting: Any, variable: str = "redis_upgrade_master_name") -> tuple[str, ...]:
    """Return the names of one master or of several; none means all. YAML makes some names numbers.

    Raises AnsibleFilterError for a value that YAML may have changed: ``yes``, or ``1.10``.
    """
    values = list(setting) if isinstance(setting, (list, tuple)) else [setting]
    names = []
    for value in values:
        if isinstance(value, (bool, float)):
            raise AnsibleFilterError(f"{variable} has {value!r}, which is no text in YAML: write the name in quotes")
        if value is not None and value != "":
            names.append(str(value))
    return tuple(names)


def _choice(name: str, setting: Any, third: str) -> str:
    """Return ``true``, ``false`` or the third value of a setting."""
    if str(setting).lower() == third:
        return third
    try:
        return "true" if boolean(setting) else "false"
    except TypeError as error:
        raise AnsibleFilterError(f"redis_upgrade_{name} is {setting!r}: it must be true, false or {third}") from error


def _settings(settings: Mapping[str, Any]) -> Settings:
    return Settings(
        version=str(settings["version"]).strip(),
        master_names=_master_names(settings.get("master_name")),
        fail_back=boolean(settings.get("fail_back", True)),
        accept_no_way_back=boolean(settings.get("accept_no_way_back", False)),
        handover_host=str(settings.get("handover_host") or ""),
        canary=int(settings.get("canary") or 0),
        rollback=boolean(settings.get("rollback", False)),
        reserve=_choice("reserve", settings.get("reserve", "keep"), "keep"),
        reserve_outage_s=int(settings.get("reserve_outage_s") or 600),
        backup=_choice("backup", settings.get("backup", "false"), "auto"),
        restore=boolean(settings.get("restore", False)),
        accept_loss=_master_names(settings.get("accept_loss"), "redis_upgrade_restore_accept_loss"),
        backup_from=str(settings.get("backup_from") or "replica"),
        deployment=str(settings.get("deployment") or ""),
        deployments=_master_names(settings.get("deployments"), "redis_upgrade_deployments"),
        audit=boolean(settings.get("audit", False)),
        hooks=tuple(name for name, path in (settings.get("hooks") or {}).items() if path),
        # who is asked before each handover sees one at a time
        handovers_at_once=1 if asks_for_handovers(settings.get("confirm")) else max(1, int(settings.get("handovers_at_once") or 1)),
    )


def _circumstances(settings: Mapping[str, Any]) -> Circumstances:
    return Circumstances(
        pause_s=float(settings.get("pause_s") or 0),
        mode=str(settings.get("handover_mode") or "auto"),
        brings=str(settings.get("brings") or ""),
        hooks=bool(settings.get("hooks")),
        asks=str(settings.get("confirm") or "never") != "never",
    )


def _deadline(text: str, start: datetime) -> tuple[datetime | None, str]:
    """Return the deadline, if there is one, and what is wrong with it."""
    if not text:
        return None, ""
    try:
        deadline = parse_deadline(text, start)
    except ValueError as error:
        return None, str(error)
    passed = f"it is {deadline.isoformat(' ', 'seconds')}, which has passed" if deadline <= start else ""
    return deadline, passed


def _copy_findings(instances: Sequence[Instance], plan: Plan, settings: Mapping[str, Any]) -> list[Finding]:
    """Return why the backups of this run cannot be copied to the controller, if that is wanted."""
    folder = str(settings.get("backup_controller_folder") or "")
    nodes = [one for one in instances if one.kind == "redis" and one.host in plan.backed_up_hosts]
    if not folder or not nodes:
        return []
    needed = sum(int((node.record.get("examined") or {}).get("rdb_bytes", 0)) for node in nodes)
    return copy_findings(folder, str(settings.get("backup_controller_check") or ""), needed)


def upgrade_plan(hostvars: Mapping[str, Any], hosts: Sequence[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plan.

    ``lines``: its text. ``findings``: all that forbids the run. ``preflight``: all findings. If
    nothing forbids it, the arguments of its steps are in the plan, too (work_of).
    """
    surveyed_at_s = time.time()
    instances = _instances(hostvars, hosts)
    plan = make_plan(instances, _settings(settings))
    max_lag_bytes, mode = int(settings.get("max_lag_bytes", 1048576)), str(settings.get("handover_mode", "auto"))
    findings = plan.problems if plan.deployments else preflight(instances, plan, max_lag_bytes, mode, time.time())
    plan.warnings += relocations(instances, plan) + command_notes(instances, plan)
    if plan.audit_hosts:
        often = f"{float(settings.get('audit_writes_per_second', 10)):g} times per second"
        plan.warnings.append(f"an audit writes to {settings.get('audit_prefix')}:* of each shard {often} (redis_upgrade_audit)")
    deadline, passed = _deadline(str(settings.get("deadline") or ""), datetime.now().astimezone())
    if deadline is not None:
        plan.warnings.append(f"no step begins after {deadline.isoformat(' ', 'seconds')} (redis_upgrade_deadline)")
    if not plan.nothing_to_do and not plan.deployments:
        findings += operator_findings(plain(settings), passed, reason_for_no_answer(has_terminal(main_pid()), os.environ))
        findings += _copy_findings(instances, plan, settings)
        findings += report_findings(str(settings.get("report_file") or ""))
        findings += metrics_findings(str(settings.get("metrics_folder") or ""), str(settings.get("report_file") or ""))
    result = plan.as_dict()
    result["deadline"] = {} if deadline is None else {"at_s": deadline.timestamp(), "text": deadline.isoformat(" ", "seconds")}
    result["deployment"] = str(settings.get("deployment") or "")
    result["report_file"] = str(settings.get("report_file") or "")
    result["metrics_file"] = metrics_file(str(settings.get("metrics_folder") or ""), result["deployment"])
    result["findings"] = [str(finding) for finding in findings if finding.severity == REFUSAL]
    result["estimate"] = {} if result["findings"] else make_estimate(plan, instances, _circumstances(settings), surveyed_at_s)
    result["lines"] = plan_lines(result)
    result["preflight"] = preflight_result(plan.version, findings)
    if not result["findings"] and not plan.deployments:
        result.update(work_of(result, instances))
    return result


def upgrade_report(
    plan: Mapping[str, Any], hostvars: Mapping[str, Any], hosts: Sequence[str], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what was done and what is left undone, from the plan and a later survey."""
    handovers = [plain(done) for host in hosts for done in (hostvars[host].get("__redis_upgrade_handovers") or {}).get("kept", [])]
    verdicts = [plain(one) for host in hosts for one in (hostvars[host].get("__redis_upgrade_audited") or {}).get("results", [])]
    return make_report(plain(plan), _instances(hostvars, hosts), _settings(settings), handovers, audits_of(verdicts), time.time())


def upgrade_reserve_status(hostvars: Mapping[str, Any], hosts: Sequence[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of the reserves, from a survey and the comparisons of their data."""
    compared = {str(host): plain(hostvars[host].get("__redis_upgrade_compared") or {}) for host in hosts}
    own = {host: found for host, found in compared.items() if not found.get("skipped")}
    return reserve_status(_instances(hostvars, hosts), replace(_settings(settings), reserve="keep"), own)


def handover_text(result: Mapping[str, Any], check_mode: bool = False) -> list[str]:
    """Return the result of redis_sentinel_failover as lines for a person to read."""
    return handover_lines(plain(result), boolean(check_mode))


def upgrade_play(plan: Mapping[str, Any], name: str, rollback: bool = False, check_mode: bool = False) -> dict[str, Any]:
    """Return title, hosts and batch sizes of a play of an upgrade or a rollback."""
    try:
        return dict(plain(play_options(plan, name, boolean(rollback), boolean(check_mode))))
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filters of the plan."""

    def filters(self) -> dict[str, Any]:
        return {
            "handover_lines": handover_text,
            "upgrade_plan": upgrade_plan,
            "upgrade_play": upgrade_play,
            "upgrade_report": upgrade_report,
            "upgrade_reserve_status": upgrade_reserve_status,
        }
