# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Atomic replacement of files, and the owner, group and mode of a file.

A reader, and a host that loses power, finds the old content or the new content and never a part.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from dataclasses import dataclass, replace
from typing import BinaryIO, Iterator

from ._owner import Place, User, as_user, place_of

__all__ = ["FileIdentity", "replacing", "sync", "sync_folder", "write_atomically"]

_LOOK = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


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
        """Give a path or an open descriptor this identity, and return whether it had another.

        In another user's folder only files of that user are given away, and no links of others are
        followed: whatever else has the name by now stays as it is.
        """
        if isinstance(file, int):
            return self._apply_to(file)
        with place_of(file, follow=True) as place:
            try:
                with place.acting():
                    descriptor = os.open(place.name, _LOOK | (os.O_NOFOLLOW if place.folder else 0), dir_fd=place.folder)
            except OSError:
                if place.user is None:
                    raise
                return False
            try:
                found = os.fstat(descriptor)
                is_plain = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
                if not is_plain or (place.user is not None and found.st_uid != place.user.uid):
                    return False
                return self._apply_to(descriptor, 0o7777 if place.user is None else 0o777)
            finally:
                os.close(descriptor)

    def _apply_to(self, descriptor: int, mask: int = 0o7777) -> bool:
        now = FileIdentity.of(descriptor)
        wanted = replace(self, mode=self.mode & mask)
        if (now.uid, now.gid) != (self.uid, self.gid):
            os.fchown(descriptor, self.uid, self.gid)
        if now != wanted:
            os.fchmod(descriptor, wanted.mode)
        return now != wanted


@contextlib.contextmanager
def replacing(path: str, identity: FileIdentity | None = None, *, mode: int = 0o600, synced: bool = True) -> Iterator[BinaryIO]:
    """Yield a binary file that replaces ``path`` when the block ends without an error.

    The new file gets ``identity``, or else ``mode`` and the owner of this process, as root that of
    the folder. While it is written, as ``<path>.partial``, only its owner can read it, since it may
    hold secrets. Without ``synced`` the new content survives the death of this process, but not a
    loss of power.
    """
    with place_of(path) as place:
        author = _author(place, path, identity)
        with as_user(author):
            partial, descriptor = _new_file(place)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                if identity is None:
                    os.fchmod(descriptor, mode)
                else:
                    identity._apply_to(descriptor, 0o7777 if place.user is None else 0o777)
                if synced:
                    os.fsync(descriptor)
            with as_user(author):
                os.replace(partial, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
        except Exception:
            with contextlib.suppress(OSError), as_user(author):
                os.unlink(partial, dir_fd=place.folder)
            raise
        if synced:
            sync_folder(place.folder, os.path.dirname(path) or ".")


def _author(place: Place, path: str, identity: FileIdentity | None) -> User | None:
    """Return the user who writes the new file; None for this process's own.

    A file that is to be root's, for example, must never be another user's. Where a link of that
    user leads it could replace any file.
    """
    if place.user is None or identity is None or identity.uid == place.user.uid:
        return place.user
    if place.linked:
        raise PermissionError(errno.EPERM, f"a link of the user with id {place.user.uid} leads to it, and it is another user's", path)
    return None


def _new_file(place: Place) -> tuple[str, int]:
    """Return name and descriptor of a new file, which is never one that was there before."""
    partial = place.name + ".partial"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(partial, dir_fd=place.folder)  # a killed process left it
    while True:
        try:
            return partial, os.open(partial, _CREATE, 0o600, dir_fd=place.folder)
        except FileExistsError:  # somebody makes files of this name
            partial = f"{place.name}.{secrets.token_hex(8)}.partial"


def write_atomically(path: str, text: str, identity: FileIdentity | None = None, *, mode: int = 0o600, synced: bool = True) -> None:
    """Replace a file's content by this text; see ``replacing``.

    Text that was read with ``surrogateescape`` is written as the bytes that it was read from.
    """
    with replacing(path, identity, mode=mode, synced=synced) as file:
        file.write(text.encode("utf-8", "surrogateescape"))


def sync(path: str) -> None:
    """Make a file that another process has replaced survive a loss of power."""
    with place_of(path, follow=True) as place:
        with place.acting():
            descriptor = os.open(place.name, _LOOK, dir_fd=place.folder)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_folder(place.folder, os.path.dirname(path) or ".")


def sync_folder(folder: int | None, path: str) -> None:
    """Make renames in a folder (a descriptor, or a path) survive a loss of power, if possible."""
    with contextlib.suppress(OSError):  # what was done in the folder stays done
        descriptor = os.open(path if folder is None else ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
