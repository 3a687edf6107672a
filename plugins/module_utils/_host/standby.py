# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A standby process that finishes or reverts the work of this process if this process is killed.

The standby is a fork in a session of its own that waits on a pipe. Before each step that must not
be left half done, this process records its state in the pipe. If the pipe ends without a farewell,
this process is dead, and the standby takes over from the last recorded state.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Standby"]

_FAREWELL = {"phase": "done"}


class Standby:
    """The standby of this process; ``dismiss()`` it when the work is done."""

    def __init__(self, pid: int, pipe: int) -> None:
        self._pid = pid
        self._pipe = pipe

    @classmethod
    def standing_by(cls, take_over: Callable[[Mapping[str, Any]], None]) -> Standby:
        """Start the standby.

        ``take_over`` runs in the standby with the last recorded state. It has to open
        connections of its own.
        """
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(writing)
            _stand_by(reading, take_over)  # does not return
        os.close(reading)
        return cls(pid, writing)

    def note(self, **state: Any) -> None:
        """Record the state from which the standby would take over: ``phase`` and its values."""
        # a standby that is dead must not end this process
        with contextlib.suppress(OSError):
            os.write(self._pipe, json.dumps(state).encode() + b"\n")

    def dismiss(self) -> None:
        """End the standby, since the work is done, and wait for its end."""
        self.note(**_FAREWELL)
        os.close(self._pipe)
        os.waitpid(self._pid, 0)


def _stand_by(pipe: int, take_over: Callable[[Mapping[str, Any]], None]) -> None:
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # a signal that ends the other process must not end its standby
            signal.signal(number, signal.SIG_IGN)
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):  # Ansible waits until every process has closed the module's output
            os.dup2(nothing, stream)
        state: dict[str, Any] = _FAREWELL
        with os.fdopen(pipe, encoding="utf-8") as notes:
            for line in notes:
                state = json.loads(line)
        if state != _FAREWELL:
            take_over(state)
    finally:
        os._exit(0)
