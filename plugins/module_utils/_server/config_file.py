# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration files of servers and Sentinels: reading directives, and the file's owner and mode."""

from __future__ import annotations

import os
import re

from .._atomic_write import FileIdentity, write_atomically

__all__ = [
    "difference",
    "directives",
    "is_mount_point",
    "mended_sentinel_config",
    "mount_points",
    "quoted",
    "read_text",
    "split_args",
    "write_text",
]

_DOUBLE = re.compile(r'\\x[0-9a-fA-F]{2}|\\.|[^\\"]+')
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "a": "\a"}


def split_args(line: str) -> list[str] | None:
    """The words of a line as the servers split it (sdssplitargs in sds.c); None where quotes are
    unbalanced.

    A quote may begin within a word, and must be followed by a space or the end of the line.
    """
    words: list[str] = []
    rest = line.lstrip()
    while rest:
        word = ""
        while rest and not rest[0].isspace():
            if rest[0] in "\"'":
                found = (_double_quoted if rest[0] == '"' else _single_quoted)(rest[1:])
                if found is None or (found[1] and not found[1][0].isspace()):
                    return None
                word, rest = word + found[0], found[1]
            else:
                word, rest = word + rest[0], rest[1:]
        words.append(word)
        rest = rest.lstrip()
    return words


def _single_quoted(text: str) -> tuple[str, str] | None:
    """What stands before the closing quote, and what behind it."""
    found = re.match(r"((?:[^'\\]|\\'|\\)*?)'", text, re.DOTALL)
    return (found.group(1).replace("\\'", "'"), text[found.end() :]) if found else None


def _double_quoted(text: str) -> tuple[str, str] | None:
    """Like _single_quoted; with escapes, of which those in hexadecimal are bytes of UTF-8."""
    raw, position = b"", 0
    while position < len(text) and text[position] != '"':
        part = _DOUBLE.match(text, position)
        if part is None:
            return None
        position = part.end()
        token = part.group()
        if token.startswith("\\x") and len(token) == 4:
            raw += bytes([int(token[2:], 16)])
        elif token.startswith("\\"):
            raw += _ESCAPES.get(token[1], token[1]).encode("utf-8", "surrogateescape")
        else:
            raw += token.encode("utf-8", "surrogateescape")
    return (raw.decode("utf-8", "surrogateescape"), text[position + 1 :]) if position < len(text) else None


def quoted(word: str) -> str:
    """A word as it must be written to be read back unchanged."""
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


# Sentinel writes these values back as they are, without quotes (sentinel.c,
# rewriteConfigSentinelOption).
_UNQUOTED = re.compile(r"^(sentinel\s+(?:auth-(?:pass|user)\s+\S+|sentinel-(?:pass|user))\s+)(.*\S)\s*$", re.IGNORECASE)


def mended_sentinel_config(text: str) -> str:
    """A sentinel.conf whose secrets with spaces or quotes can be read again.

    Sentinel writes them without quotes, and then refuses its own file at the next start
    ("Unbalanced quotes in configuration line"; Redis 6.2 and 7.0).
    """
    return "".join(_mended(line) for line in text.splitlines(keepends=True))


def _mended(line: str) -> str:
    found = _UNQUOTED.match(line.rstrip("\r\n"))
    if found is None:
        return line
    head, value = found.groups()
    words = split_args(value)
    if words == [value] or (words is not None and len(words) == 1 and value[0] == value[-1] and value[0] in "\"'"):
        return line  # needs no quotes, or has them
    return f"{head}{quoted(value)}\n"


def directives(text: str) -> dict[str, list[list[str]]]:
    """Directive name (lower case) to the argument lists of its lines, in order; comments are
    skipped.
    """
    found: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            name, *arguments = split_args(line) or line.split()
            found.setdefault(name.lower(), []).append(arguments)
    return found


def difference(text: str, running: dict[str, str]) -> list[str]:
    """Directives of the file that have another value in the running server, whose CONFIG GET values
    are given.

    Directives that may stand on several lines (save, user, include, ...) are left out: their text
    is no single value.
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
    return written == running or (running in ("yes", "no") and written.lower() == running)


def read_text(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return file.read()


def mount_points(mountinfo: str) -> set[str]:
    """The paths on which something is mounted, from the text of /proc/self/mountinfo."""
    escaped = (line.split(" ")[4] for line in mountinfo.splitlines())
    return {re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), path) for path in escaped}


def is_mount_point(path: str) -> bool:
    """Whether something is mounted on just this path; os.path.ismount() says so of every file on
    some overlay file systems.
    """
    return os.path.realpath(path) in mount_points(read_text("/proc/self/mountinfo"))


def write_text(path: str, text: str) -> None:
    """Replace a configuration file's content in one step; owner, group and mode stay."""
    write_atomically(path, text, FileIdentity.of(path))
