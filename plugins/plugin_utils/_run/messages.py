# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The messages of a run that stops, asks or calls a hook. Pure.

A run does one step after the other, in the order of the plan, and ends at the first step that
fails. So the plan and the next step tell what is done and what is left; a run keeps no other state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._plan.steps import StepToDo, steps_to_do

__all__ = [
    "Failure",
    "failure_lines",
    "hook_variables",
    "incomplete_lines",
    "question",
    "stop_lines",
]

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Failure:
    """The failure of an instance with the version that it was to run.

    ``reason``: why it failed. ``previous_version``: the version that it ran before this step.
    ``log``: the last lines of its log. ``set_aside``: data files that were renamed.
    ``untouched``: the instance was not stopped, so nothing had to be reverted. ``revert_error``:
    why the revert failed; empty if it succeeded. ``revert_refused``: the instance was not stopped
    for the revert, so it still runs the wanted version.
    """

    reason: str
    previous_version: str
    log: Sequence[str] = ()
    set_aside: Sequence[str] = ()
    untouched: bool = False
    revert_error: str = ""
    revert_refused: bool = False


def _positions(plan: Record, keys: Sequence[str]) -> list[int]:
    """Return the positions, from 0, of the steps with these keys in the plan."""
    return [position for position, step in enumerate(steps_to_do(plan)) if step.key in keys]


def _masters(plan: Record, done: Sequence[StepToDo]) -> dict[str, tuple[str, str]]:
    """Return the host and the address of each shard's master after these steps."""
    now = {name: (shard["master_host"], shard["master"]) for name, shard in plan["shards"].items()}
    for step in done:
        if step.promotes:
            shard = plan["shards"][step.shard]
            now[step.shard] = (shard[f"{step.promotes}_host"], shard[step.promotes])
    return now


def stop_lines(plan: Record, keys: Sequence[str], reason: Sequence[str], after: bool = False) -> list[str]:
    """Return the message of a run that stops before the steps with these keys, or right after them.

    The message says what is done, what is left, who is master, and how to continue. It is empty if
    the plan has none of these steps. Without keys, the steps are all steps.
    """
    positions = _positions(plan, keys) if keys else range(len(steps_to_do(plan)))
    if keys and not positions:
        return []
    done = (positions[-1] + 1 if after else positions[0]) if positions else 0
    return [
        *reason,
        *_progress(plan, done),
        "No step is half done: every instance serves, with its old or its new version, and both work together.",
        f"Run the {_run(plan)} again: it surveys the deployment again and does what is left.",
    ]


def incomplete_lines(plan: Record, keys: Sequence[str], done: Sequence[str], lost_hosts: Sequence[str]) -> list[str]:
    """Return the message of a run that must not begin a step, since an earlier step is incomplete.

    ansible-core (2.17 to 2.19; its issue 82834) continues with the next batch and play after a host
    has become unreachable. ``done``: the keys of the steps that are complete in this run.
    ``lost_hosts``: hosts that are no longer in the current play.
    """
    positions = _positions(plan, keys)
    if not positions:
        return []
    steps = steps_to_do(plan)
    play = steps[positions[0]].play
    lost = [step for step in steps if step.key not in done and (step.play < play or (step.play == play and step.host in lost_hosts))]
    if not lost:
        return []
    lines = [
        f"No new step begins, since a step is not complete: {_listed(lost)}. The run has lost the host, see above.",
        f"Done in this run: {_listed([step for step in steps if step.key in done])}.",
        f"Left: {_listed([step for step in steps if step.key not in done])}.",
        "The work on that host may have ended well, or may have left its instance stopped; all other instances serve.",
        f"Make sure that the host is reachable, and run the {_run(plan)} again: it surveys the deployment again and finishes the step.",
    ]
    if any(step.promotes for step in lost):
        lines.insert(-1, "The standby process finishes or reverts a handover that has begun: ask a Sentinel who is master.")
    return lines


def _run(plan: Record) -> str:
    return "rollback" if plan.get("rollback") else "upgrade"


def _progress(plan: Record, position: int, may_have_changed: bool = False) -> list[str]:
    """Return lines about the done steps, the steps left, and the masters.

    ``may_have_changed``: Sentinels may have promoted another master since.
    """
    steps = steps_to_do(plan)
    done, left = steps[:position], steps[position:]
    deferred = f"; deferred to a run without redis_upgrade_canary: {', '.join(plan['deferred'])}" if plan["deferred"] else ""
    lines = [f"Done in this run: {_listed(done)}.", f"Left: {_listed(left)}{deferred}."]
    for name, (host, address) in _masters(plan, done).items():
        if may_have_changed:
            ask = f"ask a Sentinel for the current master (SENTINEL GET-MASTER-ADDR-BY-NAME {name})"
            lines.append(f"The master of {name} was {host} ({address}) until this step; {ask}.")
        else:
            original = plan["shards"][name]["original_master_host"]
            moved = "" if host == original else f"; it was {original} when the upgrade began"
            lines.append(f"The master of {name} is {host} ({address}){moved}.")
    return lines


def failure_lines(plan: Record, keys: Sequence[str], key: str, failure: Failure) -> list[str]:
    """Return the message of a run that stops because an instance failed with its wanted version."""
    host, _slash, kind = key.partition("/")
    rollback, positions = bool(plan.get("rollback")), _positions(plan, keys)
    wanted = plan["steps"][key]["wanted"]
    lines = [f"{host} ({kind}) could not be {'rolled back' if rollback else 'upgraded'} to {wanted}.", failure.reason]
    if failure.log:
        lines += ["The last lines of its log:", *(f"    {line}" for line in failure.log)]
    lines += _revert_lines(failure, wanted, rollback)
    if failure.set_aside:
        resynced = "" if failure.revert_error else " The instance has the data of the master."
        lines.append(f"Data files that {failure.previous_version} cannot read were set aside: {', '.join(failure.set_aside)}.{resynced}")
    lines += _progress(plan, positions[0] if positions else 0, failure.untouched or failure.revert_refused)
    lines.append(f"The deployment serves{', without this instance' if failure.revert_error and not failure.revert_refused else ''}.")
    lines.append(f"Fix the cause and run the {_run(plan)} again: it continues from here.")
    return lines if rollback else [*lines, "Or roll back all instances: sentinelops.redis.rollback."]


def _revert_lines(failure: Failure, wanted: str, rollback: bool) -> list[str]:
    previous = failure.previous_version
    if failure.untouched:
        return [f"It was not stopped, and still runs {previous}."]
    if failure.revert_refused:
        return [f"It was not reverted to {previous}, and still runs {wanted}: {failure.revert_error}"]
    if failure.revert_error:
        return [
            f"It could not be reverted to {previous}: {failure.revert_error}",
            "The other instances are unchanged or done. Repair this instance first: the deployment lacks one.",
        ]
    return [f"It was reverted to its {'' if rollback else 'old '}version {previous} and proved healthy."]


def _listed(steps: Sequence[StepToDo]) -> str:
    return ", ".join(step.text for step in steps) or "nothing"


def question(plan: Record, keys: Sequence[str], confirm: str, pause_s: int) -> dict[str, Any]:
    """Return the wait before a step: ``pause_s``, or 0, and ``ask``, the prompt, or empty."""
    positions = _positions(plan, keys)
    if not positions:
        return {"pause_s": 0, "ask": ""}
    handover = keys[0].endswith("/handover")
    steps = steps_to_do(plan)
    upcoming = ", ".join(steps[position].text for position in positions)
    asked = confirm in ("all", "handover" if handover else "nodes")
    masters = ", ".join(f"{name} {host}" for name, (host, _address) in _masters(plan, steps[: positions[0]]).items())
    ask = f"Next: {upcoming}. Master now: {masters}. Type yes to continue, anything else stops the run here" if asked else ""
    return {"pause_s": pause_s if positions[0] or handover else 0, "ask": ask}


def hook_variables(plan: Record, name: str, keys: Sequence[str], key: str) -> dict[str, Any]:
    """Return ``redis_upgrade_hook`` (see docs/operating.md); empty without such a step."""
    return _step_hook(plan, name, keys, key) if keys else _run_hook(plan, name)


def _run_hook(plan: Record, name: str) -> dict[str, Any]:
    """Return the variables of a hook of the whole run. Who is master after a failure is unknown."""
    steps = steps_to_do(plan)
    found: dict[str, Any] = {
        "name": name,
        "playbook": _run(plan),
        "version": plan["version"],
        "deployment": plan.get("deployment", ""),
        "plan": list(plan.get("lines", [])),
        "report_file": plan.get("report_file", ""),
    }
    if name != "on_failure":
        masters = _masters(plan, steps if name == "after_run" else [])
        found["masters"] = {shard: address for shard, (_host, address) in masters.items()}
    return found


def _step_hook(plan: Record, name: str, keys: Sequence[str], key: str) -> dict[str, Any]:
    host, _slash, what = key.partition("/")
    positions = _positions(plan, keys)
    if not _positions(plan, [key]):
        return {}
    done = steps_to_do(plan)[: positions[-1] + 1 if name.startswith("after") else positions[0]]
    kind = "sentinel" if what == "sentinel" else "redis"
    step = plan["steps"].get(f"{host}/{kind}", {})
    shard = step.get("shard", "")
    masters = _masters(plan, done)
    return {
        "name": name,
        "host": host,
        "kind": kind,
        "shard": shard,
        "address": step.get("address", ""),
        "version_before": step.get("running", ""),
        "version": step.get("wanted") or plan["version"],
        "masters": {name: address for name, (_host, address) in masters.items()},
        "master_host": masters[shard][0] if shard in masters else "",
    }
