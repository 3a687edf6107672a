# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The output of a run: lines that stay, and in a terminal one line that is drawn anew.

Everything is written under one lock: that of Ansible's display, which Ansible also holds while it
forks a worker. So no worker is born while another thread writes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from .text import WIDTH, Line, laid_out, wrapped

__all__ = ["SPEAKS_EVERY_S", "Screen", "Ticker"]

SPEAKS_EVERY_S = 10.0
_NEWS_AFTER_S = 8.0  # so that news are told, and not what was known ten seconds ago
_REDRAWS_EVERY_S = 1.0
_ERASE = "\r\x1b[K"


class Screen:
    """The output.

    ``say`` prints a line that stays, given its mood. ``draw`` writes text as it is. ``columns``
    returns the width of the terminal; 0 if there is none. ``clock`` returns the time of day.
    """

    def __init__(
        self,
        say: Callable[[str, str], None],
        draw: Callable[[str], None],
        columns: Callable[[], int],
        clock: Callable[[], str] = lambda: time.strftime("%H:%M:%S"),
    ) -> None:
        self._say, self._draw, self._columns, self._clock = say, draw, columns, clock
        self._drawn = self._blank = False
        self.quiet_since = time.monotonic()

    @property
    def width(self) -> int:
        return self._columns() or WIDTH

    def show(self, lines: Iterable[Line]) -> None:
        """Print lines that stay, without two empty ones in a row."""
        for line in lines:
            if not line.text and self._blank:
                continue
            self.clear()
            for text in laid_out(line, self._clock(), self.width):
                self._say(text, line.mood)
            self._blank = not line.text
            self.quiet_since = time.monotonic()

    def foreign(self, text: str) -> str:
        """Make room for output of others; return it wrapped, unless it has escape sequences."""
        self.clear()
        self._blank = False
        self.quiet_since = time.monotonic()
        if "\x1b" in text or "\r" in text:
            return text
        return "\n".join(line for part in text.split("\n") for line in wrapped(part, self.width))

    def status(self, text: str, news: bool = False) -> None:
        """Show what is under way: as the last line of a terminal, or now and then as a line.

        ``news``: it says more than before.
        """
        if not text:
            self.clear()
        elif self._columns():
            shown = f"{self._clock()}  {text}"
            self._draw(f"{_ERASE}{shown[: max(self.width - 1, 1)]}")
            self._drawn = True
        elif time.monotonic() - self.quiet_since >= (_NEWS_AFTER_S if news else SPEAKS_EVERY_S):
            self.show([Line(f"... {text}", stamp=True)])

    def clear(self) -> None:
        """Erase the line that shows what is under way."""
        if self._drawn:
            self._draw(_ERASE)
            self._drawn = False


class Ticker(threading.Thread):
    """A thread that calls a function once per second, until it is stopped."""

    def __init__(self, tick: Callable[[], None], lock: AbstractContextManager[object], every_s: float = _REDRAWS_EVERY_S) -> None:
        super().__init__(name="sentinelops.redis.upgrade", daemon=True)
        self._tick, self._lock, self._every_s = tick, lock, every_s
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(self._every_s):
            with self._lock:
                if not self._stopped.is_set():
                    self._tick()

    def stop(self) -> None:
        """End the thread; it writes nothing any more."""
        self._stopped.set()
