# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finishing what must not be left half done when someone presses Ctrl-C or the session ends."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

__all__ = ["uninterrupted"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Holds SIGINT, SIGTERM and SIGHUP back until the block has ended; they are delivered then.

    A terminal sends Ctrl-C to the whole process group, on a local connection also to the module.
    The signals are noted by handlers, not blocked or ignored, since a server that is started
    meanwhile would inherit that.
    """
    noted: list[int] = []
    before = {number: signal.signal(number, lambda number, _frame: noted.append(number)) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for late in noted[:1]:
            os.kill(os.getpid(), late)
