# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy a backup to the controller, and check the copy."""

from __future__ import annotations

import base64
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import SentinelOpsError
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.backup_copy import copy_backup, copy_of

OPTIONS = {
    "backup": {"type": "dict", "required": True},
    "folder": {"type": "path", "required": True},
    "check_program": {"type": "path", "default": ""},
}


class ActionModule(ActionBase):
    """The action."""

    _requires_connection = True
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the task's result: ``path``, and whether it ``changed``."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        options = self.validate_argument_spec(OPTIONS)[1]  # type: ignore[no-untyped-call]

        def read(path: str, offset: int) -> bytes:
            part = self._execute_module(
                module_name="sentinelops.redis.redis_backup_part", module_args={"path": path, "offset": offset}, task_vars=task_vars
            )
            if part.get("failed"):
                raise AnsibleActionFail(f"{path} on the host cannot be read: {part.get('msg')}")
            return base64.b64decode(part["content"])

        if self._task.check_mode:
            return {**result, "path": copy_of(options["backup"], options["folder"])}
        try:
            path, changed = copy_backup(options["backup"], options["folder"], options["check_program"], read)
        except (SentinelOpsError, OSError) as error:
            raise AnsibleActionFail(
                f"The backup was not copied to the controller: {error} The backup itself is whole: {options['backup']['folder']} on the "
                "host. No server was stopped. Mend it and run again, or clear redis_upgrade_backup_controller_folder."
            ) from error
        return {**result, "path": path, "changed": changed}
