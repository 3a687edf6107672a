# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contents of a built version in a folder or archive, read without unpacking."""

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
_BLOCK = 4096  # the smallest unit in which file systems allot space
_DAMAGED = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError, ValueError)


@dataclass(frozen=True)
class Contents:
    """The contents of a built version.

    ``bytes``: the disk space that the version needs. ``server``: the server's path in the version,
    empty if there is none. ``machine``: the machine that the server is built for, empty if the
    server is no ELF file.
    """

    bytes: int
    server: str
    machine: str


def verify_checksum(path: str, given: str) -> str:
    """Return the SHA-256 checksum of a file; raise PreconditionFailed unless it equals the given
    one.

    The given checksum may begin with ``sha256:``.
    """
    if not given:
        raise PreconditionFailed(f"no checksum was given for {path}", state=STATE, advice="Set redis_binaries_checksum to its SHA-256")
    found = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                found.update(block)
    except OSError as error:
        raise PreconditionFailed(f"{path} cannot be read: {error}", state=STATE, advice="Correct redis_binaries_source") from error
    expected = given[len("sha256:") :] if given.startswith("sha256:") else given
    if found.hexdigest() != expected.lower():
        raise PreconditionFailed(
            f"{path} has the checksum {found.hexdigest()}, expected was {expected}",
            state=STATE,
            advice="Fetch the archive again, or correct redis_binaries_checksum; redis_binaries_cache may be emptied",
        )
    return found.hexdigest()


def folder_contents(folder: str) -> Contents:
    """Return the contents of a folder. Raises PreconditionFailed if the folder cannot be read."""
    used = 0
    try:
        for parent, _folders, names in os.walk(folder):
            used += _BLOCK + sum(_allotted(os.stat(os.path.join(parent, name)).st_size) for name in names)
        server = server_in(folder)
        return Contents(used, os.path.relpath(server, folder) if server else "", machine_of(server) if server else "")
    except OSError as error:
        raise PreconditionFailed(f"{folder} cannot be read: {error}", state=STATE) from error


def archive_contents(path: str) -> Contents:
    """Return the contents of a tar archive (also gzip, bzip2 or xz), below the one folder at its
    top.

    The whole archive is read, so that truncation is detected. Raises PreconditionFailed if the
    archive is damaged, has not exactly one folder at its top, or would write outside that folder.
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
            advice="Make or fetch the archive again, and give the checksum of the whole file",
        ) from error
    used = sum(_allotted(member.size) for member in members.values())
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
    """Return the name of the server's file, with links followed; empty if there is none."""
    top = next(iter(members)).split("/")[0]
    for place in SERVER_PLACES:
        member = _follow_links(posixpath.join(top, place), members)
        if member is not None and member.isfile() and member.mode & stat.S_IXUSR:
            return member.name
    return ""


def _follow_links(name: str, members: dict[str, tarfile.TarInfo]) -> tarfile.TarInfo | None:
    """Return the member with this name, with links followed; None if there is none."""
    for _link in range(8):
        member = members.get(name)
        if member is None or not (member.issym() or member.islnk()):
            return member
        name = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname)) if member.issym() else member.linkname
    return None


def _read_to_the_end(archive: tarfile.TarFile) -> None:
    """Read the rest of the archive, since compression puts a checksum behind the last member."""
    if archive.fileobj is not None:
        while archive.fileobj.read(1 << 20):
            pass


def _allotted(size: int) -> int:
    """Return the bytes that a file of this size takes on a disk."""
    return -(-size // _BLOCK) * _BLOCK or _BLOCK
