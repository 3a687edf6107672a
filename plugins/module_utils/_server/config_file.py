# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration files of servers and Sentinels: reading directives and replacing content."""

from __future__ import annotations

import contextlib
import glob
import os
import re
from typing import Mapping

from .._atomic_write import FileIdentity, write_atomically
from .._owned_files import as_owner

__all__ = [
    "difference",
    "differs",
    "directives",
    "included_directives",
    "is_mount_point",
    "mount_points",
    "number_of",
    "quote_sentinel_secrets",
    "quoted",
    "read_text",
    "split_args",
    "write_text",
]

_DOUBLE = re.compile(r'\\x[0-9a-fA-F]{2}|\\.|[^\\"]+')
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "a": "\a"}


def split_args(line: str) -> list[str] | None:
    """Return the words of a line as the servers split it (sdssplitargs in sds.c).

    Returns None if quotes are unbalanced. A quote may begin within a word; a space or the end of
    the line must follow its end.
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
    """Return the text before the closing quote and the text after it; None without such a quote."""
    found = re.match(r"((?:[^'\\]|\\'|\\)*?)'", text, re.DOTALL)
    return (found.group(1).replace("\\'", "'"), text[found.end() :]) if found else None


def _double_quoted(text: str) -> tuple[str, str] | None:
    """Return the unescaped text before the closing quote and the text after it.

    Hexadecimal escapes are bytes of UTF-8.
    """
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
    """Return a word in quotes, in the form that servers read back unchanged."""
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


# Sentinel writes these values without quotes (sentinel.c, rewriteConfigSentinelOption).
_UNQUOTED = re.compile(r"^(sentinel\s+(?:auth-(?:pass|user)\s+\S+|sentinel-(?:pass|user))\s+)(.*\S)\s*$", re.IGNORECASE)


def quote_sentinel_secrets(text: str) -> str:
    """Return the text of a sentinel.conf with quotes around secrets that need them.

    Sentinel writes secrets without quotes. If a secret has spaces or quotes, Sentinel refuses its
    own file at the next start ("Unbalanced quotes in configuration line"; Redis 6.2 and 7.0).
    """
    return "".join(_with_quotes(line) for line in text.splitlines(keepends=True))


def _with_quotes(line: str) -> str:
    found = _UNQUOTED.match(line.rstrip("\r\n"))
    if found is None:
        return line
    head, value = found.groups()
    words = split_args(value)
    if words == [value] or (words is not None and len(words) == 1 and value[0] == value[-1] and value[0] in "\"'"):
        return line  # the value needs no quotes, or has them
    return f"{head}{quoted(value)}\n"


def directives(text: str) -> dict[str, list[list[str]]]:
    """Return a list of arguments per line for each directive (lower case), without comments."""
    found: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            name, *arguments = split_args(line) or line.split()
            found.setdefault(name.lower(), []).append(arguments)
    return found


def included_directives(config_file: str, start_folder: str) -> dict[str, list[list[str]]]:
    """Return the directives of a configuration file and of all files that it includes.

    Relative names count from the start folder. A file that cannot be read counts as empty.
    """
    found: dict[str, list[list[str]]] = {}
    unread, read = [config_file], set()
    while unread:
        path = unread.pop()
        read.add(path)
        with contextlib.suppress(OSError):
            for name, lines in directives(read_text(path)).items():
                found.setdefault(name, []).extend(lines)
                named = [os.path.join(start_folder, words[0]) for words in lines if words] if name == "include" else []
                unread += [file for pattern in named for file in (glob.glob(pattern) or [pattern]) if file not in read]
    return found


def difference(text: str, running: dict[str, str]) -> list[str]:
    """Return the directives of a file whose values differ from the running ones (CONFIG GET).

    Directives with several lines or arguments (save, user, include, ...) are ignored.
    """
    return [name for name, lines in directives(text).items() if differs(name, lines, running)]


def differs(name: str, lines: list[list[str]], running: Mapping[str, str]) -> bool:
    """Return whether the only line of a directive has another value than the running one."""
    key = {"slave-priority": "replica-priority"}.get(name, name)
    return len(lines) == 1 and len(lines[0]) == 1 and key in running and not _equal(lines[0][0], running[key])


_UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1024, "m": 1000**2, "mb": 1024**2, "g": 1000**3, "gb": 1024**3}


def number_of(written: str) -> int | None:
    """Return a written number or size in full (``1gb``); None if the text is neither."""
    size = re.fullmatch(r"(\d+)([a-z]*)", written.lower())
    return int(size.group(1)) * _UNITS[size.group(2)] if size and size.group(2) in _UNITS else None


def _equal(written: str, running: str) -> bool:
    number = number_of(written)
    if number is not None and running.isdigit():
        return number == int(running)
    return written == running or (running in ("yes", "no") and written.lower() == running)


def read_text(path: str) -> str:
    """Return a file's text; bytes that are not UTF-8 are kept for ``write_text``."""
    with open(path, encoding="utf-8", errors="surrogateescape", newline="", opener=as_owner) as file:
        return file.read()


def mount_points(mountinfo: str) -> set[str]:
    """Return the mount points in the text of /proc/self/mountinfo."""
    escaped = (line.split(" ")[4] for line in mountinfo.splitlines())
    return {re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), path) for path in escaped}


def is_mount_point(path: str) -> bool:
    """Return whether this path itself is a mount point.

    On some overlay file systems ``os.path.ismount`` is true for every file.
    """
    return os.path.realpath(path) in mount_points(read_text("/proc/self/mountinfo"))


def write_text(path: str, text: str) -> None:
    """Replace a configuration file's content in one step; owner, group and mode stay."""
    write_atomically(path, text, FileIdentity.of(path))
