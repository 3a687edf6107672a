# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action of a module that may wait for long: run it as usual, and show what it waits for.

The module says so in its progress file. A thread reads that file over a connection of its own,
since the connection of the step is busy until the module ends. A step of less than ``FIRST_S``
seconds opens no second connection.
"""

from __future__ import annotations

import contextlib
import copy
import os
import secrets
import shlex
import threading
import time
from collections.abc import Callable
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible.plugins.loader import become_loader, connection_loader
from ansible.utils.display import Display
from ansible_collections.sentinelops.redis.plugins.module_utils._progress_file import text_in

from .waiting import Waiting

__all__ = ["Watch", "WatchedModule"]

FIRST_S, EVERY_S = 9.0, 10.0  # just before the callback speaks
_ENDS_WITHIN_S = 10.0
# in memory, so that no write waits for a disk; everybody may make files there
_FOLDER = "/dev/shm"
# neither follow a link nor wait for a pipe that somebody else may have put there
_READ = "f={}; [ -f $f ] && [ ! -L $f ] && [ -O $f ] && head -c 1000 $f"


class Watch:
    """A context in which a thread reads every ten seconds, and shows what it has read.

    A failure ends the thread, and is shown with ``-vvv``: another attempt might lock an account.
    """

    def __init__(
        self,
        read: Callable[[], str],
        show: Callable[[str, float], None],
        complain: Callable[[str], None],
        first_s: float = FIRST_S,
        every_s: float = EVERY_S,
    ) -> None:
        self._read, self._show, self._complain = read, show, complain
        self._first_s, self._every_s = first_s, every_s
        self._ended = threading.Event()
        # a read that hangs must not keep the worker
        self._thread = threading.Thread(target=self._run, name="sentinelops.redis.progress", daemon=True)

    def __enter__(self) -> Watch:
        with contextlib.suppress(RuntimeError):  # no more threads
            self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join(_ENDS_WITHIN_S)

    def _run(self) -> None:
        begun_s = time.monotonic()
        due_s = begun_s + self._first_s
        while not self._ended.wait(max(due_s - time.monotonic(), 0)):
            due_s = max(due_s + self._every_s, time.monotonic())
            try:
                text = self._read()
                if text and not self._ended.is_set():
                    self._show(text, time.monotonic() - begun_s)
            except Exception as error:
                self._complain(f"What this step waits for cannot be read: {type(error).__name__}: {error}")
                return


class _Reader:
    """Reads the progress file of an action, over a connection that is made for the first read."""

    def __init__(self, action: ActionBase, path: str) -> None:
        self._action, self._command = action, _READ.format(shlex.quote(path))
        self._second: ActionBase | None = None

    def __call__(self) -> str:
        if self._second is None:
            self._second = copy.copy(self._action)
            self._second._connection = _like(self._action)
        return text_in(self._second._low_level_execute_command(self._command)["stdout"])


def _like(action: ActionBase) -> Any:
    """Return another connection with the options of the action's own, and with its become."""
    own = action._connection
    made = connection_loader.get(
        own._load_name,
        action._play_context.copy(),
        new_stdin=None,
        task_uuid=action._task._uuid,
        ansible_playbook_pid=str(os.getppid()),
    )
    made.set_options(direct=own.get_options())
    made._shell.set_options(direct=own._shell.get_options())
    if own.become is not None:
        become = become_loader.get(own.become._load_name)
        become.set_options(direct=own.become.get_options())
        made.set_become_plugin(become)
    return made


class WatchedModule(NormalAction):
    """The action of a module with the option ``progress_file``."""

    def _execute_module(self, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """Run the module with a progress file, and watch that."""
        task = self._task
        if kwargs.get("wrap_async") or task.no_log or task.check_mode:
            return dict(super()._execute_module(**kwargs))
        path = task.args.get("progress_file") or f"{_FOLDER}/sentinelops-{secrets.token_hex(16)}"
        host, display = str(kwargs["task_vars"]["inventory_hostname"]), Display()

        def show(text: str, seconds: float) -> None:
            display.display(Waiting(host, text, seconds), stderr=True)

        with Watch(_Reader(self, path), show, lambda text: display.vvv(text, host=host)):
            return dict(super()._execute_module(module_args={**task.args, "progress_file": path}, **kwargs))
