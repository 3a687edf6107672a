# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of an upgrade and of a rollback: the one place for numbers and words of all plays.

The playbooks, the text of the plan, the gates and the messages of a run take order, numbers and
words from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["NO_HOSTS", "ROLLBACK", "UPGRADE", "Play", "StepToDo", "play_options", "plays_of", "steps_to_do"]

# A pattern that matches no host. An empty list of hosts would be an error of the playbook.
NO_HOSTS = "all:!all"
_LAST = 8


@dataclass(frozen=True)
class Play:
    """One play over hosts of the plan.

    ``name``: as the playbooks call the play. ``hosts``: the field of the plan with its hosts.
    ``serial``: ``all`` at once, ``one`` by one, or the field of the plan with its batch sizes.
    ``label``: begins its lines in the text of the plan. ``kind``: ends the keys of its steps;
    empty for a play that stops nothing. ``words``: one of its steps in a sentence. ``promotes``:
    the node of a shard that a handover makes the master, as a field of ShardPlan. ``once``: whether
    the first host does the work for all.
    """

    name: str
    title: str
    hosts: str
    serial: str = "all"
    label: str = ""
    kind: str = ""
    words: str = ""
    promotes: str = ""
    once: bool = False
    number: int = 0

    @property
    def position(self) -> str:
        return f"({self.number}/{_LAST})"

    @property
    def full_title(self) -> str:
        return f"{self.position} {self.title}"


def _numbered(*plays: tuple[int, Play]) -> tuple[Play, ...]:
    return tuple(replace(play, number=number) for number, play in plays)


_SURVEY = Play("survey", "Survey and plan", "")
_PREFLIGHT = Play("preflight", "Preflight", "")
_BEFORE_RUN = Play("before_run", "Hook before the run", "before_run_hosts")
_AUDIT = Play("audit", "Begin the write audit", "audit_hosts")
_RECOVERY = Play("recovery", "Recover an interrupted handover", "recovery_hosts", "handover_serial", label="recover  ")
_STAGE = Play("stage", "Stage the new version", "touched_hosts")
_JOURNALS = Play("journals", "Open the journals", "touched_hosts")
_STOPPED_SENTINELS = Play(
    "stopped_sentinels",
    "Sentinels that an earlier run left stopped",
    "first_sentinel_hosts",
    serial="one",
    label="Sentinel ",
    kind="sentinel",
    words="the Sentinel of {host}",
)
_SENTINELS = replace(_STOPPED_SENTINELS, name="sentinels", title="Sentinels", hosts="sentinel_hosts")
_REPLICAS = Play("replicas", "Replicas", "replica_hosts", "replica_serial", "replica ", "redis", "the replica {host}")
_HANDOVER = Play(
    "handover",
    "Handover",
    "handover_hosts",
    "handover_serial",
    "handover ",
    "handover",
    "the handover of {shard} to {host}",
    "target",
)
_OLD_MASTERS = Play("old_masters", "Old masters", "old_master_hosts", "old_master_serial", "old master", "redis", "the old master {host}")
_FAIL_BACK = Play(
    "fail_back",
    "Fail back",
    "fail_back_hosts",
    "handover_serial",
    "fail back",
    "handover",
    "the fail back of {shard} to {host}",
    "original_master",
)
_RESERVE = Play("reserve", "Keep the reserve", "reserve_hosts", label="reserve  ")
_PROMOTABLE = Play("promotable", "Let the reserve become the master", "promotable_hosts", label="reserve  ")
_RETURNING = Play(
    "returning", "Reserves that ran from the kept programs", "returning_hosts", "one", "reserve  ", "redis", "the reserve {host}"
)
_BACKUP = Play("backup", "Back up the masters", "backup_hosts", label="backup   ")
_HOLD = Play("hold", "Keep the other nodes from the master role", "hold_hosts", label="restore  ")
_RESTORE = Play(
    "restore", "Restore the backup", "restore_hosts", label="restore  ", kind="redis", words="the restore of the backup on {host}"
)
_UNHOLD = Play("unhold", "Let the other nodes become master again", "unhold_hosts", label="restore  ")
_RELEASE = Play("release", "Put back what was set for the reserve", "release_hosts", label="reserve  ")
_VERIFY = Play("verify", "Verify", "touched_hosts")
_REPORT = Play("report", "Report", "touched_hosts", once=True)
_AUDITED = Play("audited", "End the write audit", "audit_hosts")
_AFTER_RUN = Play("after_run", "Hook after the run", "after_run_hosts")
_END = Play("end", "End", "")

UPGRADE = _numbered(
    (1, _SURVEY),
    (2, _PREFLIGHT),
    (3, _BEFORE_RUN),
    (3, _AUDIT),
    (3, _RECOVERY),
    (3, _STAGE),
    (4, _SENTINELS),
    (5, _REPLICAS),
    (6, _RESERVE),
    (6, _BACKUP),
    (6, _HANDOVER),
    (7, _OLD_MASTERS),
    (8, _FAIL_BACK),
    (8, _RELEASE),
    (8, _AUDITED),
    (8, _VERIFY),
    (8, _REPORT),
    (8, _AFTER_RUN),
    (8, _END),
)
# Sentinels come last, since newer Sentinels understand older servers. A Sentinel that is stopped
# comes first, since no other instance can be spared until it is started.
ROLLBACK = _numbered(
    (1, _SURVEY),
    (2, _PREFLIGHT),
    (3, _BEFORE_RUN),
    (3, _AUDIT),
    (3, _RECOVERY),
    (3, _JOURNALS),
    (3, _STOPPED_SENTINELS),
    (4, _REPLICAS),
    (5, _PROMOTABLE),
    (5, _HANDOVER),
    (6, _HOLD),
    (6, _RESTORE),
    (6, _UNHOLD),
    (6, _OLD_MASTERS),
    (7, _FAIL_BACK),
    (7, _RETURNING),
    (8, _SENTINELS),
    (8, _RELEASE),
    (8, _AUDITED),
    (8, _VERIFY),
    (8, _REPORT),
    (8, _AFTER_RUN),
    (8, _END),
)


@dataclass(frozen=True)
class StepToDo:
    """A disruptive step.

    ``play``: the position of its play; steps of one play may be under way at once. ``key``:
    ``host/sentinel``, ``host/redis``, or ``host/handover`` for the handover to that host. ``text``:
    the step in a sentence. ``promotes``: see Play; empty unless the step is a handover.
    """

    play: int
    key: str
    text: str
    shard: str = ""
    promotes: str = ""

    @property
    def host(self) -> str:
        return self.key.partition("/")[0]


def plays_of(rollback: bool) -> tuple[Play, ...]:
    """Return all plays of an upgrade, or of a rollback, in order."""
    return ROLLBACK if rollback else UPGRADE


def steps_to_do(plan: Mapping[str, Any]) -> list[StepToDo]:
    """Return all disruptive steps of a plan, in the order in which they are done."""
    return [step for position, play in enumerate(plays_of(bool(plan.get("rollback")))) for step in _steps(plan, position, play)]


def _steps(plan: Mapping[str, Any], position: int, play: Play) -> Iterator[StepToDo]:
    if play.kind == "handover":
        for name, shard in plan["shards"].items():
            if shard[play.name]:
                host = shard[f"{play.promotes}_host"]
                yield StepToDo(position, f"{host}/handover", play.words.format(shard=name, host=host), name, play.promotes)
    elif play.kind:
        for host in plan[play.hosts]:
            yield StepToDo(position, f"{host}/{play.kind}", play.words.format(host=host))


def play_options(plan: Mapping[str, Any], name: str, rollback: bool, check_mode: bool) -> dict[str, Any]:
    """Return ``title``, ``hosts`` and ``serial`` of a play.

    Without a plan, and in check mode, which ends with the preflight, a play has no hosts. Raises
    ValueError if there is no such play.
    """
    play = next((play for play in plays_of(rollback) if play.name == name), None)
    if play is None or not play.hosts:
        raise ValueError(f"'{name}' is no play of {'a rollback' if rollback else 'an upgrade'} over hosts of the plan")
    hosts = [] if check_mode else plan.get(play.hosts, [])[: 1 if play.once else None]
    fixed: dict[str, list[int]] = {"all": [], "one": [1]}
    serial = fixed[play.serial] if play.serial in fixed else plan.get(play.serial, [])
    return {"title": play.full_title, "hosts": hosts or NO_HOSTS, "serial": serial}
