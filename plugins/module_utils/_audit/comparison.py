# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the data of a replica with that of its master, while clients write.

A key that differs is read again: its write may not have arrived yet. Only what differs each time
counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Iterator

from .._errors import CommandRefused
from .._progress_file import PROGRESS
from .._server.commands import Server
from .._server.info import parse_info
from .._wait import Clock

__all__ = ["Comparison", "compare", "unknown_writes"]

AGAIN, AGAIN_S = 5, 0.2
MOST_ELEMENTS = 10000  # of a larger value only the number of elements is compared
_LENGTH = {"list": "LLEN", "hash": "HLEN", "set": "SCARD", "zset": "ZCARD", "stream": "XLEN", "string": "STRLEN"}
_READ: dict[str, tuple[Any, ...]] = {
    "string": ("GET",),
    "list": ("LRANGE", 0, -1),
    "hash": ("HGETALL",),
    "set": ("SMEMBERS",),
    "zset": ("ZRANGE", 0, -1, "WITHSCORES"),
    "stream": ("XRANGE", "-", "+"),
}
_TTL_SLACK_MS = 2000


@dataclass
class Comparison:
    """``keys``: the number of keys by database, on master and replica. ``compared``: how many keys
    were compared, by type. ``differing``: keys with another value; ``unreadable``: keys of a type
    that cannot be compared (of a module).
    """

    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    compared: dict[str, int] = field(default_factory=dict)
    differing: list[str] = field(default_factory=list)
    unreadable: int = 0


def compare(master: Server, replica: Server, sample: int, clock: Clock) -> Comparison:
    """Return the comparison of at most ``sample`` keys per database; 0 compares all of them.

    The keys are those of the master, so keys that only the replica has show in their number.
    """
    found = Comparison(keys=_settled_keys(master, replica, clock))
    for database in found.keys:
        for server in (master, replica):
            server.command("SELECT", int(database[2:]))
        for number, key in enumerate(_keys(master)):
            if sample and number >= sample:
                break
            PROGRESS.tell("{} keys of {} compared".format, number, database)
            _compare_key(master, replica, key, found, clock)
    return found


def _settled_keys(master: Server, replica: Server, clock: Clock) -> dict[str, tuple[int, int]]:
    """Return the numbers of keys; those of a moment at which they are equal, if there is one."""
    for attempt in range(AGAIN):
        theirs, own = _numbers_of_keys(master), _numbers_of_keys(replica)
        if theirs == own or attempt == AGAIN - 1:
            break
        clock.sleep_s(AGAIN_S)
    return {name: (theirs.get(name, 0), own.get(name, 0)) for name in sorted({*theirs, *own})}


def _numbers_of_keys(server: Server) -> dict[str, int]:
    found = {}
    for name, text in parse_info(server.command("INFO", "keyspace")).items():
        keys = re.match(r"keys=(\d+)", text)
        if keys and re.fullmatch(r"db\d+", name):
            found[name] = int(keys.group(1))
    return found


def _keys(server: Server) -> Iterator[Any]:
    cursor: Any = 0
    while True:
        cursor, keys = server.command("SCAN", cursor, "COUNT", 500)
        yield from keys
        if int(cursor) == 0:
            return


def _compare_key(master: Server, replica: Server, key: Any, found: Comparison, clock: Clock) -> None:
    for attempt in range(AGAIN):
        kind, theirs = _value(master, key)
        if kind not in _READ:
            found.unreadable += kind != "none"
            return
        _kind, own = _value(replica, key)
        if _same(theirs, own):
            found.compared[kind] = found.compared.get(kind, 0) + 1
            return
        if attempt < AGAIN - 1:
            clock.sleep_s(AGAIN_S)
    if theirs is not None:
        found.differing.append(str(key))


def _value(server: Server, key: Any) -> tuple[str, Any]:
    """Return type, and value with the time to live in milliseconds; None if there is no key."""
    kind = str(server.command("TYPE", key))
    if kind not in _READ:
        return kind, None
    try:
        length = int(server.command(_LENGTH[kind], key))
        read, *arguments = _READ[kind]
        value = server.command(read, key, *arguments) if kind == "string" or length <= MOST_ELEMENTS else length
        groups = server.command("XINFO", "GROUPS", key) if kind == "stream" else []
    except CommandRefused:  # it has got another type meanwhile
        return kind, None
    if kind in ("set", "hash") and isinstance(value, (list, set)):
        items = list(value)
        value = sorted(map(str, items if kind == "set" else zip(items[::2], items[1::2])))
    return kind, (value, _groups(groups), int(server.command("PTTL", key)))


def _groups(reply: Any) -> list[tuple[str, str, str]]:
    fields = [dict(zip(group[::2], group[1::2])) for group in reply]
    return sorted((str(one.get("name")), str(one.get("pending")), str(one.get("last-delivered-id"))) for one in fields)


def _same(theirs: Any, own: Any) -> bool:
    if theirs is None or own is None:
        return theirs is own
    return bool(theirs[:2] == own[:2]) and abs(theirs[2] - own[2]) <= _TTL_SLACK_MS and (theirs[2] < 0) == (own[2] < 0)


def unknown_writes(master: Server, replica: Server) -> list[str]:
    """Return the writing commands that clients of the master have used, and the replica lacks.

    From INFO commandstats, so since the start of the master or its last CONFIG RESETSTAT.
    """
    used = [name[len("cmdstat_") :] for name in parse_info(master.command("INFO", "commandstats")) if name.startswith("cmdstat_")]
    names = sorted({name.partition("|")[0] for name in used})
    theirs, own = (server.command("COMMAND", "INFO", *names) if names else [] for server in (master, replica))
    return [name for name, here, there in zip(names, theirs, own) if not there and here and "write" in [str(flag) for flag in here[2]]]
