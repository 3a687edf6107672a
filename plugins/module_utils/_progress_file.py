# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The progress file: what a module waits for, for the controller to read during a long step.

The action of the module chooses a name that nobody can guess
(plugin_utils/_progress/watched.py). The file is made when a call has lasted for some seconds, never
opened if it exists, and removed at the end of the call. A later call has another name, so a file
that a killed module leaves behind is never read.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
import zlib
from typing import Any, Callable

__all__ = ["PROGRESS", "PROGRESS_SPEC", "ProgressFile", "text_in"]

# The option of each module that has an action of this kind.
PROGRESS_SPEC: dict[str, Any] = {"progress_file": {"type": "path"}}

_FIRST_S, _EVERY_S = 3.0, 1.0
_BYTES, _TEXT_BYTES = 512, 480
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class ProgressFile:
    """The file of this process. Without ``begin()``, nothing is written."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._path = ""
        self._descriptor = -1
        self._due_s = math.inf
        self._writer = _this_process()

    def begin(self, path: str) -> None:
        """Write to this path from now on; an empty path means that nobody reads."""
        if path:
            self._path, self._writer, self._due_s = path, _this_process(), self._now_s() + _FIRST_S

    def tell(self, says: Callable[..., str], *seen: Any, blocks: bool = False) -> None:
        """Write ``says(*seen)``, what this process waits for, at most once a second.

        ``blocks``: this process cannot tell anything more for a while, so it is written at once.
        """
        now_s = self._now_s()
        if now_s >= self._due_s or (blocks and self._path):
            self._due_s = now_s + _EVERY_S
            self._write(says(*seen))

    def forget(self) -> None:
        """Write that nothing is waited for any more, if anything was written."""
        if self._descriptor >= 0:
            self._write("")

    def end(self) -> None:
        """Remove the file."""
        if self._descriptor >= 0 and self._writer == _this_process():
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
                os.unlink(self._path)
        self._path, self._descriptor, self._due_s = "", -1, math.inf

    def _write(self, text: str) -> None:
        """Write in place, so that no path is looked up again. A failure stops no module."""
        if self._writer != _this_process():
            return
        try:
            if self._descriptor < 0:
                self._descriptor = os.open(self._path, _CREATE, 0o600)
            os.pwrite(self._descriptor, _record(text), 0)
        except OSError:
            self._due_s = math.inf


def _this_process() -> tuple[int, int]:
    """Return what a fork, and work as another user for a moment, do not share."""
    return os.getpid(), os.geteuid()


def _record(text: str) -> bytes:
    content = " ".join(text.split()).encode()[:_TEXT_BYTES].decode(errors="ignore").encode()
    return (b"%08x %s" % (zlib.crc32(content), content)).ljust(_BYTES - 1) + b"\n"


def text_in(content: str) -> str:
    """Return the text in the content of a progress file; empty if there is none.

    A file that was read while it was written has another checksum than its text, as has anything
    else than a progress file.
    """
    for line in content.splitlines():
        checksum, _space, text = line.strip().partition(" ")
        if text and checksum == f"{zlib.crc32(text.encode()):08x}":
            return "".join(letter if letter.isprintable() else "?" for letter in text)
    return ""


PROGRESS = ProgressFile()
