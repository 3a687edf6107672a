# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is found before anything is touched: one shape for all of it, and the names of all checks.

Each finding says on which node, what was seen, why that matters, and what to do. A refusal must be
mended before the upgrade may begin; a warning is shown and stops nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Iterable, Mapping, Sequence

__all__ = ["CHECKS", "REFUSAL", "WARNING", "Finding", "named", "preflight_result", "size"]

REFUSAL, WARNING = "refusal", "warning"

# Every check, as it is called in docs/preflight.md and in the machine-readable result.
CHECKS = (
    # the plan and the inventory
    "inventory",
    "answers",
    "access",
    "rights",
    "downgrade",
    "format",
    "operator",
    # Sentinels
    "sentinels-agree",
    "sentinels-known",
    "sentinels-reach",
    "spare-sentinel",
    "quorum",
    "tilt",
    "failover",
    "master-flagged",
    "time-limits",
    # data nodes
    "one-master",
    "target",
    "replica-eligible",
    "loading",
    "link",
    "follows",
    "lag",
    "min-replicas",
    # what a restart will cost
    "persistence",
    "save-failed",
    "full-sync",
    "backlog",
    "output-buffer",
    "maxmemory",
    "memory",
    # the host
    "files",
    "config-rewrite",
    "service-manager",
    "disk",
    "clock",
    # what an earlier run has left, or another one is doing
    "leftovers",
    "other-run",
)


@dataclass(frozen=True)
class Finding:
    """Something that was found; ``check`` is one of CHECKS, ``severity`` REFUSAL or WARNING."""

    node: str
    seen: str
    why: str
    do: str
    check: str = ""
    severity: str = REFUSAL

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.node}: {self.seen}. {self.why}. {self.do}."


def named(check: str, findings: Iterable[Finding]) -> list[Finding]:
    """The findings of one check; those that have a name already keep it."""
    return [finding if finding.check else replace(finding, check=check) for finding in findings]


def preflight_result(version: str, findings: Sequence[Finding]) -> dict[str, Any]:
    """The machine-readable result. ``ready``: whether the upgrade may begin."""
    refusals = [finding for finding in findings if finding.severity == REFUSAL]
    warnings = [finding for finding in findings if finding.severity == WARNING]
    found: Mapping[str, Any] = {"version": version, "ready": not refusals, "refusals": len(refusals), "warnings": len(warnings)}
    return {**found, "findings": [{**finding.as_dict(), "text": str(finding)} for finding in [*refusals, *warnings]]}


def size(number: float) -> str:
    """Bytes for a person to read."""
    for unit in ("bytes", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "bytes" or number >= 10 else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"
