# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Version folders: the staged version takes the place of the running one by renames that survive
being killed.

Three names beside each other: ``redis`` (in use), ``redis.new`` (staged) and ``redis.old`` (kept).
Activation copies the configuration into the staged folder, renames ``redis`` to ``redis.old`` and
``redis.new`` to ``redis``. Whatever a killed run has left is recognised by which of the three
exist.
"""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .._atomic_write import FileIdentity, replacing, write_atomically
from .._errors import OperationFailed, PreconditionFailed, SentinelOpsError
from .._host.process import binary_version
from .._server.config_file import read_text
from .copy_files import ConfigCopier, inside, own_like
from .instance_files import InstanceFiles

__all__ = [
    "NO_SERVER",
    "SERVER_PLACES",
    "Folders",
    "copy_version",
    "origin_of",
    "put_in_place",
    "require_version_in",
    "server_in",
    "started_from",
    "to_update",
    "version_in",
]

SERVER_PLACES = tuple(sub + name for sub in ("", "bin/", "src/") for name in ("redis-server", "valkey-server"))
NO_SERVER = "holds no redis-server or valkey-server (at its top, in bin or in src)"
_ORIGIN = ".sentinelops-redis"  # a file in a version folder that says what it was made from


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
    """The files of a source folder that are missing in another one, or differ there; relative
    names.

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
        with open(os.path.join(source, name), "rb") as old, replacing(target, mode=FileIdentity.of(old.fileno()).mode) as new:
            shutil.copyfileobj(old, new)


def origin_of(path: str) -> str:
    """What a version folder was made from, as put_in_place() was told; empty if that is not known."""
    try:
        return read_text(os.path.join(path, _ORIGIN)).strip()
    except (OSError, SentinelOpsError):
        return ""


def put_in_place(source: str, path: str, origin: str) -> None:
    """Makes a folder the version folder ``path`` by a rename, whatever was there; ``path`` is never
    there in part.
    """
    write_atomically(os.path.join(source, _ORIGIN), origin + "\n", mode=0o644)
    replaced = path + ".replaced"
    shutil.rmtree(replaced, ignore_errors=True)
    if os.path.isdir(path):
        os.rename(path, replaced)
    os.rename(source, path)
    shutil.rmtree(replaced, ignore_errors=True)


def require_version_in(folder: str, version: str) -> None:
    """Raises PreconditionFailed unless a staged folder holds this version and it runs here."""
    found = version_in(folder)
    if found != version:
        raise PreconditionFailed(
            f"{folder} should hold version {version} and holds {found or 'no server that runs'}",
            state="The version in use was not touched",
            advice="Stage the new version again (redis_binaries)",
        )


def started_from(folder: str, files: InstanceFiles) -> InstanceFiles:
    """The server may have another place in the new version's folder (src, bin), or another name
    (valkey-server).
    """
    there = inside(files.executable, folder) and os.path.isfile(files.executable)
    found = None if there else server_in(folder)
    return replace(files, executable=found) if found else files


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

    def places(self) -> list[str]:
        """The folders in which something is made, or renamed."""
        return [os.path.dirname(self.active)]

    def installed_version(self) -> str:
        return version_in(self.in_use())

    def staged_version(self) -> str:
        return version_in(self.staged)

    def in_place(self, version: str) -> bool:
        return version_in(self.active) == version

    def activated(self, version: str) -> bool:
        return os.path.isdir(self.active) and not os.path.isdir(self.staged) and self.in_place(version)

    def moved(self, executable: str) -> bool:
        """Whether an instance runs from elsewhere, as a package's server does until it is upgraded."""
        return bool(executable) and not inside(executable, self.active)

    @property
    def _carrier(self) -> ConfigCopier:
        return ConfigCopier(self.active, self.in_use(), self.staged)

    def now_at(self, path: str) -> str:
        """Where a file is while the folder has another name; files elsewhere stay where they are."""
        return self._carrier.now_at(path)

    def new_server(self) -> str:
        return server_in(self.staged) or ""

    def changes_place(self, executable: str) -> bool:
        """Whether the staged version's server will have another path than the executable in use."""
        return self.moved(executable) or not os.path.isfile(os.path.join(self.staged, os.path.relpath(executable, self.active)))

    def to_copy(self, config_file: str) -> list[str]:
        return self._carrier.files(config_file)

    def require_staged(self, version: str) -> None:
        require_version_in(self.staged, version)

    def activate(self, files: InstanceFiles, identity: FileIdentity | None) -> InstanceFiles:
        """Puts the staged version in place; finishes an interrupted activation. There may be no
        version in place yet.
        """
        self._carrier.carry(files.config_file, identity)
        if os.path.isdir(self.in_use()):
            own_like(self.in_use(), self.staged)
        if os.path.isdir(self.active):
            self._free_kept()
            os.rename(self.active, self.kept)
        os.rename(self.staged, self.active)
        return self.after(files)

    def after(self, files: InstanceFiles) -> InstanceFiles:
        return started_from(self.active, files)

    def examine(self, files: InstanceFiles) -> None:
        """Renaming needs nothing."""

    def undo(self, files: InstanceFiles, version: str) -> None:
        if self.moved(files.executable):
            self.withdraw()
        elif not self.in_place(version):
            self.put_back()

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
        """Undoes an activation where the instance ran from elsewhere before: the new version is
        staged again.
        """
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
