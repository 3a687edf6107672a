# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A line of output about a long step, which any callback shows, and the callback upgrade reads."""

from __future__ import annotations

from .text import duration

__all__ = ["Waiting"]


class Waiting(str):
    """A line that says what a host waits for, after some seconds of a step.

    A worker hands output to the main process, so the text is pickled with its parts.
    """

    host: str
    text: str
    seconds: float

    def __new__(cls, host: str, text: str, seconds: float) -> Waiting:
        made = super().__new__(cls, f"... {host}, for {duration(seconds, 0)}: {text}")
        made.host, made.text, made.seconds = host, text, seconds
        return made

    def __getnewargs__(self) -> tuple[str, str, float]:  # type: ignore[override]
        return self.host, self.text, self.seconds
