# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copying an instance's own files to another version, whole and with their owner and mode."""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass
from typing import Callable

from .._atomic_write import FileIdentity, replacing
from .._host.process import is_shipped_program
from .._owned_files import as_owner, give, make_folders
from .._owner import is_roots
from .._server.config_file import directives, read_text

__all__ = ["ConfigCopier", "copy_file", "inside", "named_files", "own_like"]


def inside(path: str, folder: str) -> bool:
    """Return whether a path is the folder or below the folder, judged by name only."""
    return os.path.commonpath([os.path.abspath(path), os.path.abspath(folder)]) == os.path.abspath(folder)


def named_files(text: str) -> list[tuple[str, str]]:
    """Return the directive and the word, as written, of every word that may name a file."""
    return [(name, word) for name, lines in directives(text).items() for words in lines for word in words if word]


def copy_file(source: str, target: str, identity: FileIdentity | None = None, change: Callable[[str], str] | None = None) -> None:
    """Copy a file with its owner and mode, or with ``identity``; ``change`` edits the text."""
    make_folders(os.path.dirname(target))
    with open(source, "rb", opener=as_owner) as old:
        content, own = old.read(), FileIdentity.of(old.fileno())
    if own.uid == 0:
        identity = None if identity and identity.uid != 0 and not is_roots(source) else identity
    if change is not None:
        content = change(content.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    with replacing(target, identity or own) as new:
        new.write(content)


def own_like(source: str, target: str) -> None:
    """Give the files of a new version the owner of the version in use, if this process is root.

    Files that were copied from the version in use keep their own owner.
    """
    owner = os.stat(source)
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    # from the bottom up: a folder that was given away already may change at any moment
    for folder, folders, names in os.walk(target, topdown=False):
        for path in (os.path.join(folder, name) for name in [*names, *folders]):
            original = os.path.join(source, os.path.relpath(path, target))
            is_folder = os.path.isdir(path) and not os.path.islink(path)
            if is_folder or is_shipped_program(os.path.basename(path)) or not os.path.exists(original):
                give(path, owner)
    give(target, owner)


@dataclass(frozen=True)
class ConfigCopier:
    """Copies the part of a configuration that lies in a version folder into the next version's
    folder.

    ``name``: the path by which the instance knows its folder. ``source``: the folder that holds the
    files now. ``target``: the folder of the next version. ``aliases``: other paths of ``source``,
    which the copies replace by ``name``.
    """

    name: str
    source: str
    target: str
    aliases: tuple[str, ...] = ()

    def unaliased(self, path: str) -> str:
        """Return the path with the folder's own name in place of an alias."""
        for alias in self.aliases:
            if inside(path, alias):
                return os.path.normpath(os.path.join(self.name, os.path.relpath(path, alias)))
        return path

    def current_path(self, path: str) -> str:
        """Return the path at which a file is now; unchanged for a path outside the folder."""
        path = self.unaliased(path)
        return os.path.join(self.source, os.path.relpath(path, self.name)) if inside(path, self.name) else path

    def files(self, config_file: str) -> list[str]:
        """Return the configuration file and the files that it names, relative to the version
        folder.

        Only files in the version folder count. Names without a leading slash count from the folder
        of the configuration file, in which the server is started.
        """
        config_file = self.unaliased(config_file)
        folder, found, unread, read = os.path.dirname(config_file), {config_file}, [config_file], set()
        while unread:
            path = unread.pop()
            read.add(path)
            for name, word in named_files(read_text(self.current_path(path))):
                for named in self._matching(self.unaliased(os.path.join(folder, word)), name):
                    found.add(named)
                    if name == "include" and named not in read:
                        unread.append(named)
        relative = (os.path.relpath(path, self.name) for path in found)
        return sorted({path for path in relative if not path.startswith("..") and not is_shipped_program(os.path.basename(path))})

    def _matching(self, path: str, directive: str) -> list[str]:
        """Return the files that a path matches (an include may be a pattern); none for a module
        that the next version ships.
        """
        if not inside(path, self.name):
            return [path] if directive == "include" and os.path.isfile(path) else []
        current = self.current_path(path)
        if directive == "loadmodule" and os.path.exists(os.path.join(self.target, os.path.relpath(path, self.name))):
            return []
        matching = glob.glob(current) if directive == "include" and glob.has_magic(current) else [current]
        return [os.path.join(self.name, os.path.relpath(file, self.source)) for file in matching if os.path.isfile(file)]

    def copy(self, config_file: str, identity: FileIdentity | None) -> None:
        """Copy the files; the configuration file's copy gets this identity, if any."""
        config_file = self.unaliased(config_file)
        for path in self.files(config_file):
            own = identity if os.path.normpath(os.path.join(self.name, path)) == os.path.normpath(config_file) else None
            change = self._replace_aliases if self.aliases else None
            copy_file(os.path.join(self.source, path), os.path.join(self.target, path), own, change)

    def _replace_aliases(self, text: str) -> str:
        """Return the text with aliases replaced by the folder's own name, except in comments."""
        for alias in self.aliases:
            pattern = re.compile(rf"(?<=[\s\"']){re.escape(alias)}(?=[/\s\"']|$)")
            lines = text.splitlines(keepends=True)
            text = "".join(line if line.lstrip().startswith("#") else pattern.sub(lambda _found: self.name, line) for line in lines)
        return text
