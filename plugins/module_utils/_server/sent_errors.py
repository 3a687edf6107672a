# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of a replica about what its master sends: each is a write that the replica may lack.

``unexpected_error_replies`` of INFO counts them, from 6.0 on, since the start of the server or the
last CONFIG RESETSTAT. Offsets, lag and numbers of keys may be equal nevertheless.
"""

from __future__ import annotations

import re
from typing import Mapping

from .log import read_from, size_of

__all__ = ["COUNTER", "MEANING", "MOST_BYTES", "REMEDY", "counted_or_logged", "errors_sent", "lines_of", "logged_errors"]

# Valkey says "primary". A server that loads its append-only file may lack writes, too.
_SENT = re.compile(r"== CRITICAL == This \w+ is sending an error to its (?:master|primary|AOF)")
COUNTER = "unexpected_error_replies"
MOST_BYTES = 8 << 20  # of a log, from its end

MEANING = "It has refused what the master sent, as its log says (CRITICAL), and may lack writes"
REMEDY = (
    "Remove the cause, then let it copy all data from the master: MULTI, REPLICAOF NO ONE, REPLICAOF with host and port "
    "of the master, EXEC on that node, and CONFIG RESETSTAT when its link is up"
)


def errors_sent(info: Mapping[str, str], log_file: str) -> int:
    """Return how many errors a node has sent its master since its start.

    ``log_file``: read only if the server does not count them (5.0).
    """
    return counted_or_logged(info, "" if info.get(COUNTER, "").isdigit() else _end_of(log_file))


def counted_or_logged(info: Mapping[str, str], log: str) -> int:
    """Return the number that the server has counted, or else that of its process in its log.

    A log also has the lines of the process before the restart.
    """
    counted = info.get(COUNTER, "")
    return int(counted) if counted.isdigit() else lines_of(log, info.get("process_id", ""))


def logged_errors(log_file: str, pid: str = "") -> int:
    """Return the number of such errors at the end of a log; ``pid``: only those of this process."""
    return lines_of(_end_of(log_file), pid)


def _end_of(log_file: str) -> str:
    return read_from(log_file, max(0, size_of(log_file) - MOST_BYTES))


def lines_of(log: str, pid: str = "") -> int:
    """Return the number of such errors in the text of a log."""
    return sum(1 for line in log.splitlines() if line.startswith(f"{pid}:" if pid else "") and _SENT.search(line))
