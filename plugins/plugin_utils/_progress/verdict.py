# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last line of a run: what it has done, or why it has not. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .text import Line

__all__ = ["Ending", "kind_of", "verdict"]


_AGAIN = "run the same command again"


@dataclass(frozen=True)
class Ending:
    """A run at its end.

    ``kind``: ``upgrade``, ``rollback``, ... ``steps`` and ``done``: how many steps the plan has,
    and how many of them are complete. ``worked``: whether anything after the preflight ran.
    ``verified``: whether the last survey found everything as it should be. ``pauses_ms``: of the
    handovers. ``looks``: whether the playbook only looks.
    """

    kind: str
    plan: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 0
    done: int = 0
    failed: bool = False
    refused: bool = False
    worked: bool = False
    open_gates: bool = False
    verified: bool = False
    pauses_ms: Sequence[float] = ()
    looks: bool = False


def kind_of(plan: Mapping[str, Any], playbook: str) -> str:
    """Return the field's word for a run, given its plan, if any, and the name of its playbook."""
    if plan.get("restore_hosts"):
        return "restore"
    if plan:
        return "rollback" if plan.get("rollback") else "upgrade"
    names = {"plan": "upgrade", "preflight": "upgrade", "finish": "upgrade"}
    known = ("upgrade", "rollback", "restore", "handover")
    return names.get(playbook, playbook if playbook in known else f"playbook {playbook}".strip())


def verdict(end: Ending) -> Line:
    """Return the verdict on a run, without its duration."""
    if end.failed:
        return Line(_failure(end), mood="bad")
    if end.plan.get("deployments"):
        return Line("Done: each deployment had a run of its own, see above", mood="good")
    if end.plan.get("nothing_to_do"):
        return Line("Nothing to do, and nothing was changed", mood="good")
    if not end.plan or not (end.steps or end.looks):
        return Line(f"The {end.kind} has ended well", mood="good")
    if not end.worked:
        return Line("Nothing was changed" + (f": the {end.kind} may begin" if end.open_gates and end.steps else ""), mood="good")
    return Line(_success(end), mood="good")


def _failure(end: Ending) -> str:
    if end.refused and not end.worked:
        return f"REFUSED: nothing was touched. Fix what is named above, and {_AGAIN}"
    if not end.steps:
        return f"FAILED: see the message above. Fix what it names, and {_AGAIN}"
    return f"STOPPED after {end.done} of {end.steps} steps: read the last message above, fix what it names, and {_AGAIN}"


def _success(end: Ending) -> str:
    pauses = [f"{pause:.0f} ms" for pause in end.pauses_ms]
    paused = " and ".join(pauses) if len(pauses) <= 2 else f"at most {max(end.pauses_ms):.0f} ms, {len(pauses)} times"
    writes = f", writes paused for {paused}" if pauses else ""
    steps = f"{end.done} of {end.steps} steps done{writes}"
    if end.plan.get("deferred"):
        return f"Stopped after the canary, as requested: {steps}. Run without redis_upgrade_canary to continue"
    return f"The {end.kind} is complete: {steps}" if end.verified and end.done == end.steps else f"The run has ended: {steps}"
