# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record an event of a run for its report, or write the report of a run that was cut off."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plain import plain

EVENTS = ["begun", "step_done", "handover_done", "stopped", "verified", "ended"]
OPTIONS = {
    "state": {"type": "str", "choices": ["recorded", "rendered"], "default": "recorded"},
    "file": {"type": "path", "default": ""},
    "event": {"type": "str", "choices": EVENTS},
    "data": {"type": "dict", "default": {}},
    "kept": {"type": "list", "elements": "raw", "default": []},
}


class ActionModule(ActionBase):
    """The action."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the task's result: ``kept`` as it was given, so that a variable can hold it."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        options = self.validate_argument_spec(OPTIONS)[1]  # type: ignore[no-untyped-call]
        result["kept"] = options["kept"]
        if options["state"] == "rendered":
            return {**result, **_render(options["file"], self._task.check_mode)}
        if not options["file"] or self._task.check_mode:
            return result
        if not options["event"]:
            raise AnsibleActionFail("state is recorded but all of the following are missing: event")
        problem = _record(options["file"], options["event"], plain(options["data"]))
        if problem and options["event"] == "ended":
            raise AnsibleActionFail(f"{problem}. The run itself is complete.")
        return {**result, "warnings": [f"{problem}. The run goes on without it."]} if problem else result


def _record(file: str, event: str, data: Any) -> str:
    """Record an event; return why that was not possible. A report must not stop a run half way."""
    try:
        _recorder().record_event(file, event, data)
    except Exception as error:
        return f"{file}: the report cannot be written: {type(error).__name__}: {error}"
    return ""


def _render(file: str, check_mode: bool) -> dict[str, Any]:
    try:
        return {**_recorder().render(file, check_mode), "changed": not check_mode}
    except (OSError, ValueError) as error:
        raise AnsibleActionFail(f"The report was not written: {error}. Name the redis_upgrade_report_file of a run.") from error


def _recorder() -> ModuleType:
    """Return the module that does the work; a run without a report does not load it."""
    return import_module("ansible_collections.sentinelops.redis.plugins.plugin_utils._report.recorder")
