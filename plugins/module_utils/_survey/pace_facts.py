# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measured times for the estimate of a run: of this module's process, and of loading data.

Nothing is measured for that purpose: the kernel knows the one, and the server's log has the other.
"""

from __future__ import annotations

import os
import re
import time
from typing import Any

from .._host.process import started_at_s
from .._server.log import read_from, size_of

__all__ = ["last_load", "load_facts", "work_facts"]

MOST_BYTES = 1 << 20  # of a log, from its end
MIB = 1 << 20
_NEAR = 1 << 16  # characters of a log in which the lines of one load are
_DAY_S = 86400.0

# The size is in the logs of Redis 6.0 and later, and of Valkey.
_ENDS = ("DB loaded from ", "sync: Finished with success")
_MEMORY = re.compile(r"RDB memory usage when created ([\d.]+) Mb")
_LOADED = re.compile(r"DB loaded from [^:\n]*: ([\d.]+) seconds")
_TIME = r"(\d\d):(\d\d):(\d\d\.\d+) \S "
_SYNC = re.compile(_TIME + r"\w+ <-> \w+ sync: (?:Loading DB in memory|Finished with success)")


def work_facts() -> dict[str, float]:
    """Return how long this process has existed (``wall_s``), and its CPU seconds (``cpu_s``).

    The difference is the time for which it waited: for CPU, for disks and for servers.
    """
    begun_s = started_at_s(os.getpid())
    wall_s = time.clock_gettime(time.CLOCK_BOOTTIME) - begun_s if begun_s else 0.0
    return {"wall_s": round(max(0.0, wall_s), 3), "cpu_s": round(time.process_time(), 3)}


def load_facts(log_file: str) -> dict[str, Any]:
    """Return the last load of a data set that a server's log tells of; see ``last_load``."""
    return last_load(read_from(log_file, max(0, size_of(log_file) - MOST_BYTES)))


def last_load(log: str) -> dict[str, Any]:
    """Return ``bytes`` of memory and ``seconds`` of the last load; empty if a log has none.

    A load is that of a start (``DB loaded from disk``), or of a full synchronisation. The size is
    that of the memory when the snapshot was made.
    """
    end = max(log.rfind(text) for text in _ENDS)
    if end < 0:
        return {}
    lines = log[max(0, end - _NEAR) : end + 200].splitlines()
    last = max(number for number, line in enumerate(lines) if any(text in line for text in _ENDS))
    near = "\n".join(lines[: last + 1])
    sizes, loaded = _MEMORY.findall(near), _LOADED.search(lines[last])
    seconds = float(loaded[1]) if loaded else _of_sync(near)
    return {"bytes": int(float(sizes[-1]) * MIB), "seconds": seconds} if sizes and seconds > 0 else {}


def _of_sync(lines: str) -> float:
    """Return the seconds between the last two lines of a synchronisation; 0 if there are none."""
    times = [3600 * int(hours) + 60 * int(minutes) + float(seconds) for hours, minutes, seconds in _SYNC.findall(lines)]
    return round((times[-1] - times[-2]) % _DAY_S, 3) if len(times) > 1 else 0.0
