# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration with which a new server is tried beside the running one: purely, from the texts
of the real files.

Every line stays where it is, so that the new server's parser sees what it will have to read, and
its line numbers are the real ones. Only what acts on the world is taken out of the lines, or is set
again at the end, where the last value counts: where it listens and writes, that it is a replica,
and for a Sentinel every address that it would connect to.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Callable, Iterator, NamedTuple, Protocol, Sequence

from .._install.copy_files import inside
from .._server.config_file import quote_sentinel_secrets, quoted, split_args
from .._server.log import judge_log
from .._server.secret_directives import secrets_of

__all__ = ["Files", "Place", "Refusal", "TrialConfig", "TrialFile", "explain", "trial_config"]

# They replicate, write to the real log, give files away, or listen beside `port`; all take what
# they always took.
_TAKEN_OUT = {"replicaof", "slaveof", "logfile", "unixsocketgroup", "rdma-port", "rdma-bind"}
# Paths that are opened after the whole configuration has been read, so below `dir` if they are
# relative.
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
# Without a port nobody can reach the server but by its socket, in a folder that only its user may
# enter.
_EVERYWHERE = ("port 0", "daemonize no", "supervised no", "syslog-enabled no", "loglevel notice", "unixsocketperm 700")
_DATA_NODE = ('save ""', "appendonly no", "cluster-enabled no")
_SCRIPTS = ("notification-script", "client-reconfig-script")
# shorter ones would make the server's words unreadable, and stand in no message but the line itself
_SHORTEST_SECRET = 4
_PREFIX = re.compile(r"^\d+:[A-Z] \d+ \w+ \d{4} [\d:.]+ [.\-*#] ")
_SEVERAL = set("*?[")
# What the server says of a line without telling which one it is: it has read the whole file by
# then.
_NAMED = {"user": re.compile(r"for the user named '(.*?)'"), "loadmodule": re.compile(r"Can't load module from (.*?):")}


class Files(Protocol):
    """The files of the host."""

    def read(self, path: str) -> str | None:
        """The text of a file; None if there is none that can be read."""

    def matching(self, pattern: str) -> list[str]:
        """The files that a pattern of the shell means, sorted."""

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""

    def executable(self, path: str) -> bool:
        """Whether there is such a program."""


@dataclass(frozen=True)
class Place:
    """Where the trial takes place.

    ``folder``: the throw-away folder. ``dead_port``: a port at which nobody listens, on no address
    of 127.0.0.0/8. ``nothing``: a program that does nothing; empty if there is none.
    ``start_folder``: where the server is started. ``replaced`` and ``replaced_by``: the version
    folder in use, and the new one that will take its place.
    """

    folder: str
    dead_port: int
    nothing: str
    start_folder: str
    replaced: str = ""
    replaced_by: str = ""

    @property
    def socket(self) -> str:
        return os.path.join(self.folder, "socket")


@dataclass(frozen=True)
class TrialFile:
    """A file that the new server reads, and the real one for which it stands, line by line; it may
    be that itself.
    """

    path: str
    text: str
    source: str
    original: str


@dataclass(frozen=True)
class TrialConfig:
    """All files, the main one first, and all words that must not be shown."""

    files: tuple[TrialFile, ...]
    secrets: tuple[str, ...]

    def to_write(self) -> Iterator[TrialFile]:
        """The throw-away ones."""
        return (file for file in self.files if file.path != file.source)


# -- reading
# ----------------------------------------------------------------------------------------------------------


@dataclass
class _Line:
    text: str
    words: list[str]
    included: list[_File] = field(default_factory=list)


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
    """Reads a file and what it includes, as the server does: relative paths count from where `dir`
    has led so far.
    """

    def __init__(self, files: Files, start_folder: str, mend: Callable[[str], str]) -> None:
        self._files, self._mend = files, mend
        self.folder = start_folder

    def read(self, path: str, above: tuple[str, ...] = ()) -> _File | None:
        text = self._files.read(path) if path not in above else None
        if text is None:
            return None
        original = self._mend(text)
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
            several = bool(_SEVERAL & set(path)) and not self._files.exists(path)
            found = [self.read(one, above) for one in (self._files.matching(path) if several else [path])]
            line.included = [file for file in found if file is not None]
        return line


# -- writing
# ----------------------------------------------------------------------------------------------------------


class _Writer:
    """Makes the throw-away files."""

    def __init__(self, files: Files, place: Place, sentinel: bool, folder: str) -> None:
        self._files, self._place, self._sentinel, self._folder = files, place, sentinel, folder
        self._dead = 1
        self.made: list[TrialFile] = []

    def write(self, file: _File, name: str, end: Sequence[str] = ()) -> str:
        """The path at which to include the file: that of a throw-away copy, or its own where
        nothing has to be changed.
        """
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
            return self._with(line, [name, self._module(words[1]), *words[2:]])
        if name in _PATHS and len(words) == 2 and words[1]:
            return self._with(line, [name, os.path.join(self._folder, words[1])])
        if name == "sentinel" and self._sentinel and len(words) > 2:
            return self._with(line, self._harmless(words))
        return line.text

    @staticmethod
    def _with(line: _Line, words: Sequence[str]) -> str:
        """The line with other words; as it was if they are the same."""
        if list(words[1:]) == line.words[1:]:
            return line.text
        return " ".join([words[0], *(quoted(word) for word in words[1:])])

    def _include(self, line: _Line) -> str:
        paths = [self.write(file, f"include-{len(self.made)}.conf") for file in line.included]
        if len(paths) == 1:
            return self._with(line, ["include", paths[0]])
        collected = os.path.join(self._place.folder, f"include-{len(self.made)}.conf")
        text = "".join(f"include {quoted(path)}\n" for path in paths)
        self.made.append(TrialFile(collected, text, line.included[0].path, ""))
        return f"include {quoted(collected)}"

    def _module(self, path: str) -> str:
        """A module comes from the new version folder if it is there, as it does after the folders
        have been swapped.
        """
        found, place = os.path.join(self._folder, path), self._place
        if place.replaced and place.replaced_by and inside(found, place.replaced):
            brought = os.path.join(place.replaced_by, os.path.relpath(found, place.replaced))
            return brought if self._files.exists(brought) else found
        return found

    def _harmless(self, words: list[str]) -> list[str]:
        """A Sentinel's directive with an address at which nobody is, and with a script that does
        nothing.
        """
        name = words[1].lower()
        if name == "monitor":
            return [*words[:3], *("127.0.0.1", str(self._place.dead_port))[: len(words[3:5])], *words[5:]]
        if name.startswith("known-"):
            self._dead += 1  # two of a kind must not have the same address
            address = f"127.0.{self._dead // 250}.{self._dead % 250 + 1}"
            return [*words[:3], *(address, str(self._place.dead_port))[: len(words[3:5])], *words[5:]]
        if name in _SCRIPTS and self._place.nothing and len(words) == 4 and self._files.executable(words[3]):
            return [*words[:3], self._place.nothing]
        return words


def trial_config(config_file: str, sentinel: bool, files: Files, place: Place) -> TrialConfig | None:
    """The files with which to try a configuration file; None if it cannot be read."""
    reader = _Reader(files, place.start_folder, quote_sentinel_secrets if sentinel else str)
    main = reader.read(config_file)
    if main is None:
        return None
    writer = _Writer(files, place, sentinel, reader.folder)
    writer.write(main, "trial.conf", _end(main, sentinel, place))
    return TrialConfig(tuple(writer.made), _secrets([*main.all_lines(), *_users(main, reader.folder, files)]))


def _end(main: _File, sentinel: bool, place: Place) -> list[str]:
    """What is set again at the end."""
    last: dict[str, list[str]] = {line.words[0].lower(): line.words[1:] for line in main.all_lines() if line.words}
    paths = (("dir", place.folder), ("pidfile", os.path.join(place.folder, "pid")), ("unixsocket", place.socket))
    lines = [*_EVERYWHERE, *(() if sentinel else _DATA_NODE), *(f"{name} {quoted(path)}" for name, path in paths)]
    if "tls-port" in last:
        lines.append("tls-port 0")
        if last["tls-port"] != ["0"]:
            lines.append("tls-replication yes")  # certificates are read then, although nobody listens
    return lines


# -- what the server says
# ---------------------------------------------------------------------------------------------


def _users(main: _File, folder: str, files: Files) -> list[_Line]:
    paths = [line.words[1] for line in main.all_lines() if len(line.words) == 2 and line.words[0].lower() == "aclfile"]
    text = files.read(os.path.join(folder, paths[-1])) if paths and paths[-1] else None
    return [_Line(line, split_args(line) or []) for line in (text or "").split("\n")]


def _secrets(lines: Sequence[_Line]) -> tuple[str, ...]:
    found = {secret for line in lines if line.words for secret in secrets_of(line.words) if len(secret) >= _SHORTEST_SECRET}
    return tuple(sorted(found, key=len, reverse=True))


class Refusal(NamedTuple):
    """Why a server did not start: in its own words, and where (file empty, line 0: not in a line of
    a file).
    """

    reason: str
    file: str
    line: int
    text: str
    output: list[str]

    def __str__(self) -> str:
        where = f"{self.file}, line {self.line}: " if self.file else ""
        return f"{where}{self.text + ': ' if self.text else ''}{self.reason}"


def explain(output: str, config: TrialConfig) -> Refusal:
    """What a server has printed that did not start, without secrets and with the real names of the
    files.
    """
    file, number = _located(output, config)
    said = [_shown(line, config) for line in output.splitlines() if line.strip() and not line.startswith(">>> '")]
    fatal = next((index for index, line in enumerate(said) if line.startswith("Reading the configuration file")), None)
    if fatal is None:
        findings = judge_log(output)
        spoken = [_shown(line, config) for line in (*findings.errors, *findings.warnings)] or said[-3:]
        reason = "; ".join(_PREFIX.sub("", line) for line in spoken) or "it printed nothing"
        file, number = _named(output, config)
        return Refusal(reason, file, number, _directive(file, number, config), said[-15:])
    reason = "; ".join(said[fatal + 1 :])
    return Refusal(reason, file, number, _directive(file, number, config), said[-15:])


def _located(output: str, config: TrialConfig) -> tuple[str, int]:
    """The server tells the line and its text, but not in which file; empty if it is a line of ours."""
    found = re.search(r"at line (\d+)\s*\n>>> '(.*)'\s*$", output, re.MULTILINE)
    for file in config.files if found else ():
        lines, number = _lines_of(file), int(found.group(1)) if found else 0
        if found and number <= len(lines) and lines[number - 1].strip() == found.group(2):
            return file.source, number
    return "", 0


def _named(output: str, config: TrialConfig) -> tuple[str, int]:
    """The line with the user or module that the server names; empty if it names none that is in a
    file.
    """
    for name, pattern in _NAMED.items():
        found = pattern.search(output)
        for file in config.files if found else ():
            for number, text in enumerate(_lines_of(file), 1):
                words = split_args(text) or []
                if found and len(words) > 1 and (words[0].lower(), words[1]) == (name, found.group(1)):
                    return file.source, number
    return "", 0


def _lines_of(file: TrialFile) -> list[str]:
    return file.text.split("\n")[: len(file.original.split("\n"))]


def _directive(path: str, number: int, config: TrialConfig) -> str:
    """The real line, with its secrets blotted out."""
    original = next((file.original for file in config.files if file.source == path and file.original), "")
    text = original.split("\n")[number - 1].strip() if number and original else ""
    words = split_args(text)
    if words is None:
        return text.split(" ", 1)[0] + " ..."  # quotes are unbalanced: what is a secret cannot be told
    secrets = secrets_of(words) if words else []
    if not secrets:
        return text
    hidden = [next((word.replace(secret, "***") for secret in secrets if secret and word.endswith(secret)), word) for word in words]
    return " ".join(hidden)


def _shown(text: str, config: TrialConfig) -> str:
    for secret in config.secrets:
        text = text.replace(secret, "***")
    for file in config.files:
        text = text.replace(file.path, file.source)
    return text
