# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on the run lock: whether a run may begin, and what to tell the operator. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ...module_utils._records.run_lock import describe_run

__all__ = ["judge_lock"]

Record = Mapping[str, Any]


def judge_lock(asked: Mapping[str, Record], override: str, run_state: Callable[[Record], str]) -> dict[str, Any]:
    """Return the verdict on the replies of redis_run_lock from all hosts of Sentinels.

    ``run_state``: see process.py. ``held``: all hosts have granted the lock. ``instead_of``: runs
    whose locks may be taken, since they are dead or the operator says so. ``lines``: who holds the
    lock, since when, until when at most, and what to do.
    """
    holders = {host: reply["holder"] for host, reply in asked.items() if not reply.get("held") and reply.get("holder")}
    runs = {str(holder["id"]): (host, holder) for host, holder in reversed(list(holders.items()))}
    instead_of = [run for run, (_host, holder) in runs.items() if run == override or run_state(holder) == "dead"]
    lines: list[str] = []
    for run, (host, holder) in runs.items():
        if run not in instead_of:
            lines += _refusal(run, host, holder, run_state(holder))
            lines += [f"redis_upgrade_override_lock names another run, {override}."] if override else []
    return {"held": all(reply.get("held") for reply in asked.values()), "instead_of": instead_of, "lines": lines}


def _refusal(run: str, host: str, holder: Record, state: str) -> Iterator[str]:
    yield f"Another run is at work on this deployment: {describe_run(holder)}, since {holder['since']} (seen on {host})."
    if state == "alive":
        yield f"That run is process {holder['pid']} on this controller: wait until it ends, or press Ctrl-C there, and run again."
        return
    yield (
        f"Its last sign of life was {holder['age_s']} s ago. If that run is dead, its lock expires in at most {holder['left_s']} s. A run "
        f"that is started on {holder['controller']} does not have to wait."
    )
    yield (
        f"If you know that it is dead, and do not want to wait: -e redis_upgrade_override_lock={run}. If that run is alive after all, it "
        "stops before its next step."
    )
