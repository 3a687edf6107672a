# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions on one instance, and checking them against an observation; pure functions."""

from __future__ import annotations

import operator
from dataclasses import asdict, dataclass, field
from typing import Any, Callable, Mapping, Sequence

from .._server.activity import activity
from .._server.info import is_sentinel, node_info
from .._server.log import judge_log
from .._server.sent_errors import MEANING, counted_or_logged
from .._sizes import readable_size
from .sentinel import SentinelView

__all__ = ["ConditionResult", "ConditionsWanted", "Observation", "judge", "waits_for"]


@dataclass(frozen=True)
class Observation:
    """The replies of one instance at one moment; ``error`` is set if the instance did not answer.

    ``master_offset`` is the offset of a replica's master, in bytes of the replication stream.
    ``log`` is the text of the instance's log.
    """

    info: Mapping[str, str] = field(default_factory=dict)
    view: SentinelView | None = None
    master_offset: int | None = None
    log: str = ""
    error: str = ""


@dataclass(frozen=True)
class ConditionsWanted:
    """The conditions to check; a condition that is None or empty is not checked.

    Field names are the options of the module redis_info_check.
    """

    role: str | None = None
    version: str | None = None
    loaded: bool | None = None
    link_up: bool | None = None
    max_lag_bytes: int | None = None
    min_uptime_s: int | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    master: str | None = None
    quorum: bool | None = None
    links_fresh: bool | None = None
    known_sentinels: int | None = None
    known_replicas: int | None = None
    no_tilt: bool | None = None
    no_failover: bool | None = None
    no_errors_sent: bool | None = None
    log_clean: bool | None = None


@dataclass(frozen=True)
class ConditionResult:
    """The name of a condition, the wanted value, the observed value, and whether they match."""

    condition: str
    wanted: Any
    seen: Any
    ok: bool

    def __str__(self) -> str:
        return f"{self.condition}: wanted {self.wanted}, seen {self.seen}"

    @property
    def is_final(self) -> bool:
        """Return whether no wait can change the result, since errors have happened."""
        return not self.ok and self.condition in ("no_errors_sent", "log_clean")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


_COMPARISONS: tuple[tuple[str, Callable[[Any, Any], bool]], ...] = (
    (">=", operator.ge),
    ("<=", operator.le),
    ("!=", operator.ne),
    (">", operator.gt),
    ("<", operator.lt),
    ("==", operator.eq),
)


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def field_holds(wanted: Any, seen: str | None) -> bool:
    """Return whether the text of an INFO field satisfies ``value`` or ``<operator> value``.

    Numbers are compared as numbers. A field that INFO lacks (None) satisfies nothing.
    """
    if seen is None:
        return False
    text = str(int(wanted)) if isinstance(wanted, bool) else str(wanted).strip()
    compare: Callable[[Any, Any], bool] = operator.eq
    for sign, function in _COMPARISONS:
        if text.startswith(sign):
            text, compare = text[len(sign) :].strip(), function
            break
    wanted_number, seen_number = _as_number(text), _as_number(seen)
    if wanted_number is not None and seen_number is not None:
        return compare(seen_number, wanted_number)
    return compare(seen, text)


def role_of(info: Mapping[str, str]) -> str:
    """Return ``sentinel``, ``master`` or ``replica``, from the mode and the role in INFO."""
    return "sentinel" if is_sentinel(info) else node_info(info).role


def _node_results(wanted: ConditionsWanted, seen: Observation) -> list[ConditionResult]:
    node = node_info(seen.info)
    found: list[ConditionResult] = []
    if wanted.role is not None:
        found.append(ConditionResult("role", wanted.role, role_of(seen.info), role_of(seen.info) == wanted.role))
    if wanted.version is not None:
        found.append(ConditionResult("version", wanted.version, node.version, node.version == wanted.version))
    if wanted.loaded:
        found.append(ConditionResult("loaded", True, not node.loading, not node.loading))
    if wanted.link_up:
        synced = node.link_up and not node.sync_in_progress
        text = f"master_link_status {seen.info.get('master_link_status', 'none (it is a master)')}"
        found.append(ConditionResult("link_up", True, text, synced))
    if wanted.max_lag_bytes is not None:
        lag = _lag_bytes(seen)
        found.append(ConditionResult("max_lag_bytes", wanted.max_lag_bytes, lag, lag is not None and lag <= wanted.max_lag_bytes))
    if wanted.min_uptime_s is not None:
        found.append(ConditionResult("min_uptime_s", wanted.min_uptime_s, node.uptime_s, node.uptime_s >= wanted.min_uptime_s))
    if wanted.no_errors_sent:
        sent = counted_or_logged(seen.info, seen.log)
        found.append(ConditionResult("no_errors_sent", True, _errors_text(sent), not sent))
    for name, value in wanted.fields.items():
        present = seen.info.get(name)
        found.append(ConditionResult(name, value, "no such field" if present is None else present, field_holds(value, present)))
    return found


def _errors_text(count: int) -> Any:
    return f"{count} (unexpected_error_replies, or lines in its log). {MEANING}" if count else True


def _lag_bytes(seen: Observation) -> int | None:
    """Return a replica's lag behind its master, or a master's largest lag of a replica.

    Returns None if the offset of a replica's master is unknown.
    """
    node = node_info(seen.info)
    if node.is_master:
        return max((node.offset - replica.offset for replica in node.replicas), default=0)
    return None if seen.master_offset is None else max(0, seen.master_offset - node.offset)


def _sentinel_results(wanted: ConditionsWanted, view: SentinelView) -> list[ConditionResult]:
    found: list[ConditionResult] = []
    if wanted.master is not None:
        found.append(ConditionResult("master", wanted.master, view.master.address, view.master.address == wanted.master))
    if wanted.quorum:
        found.append(ConditionResult("quorum", True, view.quorum_reply, view.quorum_ok))
    if wanted.links_fresh:
        stale = view.stale_links()
        found.append(ConditionResult("links_fresh", True, "; ".join(stale) or True, not stale))
    if wanted.known_sentinels is not None:
        count = view.master.other_sentinels
        found.append(ConditionResult("known_sentinels", wanted.known_sentinels, count, count == wanted.known_sentinels))
    if wanted.known_replicas is not None:
        count = view.master.replicas
        found.append(ConditionResult("known_replicas", wanted.known_replicas, count, count == wanted.known_replicas))
    if wanted.no_tilt:
        found.append(ConditionResult("no_tilt", True, "TILT" if view.tilt else True, not view.tilt))
    if wanted.no_failover:
        running = view.master.failover_in_progress
        found.append(ConditionResult("no_failover", True, "failover in progress" if running else True, not running))
    return found


def judge(wanted: ConditionsWanted, seen: Observation) -> list[ConditionResult]:
    """Return the result of every condition to check.

    An instance that did not answer has one result, the failed condition ``answers``.
    """
    if seen.error:
        return [ConditionResult("answers", True, seen.error, False)]
    found = _node_results(wanted, seen)
    if seen.view is not None:
        found += _sentinel_results(wanted, seen.view)
    if wanted.log_clean:
        errors = judge_log(seen.log).errors
        found.append(ConditionResult("log_clean", True, "; ".join(errors[:5]) or True, not errors))
    return found


def waits_for(seen: Observation, results: Sequence[ConditionResult]) -> str:
    """Return what an instance still has to do until its conditions hold, for a line of progress."""
    missing = {result.condition: result for result in results if not result.ok}
    busy = seen.error.rstrip(".") or activity(seen.info)
    if busy:
        return busy
    if "link_up" in missing:
        return "its link to the master is down"
    if "max_lag_bytes" in missing:
        lag = missing["max_lag_bytes"].seen
        return "the offset of its master is not known" if lag is None else f"offset: {readable_size(lag)} to go"
    return "; ".join(f"{name}: {one.seen}{'' if one.wanted is True else f', wanted {one.wanted}'}" for name, one in missing.items())
