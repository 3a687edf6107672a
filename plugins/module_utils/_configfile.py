# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration files of servers and Sentinels: reading directives, and the file's owner and mode."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass

__all__ = ["FileIdentity", "difference", "directives", "read_text"]

_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|(\S+)')


def _words(line: str) -> list[str]:
    found = []
    for double, single, plain in _WORD.findall(line):
        found.append(re.sub(r"\\(.)", r"\1", double) if double else single.replace("\\'", "'") if single else plain)
    return found


def directives(text: str) -> dict[str, list[list[str]]]:
    """Directive name (lower case) to the argument lists of its lines, in order; comments are skipped."""
    found: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            name, *arguments = _words(line)
            found.setdefault(name.lower(), []).append(arguments)
    return found


def difference(text: str, running: dict[str, str]) -> list[str]:
    """Directives of the file that have another value in the running server, whose CONFIG GET values are given.

    Directives that may stand on several lines (save, user, include, ...) are left out: their text is no single value.
    """
    found = []
    for name, lines in directives(text).items():
        key = {"slave-priority": "replica-priority"}.get(name, name)
        if len(lines) == 1 and len(lines[0]) == 1 and key in running and not _equal(lines[0][0], running[key]):
            found.append(name)
    return found


_UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1024, "m": 1000**2, "mb": 1024**2, "g": 1000**3, "gb": 1024**3}


def _equal(written: str, running: str) -> bool:
    size = re.fullmatch(r"(\d+)([a-z]*)", written.lower())
    if size and size.group(2) in _UNITS and running.isdigit():
        return int(size.group(1)) * _UNITS[size.group(2)] == int(running)
    return written.lower() == running.lower()


def read_text(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


@dataclass(frozen=True)
class FileIdentity:
    """Owner, group and permission bits of a file."""

    uid: int
    gid: int
    mode: int

    @classmethod
    def of(cls, path: str) -> FileIdentity:
        found = os.stat(path)
        return cls(found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))

    def apply_to(self, path: str) -> bool:
        """Gives the file this owner, group and mode; returns whether anything had to be changed."""
        now = FileIdentity.of(path)
        if (now.uid, now.gid) != (self.uid, self.gid):
            os.chown(path, self.uid, self.gid)
        if now != self:
            os.chmod(path, self.mode)
        return now != self
