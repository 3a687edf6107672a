# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback that shows an upgrade as its plan, its steps and its result, in few lines."""

from __future__ import annotations

DOCUMENTATION = r"""
name: upgrade
type: stdout
short_description: Show an upgrade as its plan, one line per step, and its result
version_added: 1.0.0
author: sentinelops contributors (@sentinelops)
description:
  - Shows the plan, all warnings, one line for each step with the time of day and the duration, each
    handover with its pause of writes, and the report. A last line says how the run has ended.
    Refusals and failures are shown as a whole.
  - In a terminal the last line shows what is under way, on which hosts, and for how long. Elsewhere
    a line says so whenever nothing else was printed for 10 seconds. Such output has 80 columns.
  - Of the tasks of your own plays and hooks it shows those that change something or fail, and the
    messages of C(debug). It shows no arguments, and of results only messages. A result with
    C(no_log) is not shown.
  - With C(-v) the output is that of P(ansible.builtin.default#callback).
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - set as stdout callback in configuration
"""

import atexit
import contextlib
import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar, cast

from ansible import constants, context
from ansible.plugins.callback.default import CallbackModule as DefaultCallback
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plain import plain
from ansible_collections.sentinelops.redis.plugins.plugin_utils._progress.events import FAILED, OK, SKIPPED, UNREACHABLE, Result, Task
from ansible_collections.sentinelops.redis.plugins.plugin_utils._progress.run import Run, reads
from ansible_collections.sentinelops.redis.plugins.plugin_utils._progress.screen import Screen, Ticker
from ansible_collections.sentinelops.redis.plugins.plugin_utils._progress.text import WIDTH, Line
from ansible_collections.sentinelops.redis.plugins.plugin_utils._progress.waiting import Waiting

_ROOT = Path(__file__).resolve().parents[2]
_OWN = (f"{_ROOT}/roles/", f"{_ROOT}/playbooks/")
# loaded only if a run with a report ends early
_RECORDER = "ansible_collections.sentinelops.redis.plugins.plugin_utils._report.recorder"
_COLOURS = {"good": "COLOR_OK", "bad": "COLOR_ERROR", "warning": "COLOR_WARN"}
Method = TypeVar("Method", bound=Callable[..., None])


def _unless_verbose(method: Method) -> Method:
    """Let the method of Ansible's default callback run instead, if there is any ``-v``."""

    @functools.wraps(method)
    def chosen(self: CallbackModule, *args: Any, **kwargs: Any) -> None:
        if self._display.verbosity >= 1:
            getattr(super(CallbackModule, self), method.__name__)(*args, **kwargs)
        else:
            method(self, *args, **kwargs)

    return cast(Method, chosen)


def _silent(name: str) -> Callable[..., None]:
    """Return a method of this name that prints nothing, unless there is any ``-v``."""

    def method(self: CallbackModule, *args: Any, **kwargs: Any) -> None:
        """Print nothing."""

    method.__name__ = name
    return _unless_verbose(method)


@functools.cache
def _is_own(path: str) -> bool:
    """Return whether a task file or a playbook is one of this collection."""
    return os.path.realpath(path).startswith(_OWN)


def _task(task: Any, name: str = "") -> Task:
    """Return a task of Ansible as the run sees it."""
    full = (name or task.get_name()).strip()
    role = task._role.get_name() if getattr(task, "_role", None) else ""
    return Task(
        key=str(task._uuid),
        name=full.removeprefix(f"{role} : ") if role else full,
        action=str(getattr(task, "resolved_action", None) or task.action),
        own=_is_own((task.get_path() or "").rpartition(":")[0]),
        shows=str((task.args or {}).get("var", "")) if task.action in constants._ACTION_DEBUG else "",
    )


def _of(result: Any, name: str) -> Any:
    """Return the task, the host or the result of a result; public since ansible-core 2.19."""
    found = getattr(result, name, None)
    return getattr(result, f"_{name}") if found is None else found


class CallbackModule(DefaultCallback):
    """The callback: it hands events to a run, and the lines of the run to a screen."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "sentinelops.redis.upgrade"

    # events that print nothing
    v2_playbook_on_include = _silent("v2_playbook_on_include")
    v2_playbook_on_no_hosts_remaining = _silent("v2_playbook_on_no_hosts_remaining")
    v2_playbook_on_notify = _silent("v2_playbook_on_notify")
    v2_runner_item_on_skipped = _silent("v2_runner_item_on_skipped")
    v2_runner_on_async_failed = _silent("v2_runner_on_async_failed")
    v2_runner_on_async_ok = _silent("v2_runner_on_async_ok")
    v2_runner_on_async_poll = _silent("v2_runner_on_async_poll")

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._pid = os.getpid()
        self._lock = getattr(self._display, "_lock", None) or threading.RLock()
        self._run = Run(time.monotonic())
        self._say = self._display.display
        self._screen = Screen(self._print, self._draw, self._columns)
        self._ticker: Ticker | None = None
        self._asks = False  # a question of a play's vars_prompt

    # -- output

    def _print(self, text: str, mood: str) -> None:
        self._say(text, color=getattr(constants, _COLOURS[mood]) if mood else None)

    @staticmethod
    def _draw(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    def _columns(self) -> int:
        """Return the width of the terminal; 0 if there is none that can erase a line.

        AWX keeps what is printed as events, from a subclass of this class in a pseudo terminal.
        """
        try:
            if self.__class__ is not CallbackModule or not sys.stdout.isatty() or os.environ.get("TERM", "") in ("", "dumb"):
                return 0
            return os.get_terminal_size(sys.stdout.fileno()).columns or WIDTH
        except (OSError, ValueError):
            return 0

    def _displayed(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Print output of others: warnings, prompts, other callbacks.

        Remember what a long step waits for, which the line about the step will say.
        """
        if os.getpid() != self._pid or kwargs.get("log_only"):
            self._say(msg, *args, **kwargs)
            return
        if isinstance(msg, Waiting):
            with self._lock:
                self._run.waits(msg.host, msg.text, time.monotonic())
                self._tick(news=True)
            return
        with self._lock:
            self._say(self._screen.foreign(msg) if isinstance(msg, str) else msg, *args, **kwargs)

    def _show(self, lines: Iterable[Line]) -> None:
        with self._lock, contextlib.suppress(OSError):  # nobody may read the output any more
            self._screen.show(lines)
            sys.stdout.flush()

    def _tick(self, news: bool = False) -> None:
        """Show what is under way, unless somebody may be typing."""
        with contextlib.suppress(OSError, ValueError):  # a closed stdin or stdout
            if not self._asks and not (self._run.asks and sys.stdin is not None and sys.stdin.isatty()):
                self._screen.status(self._run.under_way(time.monotonic()), news)
                sys.stdout.flush()

    def _stop(self, early: bool = True) -> None:
        """End the thread, and leave the display as it was.

        ``early``: Ansible ends without having told the end of the run, as after Ctrl-C.
        """
        if os.getpid() != self._pid or self._ticker is None:
            return
        self._ticker.stop()
        if early:
            self._show(self._run.ended_early(time.monotonic()))
            self._record_interruption()
        with self._lock, contextlib.suppress(OSError):
            self._screen.clear()
        self._ticker = None
        self._display.__dict__.pop("display", None)

    def _record_interruption(self) -> None:
        """Let the report say that the run was interrupted, if there is one."""
        file = self._run.plan.get("report_file")
        if not file:
            return
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # who is impatient presses it again
        try:
            import_module(_RECORDER).record_interruption(file)
        except OSError:
            pass  # the run has no report yet, or none can be written
        finally:
            signal.signal(signal.SIGINT, before)

    # -- events

    @_unless_verbose
    def v2_playbook_on_start(self, playbook: Any) -> None:
        name = os.path.basename(playbook._file_name or "").rpartition(".")[0]
        self._run = Run(time.monotonic(), name, bool(context.CLIARGS.get("check")))
        # whatever others print must not end up behind the line that is drawn anew
        self._display.display = self._displayed  # type: ignore[method-assign]
        self._ticker = Ticker(self._tick, self._lock)
        self._ticker.start()
        atexit.register(self._stop)

    def v2_playbook_on_vars_prompt(self, *args: Any, **kwargs: Any) -> None:
        self._asks = True

    @_unless_verbose
    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._asks = False
        self._show(self._run.play_begun(play.get_name().strip(), time.monotonic()))

    @_unless_verbose
    def v2_playbook_on_no_hosts_matched(self) -> None:
        self._run.no_hosts()

    @_unless_verbose
    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._show(self._run.task_begun(time.monotonic()))

    @_unless_verbose
    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self._show(self._run.task_begun(time.monotonic()))

    @_unless_verbose
    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        with self._lock:
            self._run.host_begun(_task(task), host.get_name(), time.monotonic())

    def _ended(self, result: Any, state: str, ignored: bool = False) -> None:
        now, data = time.monotonic(), _of(result, "result")
        if state != SKIPPED:
            self._handle_warnings(data)
        task = _task(_of(result, "task"), result.task_name)
        # a survey is large, and nothing of it is shown
        read = plain(data) if state in (FAILED, UNREACHABLE) or (state == OK and reads(task)) else {}
        ended = Result(task, _of(result, "host").get_name(), read, state, ignored)
        with self._lock:
            self._show(self._run.ended(ended, now))

    @_unless_verbose
    def v2_runner_on_ok(self, result: Any) -> None:
        self._ended(result, OK)

    @_unless_verbose
    def v2_runner_on_skipped(self, result: Any) -> None:
        self._ended(result, SKIPPED)

    @_unless_verbose
    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._ended(result, FAILED, ignore_errors)

    @_unless_verbose
    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._ended(result, UNREACHABLE, bool(_of(result, "task").ignore_unreachable))

    @_unless_verbose
    def v2_runner_retry(self, result: Any) -> None:
        data = _of(result, "result")
        with self._lock:
            self._run.retried(_of(result, "host").get_name(), int(data.get("attempts", 0)), int(data.get("retries", 0)))

    @_unless_verbose
    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._handle_warnings(_of(result, "result"))

    @_unless_verbose
    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._handle_warnings(_of(result, "result"))

    @_unless_verbose
    def v2_on_file_diff(self, result: Any) -> None:
        """Show the differences that ``--diff`` asks for."""
        data = _of(result, "result")
        found = [one.get("diff") for one in data.get("results") or [data] if isinstance(one, dict) and one.get("changed")]
        for diff in filter(None, found):
            text = self._get_diff(diff)  # type: ignore[no-untyped-call]
            if text:
                self._display.display(text)

    @_unless_verbose
    def v2_playbook_on_stats(self, stats: Any) -> None:
        failed = bool(stats.failures or stats.dark)
        self._show(self._run.finished(failed, time.monotonic()))
        self._stop(early=False)
