# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check an RDB file with the server's own check program, redis-check-rdb.

Every server from 5.0 to Valkey 9.1 is this program, too, if it is started under that name.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass

from .._errors import OperationFailed, PreconditionFailed
from .._host.program_owner import run_as_its_owner
from .._owner import author_of

__all__ = ["RdbFacts", "check_rdb"]

_NAME = "redis-check-rdb"
_FIELD = re.compile(r"AUX FIELD (?P<name>[\w-]+) = '(?P<value>[^']*)'")
_KEYS = re.compile(r"\[info\] (?P<number>\d+) (?P<what>keys read|expires)")
_GOOD = "RDB looks OK!"


@dataclass(frozen=True)
class RdbFacts:
    """The facts that an RDB file tells of itself.

    ``replication_id`` and ``offset``: the place in the replication stream; empty and -1 if the
    server had no replica and no master. ``keys``: all keys, of which ``expiring`` have a time.
    """

    version: str
    replication_id: str
    offset: int
    keys: int
    expiring: int


def check_rdb(executable: str, path: str, timeout_s: float) -> RdbFacts:
    """Check a file that only this user can reach, with checksum, and return its facts.

    The program runs as the user who could replace it, who may read the file meanwhile. Raises
    PreconditionFailed if the file is torn, and OperationFailed if the program does not work.
    """
    with open(path, "rb") as file:
        before, user = os.fstat(file.fileno()), author_of(executable)
        if user is not None:
            os.fchown(file.fileno(), user.uid, user.gid)
        try:
            done = run_as_its_owner([executable, f"/dev/fd/{file.fileno()}"], timeout_s, name=_NAME, files=[file.fileno()])
        except (OSError, subprocess.TimeoutExpired) as error:
            raise OperationFailed(f"{executable} cannot check {path}: {error}") from error
        finally:
            if user is not None:
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
    said = done.stdout.decode("utf-8", "replace")
    if done.returncode != 0 or _GOOD not in said:
        last = "; ".join(said.strip().splitlines()[-3:]) or f"it ended with {done.returncode}"
        raise PreconditionFailed(f"the data file {path} is damaged, as {_NAME} says: {last}")
    return _facts(said)


def _facts(said: str) -> RdbFacts:
    fields = {found["name"]: found["value"] for found in _FIELD.finditer(said)}
    numbers = {found["what"]: int(found["number"]) for found in _KEYS.finditer(said)}
    return RdbFacts(
        version=fields.get("redis-ver") or fields.get("valkey-ver", ""),
        replication_id=fields.get("repl-id", ""),
        offset=int(fields.get("repl-offset", "-1")),
        keys=numbers.get("keys read", 0),
        expiring=numbers.get("expires", 0),
    )
