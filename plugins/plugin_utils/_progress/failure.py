# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of a failed task: only its messages, never its arguments. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .events import Result
from .text import message_lines

__all__ = ["is_refusal", "reason_lines"]

_HIDDEN = "(hidden: the task has no_log)"
_OUTPUTS = ("stderr", "stdout", "module_stderr", "module_stdout")
_LAST_LINES = 20  # of each of these outputs
_UNTOUCHED = "Nothing was touched"


def reason_lines(result: Result) -> list[str]:
    """Return why a task failed: its message as a whole, and the end of the output of a command."""
    if result.hidden:
        return [_HIDDEN]
    failed = [
        item for item in result.data.get("results") or [] if isinstance(item, Mapping) and (item.get("failed") or item.get("unreachable"))
    ]
    return [line for one in failed or [result.data] for line in _reasons(one)]


def _reasons(data: Mapping[str, Any]) -> Iterator[str]:
    if data.get("_ansible_no_log") or "censored" in data:
        yield _HIDDEN
        return
    if data.get("msg"):
        yield from message_lines(data["msg"])
    for name in _OUTPUTS:
        lines = str(data.get(name) or "").strip("\n").split("\n")
        if lines != [""]:
            yield f"{name}:"
            yield from (f"    {line}" for line in lines[-_LAST_LINES:])


def is_refusal(lines: list[str]) -> bool:
    """Return whether a message says that the run has touched nothing."""
    return any(_UNTOUCHED in line for line in lines)
