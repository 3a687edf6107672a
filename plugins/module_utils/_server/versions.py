# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of servers, and which server can read the data of which other (RDB versions)."""

from __future__ import annotations

import re

__all__ = [
    "can_downgrade",
    "can_replicate",
    "counts_errors",
    "is_downgrade",
    "is_newer_line",
    "many_part_aof",
    "misses_in_silence",
    "rdb_version",
    "reads_file",
    "replicates_scripts_verbatim",
    "version_key",
]

# First version of a release line, and the RDB version that the line writes (RDB_VERSION in rdb.h).
_REDIS_RDB: list[tuple[tuple[int, ...], int]] = [((8, 6), 13), ((7, 4), 12), ((7, 2), 11), ((7, 0), 10), ((5, 0), 9)]
_VALKEY_RDB = 11  # Valkey 9 writes version 80 to disk, and sends 11 to replicas older than 9.0
_FOREIGN_RDB = 12  # Valkey refuses versions 12 to 79, which are those of Redis 7.4 and later


def version_key(version: str) -> tuple[int, ...]:
    """Return ``(7, 0, 15)`` for ``7.0.15``, without a suffix such as ``-rc1``."""
    return tuple(int(number) for number in re.findall(r"\d+", version.split("-", maxsplit=1)[0]))


def is_downgrade(running: str, wanted: str) -> bool:
    """Return whether the wanted version of a server is older than its running version."""
    return version_key(wanted) < version_key(running)


def rdb_version(server: str, version: str) -> int:
    """Return the RDB version of this server's full synchronisations; 0 for Redis before 5.0."""
    if server == "valkey":
        return _VALKEY_RDB
    return next((rdb for first, rdb in _REDIS_RDB if version_key(version) >= first), 0)


def _reads(reader: tuple[str, str], writer: tuple[str, str]) -> bool:
    """Return whether a reader can load a full synchronisation of a writer.

    Both are given as ``(server, version)``, here and below.
    """
    sent = rdb_version(*writer)
    if reader[0] == "valkey":
        return sent < _FOREIGN_RDB
    return sent <= rdb_version(*reader)


def can_replicate(running: tuple[str, str], wanted: tuple[str, str]) -> bool:
    """Return whether a replica of the wanted version can replicate from a running master."""
    return _reads(wanted, running)


def can_downgrade(running: tuple[str, str], wanted: tuple[str, str]) -> bool:
    """Return whether a replica of the running version can replicate from a wanted master.

    If so, a master that was upgraded can be rolled back without a loss of data.
    """
    return _reads(running, wanted)


def reads_file(reader: tuple[str, str], head: bytes) -> bool:
    """Return whether a server can load a data file with these first bytes.

    A file without an RDB header (an empty file, or an append-only file of plain commands) counts
    as loadable.
    """
    found = re.match(rb"(REDIS|VALKEY)(\d{3,4})", head)
    if found is None:
        return True
    writer, written = found.group(1), int(found.group(2))
    if reader[0] == "valkey":
        return written < _FOREIGN_RDB if writer == b"REDIS" else version_key(reader[1]) >= (9,)
    return writer == b"REDIS" and written <= rdb_version(*reader)


def many_part_aof(reader: tuple[str, str]) -> bool:
    """Return whether a server keeps its append-only files in a folder of their own (from 7.0)."""
    return reader[0] == "valkey" or version_key(reader[1]) >= (7,)


def replicates_scripts_verbatim(server: str, version: str) -> bool:
    """Return whether a server can be set to replicate scripts instead of what they write.

    Only such a server learns scripts from its master and from its data files.
    """
    return server == "redis" and version_key(version) < (7,)


def is_newer_line(running: tuple[str, str], other: tuple[str, str]) -> bool:
    """Return whether the other server is of a later release line (6.2 after 6.0) or product."""
    if running[0] != other[0]:
        return other[0] == "valkey"
    return version_key(other[1])[:2] > version_key(running[1])[:2]


def misses_in_silence(replica: tuple[str, str]) -> bool:
    """Return whether a replica neither counts nor logs all errors about what its master sends."""
    return replica[0] == "redis" and version_key(replica[1]) < (6, 2)


def counts_errors(server: tuple[str, str]) -> bool:
    """Return whether a server counts the errors that it sends its master (6.0 and later)."""
    return server[0] != "redis" or version_key(server[1]) >= (6,)
