# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the playbook once for each deployment of the inventory."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible import context
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.sentinelops.redis.plugins.plugin_utils._report.page import overview_page
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.deployments import (
    Run,
    choose,
    command,
    prompts,
    run_all,
    verdict_lines,
)

OVERVIEW = "index.html"
OPTIONS = {
    "deployments": {"type": "list", "elements": "dict", "required": True},
    "wanted": {"type": "list", "elements": "str", "default": []},
    "canary": {"type": "str", "default": ""},
    "at_once": {"type": "int", "default": 5},
    "max_failed": {"type": "int", "default": 0},
    "folder": {"type": "path", "required": True},
}


class ActionModule(ActionBase):
    """The action."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the task's result: ``deployments``, and the ``lines`` for a person to read."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        options = self.validate_argument_spec(OPTIONS)[1]  # type: ignore[no-untyped-call]
        asked = prompts(context.CLIARGS)
        if asked:
            raise AnsibleActionFail(
                f"A run over several deployments is a process for each, and none of them can ask for a password ({', '.join(asked)}). "
                "Nothing was touched. Give files instead (--connection-password-file, --become-password-file, --vault-password-file)."
            )
        try:
            chosen = choose(options["deployments"], options["wanted"], options["canary"])
        except ValueError as error:
            raise AnsibleActionFail(f"{error}. Nothing was touched. Correct redis_upgrade_deployments or the canary.") from error
        try:
            os.makedirs(options["folder"], mode=0o700, exist_ok=True)
            # several runs may begin in one second
            folder = Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%dT%H%M%S-"), dir=options["folder"]))
            sources = [str(source) for source in context.CLIARGS["inventory"]]
            runs = [Run(one["name"], folder, command(one, folder, sys.argv, sources)) for one in chosen]
        except OSError as error:
            raise AnsibleActionFail(
                f"{options['folder']} cannot be written: {error}. Nothing was touched. Give another redis_upgrade_deployments_folder."
            ) from error
        run_all(runs, bool(options["canary"]), options["at_once"], options["max_failed"], Display().display)
        lines = verdict_lines(runs)
        lines += _overview(folder, runs, lines)
        found = {**result, "changed": not self._task.check_mode, "deployments": [run.as_dict() for run in runs], "lines": lines}
        if any(run.code != 0 for run in runs):
            return {**found, "failed": True, "msg": lines}
        return found


def _overview(folder: Path, runs: Sequence[Run], lines: Sequence[str]) -> list[str]:
    """Write a page that leads to the reports of all runs; return a line that names the page."""
    rows = []
    for run in runs:
        row = run.as_dict()
        rows.append({**row, **{name: Path(row[name]).name if Path(row[name]).is_file() else "" for name in ("log", "page")}})
    try:
        (folder / OVERVIEW).write_text(overview_page(lines[0], rows, lines[1:]), encoding="utf-8")
    except OSError as error:
        return [f"The overview was not written: {error}"]
    return [f"Overview: {folder / OVERVIEW}"]
