# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until conditions on one instance hold, by its own replies and its log."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Mapping

from .._errors import CommandRefused, ConditionNotMet, ConnectionFailed
from .._server.address import Address
from .._server.commands import Server
from .._server.connection import connect
from .._server.info import node_info, parse_info
from .._server.log import judge_log, read_from
from .._server.login import Login
from .._wait import Clock, until
from .conditions import ConditionResult, ConditionsWanted, Observation, judge, waits_for
from .sentinel import read_view

__all__ = ["CONDITIONS_SPEC", "OF_A_SENTINEL", "CheckRequest", "check"]

# The options of redis_info_check, and of redis_instance, that are conditions.
CONDITIONS_SPEC: dict[str, Any] = {
    "role": {"type": "str", "choices": ["master", "replica", "sentinel"]},
    "version": {"type": "str"},
    "loaded": {"type": "bool"},
    "link_up": {"type": "bool"},
    "max_lag_bytes": {"type": "int"},
    "min_uptime_s": {"type": "int"},
    "fields": {"type": "dict", "default": {}},
    "master": {"type": "str"},
    "quorum": {"type": "bool"},
    "links_fresh": {"type": "bool"},
    "known_sentinels": {"type": "int"},
    "known_replicas": {"type": "int"},
    "no_tilt": {"type": "bool"},
    "no_failover": {"type": "bool"},
    "no_errors_sent": {"type": "bool"},
    "log_clean": {"type": "bool"},
}
OF_A_SENTINEL = ("master", "quorum", "links_fresh", "known_sentinels", "known_replicas", "no_tilt", "no_failover")


@dataclass(frozen=True)
class CheckRequest:
    """A check: of which conditions, where, and for how long.

    ``masters``: the masters that a Sentinel must monitor, with the values of ``wanted`` that are
    other ones for this master. ``log_file``, ``log_offset``: the part of the log to judge.
    """

    address: Address
    login: Login
    wanted: ConditionsWanted
    masters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    log_file: str = ""
    log_offset: int = 0
    wait_s: float = 0.0
    interval_s: float = 0.2


class Observer:
    """Observes one instance, and its master if the lag of a replica is a condition."""

    def __init__(self, request: CheckRequest) -> None:
        self._request = request
        self._server = connect(request.address, request.login)
        self._master: Server | None = None

    def look(self) -> list[Observation]:
        """Return an observation for each master, or one if there is none.

        A lost connection or a refused command is an observation too.
        """
        wanted, request = self._request.wanted, self._request
        try:
            info = parse_info(self._server.command("INFO"))
            offset = self._master_offset(info) if wanted.max_lag_bytes is not None else None
            log = read_from(request.log_file, request.log_offset) if wanted.log_clean else ""
            seen = Observation(info=info, master_offset=offset, log=log)
            return [replace(seen, view=read_view(self._server, name)) for name in request.masters] or [seen]
        except (ConnectionFailed, CommandRefused) as error:
            return [Observation(error=str(error))]

    def _master_offset(self, info: dict[str, str]) -> int | None:
        node = node_info(info)
        if node.is_master:
            return None
        address = Address.parse(node.master)
        if self._master is None or self._master.address != address:
            self._master = connect(address, self._request.login)
        return node_info(parse_info(self._master.command("INFO", "replication"))).offset


def check(request: CheckRequest, check_mode: bool = False) -> dict[str, Any]:
    """Wait until every condition holds, and return the result of redis_info_check.

    Raises ConditionNotMet, with that result, at the deadline, or as soon as no wait can help. In
    check mode it looks once and raises nothing.
    """
    observer = Observer(request)
    results: list[ConditionResult] = []

    def decided(seen: list[Observation]) -> bool:
        results[:] = _judged(request, seen)
        return all(found.ok for found in results) or any(found.is_final for found in results)

    waited = until(
        observer.look,
        decided,
        deadline_s=0.0 if check_mode else request.wait_s,
        interval_s=request.interval_s,
        clock=Clock(),
        says=lambda seen: waits_for(seen[0], results),
    )
    result = {"changed": False, "waited_ms": round(waited.waited_s * 1000), **_result(request, waited.seen, results)}
    if result["met"] or check_mode:
        return result
    failed = "; ".join(str(found) for found in results if not found.ok)
    within = f" within {request.wait_s:g} s" if request.wait_s and not waited.satisfied else ""
    raise ConditionNotMet(f"not met{within}: {failed}", node=str(request.address), **result)


def _judged(request: CheckRequest, seen: list[Observation]) -> list[ConditionResult]:
    """Return the results for all masters; each names its master if there are several."""
    if len(seen) < 2:
        own = next(iter(request.masters.values()), {})
        return judge(replace(request.wanted, **own), seen[0])
    found: dict[ConditionResult, None] = {}
    for (name, own), one in zip(request.masters.items(), seen):
        for result in judge(replace(request.wanted, **own), one):
            of_master = result.condition in OF_A_SENTINEL
            found[replace(result, condition=f"{result.condition} of {name}") if of_master else result] = None
    return list(found)


def _result(request: CheckRequest, seen: list[Observation], results: list[ConditionResult]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "met": all(one.ok for one in results),
        "info": dict(seen[0].info),
        "conditions": [one.as_dict() for one in results],
    }
    views = [one.view.as_dict() for one in seen if one.view is not None]
    if views:
        found["view"] = views[0]
    if request.wanted.log_clean:
        found["log_warnings"] = list(judge_log(seen[0].log).warnings)
    return found
