# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the operator stays in control of a run: who else is at work, where it stops, and what it says
then. Pure.

A run does one step after the other, in the order of the plan, and ends at the first that fails. So
what is done and what is left follows from the plan and the step that comes next; nothing else is
kept.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Mapping, Sequence

from ...module_utils._records.run_lock import describe_run
from .._finding import Finding, named

__all__ = [
    "CONFIRM",
    "HOOKS",
    "Failure",
    "StepToDo",
    "failure_lines",
    "hook_variables",
    "judge_lock",
    "lost_lines",
    "missing_hosts",
    "operator_findings",
    "question",
    "steps_to_do",
    "stop_lines",
]

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Failure:
    """What went wrong with an instance: why, the server's last words, and what came of bringing it
    back.

    ``before``: the version that it has run before this step; ``second``: why that could not be put
    back, empty if it was; ``untouched``: it was not stopped at all; ``left``: for the second, it
    was refused to stop it, so it goes on with what it was to run.
    """

    reason: str
    before: str
    log: Sequence[str] = ()
    set_aside: Sequence[str] = ()
    second: str = ""
    untouched: bool = False
    left: bool = False


HOOKS = ("before_node", "after_node", "before_handover", "after_handover")
CONFIRM = ("never", "nodes", "handover", "all")


@dataclass(frozen=True)
class StepToDo:
    """A disruptive step: ``host/sentinel``, ``host/redis``, or ``host/handover`` for the handover
    to that host.

    ``play``: of those with the same number, several may be under way at once.
    """

    play: int
    key: str
    text: str
    shard: str = ""
    new_master: str = ""


def steps_to_do(plan: Record) -> list[StepToDo]:
    """All disruptive steps of a plan, in the order in which they are done: going back, the
    Sentinels come last.
    """
    back = bool(plan.get("rollback"))
    sentinels = [StepToDo(9 if back else 4, f"{host}/sentinel", f"the Sentinel of {host}") for host in plan["sentinel_hosts"]]
    first = [StepToDo(4, f"{host}/sentinel", f"the Sentinel of {host}") for host in plan.get("first_sentinel_hosts", [])]
    steps = first if back else sentinels
    steps += [StepToDo(5, f"{host}/redis", f"the replica {host}") for host in plan["replica_hosts"]]
    for name, shard in plan["shards"].items():
        if shard["handover"]:
            host = shard["target_host"]
            steps.append(StepToDo(6, f"{host}/handover", f"the handover of {name} to {host}", name, "target"))
    steps += [StepToDo(7, f"{host}/redis", f"{host}, the old master") for host in plan["old_master_hosts"]]
    for name, shard in plan["shards"].items():
        if shard["fail_back"]:
            host = shard["original_master_host"]
            steps.append(StepToDo(8, f"{host}/handover", f"the fail back of {name} to {host}", name, "original_master"))
    return steps + sentinels if back else steps


def _planned(plan: Record, keys: Sequence[str]) -> list[int]:
    """Which steps of the plan the present batch does, counted from 0; none if the plan has nothing
    to do there.
    """
    return [number for number, step in enumerate(steps_to_do(plan)) if step.key in keys]


def _masters(plan: Record, done: Sequence[StepToDo]) -> dict[str, tuple[str, str]]:
    """Of each shard: the host and the address of its master after what was done."""
    now = {name: (shard["master_host"], shard["master"]) for name, shard in plan["shards"].items()}
    for step in done:
        if step.new_master:
            shard = plan["shards"][step.shard]
            now[step.shard] = (shard[f"{step.new_master}_host"], shard[step.new_master])
    return now


def stop_lines(plan: Record, keys: Sequence[str], reason: Sequence[str], after: bool = False) -> list[str]:
    """What a run says that stops between two steps: before those with these keys, or right after
    the one.

    What is done, what is left, who is master, and how to go on. Nothing if the plan has none of
    these steps.
    """
    planned = _planned(plan, keys)
    if not planned:
        return []
    return [
        *reason,
        *_progress(plan, planned[-1] + 1 if after else planned[0]),
        "No step is half done: every instance serves, with its old or its new version, and both work together.",
        f"Run the {_run(plan)} again: it surveys afresh and does what is left.",
    ]


def lost_lines(plan: Record, keys: Sequence[str], done: Sequence[str], lost_hosts: Sequence[str]) -> list[str]:
    """What a run says that does not begin a step, since an earlier one has not come to its end: its
    host was lost on the way.

    ansible-core (2.17 to 2.19; its issue 82834) goes on with the next batch and play after a host
    could not be reached any more. ``done``: the keys of the steps that have come to their end in
    this run. ``lost_hosts``: that are no more in the present play.
    """
    planned = _planned(plan, keys)
    if not planned:
        return []
    steps = steps_to_do(plan)
    play = steps[planned[0]].play
    lost = [step for step in steps if step.key not in done and (step.play < play or (step.play == play and _host(step) in lost_hosts))]
    if not lost:
        return []
    lines = [
        f"Nothing new is begun, since this has not come to its end: {_listed(lost)}. The host was lost on the way, see above.",
        f"Done in this run: {_listed([step for step in steps if step.key in done])}.",
        f"Left: {_listed([step for step in steps if step.key not in done])}.",
        "What was at work on that host may have ended well, or have left its instance stopped; all others serve.",
        f"See that the host is there again, and run the {_run(plan)} again: it surveys afresh, and finishes what was begun.",
    ]
    if any(step.new_master for step in lost):
        lines.insert(
            -1,
            "A handover that was begun is finished, or taken back, by its standby process: ask a Sentinel who is master.",
        )
    return lines


def _host(step: StepToDo) -> str:
    return step.key.partition("/")[0]


def _run(plan: Record) -> str:
    return "rollback" if plan.get("rollback") else "upgrade"


def _progress(plan: Record, position: int, was: bool = False) -> list[str]:
    """What is done and what is left after so many steps, and who is master; or who was, where that
    may have changed since.
    """
    steps = steps_to_do(plan)
    done, left = steps[:position], steps[position:]
    waiting = f", but for what waits for a run without redis_upgrade_canary: {', '.join(plan['deferred'])}" if plan["deferred"] else ""
    lines = [f"Done in this run: {_listed(done)}.", f"Left: {_listed(left)}{waiting}."]
    for name, (host, address) in _masters(plan, done).items():
        home = plan["shards"][name]["original_master_host"]
        is_now = f"is {host} ({address})" + ("" if host == home else f"; it was {home} when the upgrade began")
        ask = f"ask a Sentinel who it is now (SENTINEL GET-MASTER-ADDR-BY-NAME {name})"
        lines.append(f"The master of {name} {f'was {host} ({address}) until this step; {ask}' if was else is_now}.")
    return lines


def failure_lines(plan: Record, keys: Sequence[str], key: str, failed: Failure) -> list[str]:
    """What a run says that stops because an instance failed with the version that it was to run."""
    host, _slash, kind = key.partition("/")
    step = plan["steps"][key]
    back, planned = bool(plan.get("rollback")), _planned(plan, keys)
    lines = [f"{host} ({kind}) could not {'go back to' if back else 'be upgraded to'} {step['wanted']}.", failed.reason]
    if failed.log:
        lines += ["The last lines of its log:", *(f"    {line}" for line in failed.log)]
    if failed.untouched:
        lines.append(f"It was not stopped, and goes on with {failed.before}.")
    elif failed.left:
        lines.append(f"It was not brought back to {failed.before}, and goes on with {step['wanted']}: {failed.second}")
    elif failed.second:
        lines += [
            f"It could not be brought back to {failed.before}: {failed.second}",
            "The other instances are as they were, or done already. Look at this one before anything else: the deployment has one less.",
        ]
    else:
        which = "its version" if back else "its old version"
        lines.append(f"It runs {which} {failed.before} again and was proved healthy.")
    if failed.set_aside:
        gets = "" if failed.second else " It has the data of the master."
        lines.append(f"Data files that {failed.before} cannot read were set aside: {', '.join(failed.set_aside)}.{gets}")
    lines += _progress(plan, planned[0] if planned else 0, was=failed.untouched or failed.left)
    lines.append(f"The deployment serves{', without this instance' if failed.second and not failed.left else ''}.")
    lines.append(f"Mend the cause and run the {_run(plan)} again, it goes on from here.")
    return lines if back else [*lines, "Or go back to the old version everywhere: sentinelops.redis.rollback."]


def _listed(steps: Sequence[StepToDo]) -> str:
    return ", ".join(step.text for step in steps) or "nothing"


def question(plan: Record, keys: Sequence[str], confirm: str, pause_s: int) -> dict[str, Any]:
    """Whether to wait before a step: ``pause_s`` (0: not at all) and ``ask``, the prompt (empty:
    none).
    """
    planned = _planned(plan, keys)
    if not planned:
        return {"pause_s": 0, "ask": ""}
    position = planned[0]
    handover = keys[0].endswith("/handover")
    steps = steps_to_do(plan)
    coming = ", ".join(steps[number].text for number in planned)
    asked = confirm in ("all", "handover" if handover else "nodes")
    masters = ", ".join(f"{name} {host}" for name, (host, _address) in _masters(plan, steps[:position]).items())
    ask = f"Next: {coming}. Master now: {masters}. Type yes to go on, anything else stops the run here" if asked else ""
    return {"pause_s": pause_s if position or handover else 0, "ask": ask}


def hook_variables(plan: Record, name: str, keys: Sequence[str], key: str) -> dict[str, Any]:
    """What a hook is told: ``redis_upgrade_hook``, as the role's README describes it; empty if the
    plan has no such step.
    """
    host, _slash, what = key.partition("/")
    planned_steps = _planned(plan, keys)
    if not _planned(plan, [key]):
        return {}
    done = steps_to_do(plan)[: planned_steps[-1] + 1 if name.startswith("after") else planned_steps[0]]
    kind = "sentinel" if what == "sentinel" else "redis"
    planned = plan["steps"].get(f"{host}/{kind}", {})
    shard = planned.get("shard", "")
    masters = _masters(plan, done)
    return {
        "name": name,
        "host": host,
        "kind": kind,
        "shard": shard,
        "address": planned.get("address", ""),
        "version_before": planned.get("running", ""),
        "version": planned.get("wanted") or plan["version"],
        "masters": {shard: address for shard, (_host, address) in masters.items()},
        "master_host": masters[shard][0] if shard in masters else "",
    }


def missing_hosts(groups: Mapping[str, Sequence[str]], wanted: Sequence[str], in_play: Sequence[str], limit: str) -> list[str]:
    """What a run says that a ``--limit`` keeps from a part of the deployment; nothing if it sees
    all hosts of the groups.
    """
    hosts = dict.fromkeys(host for group in wanted for host in groups.get(group, []))
    missing = [host for host in hosts if host not in in_play]
    if not missing:
        return []
    return [
        f"Nothing was touched. This run was kept from a part of the deployment by --limit {limit}: {', '.join(missing)}.",
        "An upgrade and a handover need every instance, since they look at all of them before and after each step, and keep the order.",
        "Run without --limit; what is done already is skipped. To try the new version on one replica of each shard first: "
        "-e redis_upgrade_canary=1. Where an inventory has several deployments, name the groups of one of them: "
        "-e redis_upgrade_redis_group=... -e redis_upgrade_sentinel_group=...",
    ]


def judge_lock(asked: Mapping[str, Record], override: str, fate: Callable[[Record], str]) -> dict[str, Any]:
    """What the answers of redis_run_lock on all Sentinels' hosts mean; ``fate``: what has become of
    a run (see _run/process).

    ``held``: all of them were granted. ``instead_of``: runs whose locks may be taken all the same,
    since they are known to be dead or the operator says so. ``lines``: who holds it, since when,
    until when at most, and what to do.
    """
    holders = {host: answer["holder"] for host, answer in asked.items() if not answer.get("held") and answer.get("holder")}
    runs = {str(holder["id"]): (host, holder) for host, holder in reversed(list(holders.items()))}
    instead_of = [run for run, (_host, holder) in runs.items() if run == override or fate(holder) == "dead"]
    lines: list[str] = []
    for run, (host, holder) in runs.items():
        if run not in instead_of:
            lines += _refusal(run, host, holder, fate(holder))
            lines += [f"redis_upgrade_override_lock names another run, {override}."] if override else []
    return {"held": all(answer.get("held") for answer in asked.values()), "instead_of": instead_of, "lines": lines}


def _refusal(run: str, host: str, holder: Record, fate: str) -> Iterator[str]:
    yield f"Another run is at work on this deployment: {describe_run(holder)}, since {holder['since']} (seen on {host})."
    if fate == "alive":
        yield f"It runs on this controller, as process {holder['pid']}: let it end, or press Ctrl-C there, and run again."
        return
    yield (
        f"Its last sign of life was {holder['age_s']} s ago. If it is dead, its lock ends by itself in at most {holder['left_s']} s; a run "
        f"that is started on {holder['controller']} does not have to wait."
    )
    yield (
        f"If you know that it is dead, and do not want to wait: -e redis_upgrade_override_lock={run}. A run that is alive after all "
        "stops before its next step."
    )


def operator_findings(wanted: Record, passed: str, terminal: bool, exists: Callable[[str], bool] = os.path.isfile) -> list[Finding]:
    """What is wrong with the wishes of the operator: hooks, confirmation, deadline (``passed``:
    what is wrong with that).
    """
    found = []
    if passed:
        found.append(Finding("redis_upgrade_deadline", passed, "Nothing may be begun", "Give a later one, or none"))
    confirm, hooks = wanted.get("confirm", "never"), wanted.get("hooks") or {}
    if confirm != "never" and not terminal:
        found.append(
            Finding(
                "redis_upgrade_confirm",
                f"it is {confirm}, and this run has no terminal",
                "Nobody could answer, and the run would hang or go on unasked",
                "Run it in a terminal, or set redis_upgrade_confirm: never, perhaps with redis_upgrade_pause_s",
            )
        )
    for name, path in hooks.items():
        if name not in HOOKS:
            seen, do = "there is no such hook", f"Use one of {', '.join(HOOKS)}"
        elif not os.path.isabs(str(path)):
            seen, do = f"{path} is not an absolute path", "Write it with {{ inventory_dir }} or {{ playbook_dir }} before it"
        elif not exists(str(path)):
            seen, do = f"the task file {path} does not exist on the controller", "Correct the path"
        else:
            continue
        found.append(Finding(f"redis_upgrade_hooks, {name}", seen, "It could not be run in the middle of the upgrade", do))
    return named("operator", found)
