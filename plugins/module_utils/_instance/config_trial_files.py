# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration with which a new server is tried, made from the texts of the real files.

Every line keeps its place, so that the new server parses the real lines under their real numbers.
Only lines with an effect outside the trial are taken out, or overridden at the end of the file,
where the last value counts. These are the addresses and files of the server, its role of a replica,
and every address that a Sentinel would connect to. All functions are pure, but for the reader of
files that they are given.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Callable, Iterator, Protocol, Sequence

from .._install.copy_files import inside
from .._server.config_file import quote_sentinel_secrets, quoted, split_args
from .config_secrets import distinct_secrets

__all__ = ["ConfigLine", "Files", "TrialConfig", "TrialFile", "TrialPlace", "lines_in_order", "trial_config"]

# Directives that replicate, write to the real log, give files away, or listen beside `port`. Every
# server version accepts any value of these.
_TAKEN_OUT = {"replicaof", "slaveof", "logfile", "unixsocketgroup", "rdma-port", "rdma-bind"}
# Paths that the server opens after the whole configuration was read; relative ones are below `dir`.
_PATHS = {
    "aclfile",
    "tls-ca-cert-dir",
    "tls-ca-cert-file",
    "tls-cert-file",
    "tls-client-cert-file",
    "tls-client-key-file",
    "tls-dh-params-file",
    "tls-key-file",
}
# Without a port, only the user of the server can connect: by a socket in a folder of that user.
_FOR_ALL = ("port 0", "daemonize no", "supervised no", "syslog-enabled no", "loglevel notice", "unixsocketperm 700")
_FOR_DATA_NODES = ('save ""', "appendonly no", "cluster-enabled no")
_SCRIPTS = ("notification-script", "client-reconfig-script")
_PATTERN_CHARACTERS = set("*?[")


class Files(Protocol):
    """The files of the host."""

    def read(self, path: str) -> str | None:
        """Return the text of a file; None if there is no readable file."""

    def matching(self, pattern: str) -> list[str]:
        """Return the files that match a shell pattern, sorted."""

    def exists(self, path: str) -> bool:
        """Return whether there is such a file."""

    def executable(self, path: str) -> bool:
        """Return whether there is such a program."""


@dataclass(frozen=True)
class TrialPlace:
    """The folders and addresses of a trial.

    ``folder``: the temporary folder. ``closed_port``: a port on which nobody listens, on any
    address of 127.0.0.0/8. ``no_op``: a program that does nothing; empty if there is none.
    ``start_folder``: the folder in which the server is started. ``version_folder``: the version
    folder in use; ``new_folder``: the folder that will replace it.
    """

    folder: str
    closed_port: int
    no_op: str
    start_folder: str
    version_folder: str = ""
    new_folder: str = ""

    @property
    def socket(self) -> str:
        return os.path.join(self.folder, "socket")


@dataclass(frozen=True)
class TrialFile:
    """A file that the new server reads, and the real file (``source``) for which it stands.

    Line by line, ``text`` corresponds to the text of the real file (``original``). ``path`` equals
    ``source`` if the real file itself is read.
    """

    path: str
    text: str
    source: str
    original: str


@dataclass(frozen=True)
class TrialConfig:
    """All files of a trial, the main file first, and all words that must not be shown."""

    files: tuple[TrialFile, ...]
    secrets: tuple[str, ...]

    def to_write(self) -> Iterator[TrialFile]:
        """Return the temporary files."""
        return (file for file in self.files if file.path != file.source)


def trial_config(config_file: str, sentinel: bool, files: Files, place: TrialPlace) -> TrialConfig | None:
    """Return the files with which to try a configuration file; None if that cannot be read."""
    reader = _Reader(files, place.start_folder, quote_sentinel_secrets if sentinel else str)
    main = reader.read(config_file)
    if main is None:
        return None
    writer = _Writer(files, place, sentinel, reader.folder)
    writer.write(main, "trial.conf", _overriding_lines(main, sentinel, place))
    words = [line.words for line in main.all_lines()]
    return TrialConfig(tuple(writer.made), distinct_secrets([*words, *_acl_users(main, reader.folder, files)]))


@dataclass(frozen=True)
class ConfigLine:
    """A line in the order in which a server reads it: number from 1 on, and words.

    ``missing``: the line includes a file that is not there, or cannot be read.
    """

    file: str
    number: int
    words: list[str]
    missing: bool = False


def lines_in_order(config_file: str, files: Files, start_folder: str) -> list[ConfigLine]:
    """Return the lines of a configuration and of all files that it includes; none is empty."""
    main = _Reader(files, start_folder, str).read(config_file)
    return list(_in_order(main)) if main else []


def _in_order(file: _File) -> Iterator[ConfigLine]:
    for number, line in enumerate(file.lines, 1):
        if line.words:
            yield ConfigLine(file.path, number, line.words, line.missing)
        for included in line.included:
            yield from _in_order(included)


def _overriding_lines(main: _File, sentinel: bool, place: TrialPlace) -> list[str]:
    """Return the lines that override earlier ones at the end of the main file."""
    last: dict[str, list[str]] = {line.words[0].lower(): line.words[1:] for line in main.all_lines() if line.words}
    paths = (("dir", place.folder), ("pidfile", os.path.join(place.folder, "pid")), ("unixsocket", place.socket))
    lines = [*_FOR_ALL, *(() if sentinel else _FOR_DATA_NODES), *(f"{name} {quoted(path)}" for name, path in paths)]
    if "tls-port" in last:
        lines.append("tls-port 0")
        if last["tls-port"] != ["0"]:
            # makes the server read its certificates without a TLS port
            lines.append("tls-replication yes")
    return lines


def _acl_users(main: _File, folder: str, files: Files) -> list[list[str]]:
    """Return the words of each line of the ACL file."""
    paths = [line.words[1] for line in main.all_lines() if len(line.words) == 2 and line.words[0].lower() == "aclfile"]
    text = files.read(os.path.join(folder, paths[-1])) if paths and paths[-1] else None
    return [split_args(line) or [] for line in (text or "").split("\n")]


# -- reading


@dataclass
class _Line:
    text: str
    words: list[str]
    included: list[_File] = field(default_factory=list)
    missing: bool = False


@dataclass
class _File:
    path: str
    original: str
    lines: list[_Line]

    def all_lines(self) -> Iterator[_Line]:
        for line in self.lines:
            yield line
            for file in line.included:
                yield from file.all_lines()


class _Reader:
    """Reads a file and its includes as the server does.

    Relative paths count from ``folder``: the start folder, or the value of the last `dir` so far.
    """

    def __init__(self, files: Files, start_folder: str, repair: Callable[[str], str]) -> None:
        self._files, self._repair = files, repair
        self.folder = start_folder

    def read(self, path: str, above: tuple[str, ...] = ()) -> _File | None:
        text = self._files.read(path) if path not in above else None
        if text is None:
            return None
        original = self._repair(text)
        return _File(path, original, [self._line(line, (*above, path)) for line in original.split("\n")])

    def _line(self, text: str, above: tuple[str, ...]) -> _Line:
        stripped = text.strip(" \t\r\n")
        words = (split_args(stripped) or []) if not stripped.startswith("#") else []
        line = _Line(text, words)
        name = words[0].lower() if words else ""
        if name == "dir" and len(words) == 2:
            self.folder = os.path.normpath(os.path.join(self.folder, words[1]))
        elif name == "include" and len(words) == 2:
            path = os.path.join(self.folder, words[1])
            is_pattern = bool(_PATTERN_CHARACTERS & set(path)) and not self._files.exists(path)
            found = [self.read(one, above) for one in (self._files.matching(path) if is_pattern else [path])]
            line.included = [file for file in found if file is not None]
            line.missing = not is_pattern and not line.included
        return line


# -- writing


class _Writer:
    """Makes the temporary files."""

    def __init__(self, files: Files, place: TrialPlace, sentinel: bool, folder: str) -> None:
        self._files, self._place, self._sentinel, self._folder = files, place, sentinel, folder
        self._last_address = 1
        self.made: list[TrialFile] = []

    def write(self, file: _File, name: str, end: Sequence[str] = ()) -> str:
        """Return the path to include: a temporary copy, or the file itself if no line changes."""
        index = len(self.made)
        path = os.path.join(self._place.folder, name)
        self.made.append(TrialFile(path, "", file.path, file.original))
        text = "\n".join([*(self._line(line) for line in file.lines), *end])
        if text == file.original:
            path = file.path
        self.made[index] = TrialFile(path, text + "\n" * bool(end), file.path, file.original)
        return path

    def _line(self, line: _Line) -> str:
        words = line.words
        name = words[0].lower() if words else ""
        if name in _TAKEN_OUT:
            return f"# {name} is not tried"
        if name == "include" and line.included:
            return self._include(line)
        if name == "loadmodule" and len(words) > 1:
            return self._with_words(line, [name, self._module(words[1]), *words[2:]])
        if name in _PATHS and len(words) == 2 and words[1]:
            return self._with_words(line, [name, os.path.join(self._folder, words[1])])
        if name == "sentinel" and self._sentinel and len(words) > 2:
            return self._with_words(line, self._isolated(words))
        return line.text

    @staticmethod
    def _with_words(line: _Line, words: Sequence[str]) -> str:
        """Return the line with other words; unchanged if the words are the same."""
        if list(words[1:]) == line.words[1:]:
            return line.text
        return " ".join([words[0], *(quoted(word) for word in words[1:])])

    def _include(self, line: _Line) -> str:
        paths = [self.write(file, f"include-{len(self.made)}.conf") for file in line.included]
        if len(paths) == 1:
            return self._with_words(line, ["include", paths[0]])
        collected = os.path.join(self._place.folder, f"include-{len(self.made)}.conf")
        text = "".join(f"include {quoted(path)}\n" for path in paths)
        self.made.append(TrialFile(collected, text, line.included[0].path, ""))
        return f"include {quoted(collected)}"

    def _module(self, path: str) -> str:
        """Return the path of a module: in the new version folder if that ships the module."""
        found, place = os.path.join(self._folder, path), self._place
        if place.version_folder and place.new_folder and inside(found, place.version_folder):
            shipped = os.path.join(place.new_folder, os.path.relpath(found, place.version_folder))
            return shipped if self._files.exists(shipped) else found
        return found

    def _isolated(self, words: list[str]) -> list[str]:
        """Return a Sentinel's directive with a closed address, and with no script."""
        name = words[1].lower()
        if name == "monitor":
            return [*words[:3], *("127.0.0.1", str(self._place.closed_port))[: len(words[3:5])], *words[5:]]
        if name.startswith("known-"):
            self._last_address += 1  # no two addresses of a kind may be equal
            address = f"127.0.{self._last_address // 250}.{self._last_address % 250 + 1}"
            return [*words[:3], *(address, str(self._place.closed_port))[: len(words[3:5])], *words[5:]]
        if name in _SCRIPTS and self._place.no_op and len(words) == 4 and self._files.executable(words[3]):
            return [*words[:3], self._place.no_op]
        return words
