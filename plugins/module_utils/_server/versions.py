# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can follow what: versions, and which server can read which other one's data (RDB format)."""

from __future__ import annotations

import re

__all__ = ["can_downgrade", "can_replicate", "is_downgrade", "many_part_aof", "rdb_version", "reads_file", "version_key"]

# First version of a line, and the RDB version that it writes; RDB_VERSION in the servers' rdb.h.
_REDIS_RDB: list[tuple[tuple[int, ...], int]] = [((8, 6), 13), ((7, 4), 12), ((7, 2), 11), ((7, 0), 10), ((5, 0), 9)]
_VALKEY_RDB = 11  # Valkey 9 writes 80 to disk and sends 11 to replicas older than 9.0
_FOREIGN_RDB = 12  # from here to 79 Valkey refuses to read: formats of Redis 7.4 and later


def version_key(version: str) -> tuple[int, ...]:
    """``7.0.15`` as ``(7, 0, 15)``; a suffix such as ``-rc1`` is left out."""
    return tuple(int(number) for number in re.findall(r"\d+", version.split("-", maxsplit=1)[0]))


def is_downgrade(running: str, wanted: str) -> bool:
    """Whether the wanted version of the same server is older than the running one."""
    return version_key(wanted) < version_key(running)


def rdb_version(server: str, version: str) -> int:
    """The RDB version in which this server sends a full synchronisation; 0 if it is older than all
    that we know.
    """
    if server == "valkey":
        return _VALKEY_RDB
    return next((rdb for first, rdb in _REDIS_RDB if version_key(version) >= first), 0)


def _reads(reader: tuple[str, str], writer: tuple[str, str]) -> bool:
    """Whether one server, given as ``(server, version)``, can take a full synchronisation from
    another.
    """
    sent = rdb_version(*writer)
    if reader[0] == "valkey":
        return sent < _FOREIGN_RDB
    return sent <= rdb_version(*reader)


def can_replicate(running: tuple[str, str], wanted: tuple[str, str]) -> bool:
    """Whether a replica with the wanted server can follow a master with the running one."""
    return _reads(wanted, running)


def can_downgrade(running: tuple[str, str], wanted: tuple[str, str]) -> bool:
    """Whether a replica with the running (old) server can follow a master with the wanted (new)
    one.
    """
    return _reads(running, wanted)


def reads_file(reader: tuple[str, str], head: bytes) -> bool:
    """Whether a server, given as ``(server, version)``, can load a data file that begins so.

    What has no magic of an RDB is not judged: an append-only file of plain commands, or an empty
    one.
    """
    found = re.match(rb"(REDIS|VALKEY)(\d{3,4})", head)
    if found is None:
        return True
    writer, written = found.group(1), int(found.group(2))
    if reader[0] == "valkey":
        return written < _FOREIGN_RDB if writer == b"REDIS" else version_key(reader[1]) >= (9,)
    return writer == b"REDIS" and written <= rdb_version(*reader)


def many_part_aof(reader: tuple[str, str]) -> bool:
    """Whether a server has its append-only files in a folder of their own (from 7.0 on)."""
    return reader[0] == "valkey" or version_key(reader[1]) >= (7,)
