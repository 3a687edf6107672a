# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run as it goes: events in, lines out. Pure; times are given by the caller, in seconds.

Plays that stop nothing give one line when they end. Each step of the plan gives a line when it is
complete. Of all other tasks only failures, messages and the changes of the user's own tasks count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .._plan.steps import Play, steps_to_do
from .events import FAILED, SKIPPED, UNREACHABLE, Result, Task
from .failure import is_refusal, reason_lines
from .labels import handover_text, label_of, moving_text, play_of, step_text
from .text import Line, duration, hosts_text, message_lines, waiting_text
from .verdict import Ending, kind_of, verdict

__all__ = ["Run", "reads"]

_COLLECTION = "sentinelops.redis."
_SWITCH, _HANDOVER = f"{_COLLECTION}redis_instance", f"{_COLLECTION}redis_sentinel_failover"
_BACKUP = f"{_COLLECTION}redis_backup"
_SWITCH_TASK = "Stop, put the wanted version in place, and start it"
_REVERT_TASK = "Stop, put the previous version back in place, and start it"
_INCLUDES = ("include_role", "import_role", "include_tasks", "import_tasks", "meta")
_STALE_S = 25.0  # of what a host waits for, which is read every ten seconds
_DEFAULT_SUCCESS = "All assertions passed"
_GATES_ARE_OPEN = "Every gate is open"


@dataclass
class _PlayUnderWay:
    """``told``: whether the play has given a line that says what it did."""

    name: str = ""
    known: Play | None = None
    begun: float = 0.0
    hosts: list[str] = field(default_factory=list)
    tasks: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    own: bool = True
    note: str = ""
    told: bool = False

    @property
    def position(self) -> str:
        """Return the number of the play with a space, if it has one."""
        return f"{self.known.position} " if self.known else f"{self.name[:5]} " if self.name.startswith("(0/") else ""


def reads(task: Task) -> bool:
    """Return whether a run looks into the results of a task that ended well."""
    return not task.own or task.action in (_SWITCH, _HANDOVER, _BACKUP) or task.does("assert", "debug", "set_fact")


def _switches(task: Task) -> bool:
    """Return whether a task switches or reverts the version of an instance."""
    return task.own and task.action == _SWITCH and task.name in (_SWITCH_TASK, _REVERT_TASK)


class Run:
    """The state of a run. Each event returns the lines to print."""

    def __init__(self, begun: float, playbook: str = "", check: bool = False) -> None:
        self.plan: dict[str, Any] = {}
        self._begun, self._playbook, self._check = begun, playbook, check
        self._play = _PlayUnderWay()
        self._running: dict[str, tuple[Task, float]] = {}
        self._attempts: dict[str, str] = {}
        self._waits: dict[str, tuple[str, float]] = {}
        self._changes: dict[str, tuple[Task, float, list[str]]] = {}
        self._said: set[tuple[str, str]] = set()
        self._done: set[str] = set()
        self._pauses_ms: list[float] = []
        self._counts = True  # not if plays of other names do the steps
        self._end = Ending("playbook")

    # -- plays and tasks

    def play_begun(self, name: str, now: float) -> list[Line]:
        lines = self._end_play(now)
        self._play = _PlayUnderWay(name, play_of(name, self.plan), now)
        return lines

    def no_hosts(self) -> None:
        self._play.told = True

    def task_begun(self, now: float) -> list[Line]:
        """Return the changes of the user's tasks that have ended."""
        lines = []
        for task, begun, hosts in self._changes.values():
            what = f"changed: {task.name} on {hosts_text(hosts)}"
            if self._play.known:
                what = label_of(self._play.known, "hook") + what
            lines.append(Line(f"{what}  {duration(now - begun)}", stamp=True))
        self._changes.clear()
        return lines

    def host_begun(self, task: Task, host: str, now: float) -> None:
        self._running[host] = task, now
        self._attempts.pop(host, None)
        self._waits.pop(host, None)

    def retried(self, host: str, attempt: int, attempts: int) -> None:
        self._attempts[host] = f", attempt {attempt} of {attempts}"

    def waits(self, host: str, text: str, now: float) -> None:
        """Remember what a host waits for, as a long step has said just now."""
        self._waits[host] = text, now

    def _end_play(self, now: float) -> list[Line]:
        lines, play = self.task_begun(now), self._play
        self._running.clear()
        took = duration(now - play.begun)
        if play.known and play.hosts and not play.told and not play.known.kind and play.known.name not in ("report", "end"):
            note = play.note.rstrip(".") if play.note else hosts_text(play.hosts)
            lines.append(Line(f"{play.known.full_title}: {note}  {took}", stamp=True))
        elif not play.known and play.tasks and not play.own:
            tasks = f"{len(play.tasks)} task{'' if len(play.tasks) == 1 else 's'}, {len(play.changed)} changed, on {hosts_text(play.hosts)}"
            lines.append(Line(f"{play.name}: {tasks}  {took}", stamp=True))
        play.told = True
        return lines

    # -- results

    def ended(self, result: Result, now: float) -> list[Line]:
        """Return the lines for a result on a host."""
        begun = self._running.pop(result.host, (result.task, now))[1]
        self._attempts.pop(result.host, None)
        if result.state == SKIPPED:
            return []
        self._count(result)
        if result.state in (FAILED, UNREACHABLE):
            return self._failed(result, now - begun)
        return self._ok(result, begun, now)

    def _count(self, result: Result) -> None:
        play = self._play
        if result.host not in play.hosts:
            play.hosts.append(result.host)
        if not result.task.does(*_INCLUDES):
            play.own = play.own and result.task.own
            play.tasks.add(result.task.key)
            if result.data.get("changed"):
                play.changed.add(result.task.key)
        if play.known and play.known.number > 2 and play.known.name != "end":
            self._end = replace(self._end, worked=True)

    def _ok(self, result: Result, begun: float, now: float) -> list[Line]:
        task, took = result.task, duration(now - begun)
        if task.action == _HANDOVER:
            return self._handed_over(result, took)
        if result.hidden:
            return self._of_user(result, begun)
        if _switches(task):
            return self._switched(result, took)
        if task.does("debug"):
            return self._shown(result, now)
        return self._of_collection(result, took) if task.own else self._of_user(result, begun)

    def _switched(self, result: Result, took: str) -> list[Line]:
        """Return the line of an instance that runs another version now."""
        self._play.told = True
        text = step_text(self.plan, self._play.known, result.host)
        if result.task.name == _REVERT_TASK:
            return [Line(f"{text}: reverted, it runs {result.data.get('version')} again  {took}", stamp=True, mood="warning")]
        if self._play.known:
            self._done.add(f"{result.host}/{self._play.known.kind}")
        else:
            self._counts = False
            text = text if " -> " in text else f"{text} runs {result.data.get('version')} now"
        return [Line(f"{text}  {took}", stamp=True, mood="good")]

    def _handed_over(self, result: Result, took: str) -> list[Line]:
        self._play.told = True
        known, data = self._play.known, result.data
        if known and known.promotes:
            self._done.add(f"{result.host}/handover")
        if data.get("old_master") != data.get("new_master") and data.get("pause_ms") is not None:
            self._pauses_ms.append(float(data["pause_ms"]))
        text = handover_text(self.plan, known, result.host, data, self._check)
        lines = [Line(f"{text}  {took}", stamp=True, mood="good")]
        if data.get("loss") == "unknown":
            lines.append(Line(f"warning: whether a write was lost is unknown: {data.get('loss_reason')}", mood="warning"))
        return lines

    def _of_collection(self, result: Result, took: str) -> list[Line]:
        """Return the line of a backup; keep the plan, and what an assertion has found."""
        backup = result.data.get("backup") or {}
        if result.task.action == _BACKUP and backup.get("data") and result.data.get("changed"):
            self._play.told = True
            return [Line(f"{label_of(self._play.known, 'backup')}{result.host}: {backup.get('folder')}  {took}", stamp=True)]
        plan = (result.data.get("ansible_facts") or {}).get("__redis_upgrade_plan")
        if isinstance(plan, Mapping):
            self.plan = dict(plan)
        message = result.data.get("msg")
        if result.task.does("assert") and isinstance(message, str) and message != _DEFAULT_SUCCESS:
            self._play.note = message
            self._end = replace(
                self._end,
                open_gates=self._end.open_gates or message.startswith(_GATES_ARE_OPEN),
                verified=self._end.verified or bool(self._play.known and self._play.known.name == "verify"),
            )
        return []

    def _shown(self, result: Result, now: float) -> list[Line]:
        """Return the message of a task that shows one."""
        task = result.task
        shown = [item for item in result.data.get("results") or [result.data] if not item.get("skipped")]
        texts = message_lines([item.get("msg", item.get(task.shows, "")) for item in shown]) or [""]
        if not task.own:
            return [Line(f"{task.name} ({result.host}): {texts[0]}"), *(Line(f"  {text}") for text in texts[1:])]
        if task.name == "Show warnings":
            return [Line(f"warning: {text}", mood="warning") for text in texts]
        before = self._end_play(now) if task.name == "Show the plan" else []
        return [*before, Line(), *(Line(text) for text in texts), Line()]

    def _of_user(self, result: Result, begun: float) -> list[Line]:
        """Remember a change by a task of the user; such a task gives one line for all hosts."""
        if result.data.get("changed") and not result.task.own:
            self._changes.setdefault(result.task.key, (result.task, begun, []))[2].append(result.host)
        return []

    # -- failures

    def _failed(self, result: Result, seconds: float) -> list[Line]:
        """Return a failure as a whole; the same one of many hosts is told once."""
        reasons, task = reason_lines(result), result.task
        if result.ignored:
            state = "unreachable" if result.state == UNREACHABLE else "failed"
            return [
                Line(f"{state}, and ignored: {task.name} on {result.host}: {reasons[0] if reasons else ''}", stamp=True, mood="warning")
            ]
        self._play.told = True
        refused = is_refusal(reasons)
        self._end = replace(self._end, refused=self._end.refused or refused)
        if task.own and task.does("assert", "fail"):
            if (task.key, "\n".join(reasons)) in self._said:
                return []
            self._said.add((task.key, "\n".join(reasons)))
            return [Line(f"{self._title}: {'REFUSED' if refused else 'STOPPED'}", stamp=True, mood="bad"), *self._message(reasons)]
        if result.state == UNREACHABLE:
            head = f"{self._play.position}UNREACHABLE: {result.host}, at: {task.name}"
        elif _switches(task) and task.name != _REVERT_TASK:
            head = f"{step_text(self.plan, self._play.known, result.host)}  FAILED after {duration(seconds)}"
        else:
            head = f"{self._play.position}FAILED: {task.name} on {result.host}  {duration(seconds)}"
        return [Line(head, stamp=True, mood="bad"), *self._message(reasons)]

    @property
    def _title(self) -> str:
        return self._play.known.full_title if self._play.known else self._play.name or kind_of(self.plan, self._playbook)

    @staticmethod
    def _message(reasons: list[str]) -> list[Line]:
        """Return a message below its heading; findings that follow a colon become a list."""
        is_list = len(reasons) > 1 and reasons[0].endswith(":") and not reasons[1].startswith(" ")
        return [Line(f"{'- ' if is_list and number else ''}{text}") for number, text in enumerate(reasons)]

    # -- now, and at the end

    @property
    def asks(self) -> bool:
        """Return whether a task waits for the operator, or for a time to pass."""
        return any(task.does("pause") for task, _begun in self._running.values())

    def under_way(self, now: float) -> str:
        """Return what goes on, on which hosts, and for how long; empty if no host is at work."""
        running = dict(self._running)
        if not running:
            return ""
        task, begun = min(running.values(), key=lambda one: one[1])
        hosts = [host for host, (one, _begun) in running.items() if one.key == task.key]
        attempt = next((self._attempts[host] for host in hosts if host in self._attempts), "")
        known = self._play.known
        if _switches(task) and len(hosts) == 1:
            what = step_text(self.plan, known, hosts[0])
        elif task.action == _HANDOVER and len(hosts) == 1 and known and known.label:
            what = moving_text(self.plan, known, hosts[0])
        elif (_switches(task) or task.action == _HANDOVER) and known and known.label:
            what = label_of(known) + hosts_text(hosts)
        else:
            what = f"{self._play.position}{task.name}: {hosts_text(hosts)}"
        waits = {host: self._waits[host][0] for host in hosts if now - self._waits.get(host, ("", now - _STALE_S))[1] < _STALE_S}
        return f"{what}{attempt}, for {duration(now - begun, 0)}{waiting_text(waits, len(hosts) > 1)}"

    def finished(self, failed: bool, now: float) -> list[Line]:
        """Return the last lines; ``failed``: whether any host failed or was unreachable."""
        lines = self._end_play(now)
        steps = steps_to_do(self.plan) if self.plan.get("shards") and self._counts else []
        end = replace(
            self._end,
            kind=kind_of(self.plan, self._playbook),
            looks=self._playbook in ("plan", "preflight"),
            plan=self.plan,
            steps=len(steps),
            done=len([step for step in steps if step.key in self._done]),
            failed=failed,
            pauses_ms=tuple(self._pauses_ms),
        )
        last = verdict(end)
        return [*lines, replace(last, text=f"{last.text}  {duration(now - self._begun)}", stamp=True)]

    def ended_early(self, now: float) -> list[Line]:
        """Return the last line of a run that Ansible does not bring to its end, as after Ctrl-C."""
        at, kind = self.under_way(now), kind_of(self.plan, self._playbook)
        begun = " What has begun on a node is completed there, so wait a few seconds." if self._end.worked and self.plan else ""
        again = "" if kind.startswith("playbook") else " Run the same command again: it does what is left"
        text = f"ENDED EARLY{' at: ' if at else ''}{at}.{begun}{again}"
        return [*self.task_begun(now), Line(f"{text}  {duration(now - self._begun)}", stamp=True, mood="bad")]
