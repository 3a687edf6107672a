# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data files of a stopped data node: finding and renaming those that its server cannot read.

A server of an older version may not read the files of the newer version. They are set aside by a
new name in the same folder, and never removed or replaced.
"""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass
from typing import Sequence

from .._owned_files import as_owner, rename
from .._owner import as_user, author_of
from .config_file import directives, read_text, write_text
from .versions import many_part_aof, reads_file

__all__ = ["DataFiles", "configured_master", "data_files", "data_was_refused", "set_aside", "set_configured_master", "unreadable"]

_FOLLOW = ("replicaof", "slaveof")
# The last messages of servers that ended because of their data (rdb.c, aof.c).
_REFUSED = re.compile(
    r"Can't handle RDB format|Wrong signature trying to load|Short read or OOM loading DB|Internal error in RDB|"
    r"Fatal error loading the DB|Bad file format reading the append only file|Unexpected end of file reading the append only|"
    r"Unknown command '.*' reading the append only|RDB file was saved with checksum|Unrecoverable error reading the append only|"
    r"Error (?:loading data|reading the RDB preamble)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class DataFiles:
    """The paths of a server's data files.

    ``appends`` is true if the server starts from the append-only files, and ignores the RDB file.
    """

    rdb: str
    aof: str
    aof_folder: str
    appends: bool

    def all(self) -> list[str]:
        """Return the existing files and folders from which the server would load its data."""
        return [path for path in ([self.aof, self.aof_folder] if self.appends else [self.rdb]) if os.path.exists(path)]


def _lines(config_file: str) -> dict[str, list[list[str]]]:
    """Return the directives of a configuration file and its included files.

    If both have a directive, that of the file itself counts.
    """
    found: dict[str, list[list[str]]] = {}
    own = directives(read_text(config_file))
    for words in own.get("include", []):
        for path in sorted(glob.glob(os.path.join(os.path.dirname(config_file), *words[:1]))):
            if os.path.isfile(path):
                found.update(directives(read_text(path)))
    return {**found, **own}


def data_files(config_file: str) -> DataFiles:
    """Return the data files that a configuration names, or else the servers' default names."""
    lines = _lines(config_file)

    def value(name: str, default: str) -> str:
        words = (lines.get(name) or [[default]])[-1]
        return words[0] if words and words[0] else default

    folder = os.path.normpath(os.path.join(os.path.dirname(config_file), value("dir", ".")))
    return DataFiles(
        rdb=os.path.join(folder, value("dbfilename", "dump.rdb")),
        aof=os.path.join(folder, value("appendfilename", "appendonly.aof")),
        aof_folder=os.path.join(folder, value("appenddirname", "appendonlydir")),
        appends=value("appendonly", "no").lower() == "yes",
    )


def configured_master(config_file: str) -> str:
    """Return the master in a configuration file, as ``host port``; empty if it names none."""
    lines = _lines(config_file)
    named = [words for name in _FOLLOW for words in lines.get(name, [])]
    return " ".join(named[-1]) if named and [word.lower() for word in named[-1]] != ["no", "one"] else ""


def set_configured_master(config_file: str, master: str) -> bool:
    """Write this master (``host port``, empty: none) into a configuration file.

    Returns whether the file changed.
    """
    if configured_master(config_file) == master:
        return False
    kept = [line for line in read_text(config_file).splitlines(keepends=True) if (line.split() or [""])[0].lower() not in _FOLLOW]
    text = "".join(kept)
    if not master:
        write_text(config_file, text)
        return True
    write_text(config_file, f"{text}{'' if text.endswith(chr(10)) or not text else chr(10)}replicaof {master}\n")
    return True


def _head(path: str) -> bytes:
    with open(path, "rb", opener=as_owner) as file:
        return file.read(16)


def unreadable(data: DataFiles, reader: tuple[str, str]) -> list[str]:
    """Return the data files and folders that a server, as ``("redis", "6.2.14")``, cannot load."""
    found = []
    for path in data.all():
        if path == data.aof_folder:
            files = [os.path.join(path, name) for name in sorted(os.listdir(path))]
            readable = many_part_aof(reader) and all(reads_file(reader, _head(file)) for file in files if os.path.isfile(file))
        else:
            readable = reads_file(reader, _head(path))
        if not readable:
            found.append(path)
    return found


def set_aside(paths: Sequence[str], config_file: str = "") -> list[str]:
    """Rename files and folders to unused names, and return these.

    ``config_file``: the configuration that named them, whose author could name files of others.
    """
    with as_user(author_of(config_file) if config_file else None):
        return [_rename_aside(path) for path in paths]


def _rename_aside(path: str) -> str:
    """Rename a file or folder to an unused name, and return that."""
    aside, number = f"{path}.set-aside", 2
    while os.path.lexists(aside):
        aside, number = f"{path}.set-aside-{number}", number + 1
    rename(path, aside)
    return aside


def data_was_refused(log: Sequence[str]) -> bool:
    """Return whether the last lines of a log say that the server ended because of its data."""
    return any(_REFUSED.search(line) for line in log)
