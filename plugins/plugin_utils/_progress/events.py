# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events of a run, as a callback reports them: tasks and their results on hosts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["FAILED", "OK", "SKIPPED", "UNREACHABLE", "Result", "Task"]

OK, FAILED, UNREACHABLE, SKIPPED = "ok", "failed", "unreachable", "skipped"
_BUILTIN = "ansible.builtin."


@dataclass(frozen=True)
class Task:
    """A task.

    ``name`` is without the name of its role. ``action`` is a full name. ``own``: whether it is a
    task of this collection, and not of the user's plays or hooks. ``shows``: the variable that a
    ``debug`` shows.
    """

    key: str
    name: str
    action: str = ""
    own: bool = True
    shows: str = ""

    def does(self, *names: str) -> bool:
        """Return whether the task runs one of these actions of ansible-core."""
        return self.action.removeprefix(_BUILTIN) in names


@dataclass(frozen=True)
class Result:
    """The result of a task on a host. ``ignored``: the play goes on although it is a failure."""

    task: Task
    host: str
    data: Mapping[str, Any] = field(default_factory=dict)
    state: str = OK
    ignored: bool = False

    @property
    def hidden(self) -> bool:
        """Return whether the task has ``no_log``."""
        return bool(self.data.get("_ansible_no_log") or "censored" in self.data)
