# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a data node in a shard with a reserve: what was set there, and the values before.

It is beside the journal, and stays when a run has ended: ``redis-6379.reserve.json``.
"""

from __future__ import annotations

import os
from typing import Any, Mapping

from .._atomic_write import sync_folder
from .journal import SCHEMA, read_journal, write_journal

__all__ = ["read_reserve_record", "remove_reserve_record", "reserve_record_path", "write_reserve_record"]


def reserve_record_path(journal: str) -> str:
    """Return the path of the record, from that of the instance's journal."""
    return f"{os.path.splitext(journal)[0]}.reserve.json"


def read_reserve_record(journal: str) -> dict[str, Any] | None:
    """Return the record; None if there is none. Raises PreconditionFailed, as for a journal."""
    return read_journal(reserve_record_path(journal))


def write_reserve_record(journal: str, record: Mapping[str, Any]) -> None:
    """Write the record, readable by its owner only."""
    write_journal(reserve_record_path(journal), {**record, "schema": SCHEMA})


def remove_reserve_record(journal: str) -> None:
    """Remove the record."""
    path = reserve_record_path(journal)
    os.remove(path)
    sync_folder(None, os.path.dirname(path))
