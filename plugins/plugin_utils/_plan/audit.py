# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict of the write audit that has run beside an upgrade. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._times import moment

__all__ = ["audit_error", "audit_lines", "audit_problems", "audits_of", "write_gap_ms"]

_FIELDS = (
    "acknowledged",
    "lost",
    "unexpected",
    "duplicates",
    "recovered",
    "refused",
    "unknown",
    "errors",
    "longest_gap_ms",
    "acknowledged_per_second",
    "seconds",
)
_AFTER_HANDOVER_S = 0.5  # a client needs a moment to notice the new master


def audits_of(verdicts: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the result of redis_write_audit by shard; ``error`` instead if there is none.

    ``verdicts``: the results of async_status; the ``item`` of each is the job, whose is the shard.
    """
    found: dict[str, dict[str, Any]] = {}
    for verdict in verdicts:
        if "acknowledged" in verdict:
            result = {name: verdict.get(name) for name in _FIELDS}
            result["gaps"] = [gap for writer in verdict.get("writers", []) for gap in writer["gaps"]]
        else:
            result = {"error": str(verdict.get("msg") or "it has not ended in time")}
        found[str(verdict["item"]["item"]["name"])] = result
    return found


def write_gap_ms(handover: Mapping[str, Any], audit: Mapping[str, Any]) -> float | None:
    """Return the longest time without a write of an audit that touches a handover; None without.

    ``audit``: that of the handover's shard, if there is one. Both were made on one host, so their
    times are of one clock.
    """
    timeline = handover.get("timeline") or []
    if not handover.get("begun_at") or not timeline:
        return None
    begin_s = moment(str(handover["begun_at"])).timestamp()
    end_s = begin_s + float(timeline[-1]["at_ms"]) / 1000 + _AFTER_HANDOVER_S
    gaps = [gap for gap in audit.get("gaps", []) if gap["at_s"] < end_s and gap["at_s"] + gap["gap_ms"] / 1000 > begin_s]
    return max((float(gap["gap_ms"]) for gap in gaps), default=None)


def audit_lines(audits: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a line for each shard."""
    return [
        f"audit of {shard}: {found['acknowledged']} writes acknowledged, {found['lost']} lost, longest gap {found['longest_gap_ms']:.0f} ms"
        for shard, found in audits.items()
        if "error" not in found
    ]


def audit_problems(audits: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what the audits have found, and those that have no result."""
    problems = []
    for shard, found in audits.items():
        if "error" in found:
            problems.append(f"the write audit of {shard} gave no result: {found['error']}. Whether writes were lost is unknown")
        elif found["lost"] or found["unexpected"]:
            problems.append(
                f"the write audit of {shard}: {found['lost']} of {found['acknowledged']} acknowledged writes are gone, and "
                f"{found['unexpected']} values were never written"
            )
    return problems


def audit_error(failure: Mapping[str, Any]) -> str:
    """Return why the trial of an audit failed, by the result of its task."""
    for result in failure.get("results") or [failure]:
        if result.get("failed"):
            errors = ", ".join(sorted(result.get("errors") or {}))
            shard = (result.get("item") or {}).get("name", "")
            seen = f"no write was acknowledged ({errors})" if "acknowledged" in result else str(result.get("msg") or "it failed")
            return (
                f"The write audit cannot write to {shard or 'its folder'}: {seen}. Give its user the rights on its keys (docs/rights.md), "
                "choose others with redis_upgrade_audit_prefix, or set redis_upgrade_audit: false."
            )
    return "The write audit could not begin, see above."
