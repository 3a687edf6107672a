# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work that keeps a server busy, in words, as its INFO tells. Pure.

Fields of 5.0: ``loading_*``, ``master_sync_left_bytes``. 6.2 has also ``master_sync_total_bytes``,
``master_sync_read_bytes`` and ``current_save_keys_*``. A server lacks fields of work that it does
not do.
"""

from __future__ import annotations

from typing import Mapping

from .._sizes import readable_size

__all__ = ["activity", "saving"]


def _number(info: Mapping[str, str], name: str) -> float:
    try:
        return float(info.get(name, "0"))
    except ValueError:
        return 0.0


def activity(info: Mapping[str, str]) -> str:
    """Return how far a server is with loading or a full synchronisation; empty without either."""
    if info.get("loading", "0") == "1":
        return _loading(info)
    return _synchronising(info) if info.get("master_sync_in_progress", "0") == "1" else ""


def _loading(info: Mapping[str, str]) -> str:
    left_s = _number(info, "loading_eta_seconds")
    left = f", {left_s:.0f} s to go" if left_s > 0 else ""
    return f"loading, {_number(info, 'loading_loaded_perc'):.0f} %{left}"


def _synchronising(info: Mapping[str, str]) -> str:
    """Return how much of the master's data a replica has.

    The whole size is unknown before the data begins, and if the master sends it without a file.
    """
    total, read, left = (_number(info, f"master_sync_{name}_bytes") for name in ("total", "read", "left"))
    if total > 0:
        return f"full synchronisation, {100 * read / total:.0f} %, {readable_size(left)} to go"
    if left > 0:
        return f"full synchronisation, {readable_size(left)} to go"
    return f"full synchronisation, {readable_size(read)} received" if read > 0 else "full synchronisation, its master prepares the data"


def saving(info: Mapping[str, str]) -> str:
    """Return how far a server is with saving its data; empty if it saves nothing."""
    if info.get("rdb_bgsave_in_progress", "0") == "1":
        total, done = (_number(info, f"current_save_keys_{name}") for name in ("total", "processed"))
        how_far = f"{100 * done / total:.0f} %" if total > 0 else f"for {_number(info, 'rdb_current_bgsave_time_sec'):.0f} s"
        return f"saving its data, {how_far}"
    return "rewriting its append-only file" if info.get("aof_rewrite_in_progress", "0") == "1" else ""
