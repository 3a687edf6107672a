# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of journals and locks, in which no other user may put anything.

A journal says which file gets which owner, and an undo file what a master is set to.
"""

from __future__ import annotations

import os
import pwd

from .._errors import PreconditionFailed
from .._owner import Way, find, is_ours

__all__ = ["require_own_folder"]


def require_own_folder(folder: str) -> None:
    """Raise PreconditionFailed if another user could replace a folder or the files in it.

    A folder that is missing is judged by the nearest one that exists.
    """
    path = os.path.abspath(folder)
    while True:
        try:
            way = find(path, follow=True)
        except FileNotFoundError:
            path = os.path.dirname(path)
            continue
        except OSError:
            return  # the work in the folder fails with a better reason
        break
    try:
        if way.doubt is not None or not _keeps_files(way, path != os.path.abspath(folder)):
            raise PreconditionFailed(
                f"other users than {_own_name()} could replace the files in {folder}, which decide what a run does",
                state="Nothing was touched",
                advice=f"Use a folder that only {_own_name()} may write, in folders of which the same is true: "
                f"chown {_own_name()} {folder}; chmod 700 {folder}; or set another redis_upgrade_journal_folder",
            )
    finally:
        os.close(way.folder)


def _keeps_files(way: Way, is_parent: bool) -> bool:
    """Return whether nobody else may replace what this process makes at the end of a way."""
    try:
        found = os.stat(way.name, dir_fd=way.folder, follow_symlinks=False)
    except FileNotFoundError:
        found, is_parent = os.fstat(way.folder), True
    return is_ours(found, os.geteuid() if is_parent else None)


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
