# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading, renaming, linking and removing files as the owner of their folders, see _owner.py."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from typing import Iterator, Optional, Tuple

from ._atomic_write import sync_folder
from ._owner import as_user, at, errors_name, find, place_of

__all__ = ["as_owner", "give", "link", "make_folders", "make_link", "remove", "remove_tree", "rename"]


def as_owner(path: str, _flags: int = os.O_RDONLY) -> int:
    """Return a descriptor of a file to read, opened as the owner of its folder.

    Meant as the ``opener`` of ``open()``.
    """
    with place_of(path, follow=True) as place, as_user(place.reader):
        nofollow = 0 if place.folder is None else os.O_NOFOLLOW
        return os.open(place.name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | nofollow, dir_fd=place.folder)


def give(path: str, owner: os.stat_result) -> None:
    """Give a file, a folder or a link itself the owner and group of another one.

    In another user's folder the name may be that of any other file by now. There root gives away
    only what everybody may read.
    """
    with place_of(path) as place:
        if place.user is None:
            os.chown(place.name, owner.st_uid, owner.st_gid, dir_fd=place.folder, follow_symlinks=False)
            return
        with as_user(place.user if place.linked else None), contextlib.suppress(OSError):
            descriptor = os.open(place.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=place.folder)
            try:
                if not place.linked and _is_public(os.fstat(descriptor)):
                    os.fchown(descriptor, owner.st_uid, owner.st_gid)
            finally:
                os.close(descriptor)


def _is_public(found: os.stat_result) -> bool:
    """Return whether a file or folder can be given away: everybody may read it, by one name."""
    if stat.S_ISDIR(found.st_mode):
        return found.st_mode & 0o7005 == 0o005
    return stat.S_ISREG(found.st_mode) and found.st_mode & 0o7004 == 0o004 and found.st_nlink == 1


def remove(path: str) -> None:
    """Remove a file; a missing one counts as removed."""
    with contextlib.suppress(FileNotFoundError), at(path) as (folder, name):
        os.unlink(name, dir_fd=folder)


def make_link(target: str, path: str) -> None:
    """Make a symbolic link at ``path``."""
    with at(path) as (folder, name):
        os.symlink(target, name, dir_fd=folder)


def make_folders(path: str, mode: int = 0o777) -> None:
    """Make a folder and its missing parents, each as the owner of the folder above."""
    if os.path.isdir(path):
        return
    if os.path.dirname(path) != path:
        make_folders(os.path.dirname(path))
    with contextlib.suppress(FileExistsError), at(path) as (folder, name):
        os.mkdir(name, mode, dir_fd=folder)


def remove_tree(path: str) -> None:
    """Remove a folder with its content, as far as possible; no link is followed."""
    with contextlib.suppress(OSError):
        if os.geteuid() != 0:
            shutil.rmtree(path, ignore_errors=True)
            return
        way = find(path, follow=False)
        try:
            with as_user(way.behind_link):
                # files of root may be in another user's folder, so root removes them
                shutil.rmtree(f"/proc/self/fd/{way.folder}/{way.name}", ignore_errors=True)
        finally:
            os.close(way.folder)


def rename(source: str, target: str) -> None:
    """Rename a file or folder for good; a file of the new name is replaced."""
    with _between(source, target) as ((one, name), (other, new_name)):
        os.rename(name, new_name, src_dir_fd=one, dst_dir_fd=other)
        sync_folder(other, os.path.dirname(target) or ".")


def link(source: str, target: str) -> None:
    """Give a file, or a link itself, a second name; root does so, as others may not do so."""
    with _between(source, target, as_root=True) as ((one, name), (other, new_name)):
        os.link(name, new_name, src_dir_fd=one, dst_dir_fd=other, follow_symlinks=False)


_Place = Tuple[Optional[int], str]


@contextlib.contextmanager
def _between(source: str, target: str, as_root: bool = False) -> Iterator[tuple[_Place, _Place]]:
    """Yield two places for one call that follows no link.

    This process acts as the owner of the two folders, or as root if their owners differ.
    """
    if os.geteuid() != 0:
        yield (None, source), (None, target)
        return
    with errors_name(source), contextlib.ExitStack() as stack:
        ways = []
        for path in (source, target):
            way = find(path, follow=False)
            stack.callback(os.close, way.folder)
            ways.append(way)
        users = {way.actor() for way in ways}
        linked = [way.behind_link for way in ways if way.behind_link is not None]
        with as_user(linked[0] if linked else users.pop() if len(users) == 1 and not as_root else None):
            yield (ways[0].folder, ways[0].name), (ways[1].folder, ways[1].name)
