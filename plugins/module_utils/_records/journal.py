# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of an instance: a small JSON file on its host with the facts that a crash would lose.

A run writes the journal before it changes anything, and removes the journal when it has succeeded.
The first value of a field is kept: a second run must not mistake the state that the first run left
for the state before the upgrade.

If the instance runs another version at the end, its journal becomes the rollback record: where the
previous version is and how it was started.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from typing import Any

from .._atomic_write import FileIdentity, write_atomically
from .._errors import PreconditionFailed
from .own_folder import require_own_folder

__all__ = [
    "SCHEMA",
    "close_journal",
    "merged",
    "open_journal",
    "read_journal",
    "read_rollback_record",
    "rollback_record_path",
    "write_journal",
]

SCHEMA = 1


def read_journal(path: str) -> dict[str, Any] | None:
    """Return the journal, or None if there is none.

    Raises PreconditionFailed if the file is not a journal.
    """
    try:
        with open(path, encoding="utf-8") as file:
            require_own_folder(os.path.dirname(path))
            found = json.load(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise PreconditionFailed(f"the journal {path} cannot be read: {error}", advice="Move it away to start afresh") from error
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise PreconditionFailed(
            f"{path} is not a journal of this version of the collection",
            advice="Finish with the version that wrote it, or move it away",
        )
    return found


def write_journal(path: str, content: dict[str, Any], *, synced: bool = True) -> None:
    """Write a journal atomically, readable by its owner only; see write_atomically."""
    require_own_folder(os.path.dirname(path))
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    write_atomically(path, json.dumps(content, indent=2, sort_keys=True) + "\n", synced=synced)


def merged(existing: dict[str, Any] | None, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the journal to write; the fields of an earlier, unfinished run win."""
    return {**content, **(existing or {}), "schema": SCHEMA}


def open_journal(path: str, content: Mapping[str, Any], check_mode: bool = False) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Ensure that the journal exists and has every field of ``content``.

    Returns the journal before (None: there was none) and after that. Raises PreconditionFailed if
    the file is not a journal.
    """
    before = read_journal(path)
    after = merged(before, content)
    if after != before and not check_mode:
        write_journal(path, after)
    return before, after


def rollback_record_path(path: str) -> str:
    """Return the path of a rollback record: ``redis-6379.before.json`` for ``redis-6379.json``."""
    return f"{os.path.splitext(path)[0]}.before.json"


def read_rollback_record(path: str, running: str) -> dict[str, Any] | None:
    """Return the rollback record of an instance that runs the version ``running``.

    Returns None if there is no record, or if another version followed the recorded one.
    """
    found = read_journal(rollback_record_path(path))
    return found if found is not None and found.get("followed_by") == running else None


def close_journal(path: str, journal: Mapping[str, Any], followed_by: str = "") -> None:
    """Restore the configuration file's owner and mode, and remove the journal.

    An empty folder is removed too. ``followed_by`` is the version that the instance runs now. If
    the journal has another version, it is kept as the rollback record.
    """
    config_file, identity = journal.get("config_file", ""), journal.get("config_identity")
    if identity and os.path.isfile(config_file):
        FileIdentity(**identity).apply_to(config_file)
    if followed_by and followed_by != journal.get("version"):
        write_journal(rollback_record_path(path), {**journal, "followed_by": followed_by})
    os.remove(path)
    with contextlib.suppress(OSError):  # other instances of this host may still have journals
        os.rmdir(os.path.dirname(path))
