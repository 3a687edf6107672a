# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Built versions, as a folder or an archive: what is in them, found out without unpacking or
running anything.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import posixpath
import stat
import tarfile
import zlib
from dataclasses import dataclass

from .._errors import PreconditionFailed
from .elf import HEADER_BYTES, machine_in, machine_of
from .folders import SERVER_PLACES, server_in

__all__ = ["Contents", "archive_contents", "folder_contents", "verify_checksum"]

STATE = "Nothing was placed and no server was touched"
_BLOCK = 4096  # what file systems give a file at least
_DAMAGED = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError, ValueError)


@dataclass(frozen=True)
class Contents:
    """``bytes`` is the room that it needs on a disk; ``server`` the server's name in it, empty if
    there is none.

    ``machine`` is what the server is built for, empty if it is no ELF file.
    """

    bytes: int
    server: str
    machine: str


def verify_checksum(path: str, wanted: str) -> str:
    """The SHA-256 checksum of a file; raises PreconditionFailed unless it is the wanted one
    (``sha256:`` may precede it).
    """
    if not wanted:
        raise PreconditionFailed(f"no checksum was given for {path}", state=STATE, advice="Set redis_binaries_checksum to its SHA-256")
    found = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                found.update(block)
    except OSError as error:
        raise PreconditionFailed(f"{path} cannot be read: {error}", state=STATE, advice="Correct redis_binaries_source") from error
    expected = wanted[len("sha256:") :] if wanted.startswith("sha256:") else wanted
    if found.hexdigest() != expected.lower():
        raise PreconditionFailed(
            f"{path} has the checksum {found.hexdigest()}, expected was {expected}",
            state=STATE,
            advice="Fetch it again, or correct redis_binaries_checksum; what lies in redis_binaries_cache may be deleted",
        )
    return found.hexdigest()


def folder_contents(folder: str) -> Contents:
    """What a folder holds. Raises PreconditionFailed if it cannot be read."""
    used = 0
    try:
        for parent, _folders, names in os.walk(folder):
            used += _BLOCK + sum(_room(os.stat(os.path.join(parent, name)).st_size) for name in names)
        server = server_in(folder)
        return Contents(used, os.path.relpath(server, folder) if server else "", machine_of(server) if server else "")
    except OSError as error:
        raise PreconditionFailed(f"{folder} cannot be read: {error}", state=STATE) from error


def archive_contents(path: str) -> Contents:
    """What a tar archive (also compressed with gzip, bzip2 or xz) holds below the one folder at its
    top.

    All of it is read, so that a truncated archive is found out. Raises PreconditionFailed for one
    that is damaged, that has not one folder at its top, or that would write elsewhere.
    """
    try:
        with tarfile.open(path) as archive:
            members = {member.name: member for member in archive}
            _require_one_folder(path, members)
            server = _server_among(members)
            header = archive.extractfile(members[server]) if server else None
            start = header.read(HEADER_BYTES) if header else b""
            _read_to_the_end(archive)
    except _DAMAGED as error:
        raise PreconditionFailed(
            f"{path} is truncated, damaged, or no tar archive (gzip, bzip2 and xz are known): {error}",
            state=STATE,
            advice="Make or fetch it again, and give the checksum of the whole file",
        ) from error
    used = sum(_room(member.size) for member in members.values())
    return Contents(used, posixpath.join(*server.split("/")[1:]) if server else "", machine_in(start))


def _require_one_folder(path: str, members: dict[str, tarfile.TarInfo]) -> None:
    outside = [name for name in members if name.startswith("/") or ".." in name.split("/")]
    if outside:
        raise PreconditionFailed(f"{path} holds {outside[0]}, which would be written elsewhere", state=STATE)
    tops = sorted({name.split("/")[0] for name in members})
    if len(tops) != 1 or tops == ["."] or (tops[0] in members and not members[tops[0]].isdir()):
        raise PreconditionFailed(
            f"{path} has {', '.join(tops[:5]) or 'nothing'} at its top, where one folder is expected, as in release archives",
            state=STATE,
            advice="Pack the folder itself: tar -C /srv/builds -czf redis-8.0.2.tar.gz redis-8.0.2",
        )


def _server_among(members: dict[str, tarfile.TarInfo]) -> str:
    """The name of the server's file; where that is a link, of the file that it leads to. Empty if
    there is none.
    """
    top = next(iter(members)).split("/")[0]
    for place in SERVER_PLACES:
        member = _followed(posixpath.join(top, place), members)
        if member is not None and member.isfile() and member.mode & stat.S_IXUSR:
            return member.name
    return ""


def _followed(name: str, members: dict[str, tarfile.TarInfo]) -> tarfile.TarInfo | None:
    """The member with this name, or that its links lead to; None if there is none."""
    for _link in range(8):
        member = members.get(name)
        if member is None or not (member.issym() or member.islnk()):
            return member
        name = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname)) if member.issym() else member.linkname
    return None


def _read_to_the_end(archive: tarfile.TarFile) -> None:
    """What is compressed has a checksum of its own after the last member; reading that far checks
    it.
    """
    if archive.fileobj is not None:
        while archive.fileobj.read(1 << 20):
            pass


def _room(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK or _BLOCK
