# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback that measures a run: the seconds of each play, and the module calls of each host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: run_times
type: aggregate
short_description: Write how long each play took and how many modules ran on each host
version_added: 1.0.0
author: sentinelops contributors (@sentinelops)
description:
  - Writes a JSON file at the end of the run, with the seconds of each play and the number of module
    calls on each host. Tasks that run on the controller alone (includes, facts, messages,
    assertions) are not counted.
  - It does nothing unless O(file) is set.
requirements:
  - enable it in configuration (C(callbacks_enabled = sentinelops.redis.run_times))
options:
  file:
    description: The file to write.
    type: path
    env:
      - name: SENTINELOPS_RUN_TIMES_FILE
    ini:
      - section: callback_run_times
        key: file
"""

import json
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

ON_THE_CONTROLLER = {
    "ansible.builtin.assert",
    "ansible.builtin.debug",
    "ansible.builtin.fail",
    "ansible.builtin.include_role",
    "ansible.builtin.include_tasks",
    "ansible.builtin.meta",
    "ansible.builtin.set_fact",
    "ansible.builtin.validate_argument_spec",
    "sentinelops.redis.redis_deployments",
    "sentinelops.redis.redis_report",
}


class CallbackModule(CallbackBase):
    """The callback: it collects start times of plays and counts results."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "sentinelops.redis.run_times"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._begun: list[tuple[str, float]] = []
        self._calls: dict[str, int] = {}

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._begun.append((play.get_name(), time.monotonic()))

    def _count(self, result: Any) -> None:
        # public attributes since ansible-core 2.19
        task, host = getattr(result, "task", None) or result._task, getattr(result, "host", None) or result._host
        data = getattr(result, "result", None) or result._result
        if task.resolved_action in ON_THE_CONTROLLER or data.get("skipped"):
            return
        items = len([item for item in data.get("results", []) if not item.get("skipped")]) or 1
        self._calls[host.get_name()] = self._calls.get(host.get_name(), 0) + items

    def v2_runner_on_ok(self, result: Any) -> None:
        self._count(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._count(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        path = self.get_option("file")  # type: ignore[no-untyped-call]
        if not path:
            return
        ends = [*(begun for _name, begun in self._begun[1:]), time.monotonic()]
        plays: list[dict[str, Any]] = []
        for (name, begun), end in zip(self._begun, ends, strict=True):
            if plays and plays[-1]["name"] == name:  # another batch of a serial play
                plays[-1]["seconds"] = round(plays[-1]["seconds"] + end - begun, 2)
            else:
                plays.append({"name": name, "seconds": round(end - begun, 2)})
        Path(path).write_text(json.dumps({"plays": plays, "calls": self._calls}, indent=2) + "\n", encoding="utf-8")
