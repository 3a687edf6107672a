# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server logs: reading them, and finding errors and warnings in them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from .._owned_files import as_owner

__all__ = ["LogFindings", "judge_log", "last_lines", "read_from", "size_of", "tail"]

# A line: "<pid>:<role letter> <day> <month> <year> <time> <level> <text>"; level # is a warning.
_LINE = re.compile(r"^\d+:[A-Z] \d+ \w+ \d{4} [\d:.]+ (?P<level>[.\-*#]) (?P<text>.*)$")
_ERRORS = re.compile(
    r"FATAL|Fatal error|BUG REPORT|Can't handle RDB format|Bad file format|Short read or OOM|Internal error in RDB|"
    r"Wrong signature|Failed (?:opening|listening)|Could not create server TCP|MASTER aborted replication|"
    r"Out Of Memory|crashed by signal|Unrecoverable error|Error loading|Bad directive|Can't open|"
    r"Error moving temp|Could not (?:rename|create) tmp config",
    re.IGNORECASE,
)
_BENIGN = re.compile(
    r"oO0OoO0OoO0Oo|(?:Redis|Valkey) version=|Configuration loaded|Server initialized|Sentinel ID is|"
    r"overcommit_memory|TCP backlog|Transparent Huge Pages|User requested shutdown|ready to exit|"
    r"signal.*(?:SIGTERM|SIGINT)|Received SIGTERM|no config file specified|New Sentinel|^[+-][a-z]+(?:-[a-z]+)* |"
    r"maximum open files|current maximum|Sentinel is now ready|systemd supervision|MASTER MODE enabled|"
    r"Connection with (?:master|replica).* lost|Warning: no config file|Sentinel new configuration saved|"
    r"Connection with slave client id|Done loading RDB|Diskless rdb transfer, done"
)


@dataclass(frozen=True)
class LogFindings:
    """The lines of a log that report an error, and those of level warning not known as harmless."""

    errors: tuple[str, ...]
    warnings: tuple[str, ...]


def judge_log(text: str) -> LogFindings:
    """Return the errors and the warnings in the text of a server's log."""
    errors: list[str] = []
    warnings: list[str] = []
    for line in text.splitlines():
        parsed = _LINE.match(line)
        if _ERRORS.search(line):
            errors.append(line)
        elif parsed and parsed.group("level") == "#" and not _BENIGN.search(parsed.group("text")):
            warnings.append(line)
    return LogFindings(tuple(errors), tuple(warnings))


def size_of(path: str) -> int:
    """Return the log's size in bytes, or 0 if the log does not exist yet."""
    try:
        return os.path.getsize(path) if path else 0
    except OSError:
        return 0


def read_from(path: str, offset: int) -> str:
    """Return the log from a byte offset on, or all of a log that is shorter (it was rotated)."""
    if not path:
        return ""
    try:
        with open(path, "rb", opener=as_owner) as file:
            file.seek(offset if offset <= size_of(path) else 0)
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def tail(path: str, offset: int = 0, lines: int = 15) -> list[str]:
    """Return the last lines that were written after the byte ``offset``."""
    return read_from(path, offset).splitlines()[-lines:]


def last_lines(path: str, lines: int = 15, most_bytes: int = 8192) -> list[str]:
    """Return the last lines of a log, and read at most its last ``most_bytes``."""
    return tail(path, max(0, size_of(path) - most_bytes), lines)
