# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings of the plan and the preflight: one shape for all, and the names of all checks.

Each finding names the node, what was seen, why it matters, and what to do. A refusal must be fixed
before the upgrade may begin; a warning is shown and stops nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

__all__ = ["CHECKS", "REFUSAL", "WARNING", "Finding", "named", "preflight_result"]

REFUSAL, WARNING = "refusal", "warning"

# Every check, as docs/preflight.md and the machine-readable result name it.
CHECKS = (
    # the plan and the inventory
    "inventory",
    "answers",
    "access",
    "rights",
    "renamed-commands",
    "version",
    "downgrade",
    "format",
    "operator",
    "reserve",
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
    "other-masters",
    # data nodes
    "one-master",
    "target",
    "replica-eligible",
    "loading",
    "link",
    "follows",
    "cannot-follow",
    "cascade",
    "hidden",
    "lag",
    "min-replicas",
    "replica-errors",
    "scripts",
    # the cost of a restart
    "persistence",
    "save-failed",
    "full-sync",
    "backlog",
    "output-buffer",
    "maxmemory",
    "memory",
    # the host
    "files",
    "one-machine",
    "config-rewrite",
    "included",
    "users",
    "service-manager",
    "start",
    "commands",
    "disk",
    "clock",
    # leftovers of an earlier run, and other runs
    "leftovers",
    "other-run",
)


@dataclass(frozen=True)
class Finding:
    """One finding; ``check`` is one of CHECKS, ``severity`` REFUSAL or WARNING.

    ``nodes``: the single names, where ``node`` joins several. ``about``: the address of another
    node that the finding is about, if any.
    """

    node: str
    seen: str
    why: str
    do: str
    check: str = ""
    severity: str = REFUSAL
    nodes: tuple[str, ...] = ()
    about: str = ""

    def as_dict(self) -> dict[str, Any]:
        told = asdict(self)
        del told["about"]
        return {**told, "nodes": self.names}

    @property
    def names(self) -> list[str]:
        """The names of all nodes that have it."""
        return list(self.nodes or [self.node])

    def __str__(self) -> str:
        do = f"To do: {self.do[:1].lower()}{self.do[1:]}" if self.do.startswith("Nothing") else self.do
        # a server's own words may end with a full stop
        sentences = [part if part.endswith(("?", "!")) else f"{part.rstrip('.')}." for part in (self.seen, self.why, do)]
        return f"{self.node}: {' '.join(sentences)}"


def named(check: str, findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings with the name of their check; a finding that has a name keeps it."""
    return [finding if finding.check else replace(finding, check=check) for finding in findings]


def preflight_result(version: str, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the machine-readable result; ``ready`` tells whether the run may begin."""
    refusals = [finding for finding in findings if finding.severity == REFUSAL]
    warnings = [finding for finding in findings if finding.severity == WARNING]
    found: Mapping[str, Any] = {"version": version, "ready": not refusals, "refusals": len(refusals), "warnings": len(warnings)}
    return {**found, "findings": [{**finding.as_dict(), "text": str(finding)} for finding in [*refusals, *warnings]]}
