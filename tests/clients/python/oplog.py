"""The log of one client process: each operation's invocation and outcome, as JSON lines.

``t`` is the monotonic time in seconds, which all processes of a host share. The records:
``{"library": NAME, "version": VERSION}``, ``{"invoke": N}``, ``{"done": N, "outcome": "ok"}``,
``{"done": N, "outcome": "fail" or "unknown", "kind": CLASS, "text": MESSAGE}``, ``{"got": N}`` for
a value that a consumer or a subscriber received, and ``{"broken": CLASS, "text": MESSAGE}`` for an
error that no single value belongs to.
"""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

# Errors that the server itself answers with: the operation was certainly not applied.
REFUSED = (
    "BusyLoadingError",
    "ExecAbortError",
    "MasterDownError",
    "NoPermissionError",
    "NoScriptError",
    "OutOfMemoryError",
    "ReadOnlyError",
)


class OpLog:
    """Append records to a file, each in one write, from any thread."""

    def __init__(self, path: str) -> None:
        # open for as long as the process runs
        self._file = Path(path).open("a", buffering=1, encoding="utf-8")  # noqa: SIM115
        self._lock = threading.Lock()

    def record(self, **fields: Any) -> None:
        line = json.dumps({"t": round(time.monotonic(), 6), **fields}) + "\n"
        with self._lock:
            self._file.write(line)

    def invoke(self, value: int) -> None:
        self.record(invoke=value)

    def ok(self, value: int) -> None:
        self.record(done=value, outcome="ok")

    def failed(self, value: int, error: Exception) -> None:
        kind = type(error).__name__
        self.record(done=value, outcome="fail" if kind in REFUSED else "unknown", kind=kind, text=str(error)[:200])

    def got(self, value: int) -> None:
        self.record(got=value)

    def broken(self, error: Exception) -> None:
        self.record(broken=type(error).__name__, text=str(error)[:200])
