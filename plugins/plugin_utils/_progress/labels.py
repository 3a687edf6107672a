# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a plan in the words of a line of progress. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._plan.steps import Play, plays_of

__all__ = ["handover_text", "label_of", "moving_text", "play_of", "step_text"]

Record = Mapping[str, Any]


def play_of(name: str, plan: Record) -> Play | None:
    """Return the play of an upgrade, or of a rollback, that has this name."""
    rollback = bool(plan.get("rollback"))
    known = [*plays_of(rollback), *plays_of(not rollback)]
    return next((play for play in known if play.full_title == name), None)


def label_of(play: Play | None, label: str = "") -> str:
    """Return the beginning of a line about a play: its number and a label, by default its own."""
    label = label or (play.label.strip() if play is not None else "")
    return f"{play.position} {label:<10} " if play is not None and label else ""


def step_text(plan: Record, play: Play | None, host: str) -> str:
    """Return what a step does to an instance, as the plan says: ``(5/8) replica   node-2: ...``."""
    steps = plan.get("steps") or {}
    kinds = [play.kind] if play is not None and play.kind else ["redis", "sentinel"]
    found = [steps[f"{host}/{kind}"] for kind in kinds if f"{host}/{kind}" in steps]
    begin = label_of(play)
    if len(found) != 1 or not found[0].get("wanted"):
        return begin + host
    running = "stopped by an earlier run" if found[0].get("do") == "resume" else found[0].get("running")
    return f"{begin}{host}: {running} -> {found[0]['wanted']}"


def moving_text(plan: Record, play: Play, host: str) -> str:
    """Return what a handover to a host is about to do, as far as the plan says."""
    name = ((plan.get("steps") or {}).get(f"{host}/redis") or {}).get("shard", "")
    shard = (plan.get("shards") or {}).get(name)
    if not shard or not play.promotes:
        return label_of(play) + host
    back = play.promotes == "original_master" and shard["handover"]
    return f"{label_of(play)}{name}: {shard['target_host' if back else 'master_host']} -> {host}"


def handover_text(plan: Record, play: Play | None, host: str, result: Record, check: bool = False) -> str:
    """Return what a handover to a host has done, or would do in check mode.

    ``result``: that of redis_sentinel_failover. The names of hosts replace addresses if the plan
    has them.
    """
    names = {step["address"]: step["host"] for step in (plan.get("steps") or {}).values() if step.get("address")}
    shard = ((plan.get("steps") or {}).get(f"{host}/redis") or {}).get("shard", "")
    old, new = (str(result.get(name, "")) for name in ("old_master", "new_master"))
    begin = label_of(play) or "handover "
    if shard:
        begin += f"{shard}: "
    if old == new:
        return f"{begin}{names.get(new, new) or host} is the master already"
    text = f"{begin}{names.get(old, old)} -> {names.get(new, new)}"
    if check:
        return f"{text}, in check mode"
    if result.get("pause_ms") is not None:
        text += f", paused {float(result['pause_ms']):.0f} ms"
    if result.get("full_resyncs"):
        text += f", {result['full_resyncs']} full resynchronisations"
    return text
