# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal: what the live deployment cannot tell after a crash, one small JSON file per instance
on its own host.

It is written before anything is touched and removed when the run has ended well. What it says first
is kept: a second run must not take the state that the first one left for the state before the
upgrade.

Of an instance that runs another version at the end the journal is kept beside, as the note of the
version before: it says where that is, and how it was started, should somebody want to go back.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from typing import Any

from .._atomic_write import FileIdentity, write_atomically
from .._errors import PreconditionFailed

__all__ = ["SCHEMA", "before_path", "close_journal", "merged", "read_before", "read_journal", "write_journal"]

SCHEMA = 1


def read_journal(path: str) -> dict[str, Any] | None:
    """The journal, or None if there is none. Raises PreconditionFailed for a file that is not one
    of ours.
    """
    try:
        with open(path, encoding="utf-8") as file:
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


def merged(existing: dict[str, Any] | None, content: dict[str, Any]) -> dict[str, Any]:
    """The journal to write: what an earlier, unfinished run noted wins."""
    return {**content, **(existing or {}), "schema": SCHEMA}


def write_journal(path: str, content: dict[str, Any]) -> None:
    """Writes the file whole or not at all (temporary file, fsync, rename), readable by its owner
    only.
    """
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    write_atomically(path, json.dumps(content, indent=2, sort_keys=True) + "\n")


def before_path(path: str) -> str:
    """Where the note of the version before is: ``redis-6379.before.json`` beside
    ``redis-6379.json``.
    """
    return f"{os.path.splitext(path)[0]}.before.json"


def read_before(path: str, running: str) -> dict[str, Any] | None:
    """What a closed journal noted of the version before the ``running`` one; None if that is not
    known.
    """
    found = read_journal(before_path(path))
    return found if found is not None and found.get("followed_by") == running else None


def close_journal(path: str, journal: Mapping[str, Any], followed_by: str = "") -> None:
    """Gives the noted configuration file its owner and mode back, removes the journal, and its
    folder if that is empty.

    ``followed_by``: the version that the instance runs now. If that is not the noted one, the
    journal is kept as the note of the version before.
    """
    config_file, identity = journal.get("config_file", ""), journal.get("config_identity")
    if identity and os.path.isfile(config_file):
        FileIdentity(**identity).apply_to(config_file)
    if followed_by and followed_by != journal.get("version"):
        write_journal(before_path(path), {**journal, "followed_by": followed_by})
    os.remove(path)
    with contextlib.suppress(OSError):  # other instances of this host may still have theirs
        os.rmdir(os.path.dirname(path))
