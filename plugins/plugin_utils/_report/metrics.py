# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers of a report in Prometheus' text format, for the textfile collector of node_exporter.

docs/monitoring.md lists the metrics. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from .._times import moment

__all__ = ["metrics_file", "metrics_of"]

_OUTCOMES = ("running", "done", "stopped", "incomplete")
_PREFIX = "sentinelops_redis_upgrade"

Labels = dict[str, str]
Sample = tuple[Labels, float]


def metrics_file(folder: str, deployment: str) -> str:
    """Return the path of the metrics of a deployment; empty without a folder."""
    name = f"{_PREFIX}_{deployment}.prom" if deployment else f"{_PREFIX}.prom"
    return f"{folder}/{name}" if folder else ""


def metrics_of(report: Mapping[str, Any], deployment: str = "") -> str:
    """Return the metrics of a report; all are gauges, with times in seconds since 1970."""
    common = {"playbook": report["playbook"], "deployment": deployment}
    lines = []
    for name, text, samples in _families(report):
        if samples:
            lines += [f"# HELP {_PREFIX}_{name} {text}", f"# TYPE {_PREFIX}_{name} gauge"]
            lines += [f"{_PREFIX}_{name}{{{_labels({**common, **labels})}}} {value:.17g}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _families(report: Mapping[str, Any]) -> Iterator[tuple[str, str, list[Sample]]]:
    for event in ("begun", "recorded", "ended"):
        at = report[f"{event}_at"]
        yield f"{event}_timestamp_seconds", f"When the run was {event}.", [({}, moment(at).timestamp())] if at else []
    states = [({"outcome": outcome}, float(report["outcome"] == outcome)) for outcome in _OUTCOMES]
    yield "outcome", "1 for the outcome of the last run, 0 for all others.", states
    steps = Counter(step["state"] for step in report["steps"])
    yield "steps", "The steps of the run by their state.", [({"state": state}, float(steps[state])) for state in sorted(steps)]
    instances = Counter((row["kind"], str(row["now"])) for row in report["instances"])
    rows = [({"kind": kind, "version": version}, float(number)) for (kind, version), number in sorted(instances.items())]
    yield "instances", "The instances by the version that they run.", rows
    yield "problems", "What is not as it should be at the end.", [({}, float(len(report["problems"])))]
    yield "handovers", "How often the master role moved.", [({}, float(len(report["handovers"])))]
    pauses = [(_ends(one), float(one["pause_ms"]) / 1000) for one in report["handovers"] if one["pause_ms"] is not None]
    yield "handover_pause_seconds", "For how long a handover stopped writes.", pauses
    for name, text in (("acknowledged", "Writes of the audit that were acknowledged."), ("lost", "Those of them that are gone.")):
        found = [({"shard": shard}, float(one[name])) for shard, one in report["audits"].items() if "error" not in one]
        yield f"audit_{name}_writes", text, found
    diverged = [(_ends(one), float(one["diverged_bytes"])) for one in report["handovers"] if one["diverged_bytes"] is not None]
    yield "handover_diverged_bytes", "Bytes of the stream that only the old master had.", diverged


def _ends(handover: Mapping[str, Any]) -> dict[str, str]:
    return {"old_master": handover["old_master"], "new_master": handover["new_master"]}


def _labels(labels: Mapping[str, Any]) -> str:
    return ",".join(f'{name}="{_escaped(str(value))}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
