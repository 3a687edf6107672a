# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text for a screen: lines that wrap, durations, lists of hosts. Pure."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["WIDTH", "Line", "duration", "hosts_text", "laid_out", "message_lines", "waiting_text", "wrapped"]

WIDTH = 80  # of output that goes to no terminal
_NARROWEST = 40
_STAMP = "00:00:00  "
_MOST_HOSTS = 4
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b.?")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_POSITION = re.compile(r"\(\d/\d\) ")
_UNBROKEN = re.compile(r" (?=-> )|(?<= ->) |(?<=\d) (?=(?:%|s|ms|min|h|bytes|[KMG]iB)(?!\w))")
_NO_BREAK = "\u00a0"


@dataclass(frozen=True)
class Line:
    """A line of output, of any length.

    ``stamp``: the line begins with the time of day. ``mood``: ``good``, ``bad``, ``warning`` or
    empty; it chooses the colour.
    """

    text: str = ""
    stamp: bool = False
    mood: str = ""


def _clean(text: str) -> str:
    """Return a text without control characters, which logs of servers may contain."""
    return _CONTROLS.sub("?", _ESCAPES.sub("", text)).expandtabs(4)


def wrapped(text: str, width: int, hang: int = 2) -> list[str]:
    """Return a line without line breaks as lines of at most ``width`` columns.

    ``hang``: how many columns the second line and the following are indented more than the first.
    An arrow stays with both of its sides, and a number with its unit.
    """
    text = _clean(text).rstrip()
    if len(text) <= width:
        return [text]
    indent = min(len(text) - len(text.lstrip()) + hang, _NARROWEST // 2)
    folded = textwrap.wrap(
        _UNBROKEN.sub(_NO_BREAK, text),
        max(width, _NARROWEST),
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
        replace_whitespace=False,
    )
    return [line.replace(_NO_BREAK, " ") for line in folded]


def laid_out(line: Line, clock: str, width: int) -> list[str]:
    """Return a line as lines of a screen; ``clock``: the time of day, as HH:MM:SS."""
    begin = f"{clock}  " if line.stamp else ""
    found = []
    for number, text in enumerate(_clean(line.text).split("\n")):
        hang = len(_STAMP) if line.stamp else 0
        hang += 6 if _POSITION.match(text) else 2
        found += wrapped((begin if number == 0 else " " * len(begin)) + text, width, hang if number == 0 else 2)
    return found


def duration(seconds: float, digits: int = 1) -> str:
    """Return a duration for a person: ``3.2 s``, ``2 min 05 s``, ``1 h 02 min``."""
    if seconds < 59.5:
        return f"{max(seconds, 0):.{digits}f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def hosts_text(hosts: Sequence[str]) -> str:
    """Return the names of a few hosts, or the number of many."""
    return ", ".join(hosts) if len(hosts) <= _MOST_HOSTS else f"{len(hosts)} hosts"


def waiting_text(waits: Mapping[str, str], named: bool) -> str:
    """Return what hosts wait for, as the end of a line; ``named``: with the names of the hosts."""
    texts = [f"{host}: {text}" if named else text for host, text in waits.items()]
    return f": {'; '.join(texts[:_MOST_HOSTS])}" if texts else ""


def message_lines(message: Any) -> list[str]:
    """Return a message, which is a text, a list or anything of JSON types, as lines."""
    if isinstance(message, str):
        return message.rstrip().split("\n")
    if isinstance(message, (list, tuple)):
        return [line for one in message for line in message_lines(one)]
    if isinstance(message, Mapping):
        return json.dumps(message, indent=2, default=str, ensure_ascii=False).split("\n")
    return [str(message)]
