# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Version folders: the staged version takes the place of the running one by renames that survive being killed.

Three names beside each other: ``redis`` (in use), ``redis.new`` (staged) and ``redis.old`` (kept). Activation copies the
configuration into the staged folder, renames ``redis`` to ``redis.old`` and ``redis.new`` to ``redis``. Whatever a killed
run has left is recognised by which of the three exist.
"""

from __future__ import annotations

import contextlib
import filecmp
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from ._configfile import FileIdentity, directives, read_text
from ._errors import OperationFailed, PreconditionFailed, SentinelOpsError
from ._process import binary_version

__all__ = [
    "NO_SERVER",
    "SERVER_PLACES",
    "Folders",
    "copy_version",
    "inside",
    "origin_of",
    "put_in_place",
    "server_in",
    "to_update",
]

SERVER_PLACES = tuple(sub + name for sub in ("", "bin/", "src/") for name in ("redis-server", "valkey-server"))
NO_SERVER = "holds no redis-server or valkey-server (at its top, in bin or in src)"
_ORIGIN = ".sentinelops-redis"  # a file in a version folder that says what it was made from
_PROGRAMS = re.compile(r"(redis|valkey)-(server|sentinel|cli|benchmark|check-\w+)$")  # what a new version brings itself


def inside(path: str, folder: str) -> bool:
    """Whether a path is the folder or below it, by their names."""
    return os.path.commonpath([os.path.abspath(path), os.path.abspath(folder)]) == os.path.abspath(folder)


def server_in(folder: str) -> str | None:
    """The server's executable in a version folder (at its top, in ``bin`` or in ``src``), or None."""
    candidates = [os.path.join(folder, place) for place in SERVER_PLACES]
    return next((path for path in candidates if os.access(path, os.X_OK) and os.path.isfile(path)), None)


def version_in(folder: str) -> str:
    """The version of the server in a folder; empty if there is none that runs."""
    server = server_in(folder)
    try:
        return binary_version(server) if server else ""
    except SentinelOpsError:
        return ""


def to_update(source: str, path: str) -> list[str]:
    """The files of a source folder that are missing in another one, or differ there; relative names.

    The server comes last: a folder that was copied in part does not hold the new version.
    """
    found = []
    for folder, _folders, names in os.walk(source):
        for name in names:
            relative = os.path.relpath(os.path.join(folder, name), source)
            if not _same(os.path.join(source, relative), os.path.join(path, relative)):
                found.append(relative)
    return sorted(found, key=lambda name: (name in SERVER_PLACES, name))


def _same(one: str, other: str) -> bool:
    return os.path.isfile(other) and os.stat(one).st_mode == os.stat(other).st_mode and filecmp.cmp(one, other, shallow=False)


def copy_version(source: str, path: str, names: Sequence[str]) -> None:
    """Copies files with their modes; each one appears whole or not at all."""
    for name in names:
        target = os.path.join(path, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(os.path.join(source, name), target + ".partial")
        os.replace(target + ".partial", target)


def origin_of(path: str) -> str:
    """What a version folder was made from, as put_in_place() was told; empty if that is not known."""
    try:
        return read_text(os.path.join(path, _ORIGIN)).strip()
    except (OSError, SentinelOpsError):
        return ""


def put_in_place(source: str, path: str, origin: str) -> None:
    """Makes a folder the version folder ``path`` by a rename, whatever was there; ``path`` is never there in part."""
    with open(os.path.join(source, _ORIGIN), "w", encoding="utf-8") as file:
        file.write(origin + "\n")
    replaced = path + ".replaced"
    shutil.rmtree(replaced, ignore_errors=True)
    if os.path.isdir(path):
        os.rename(path, replaced)
    os.rename(source, path)
    shutil.rmtree(replaced, ignore_errors=True)


@dataclass(frozen=True)
class Folders:
    """The version folder of one instance and the names beside it."""

    active: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "active", os.path.normpath(self.active))

    @property
    def staged(self) -> str:
        return self.active + ".new"

    @property
    def kept(self) -> str:
        return self.active + ".old"

    def interrupted(self) -> bool:
        """Whether a run was killed between the two renames of an activation."""
        return not os.path.isdir(self.active) and os.path.isdir(self.kept)

    def in_use(self) -> str:
        """Where the files of the running (or just stopped) version are."""
        return self.kept if self.interrupted() else self.active

    def holds(self, path: str) -> bool:
        """Whether a path lies in the version folder, also if that has another name just now."""
        return inside(path, self.active)

    def now_at(self, path: str) -> str:
        """Where a file is while the folder has another name; files elsewhere stay where they are."""
        return os.path.join(self.in_use(), os.path.relpath(path, self.active)) if self.holds(path) else path

    def changes_place(self, executable: str) -> bool:
        """Whether the staged version's server will have another path than the executable in use."""
        return not (self.holds(executable) and os.path.isfile(os.path.join(self.staged, os.path.relpath(executable, self.active))))

    def to_copy(self, config_file: str) -> list[str]:
        """The configuration file and what it names, as far as that lies in the version folder, relative to the folder.

        Names without a leading slash are looked for beside the configuration file, where the server is started.
        """
        home = os.path.dirname(config_file)
        found = {os.path.relpath(config_file, self.active)}
        for name, lines in directives(read_text(self.now_at(config_file))).items():
            for path in (argument for arguments in lines for argument in arguments if argument):
                relative = os.path.relpath(os.path.join(home, path), self.active)
                brought = name == "loadmodule" and os.path.exists(os.path.join(self.staged, relative))
                if not brought and os.path.isfile(os.path.join(self.in_use(), relative)):
                    found.add(relative)
        return sorted(path for path in found if not path.startswith("..") and not _PROGRAMS.match(os.path.basename(path)))

    def activated(self, version: str) -> bool:
        return os.path.isdir(self.active) and not os.path.isdir(self.staged) and version_in(self.active) == version

    def require_staged(self, version: str) -> None:
        """Raises PreconditionFailed unless the staged folder holds this version and it runs here."""
        found = version_in(self.staged)
        if found != version:
            raise PreconditionFailed(
                f"{self.staged} should hold version {version} and holds {found or 'no server that runs'}",
                state="The version in use was not touched",
                advice="Stage the new version again (redis_binaries)",
            )

    def activate(self, config_file: str, version: str, identity: FileIdentity | None) -> None:
        """Puts the staged version in place; finishes an interrupted activation. There may be no version in place yet."""
        source = self.in_use()
        for path in self.to_copy(config_file):
            own = identity if os.path.join(self.active, path) == config_file else None
            self._copy(os.path.join(source, path), os.path.join(self.staged, path), own)
        if os.path.isdir(source):
            self._own_like(source)
        if os.path.isdir(self.active):
            self._free_kept()
            os.rename(self.active, self.kept)
        os.rename(self.staged, self.active)

    def _own_like(self, source: str) -> None:
        """Gives the staged folder and all in it the owner of the one in use, if we are root; copied files keep theirs."""
        owner = os.stat(source)
        if os.geteuid() != 0 or owner.st_uid == 0:
            return
        for folder, _folders, names in os.walk(self.staged):
            for path in (folder, *(os.path.join(folder, name) for name in names)):
                copied = os.path.join(source, os.path.relpath(path, self.staged))
                is_program = os.path.isdir(path) or bool(_PROGRAMS.match(os.path.basename(path)))
                if is_program or not os.path.exists(copied):
                    os.lchown(path, owner.st_uid, owner.st_gid)

    def put_back(self) -> None:
        """Undoes an activation: the kept version is in use again, the new one is staged again."""
        if not os.path.isdir(self.kept):
            raise OperationFailed(f"there is no {self.kept} to put back", state=f"{self.active} is as it was")
        if os.path.isdir(self.active):
            if os.path.isdir(self.staged):
                raise OperationFailed(f"{self.staged} is in the way", advice=f"Move it away: {self.active} would be renamed to it")
            os.rename(self.active, self.staged)
        os.rename(self.kept, self.active)

    def withdraw(self) -> None:
        """Undoes an activation where the instance ran from elsewhere before: the new version is staged again."""
        if os.path.isdir(self.staged) or not os.path.isdir(self.active):
            return
        os.rename(self.active, self.staged)
        if os.path.isdir(self.kept):
            os.rename(self.kept, self.active)

    def _free_kept(self) -> None:
        """A kept folder of an earlier upgrade is set aside under its version, never overwritten."""
        if not os.path.isdir(self.kept):
            return
        name = f"{self.kept}.{version_in(self.kept) or 'unknown'}"
        aside, number = name, 2
        while os.path.exists(aside):
            aside, number = f"{name}-{number}", number + 1
        os.rename(self.kept, aside)

    @staticmethod
    def _copy(source: str, destination: str, identity: FileIdentity | None) -> None:
        os.makedirs(os.path.dirname(destination), exist_ok=True)
        partial = destination + ".partial"
        with contextlib.suppress(FileNotFoundError):
            os.remove(partial)
        # it may hold secrets: nobody else may read it before it has its own mode
        with open(source, "rb") as old, os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as new:
            shutil.copyfileobj(old, new)
        FileIdentity.of(source).apply_to(partial)
        if identity is not None:
            identity.apply_to(partial)
        os.replace(partial, destination)
