# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying an instance's own files from one place to another: each one whole or not at all, with
its owner and mode.
"""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass
from typing import Callable

from .._atomic_write import FileIdentity, replacing
from .._server.config_file import directives, read_text

__all__ = ["ConfigCopier", "carry_file", "inside", "named_files", "own_like"]

_PROGRAMS = re.compile(r"(redis|valkey)-(server|sentinel|cli|benchmark|check-\w+)$")  # what a new version brings itself


def inside(path: str, folder: str) -> bool:
    """Whether a path is the folder or below it, by their names."""
    return os.path.commonpath([os.path.abspath(path), os.path.abspath(folder)]) == os.path.abspath(folder)


def named_files(text: str) -> list[tuple[str, str]]:
    """Directive and path (as written) of all that a configuration may mean by the name of a file."""
    return [(name, word) for name, lines in directives(text).items() for words in lines for word in words if word]


def carry_file(source: str, target: str, identity: FileIdentity | None = None, change: Callable[[str], str] | None = None) -> None:
    """Copies a file with its owner and mode (or this ``identity``), and its text changed if wanted."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(source, "rb") as old:
        content = old.read()
    if change is not None:
        content = change(content.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    with replacing(target, identity or FileIdentity.of(source)) as new:
        new.write(content)


def own_like(source: str, target: str) -> None:
    """Gives a new version and all in it the owner of the one in use, if we are root; carried files
    keep theirs.
    """
    owner = os.stat(source)
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for folder, _folders, names in os.walk(target):
        for path in (folder, *(os.path.join(folder, name) for name in names)):
            carried = os.path.join(source, os.path.relpath(path, target))
            is_program = os.path.isdir(path) or bool(_PROGRAMS.match(os.path.basename(path)))
            if is_program or not os.path.exists(carried):
                os.lchown(path, owner.st_uid, owner.st_gid)


@dataclass(frozen=True)
class ConfigCopier:
    """What of a configuration lies in a version folder, and carrying that into the folder of the
    next version.

    ``name`` is what the instance calls its folder, ``source`` where the files are now, ``target``
    where the next version is. ``aliases`` are other paths of ``source``; where a configuration has
    them, its copy has ``name`` instead.
    """

    name: str
    source: str
    target: str
    aliases: tuple[str, ...] = ()

    def named(self, path: str) -> str:
        """The path by the name that the instance has for its folder."""
        for alias in self.aliases:
            if inside(path, alias):
                return os.path.normpath(os.path.join(self.name, os.path.relpath(path, alias)))
        return path

    def now_at(self, path: str) -> str:
        """Where a file is now; files elsewhere stay where they are."""
        path = self.named(path)
        return os.path.join(self.source, os.path.relpath(path, self.name)) if inside(path, self.name) else path

    def files(self, config_file: str) -> list[str]:
        """The configuration file and what it names, as far as that lies in the version folder,
        relative to the folder.

        Names without a leading slash are looked for beside the configuration file, where the server
        is started.
        """
        config_file = self.named(config_file)
        home, found, unread, read = os.path.dirname(config_file), {config_file}, [config_file], set()
        while unread:
            path = unread.pop()
            read.add(path)
            for name, word in named_files(read_text(self.now_at(path))):
                for named in self._existing(self.named(os.path.join(home, word)), name):
                    found.add(named)
                    if name == "include" and named not in read:
                        unread.append(named)
        relative = (os.path.relpath(path, self.name) for path in found)
        return sorted({path for path in relative if not path.startswith("..") and not _PROGRAMS.match(os.path.basename(path))})

    def _existing(self, path: str, directive: str) -> list[str]:
        """The files that a path means (an include may have a pattern), unless the next version
        brings them itself.
        """
        if not inside(path, self.name):
            return [path] if directive == "include" and os.path.isfile(path) else []
        here = self.now_at(path)
        if directive == "loadmodule" and os.path.exists(os.path.join(self.target, os.path.relpath(path, self.name))):
            return []
        matching = glob.glob(here) if directive == "include" and glob.has_magic(here) else [here]
        return [os.path.join(self.name, os.path.relpath(file, self.source)) for file in matching if os.path.isfile(file)]

    def carry(self, config_file: str, identity: FileIdentity | None) -> None:
        """Copies all of them; the configuration file gets this identity."""
        config_file = self.named(config_file)
        for path in self.files(config_file):
            own = identity if os.path.normpath(os.path.join(self.name, path)) == os.path.normpath(config_file) else None
            carry_file(os.path.join(self.source, path), os.path.join(self.target, path), own, self._renamed if self.aliases else None)

    def _renamed(self, text: str) -> str:
        """The text with the folder's own name for its aliases; comments stay as they are."""
        for alias in self.aliases:
            pattern = re.compile(rf"(?<=[\s\"']){re.escape(alias)}(?=[/\s\"']|$)")
            lines = text.splitlines(keepends=True)
            text = "".join(line if line.lstrip().startswith("#") else pattern.sub(lambda _found: self.name, line) for line in lines)
        return text
