# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Atomic replacement of files, and the owner, group and mode of a file.

A reader, and a host that loses power, finds the old content or the new content and never a part.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from typing import BinaryIO, Iterator

__all__ = ["FileIdentity", "replacing", "write_atomically"]


@dataclass(frozen=True)
class FileIdentity:
    """Owner, group and permission bits of a file."""

    uid: int
    gid: int
    mode: int

    @classmethod
    def of(cls, file: str | int) -> FileIdentity:
        """Return the identity of a path or an open descriptor."""
        found = os.stat(file)
        return cls(found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))

    def apply_to(self, file: str | int) -> bool:
        """Give a path or an open descriptor this identity, and return whether it had another."""
        now = FileIdentity.of(file)
        if (now.uid, now.gid) != (self.uid, self.gid):
            os.chown(file, self.uid, self.gid)
        if now != self:
            os.chmod(file, self.mode)
        return now != self


@contextlib.contextmanager
def replacing(path: str, identity: FileIdentity | None = None, *, mode: int = 0o600, synced: bool = True) -> Iterator[BinaryIO]:
    """Yield a binary file that replaces ``path`` when the block ends without an error.

    The new file gets ``identity``, or else the owner of this process and ``mode``. While it is
    written, as ``<path>.partial``, only this process's user can read it, since it may hold secrets.
    Without ``synced`` the new content survives the death of this process, but not a loss of power.
    """
    partial = path + ".partial"
    with contextlib.suppress(FileNotFoundError):
        os.remove(partial)  # a killed process left it
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            if identity is None:
                os.fchmod(descriptor, mode)
            else:
                identity.apply_to(descriptor)
            if synced:
                os.fsync(descriptor)
        os.replace(partial, path)
    except Exception:
        with contextlib.suppress(OSError):
            os.remove(partial)
        raise
    if synced:
        _sync_folder(os.path.dirname(path) or ".")


def write_atomically(path: str, text: str, identity: FileIdentity | None = None, *, mode: int = 0o600, synced: bool = True) -> None:
    """Replace a file's content by this text; see ``replacing``.

    Text that was read with ``surrogateescape`` is written as the bytes that it was read from.
    """
    with replacing(path, identity, mode=mode, synced=synced) as file:
        file.write(text.encode("utf-8", "surrogateescape"))


def _sync_folder(folder: str) -> None:
    """Make the renames in a folder survive a loss of power, where its file system can do so."""
    with contextlib.suppress(OSError):  # the new file is in its place already
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
