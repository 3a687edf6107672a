# -*- coding: utf-8 -*-
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that make the plan and the report from the survey; the logic is in module_utils."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence

from ansible.errors import AnsibleFilterError

from ansible_collections.sentinelops.redis.plugins.module_utils._plan import Instance, Settings, make_plan
from ansible_collections.sentinelops.redis.plugins.module_utils._preflight import preflight, warnings
from ansible_collections.sentinelops.redis.plugins.module_utils._text import plan_lines, report_lines

SURVEYED = "__redis_upgrade_surveyed_"


def _instances(hostvars: Mapping[str, Any], hosts: Sequence[str]) -> List[Instance]:
    """The instances of all hosts, from what redis_survey returned on each of them."""
    found = []
    for kind in ("sentinel", "redis"):
        for host in hosts:
            variables = hostvars[host]
            record = (variables.get(SURVEYED + kind) or {}).get("instance")
            if record is not None:
                found.append(Instance(str(host), kind, record, str(variables.get("ansible_host", host))))
    if not found:
        raise AnsibleFilterError("no host was surveyed: run the survey entry point of the role redis_upgrade first")
    return found


def upgrade_plan(hostvars: Mapping[str, Any], hosts: Sequence[str], settings: Mapping[str, Any]) -> Dict[str, Any]:
    """The plan, its text in ``lines``, and in ``findings`` everything that stands against it."""
    instances = _instances(hostvars, hosts)
    names = settings.get("master_name") or ()
    plan = make_plan(
        instances,
        Settings(
            version=str(settings["version"]),
            master_names=(names,) if isinstance(names, str) else tuple(names),
            fail_back=bool(settings.get("fail_back", True)),
            accept_no_way_back=bool(settings.get("accept_no_way_back", False)),
            control_host=str(settings.get("control_host") or ""),
        ),
    )
    findings = preflight(instances, plan, int(settings.get("max_lag_bytes", 1048576)))
    plan.warnings += warnings(instances)
    result = plan.as_dict()
    result["lines"] = plan_lines(result)
    result["findings"] = [str(finding) for finding in findings]
    return result


def upgrade_report(
    plan: Mapping[str, Any], hostvars: Mapping[str, Any], hosts: Sequence[str], handovers: Sequence[Mapping[str, Any]]
) -> Dict[str, Any]:
    """What was done, from the plan and a survey made afterwards; its text is in ``lines``."""
    instances = _instances(hostvars, hosts)
    now = {instance.key: instance.record for instance in instances}
    after = make_plan(instances, Settings(version=str(plan["version"]), master_names=tuple(plan["shards"])))
    report: Dict[str, Any] = {
        "version": plan["version"],
        "instances": [
            {
                "host": step["host"],
                "kind": step["kind"],
                "shard": step["shard"],
                "before": step["running"],
                "now": now[key].get("version", "does not answer"),
                "role": now[key].get("role", "unknown"),
            }
            for key, step in plan["steps"].items()
        ],
        "shards": {
            name: {"before": shard["master_host"], "now": after.shards[name].master_host, "home": shard["home_host"]}
            for name, shard in plan["shards"].items()
            if name in after.shards
        },
        "handovers": [
            {key: handover[key] for key in ("old_master", "new_master", "pause_ms", "full_resyncs", "leader", "attempts", "timeline")}
            for handover in handovers
            if handover.get("changed")
        ],
    }
    report["lines"] = report_lines(report)
    return report


class FilterModule:
    """The filters of this collection."""

    def filters(self) -> Dict[str, Any]:
        return {"upgrade_plan": upgrade_plan, "upgrade_report": upgrade_report}
