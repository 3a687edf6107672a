# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of all reserves of a deployment, for the playbook reserve. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .deployments import several_lines
from .model import Instance, Settings, ShardPlan
from .plan import make_plan
from .reserve_verdict import AT_RISK, GOOD, LOST, Verdict, judge

__all__ = ["reserve_status"]

LEAST_BACKLOG_S = 60
_WORST_LAST = (GOOD, AT_RISK, LOST)


def reserve_status(instances: Sequence[Instance], settings: Settings, compared: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return ``shards`` (a state for each reserve), ``lines`` (text), and ``good`` if all are good.

    ``compared``: by the reserve's host, the result of redis_reserve_compare, or its ``msg``.
    """
    plan = make_plan(instances, settings)
    records = {instance.host: instance.record for instance in instances if instance.kind == "redis"}
    found = {name: _state(shard, records, compared.get(shard.reserve_host) or {}) for name, shard in plan.shards.items() if shard.reserve}
    lines = [line for name, state in found.items() for line in _lines(name, state)]
    problems = [str(problem) for problem in plan.problems if not plan.shards] + several_lines(plan.deployments)
    return {
        "shards": found,
        "lines": problems + lines if problems or lines else ["There is no reserve in this deployment."],
        "good": not problems and all(state["state"] == GOOD for state in found.values()),
    }


def _state(shard: ShardPlan, records: Mapping[str, Mapping[str, Any]], compared: Mapping[str, Any]) -> dict[str, Any]:
    reserve, master = records[shard.reserve_host], records[shard.master_host]
    verdicts = [judge(reserve, master), *_of_backlog(shard, master), *_of_comparison(compared, bool(reserve.get("link_up")))]
    known, own = reserve.get("reserve") or {}, reserve.get("replication") or {}
    theirs = master.get("replication") or {}
    return {
        "leads_back": verdicts[0].state == GOOD,
        "state": max((verdict.state for verdict in verdicts), key=_WORST_LAST.index),
        "reasons": [reason for verdict in verdicts for reason in verdict.reasons],
        "host": shard.reserve_host,
        "version": shard.reserve_version,
        "master": shard.master_host,
        "master_version": master.get("version", ""),
        "since_s": known.get("since_s"),
        "link_up": bool(reserve.get("link_up")),
        "lag_bytes": max(0, int(theirs.get("offset") or 0) - int(own.get("offset") or 0)) if theirs else None,
        "errors": known.get("errors"),
        "backlog_lasts_s": _backlog_lasts_s(master),
        "full_syncs_of_master": theirs.get("syncs_full"),
        "keys": compared.get("keys"),
        "compared": compared.get("compared"),
        "differing": compared.get("differing"),
        "unreadable": compared.get("unreadable"),
        "unknown_commands": compared.get("unknown_commands"),
    }


def _backlog_lasts_s(master: Mapping[str, Any]) -> float | None:
    """Return for how long the master's backlog has all writes at the rate of now; None if idle."""
    rate = float((master.get("examined") or {}).get("rate_bytes_s") or 0)
    size = int((master.get("replication") or {}).get("backlog_bytes") or 0)
    return round(size / rate, 1) if rate and size else None


def _of_backlog(shard: ShardPlan, master: Mapping[str, Any]) -> Iterator[Verdict]:
    lasts_s = _backlog_lasts_s(master)
    if lasts_s is not None and lasts_s < LEAST_BACKLOG_S:
        seen = (
            f"the backlog of {shard.master_host} lasts for {lasts_s:g} s of writes only; a link that is down for longer cannot be resumed"
        )
        yield Verdict(AT_RISK, (f"{seen}: raise repl-backlog-size on {shard.master_host} (CONFIG SET)",))


def _of_comparison(compared: Mapping[str, Any], link_up: bool) -> Iterator[Verdict]:
    if compared.get("msg"):
        yield Verdict(AT_RISK, (f"its data could not be compared: {compared['msg']}",))
    differing = [str(key) for key in compared.get("differing") or []]
    if differing and link_up:  # without its link it is behind, which the stream tells
        named = ", ".join(differing[:5])
        yield Verdict(LOST, (f"{len(differing)} of the compared keys have other values on it, or none: {named}",))
    unequal = {name: numbers for name, numbers in (compared.get("keys") or {}).items() if numbers[0] != numbers[1]}
    if unequal and link_up and not differing:
        text = "; ".join(f"{name}: {theirs} and {own}" for name, (theirs, own) in unequal.items())
        yield Verdict(AT_RISK, (f"master and reserve have different numbers of keys ({text}), which keys that expire may explain",))


def _lines(name: str, state: Mapping[str, Any]) -> Iterator[str]:
    nodes = f"the reserve {state['host']} ({state['version']}) of the master {state['master']} ({state['master_version']})"
    yield f"{name}: {nodes} is {state['state'].upper()}"
    yield from (f"{name}: {reason}" for reason in state["reasons"])
    if state["link_up"]:
        yield f"{name}: link up, {state['lag_bytes']} bytes behind, {state['errors']} writes refused"
    elif state["full_syncs_of_master"] is not None:
        yield (
            f"{name}: link down; the reserve asks again and again, and each full synchronisation costs the master a fork, at most one in "
            f"30 s ({state['full_syncs_of_master']} so far since its start)"
        )
    lasts_s = state["backlog_lasts_s"]
    lasts = "as long as nobody writes" if lasts_s is None else f"for {lasts_s:g} s at the present write rate"
    yield f"{name}: the master's backlog lasts {lasts}"
    if state["compared"] is not None:
        number = sum(state["compared"].values())
        yield f"{name}: {number} keys compared, {len(state['differing'])} differ; keys on master and reserve: {state['keys']}"
    if state["unknown_commands"]:
        commands = ", ".join(state["unknown_commands"])
        yield f"{name}: clients use {commands}, which {state['version']} does not know: after a rollback they would get errors"
    yield f"{name}: {_advice(state)}"


def _advice(state: Mapping[str, Any]) -> str:
    if state["state"] == GOOD:
        return "go back with the playbook rollback, without a loss; or end with finish"
    if state["state"] == AT_RISK and state["leads_back"]:
        return "its stream has every write, so a rollback is possible; mend what is named, and look again"
    if state["state"] == AT_RISK:
        return "a rollback is refused until it has every write; look again"
    if state["leads_back"]:
        return "do not roll back, which looks at the stream alone, before you know why the data differ; save both (BGSAVE)"
    return (
        "a rollback would lose writes, and is refused. Its data are a copy of an earlier moment: save them (BGSAVE) if you want them, and "
        "end with finish, which upgrades it"
    )
