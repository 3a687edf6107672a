# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge whether a shard is ready for a handover: permanent and transient problems."""

from __future__ import annotations

from typing import Sequence

from .._errors import ConnectionFailed, PreconditionFailed, SentinelOpsError
from .._server.acl import missing_on_node, missing_on_sentinel, missing_to_coordinate
from .._server.address import same_node
from .._server.commands import Server
from .._server.connection import connect
from .._server.sent_errors import MEANING, REMEDY
from .._topology.election import ineligible_because
from .._topology.fence import LARGEST, can_arm, original_min_replicas
from .._topology.following import cannot_follow
from .._topology.limits import MAX_HELLO_AGE_MS, MIN_PAUSE_BUDGET_MS, pause_budget_ms
from .._topology.sentinel import SentinelView, disagreements
from .._topology.shard import Shard, ShardServers
from .._wait import Clock
from .modes import mode_refusals

__all__ = ["handover_refused", "mode_problems", "pause_problems", "permanent_problems", "transient_problems"]


def permanent_problems(shard: Shard, target: str, wanted_version: str = "") -> list[str]:
    """Return the problems that exclude a handover to ``target``, whatever the wait."""
    found: list[str] = list(shard.denied)
    if not shard.views:
        return found or [f"no Sentinel answered: {'; '.join(shard.unreachable)}"]
    node = shard.node(target)
    if node is None:
        known = ", ".join(node.address for node in shard.nodes)
        found.append(f"the target {target} is not a data node that the Sentinels know and that answers (they know {known})")
        found += [text for text in shard.unreachable if text not in found]
    else:
        if wanted_version and node.info.version != wanted_version:
            found.append(f"the target {target} runs {node.info.version}, not the wanted {wanted_version}")
        if node.priority == 0 and target != shard.master:
            found.append(f"the target {target} has replica-priority 0: its operators excluded it from promotion")
        if node.info.errors_sent and target != shard.master:
            found.append(f"the target {target} has sent its master {node.info.errors_sent} errors. {MEANING}. {REMEDY}")
    return found


def pause_problems(shard: Shard) -> list[str]:
    """Return the problem of a down-after-milliseconds that is too short for a pause."""
    down_after = shard.down_after_ms
    if pause_budget_ms(down_after) >= MIN_PAUSE_BUDGET_MS:
        return []
    return [
        f"down-after-milliseconds is {down_after}: a pause may last {max(0, pause_budget_ms(down_after))} ms, "
        f"and the handover needs {MIN_PAUSE_BUDGET_MS} ms; raise it with SENTINEL SET to 2000 or more, or use mode fence"
    ]


def _sentinel_unready(view: SentinelView, sentinels: int) -> list[str]:
    found: list[str] = []
    if view.tilt:
        found.append(f"Sentinel {view.address} is in TILT")
    if view.master.failover_in_progress:
        found.append(f"Sentinel {view.address} has a failover in progress")
    bad = [flag for flag in view.master.flags if flag in ("s_down", "o_down", "disconnected")]
    if bad:
        found.append(f"Sentinel {view.address} flags the master {', '.join(bad)}")
    if not view.quorum_ok:
        found.append(f"Sentinel {view.address}: {view.quorum_reply}")
    if view.master.other_sentinels + 1 != sentinels:
        found.append(
            f"Sentinel {view.address} knows {view.master.other_sentinels + 1} Sentinels, {sentinels} were asked: "
            "one is missing, or one is a ghost (SENTINEL RESET on each removes ghosts)"
        )
    for peer in view.peers:
        if peer.hello_age_ms > MAX_HELLO_AGE_MS or "disconnected" in peer.flags or "s_down" in peer.flags:
            age = "never" if peer.hello_age_ms >= 10**9 else f"{peer.hello_age_ms} ms ago"
            found.append(f"Sentinel {view.address} last heard of Sentinel {peer.address} {age} (flags {','.join(peer.flags)})")
    return found


def _nodes_unready(shard: Shard, max_lag_bytes: int) -> list[str]:
    found: list[str] = []
    masters = [node.address for node in shard.nodes if node.info.is_master]
    if masters != [shard.master]:
        found.append(f"the Sentinels name {shard.master}, and role:master is seen on {', '.join(masters) or 'no node'}")
    head = max((node.info.offset for node in shard.nodes if node.info.is_master), default=0)
    for node in shard.nodes:
        info = node.info
        if node.fenced:
            found.append(f"{node.address} is fenced by a handover that is in progress or was just cut short")
        if info.loading:
            found.append(f"{node.address} is loading its data")
        if info.is_master:
            continue
        if not info.link_up:
            found.append(f"the link of replica {node.address} to its master is down")
        elif not same_node(info.master, shard.master):
            found.append(f"replica {node.address} follows {info.master}, not the master {shard.master}")
        elif head - info.offset > max_lag_bytes:
            found.append(f"replica {node.address} lags {head - info.offset} bytes (at most {max_lag_bytes})")
    return found


def transient_problems(shard: Shard, target: str, max_lag_bytes: int) -> list[str]:
    """Return the problems that must pass before a handover, and may pass by themselves."""
    found = [*shard.unreachable, *disagreements(shard.views)]
    for view in shard.views:
        found += _sentinel_unready(view, len(shard.views) + sum(text.startswith("Sentinel") for text in shard.unreachable))
        found += _would_convert(view)
        replica = view.replica(target)
        if replica is not None and view.master.address != target:
            why = ineligible_because(replica)
            if why:
                found.append(f"Sentinel {view.address} would not promote {target}: {why}")
    return found + _nodes_unready(shard, max_lag_bytes) + _hidden_rivals(shard, target)


def _hidden_rivals(shard: Shard, target: str) -> list[str]:
    """Return the replicas that no Sentinel lists, and that may be promoted instead."""
    hidden = [node for node in shard.nodes if all(view.replica(node.address) is None for view in shard.views)]
    return [
        f"replica {node.address} has replica-priority 1 and replica-announced no: a Sentinel may promote it, and does not tell; "
        "set replica-priority 0 (or above 1)"
        for node in hidden
        if node.priority == 1 and node.address not in (shard.master, target)
    ]


def _would_convert(view: SentinelView) -> list[str]:
    """Return the replicas that a Sentinel last saw as masters: it makes them replicas after 8 s.

    It would do that to a node that was promoted just then, before it has heard of the promotion:
    two nodes would follow each other, and no node would take writes.
    """
    return [
        f"Sentinel {view.address} has seen {replica.address} as a master, and will make it a replica of {view.master.address}"
        for replica in view.replicas
        if replica.reported_role == "master" and replica.address != view.master.address
    ]


def handover_refused(problems: Sequence[str], master: str) -> PreconditionFailed:
    """Return the error for a handover that did not begin."""
    return PreconditionFailed(
        "the handover was not begun: " + "; ".join(problems),
        state=f"Nothing was changed, {master or 'the master'} keeps its role",
        advice="Fix the problems above and run again",
        problems=list(problems),
    )


def _slow_answers(servers: ShardServers, shard: Shard, target: str, clock: Clock) -> list[str]:
    """Return the servers that are too slow for a pause, in which each is asked several times."""
    limit_ms = pause_budget_ms(shard.down_after_ms) / 5
    nodes = [("data node", servers.node(address)) for address in (shard.master, target)]
    found = []
    for kind, server in [*nodes, *(("Sentinel", sentinel) for sentinel in servers.sentinels)]:
        took_ms = min(_round_trip_ms(server, clock) for _attempt in range(3))
        if took_ms > limit_ms:
            found.append(
                f"a round trip to {kind} {server.address} takes {took_ms:.0f} ms, more than a fifth of the pause ({limit_ms:.0f} ms): "
                "run the handover on a nearer host, raise down-after-milliseconds, or use mode fence"
            )
    return found


def _round_trip_ms(server: Server, clock: Clock) -> float:
    """Return the duration of a PING; 0 for a silent server, which the survey reports."""
    begun_s = clock.now_s()
    try:
        server.command("PING")
    except ConnectionFailed:
        return 0.0
    except SentinelOpsError:
        pass  # a refusal (NOPERM) takes as long as an answer
    return (clock.now_s() - begun_s) * 1000


def _cannot_follow(servers: ShardServers, master: str, target: str) -> list[str]:
    """Return why the old master could not follow the target, as far as this host can tell."""
    if servers.node_login is None:
        return []
    try:
        why = cannot_follow(servers.node(master), servers.node(target).address, servers.node_login, connect)
    except SentinelOpsError:
        return []  # our user may not read its settings
    return [f"{master} could not follow {target} afterwards: {why}"] if why else []


def mode_problems(servers: ShardServers, shard: Shard, target: str, mode: str, clock: Clock) -> tuple[list[str], list[str]]:
    """Return ``(problems, warnings)`` of a mode on this shard: versions, time limits and rights."""
    master = shard.node(shard.master)
    if master is None:
        return [], []  # the master may come back: the caller waits
    problems = mode_refusals(mode, master.info, shard.master, shard.views)
    warnings: list[str] = []
    if mode == "pause":
        problems += pause_problems(shard) or _slow_answers(servers, shard, target, clock)
        if not can_arm(*original_min_replicas(master.min_replicas_to_write, master.min_replicas_max_lag)):
            problems.append(
                f"min-replicas-to-write or min-replicas-max-lag of {shard.master} is {LARGEST} or more, which the dead man's fence "
                "of mode pause cannot encode: use mode fence"
            )
    for address in (shard.master, target):
        problems += missing_on_node(servers.node(address), mode)
    problems += _cannot_follow(servers, shard.master, target)
    for sentinel in servers.sentinels:
        problems += missing_on_sentinel(sentinel)
    if mode == "coordinated" and not problems:
        problems, warnings = missing_to_coordinate(servers.node(shard.master))
    return problems, warnings
