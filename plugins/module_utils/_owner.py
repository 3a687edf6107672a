# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""File work of root in folders of other users, who may swap any file for a link at any moment.

A folder is opened once, component by component, and files in it are named by its descriptor. Root
follows links of its own only. Work in another user's folder is done as that user. So is all work
behind a link of another user. Nothing here changes anything for a process that is not root.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import stat
from dataclasses import dataclass
from typing import ContextManager, Iterator, NamedTuple

__all__ = [
    "ROOT",
    "Place",
    "User",
    "Way",
    "as_user",
    "at",
    "author_of",
    "errors_name",
    "find",
    "is_ours",
    "is_roots",
    "place_of",
    "program_user",
    "user_of",
]

_NOBODY = 65534
_MOST_LINKS = 40  # as the kernel has it


class User(NamedTuple):
    """A user to act as, with a group and the supplementary groups."""

    uid: int
    gid: int
    groups: tuple[int, ...]


def user_of(uid: int, gid: int) -> User:
    """Return a user with the groups of the user database, or with ``gid`` if it has no such user.

    A user without a name never gets the group of root.
    """
    try:
        found = pwd.getpwuid(uid)
        return User(uid, found.pw_gid, tuple(os.getgrouplist(found.pw_name, found.pw_gid)))
    except KeyError:
        return User(uid, gid or _NOBODY, ())


ROOT = User(0, 0, ())


@contextlib.contextmanager
def as_user(user: User | None) -> Iterator[None]:
    """Act as this user on files until the block ends; None for the user that acts already.

    Only the effective ids change, so that nobody but root may send this process a signal or trace
    it. A program that is started here could become root again: start none.
    """
    before = User(os.geteuid(), os.getegid(), tuple(os.getgroups()))
    if user is None or user == before or os.getuid() != 0:
        yield
        return
    _become(user)
    try:
        yield
    finally:
        _become(before)


def _become(user: User) -> None:
    os.seteuid(0)
    os.setgroups(user.groups)
    os.setegid(user.gid)
    os.seteuid(user.uid)


def is_ours(folder: os.stat_result, entry_uid: int | None = None) -> bool:
    """Return whether only this process's user, and root, may replace entries of a folder.

    ``entry_uid``: the owner of the entry, who alone may replace it where the folder has the sticky
    bit, as /tmp has.
    """
    ours = {0, os.geteuid()}
    if folder.st_uid not in ours:
        return False
    by_group = folder.st_mode & stat.S_IWGRP and folder.st_gid != 0 and not _is_own_group(folder.st_gid)
    if not by_group and not folder.st_mode & stat.S_IWOTH:
        return True
    return bool(folder.st_mode & stat.S_ISVTX) and entry_uid in ours


def _is_own_group(gid: int) -> bool:
    """Return whether a group is the one of this user alone, by the usual convention."""
    try:
        found = pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return found.pw_uid != 0 and gid == found.pw_gid and gid == found.pw_uid


# -- the way to a file


@dataclass
class Way:
    """The open folder of a file, and the file's name in that folder.

    ``behind_link``: the user whose link was followed on the way. ``doubt``: the first user on the
    way who could have replaced the file; both None if there is none.
    """

    folder: int
    name: str
    behind_link: User | None = None
    doubt: User | None = None

    def enter(self, folder: int) -> None:
        os.close(self.folder)
        self.folder = folder

    def actor(self) -> User | None:
        """Return the user to act as in the folder."""
        found = os.fstat(self.folder)
        return self.behind_link or (user_of(found.st_uid, found.st_gid) if found.st_uid != 0 else None)

    def reader(self) -> User | None:
        """Return the user to read as, who would get a copy of the file."""
        mover = self.doubt if self.doubt is not None and self.doubt.uid != _NOBODY else None
        return self.actor() or mover

    def judge(self, entry: os.stat_result) -> bool:
        """Return whether the folder keeps this entry from other users; else note the doubt."""
        folder = os.fstat(self.folder)
        if is_ours(folder, entry.st_uid):
            return True
        self.doubt = self.doubt or _holder(folder, entry)
        return False

    def follow(self, entry: os.stat_result) -> None:
        """Note whose link is followed. Nobody but root can make a link that root owns."""
        folder = os.fstat(self.folder)
        if not self.judge(entry) and (folder.st_uid, entry.st_uid) != (0, 0):
            self.behind_link = self.behind_link or _holder(folder, entry)


def _holder(folder: os.stat_result, entry: os.stat_result) -> User:
    """Return the user who can replace an entry: the folder's owner, the entry's, or nobody."""
    if folder.st_uid != 0:
        return user_of(folder.st_uid, folder.st_gid)
    if entry.st_uid != 0:
        return user_of(entry.st_uid, entry.st_gid)
    return User(_NOBODY, folder.st_gid or _NOBODY, ())


def find(path: str, follow: bool) -> Way:
    """Return the way to a path; ``follow`` also follows the path itself if that is a link."""
    names = os.path.abspath(path).split(os.sep)[::-1]
    way, links = Way(_root(), "."), 0
    try:
        while names:
            name = names.pop()
            if name in ("", "."):
                continue
            is_last = not any(names)
            try:
                entry = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=way.folder)
            except FileNotFoundError:
                if not is_last:
                    raise
                way.name = name
                break
            try:
                target = _step(way, name, entry, is_last, follow)
            finally:
                os.close(entry)
            links += bool(target)
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            names += target.split(os.sep)[::-1]
    except BaseException:
        os.close(way.folder)
        raise
    return way


def _root() -> int:
    return os.open("/", os.O_PATH | os.O_CLOEXEC)


def _step(way: Way, name: str, entry: int, is_last: bool, follow: bool) -> str:
    """Go on to an open entry of the folder; return the target of a link to follow, else nothing."""
    found = os.fstat(entry)
    if stat.S_ISLNK(found.st_mode) and (follow or not is_last):
        way.follow(found)
        target = os.readlink("", dir_fd=entry)
        if os.path.isabs(target):
            way.enter(_root())
        return target
    if name != os.pardir:
        way.judge(found)
    if is_last and name != os.pardir:
        way.name = name
    elif stat.S_ISDIR(found.st_mode):
        way.enter(os.dup(entry))
    else:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name)
    return ""


@dataclass(frozen=True)
class Place:
    """A file's folder (None: the current one) and its name in there, and the user to act as.

    ``reader``: the user to read as; also in a folder of root's that another user may have moved
    there. ``linked``: whether another user's link led to a folder that is not that user's.
    """

    folder: int | None
    name: str
    user: User | None = None
    reader: User | None = None
    linked: bool = False

    def acting(self) -> ContextManager[None]:
        """Act as the user until the block ends."""
        return as_user(self.user)


@contextlib.contextmanager
def place_of(path: str, *, follow: bool = False) -> Iterator[Place]:
    """Yield the place of a file, with the folder open until the block ends.

    ``follow``: if the path itself is a link, yield the place of its target. For another user than
    root the name is the path, and the folder is None.
    """
    if os.geteuid() != 0:
        yield Place(None, path)
        return
    with errors_name(path):
        way = find(path, follow)
        try:
            linked = way.behind_link is not None and os.fstat(way.folder).st_uid != way.behind_link.uid
            yield Place(way.folder, way.name, way.actor(), way.reader(), linked)
        finally:
            os.close(way.folder)


@contextlib.contextmanager
def at(path: str, *, follow: bool = False) -> Iterator[tuple[int | None, str]]:
    """Yield folder and name of a file's place; act as the folder's owner until the block ends."""
    with place_of(path, follow=follow) as place, place.acting():
        yield place.folder, place.name


@contextlib.contextmanager
def errors_name(path: str) -> Iterator[None]:
    """Name the whole path in errors of the operating system."""
    try:
        yield
    except OSError as error:
        if error.filename is not None and not os.path.isabs(os.fspath(error.filename)):
            error.filename = path
        raise


def program_user(path: str) -> tuple[User | None, Way]:
    """Return the user who could have put a program where it is (None: root alone), and its way.

    The caller closes the way's folder.
    """
    way = find(path, follow=True)
    try:
        found = os.stat(way.name, dir_fd=way.folder, follow_symlinks=False)
    except OSError:
        os.close(way.folder)
        raise
    if found.st_uid != 0:
        return way.doubt or user_of(found.st_uid, found.st_gid), way
    by_group = found.st_mode & stat.S_IWGRP and found.st_gid != 0
    if by_group or found.st_mode & stat.S_IWOTH:
        return way.doubt or User(_NOBODY, found.st_gid or _NOBODY, ()), way
    return way.doubt, way


def author_of(path: str) -> User | None:
    """Return the user who could have written a file or put it where it is; None for root alone.

    For a missing file it is the user who could put one there: it may be missing for a moment only.
    """
    if os.geteuid() != 0:
        return None
    path = os.path.abspath(path)
    while True:
        try:
            user, way = program_user(path)
        except OSError:
            if path == os.path.dirname(path):
                return None
            path = os.path.dirname(path)
            continue
        os.close(way.folder)
        return user


def is_roots(path: str) -> bool:
    """Return whether only root decides which file is at a path, with all its links."""
    try:
        way = find(path, follow=True)
    except OSError:
        return False
    os.close(way.folder)
    return way.doubt is None
