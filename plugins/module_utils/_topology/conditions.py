# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions on one instance: what was wanted, what was seen, whether it holds. Pure functions of
an observation.
"""

from __future__ import annotations

import operator
from dataclasses import asdict, dataclass, field
from typing import Any, Callable, Mapping

from .._server.info import is_sentinel, node_info
from .._server.log import judge_log
from .sentinel import SentinelView

__all__ = ["Finding", "Observation", "Wanted", "judge"]


@dataclass(frozen=True)
class Observation:
    """What was read at one moment; ``error`` is set where the instance did not answer.

    ``master_offset`` is the offset of a replica's master, in bytes of the replication stream;
    ``log`` is what the instance has logged.
    """

    info: Mapping[str, str] = field(default_factory=dict)
    view: SentinelView | None = None
    master_offset: int | None = None
    log: str = ""
    error: str = ""


@dataclass(frozen=True)
class Wanted:
    """The conditions; one that is None (or empty) is not checked. Field names are the module's
    option names.
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
    log_clean: bool | None = None


@dataclass(frozen=True)
class Finding:
    """One condition: its name, what was wanted and what was seen."""

    condition: str
    wanted: Any
    seen: Any
    ok: bool

    def __str__(self) -> str:
        return f"{self.condition}: wanted {self.wanted}, seen {self.seen}"

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
    """Whether an INFO field's text satisfies ``value`` or ``<operator> value``; numbers are
    compared as numbers.
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
    """``sentinel``, ``master`` or ``replica`` (INFO's mode and role)."""
    return "sentinel" if is_sentinel(info) else node_info(info).role


def _node_findings(wanted: Wanted, seen: Observation) -> list[Finding]:
    node = node_info(seen.info)
    found: list[Finding] = []
    if wanted.role is not None:
        found.append(Finding("role", wanted.role, role_of(seen.info), role_of(seen.info) == wanted.role))
    if wanted.version is not None:
        found.append(Finding("version", wanted.version, node.version, node.version == wanted.version))
    if wanted.loaded:
        found.append(Finding("loaded", True, not node.loading, not node.loading))
    if wanted.link_up:
        synced = node.link_up and not node.sync_in_progress
        text = f"master_link_status {seen.info.get('master_link_status', 'none (it is a master)')}"
        found.append(Finding("link_up", True, text, synced))
    if wanted.max_lag_bytes is not None:
        lag = _lag_bytes(seen)
        found.append(Finding("max_lag_bytes", wanted.max_lag_bytes, lag, lag is not None and lag <= wanted.max_lag_bytes))
    if wanted.min_uptime_s is not None:
        found.append(Finding("min_uptime_s", wanted.min_uptime_s, node.uptime_s, node.uptime_s >= wanted.min_uptime_s))
    for name, value in wanted.fields.items():
        present = seen.info.get(name)
        found.append(Finding(name, value, "no such field" if present is None else present, field_holds(value, present)))
    return found


def _lag_bytes(seen: Observation) -> int | None:
    """A replica's distance to its master; on a master the distance of its last replica. None if not
    known.
    """
    node = node_info(seen.info)
    if node.is_master:
        return max((node.offset - replica.offset for replica in node.replicas), default=0)
    return None if seen.master_offset is None else max(0, seen.master_offset - node.offset)


def _sentinel_findings(wanted: Wanted, view: SentinelView) -> list[Finding]:
    found: list[Finding] = []
    if wanted.master is not None:
        found.append(Finding("master", wanted.master, view.master.address, view.master.address == wanted.master))
    if wanted.quorum:
        found.append(Finding("quorum", True, view.quorum_reply, view.quorum_ok))
    if wanted.links_fresh:
        stale = view.stale_links()
        found.append(Finding("links_fresh", True, "; ".join(stale) or True, not stale))
    if wanted.known_sentinels is not None:
        count = view.master.other_sentinels
        found.append(Finding("known_sentinels", wanted.known_sentinels, count, count == wanted.known_sentinels))
    if wanted.known_replicas is not None:
        count = view.master.replicas
        found.append(Finding("known_replicas", wanted.known_replicas, count, count == wanted.known_replicas))
    if wanted.no_tilt:
        found.append(Finding("no_tilt", True, "TILT" if view.tilt else True, not view.tilt))
    if wanted.no_failover:
        running = view.master.failover_in_progress
        found.append(Finding("no_failover", True, "failover in progress" if running else True, not running))
    return found


def judge(wanted: Wanted, seen: Observation) -> list[Finding]:
    """Every wanted condition, with what was seen; an instance that does not answer fulfils none."""
    if seen.error:
        return [Finding("answers", True, seen.error, False)]
    found = _node_findings(wanted, seen)
    if seen.view is not None:
        found += _sentinel_findings(wanted, seen.view)
    if wanted.log_clean:
        errors = judge_log(seen.log).errors
        found.append(Finding("log_clean", True, "; ".join(errors[:5]) or True, not errors))
    return found
