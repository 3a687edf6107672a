# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Version folders: their contents, and activation by renames that a killed run may interrupt.

Three folders have one parent: ``redis`` (in use), ``redis.new`` (staged) and ``redis.old`` (kept).
Activation copies the configuration into the staged folder, renames ``redis`` to ``redis.old`` and
``redis.new`` to ``redis``. The state that a killed run leaves is recognised by which of the three
folders exist.
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
from .._owned_files import as_owner, make_folders, remove_tree, rename
from .._server.config_file import read_text
from .copy_files import ConfigCopier, inside, own_like
from .instance_files import InstanceFiles

__all__ = [
    "NO_SERVER",
    "SERVER_PLACES",
    "Folders",
    "copy_version",
    "origin_of",
    "outdated_files",
    "put_in_place",
    "rename_earlier_kept",
    "require_version_in",
    "server_in",
    "version_in",
    "with_server_in",
]

SERVER_PLACES = tuple(sub + name for sub in ("", "bin/", "src/") for name in ("redis-server", "valkey-server"))
NO_SERVER = "holds no redis-server or valkey-server (at its top, in bin or in src)"
_ORIGIN = ".sentinelops-redis"  # the file in a version folder that records the origin of the folder


def server_in(folder: str) -> str | None:
    """Return the server in a folder (at its top, in ``bin`` or ``src``); None if there is none."""
    candidates = [os.path.join(folder, place) for place in SERVER_PLACES]
    return next((path for path in candidates if os.access(path, os.X_OK) and os.path.isfile(path)), None)


def version_in(folder: str) -> str:
    """Return the version of the server in a folder; empty if there is no server that runs."""
    server = server_in(folder)
    try:
        return binary_version(server) if server else ""
    except SentinelOpsError:
        return ""


def outdated_files(source: str, path: str) -> list[str]:
    """Return the relative names of the source folder's files that are missing or differ in
    ``path``.

    The server comes last, so that a partly copied folder does not hold the new version.
    """
    found = []
    for folder, _folders, names in os.walk(source):
        for name in names:
            relative = os.path.relpath(os.path.join(folder, name), source)
            if not _same(os.path.join(source, relative), os.path.join(path, relative)):
                found.append(relative)
    return sorted(found, key=lambda name: (name in SERVER_PLACES, name))


def _same(one: str, other: str) -> bool:
    """Return whether two files have the same mode and content."""
    return os.path.isfile(other) and os.stat(one).st_mode == os.stat(other).st_mode and filecmp.cmp(one, other, shallow=False)


def copy_version(source: str, path: str, names: Sequence[str]) -> None:
    """Copy files with their modes; each file appears whole or not at all."""
    for name in names:
        target = os.path.join(path, name)
        make_folders(os.path.dirname(target))
        with open(os.path.join(source, name), "rb", opener=as_owner) as old, replacing(
            target, mode=FileIdentity.of(old.fileno()).mode
        ) as new:
            shutil.copyfileobj(old, new)


def origin_of(path: str) -> str:
    """Return the origin of a version folder, as given to put_in_place(); empty if unknown."""
    try:
        return read_text(os.path.join(path, _ORIGIN)).strip()
    except (OSError, SentinelOpsError):
        return ""


def put_in_place(source: str, path: str, origin: str) -> None:
    """Rename a folder to the version folder ``path``, whose earlier content is removed.

    ``path`` never holds a part of a version.
    """
    write_atomically(os.path.join(source, _ORIGIN), origin + "\n", mode=0o644)
    replaced = path + ".replaced"
    remove_tree(replaced)
    if os.path.isdir(path):
        rename(path, replaced)
    rename(source, path)
    remove_tree(replaced)


def require_version_in(folder: str, version: str) -> None:
    """Raise PreconditionFailed unless a staged folder holds this version, and that runs here."""
    found = version_in(folder)
    if found != version:
        raise PreconditionFailed(
            f"{folder} should hold version {version} and holds {found or 'no server that runs'}",
            state="The version in use was not touched",
            advice="Stage the new version again (redis_binaries)",
        )


def with_server_in(folder: str, files: InstanceFiles) -> InstanceFiles:
    """Return the files with the folder's server as the executable.

    A new version may have the server in another subfolder (src, bin), or by another name
    (valkey-server).
    """
    is_present = inside(files.executable, folder) and os.path.isfile(files.executable)
    found = None if is_present else server_in(folder)
    return replace(files, executable=found) if found else files


def rename_earlier_kept(kept: str) -> None:
    """Rename the kept folder of an earlier upgrade after its version; no folder is replaced."""
    if not os.path.isdir(kept):
        return
    name = f"{kept}.{version_in(kept) or 'unknown'}"
    new_name, number = name, 2
    while os.path.exists(new_name):
        new_name, number = f"{name}-{number}", number + 1
    rename(kept, new_name)


@dataclass(frozen=True)
class Folders:
    """The version folder of one instance, with the staged and the kept folder beside it."""

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
        """Return whether a run was killed between the two renames of an activation."""
        return not os.path.isdir(self.active) and os.path.isdir(self.kept)

    def in_use(self) -> str:
        """Return the folder that holds the running (or just stopped) version."""
        return self.kept if self.interrupted() else self.active

    def changed_folders(self) -> list[str]:
        """Return the folders in which an activation makes or renames something."""
        return [os.path.dirname(self.active)]

    def installed_version(self) -> str:
        return version_in(self.in_use())

    def staged_version(self) -> str:
        return version_in(self.staged)

    def kept_version(self) -> str:
        return version_in(self.kept)

    def in_place(self, version: str) -> bool:
        return version_in(self.active) == version

    def serves_previous(self, executable: str, version: str) -> bool:
        return self.runs_elsewhere(executable) or self.in_place(version)

    def activated(self, version: str) -> bool:
        return os.path.isdir(self.active) and not os.path.isdir(self.staged) and self.in_place(version)

    def runs_elsewhere(self, executable: str) -> bool:
        """Return whether an executable is outside the version folder, as a package's server is."""
        return bool(executable) and not inside(executable, self.active)

    @property
    def copier(self) -> ConfigCopier:
        return ConfigCopier(self.active, self.in_use(), self.staged)

    def copies(self, config_file: str) -> bool:
        return bool(config_file) and inside(config_file, self.active)

    def current_path(self, path: str) -> str:
        """Return the path at which a file is now, also if the folder has another name meanwhile."""
        return self.copier.current_path(path)

    def new_server(self) -> str:
        return server_in(self.staged) or ""

    def changes_server_path(self, executable: str) -> bool:
        """Return whether the staged server will have another path than the executable in use."""
        return self.runs_elsewhere(executable) or not os.path.isfile(os.path.join(self.staged, os.path.relpath(executable, self.active)))

    def require_staged(self, version: str) -> None:
        require_version_in(self.staged, version)

    def activate(self, files: InstanceFiles, identity: FileIdentity | None) -> InstanceFiles:
        """Swap the folders, or finish an interrupted swap; there may be no version in use yet."""
        self.copier.copy(files.config_file, identity)
        if os.path.isdir(self.in_use()):
            own_like(self.in_use(), self.staged)
        if os.path.isdir(self.active):
            rename_earlier_kept(self.kept)
            rename(self.active, self.kept)
        rename(self.staged, self.active)
        return self.files_after(files)

    def files_after(self, files: InstanceFiles) -> InstanceFiles:
        return with_server_in(self.active, files)

    def require_activatable(self, files: InstanceFiles) -> None:
        """Do nothing: a rename needs neither space nor another program."""

    def revert(self, files: InstanceFiles, version: str) -> InstanceFiles:
        if self.runs_elsewhere(files.executable):
            self.return_to_staged()
        elif not self.in_place(version):
            self.restore_kept()
        return files

    def restore_kept(self) -> None:
        """Swap the folders back: the kept version is in use again, the new version staged again."""
        if not os.path.isdir(self.kept):
            raise OperationFailed(f"there is no {self.kept} to restore", state=f"{self.active} was not changed")
        if os.path.isdir(self.active):
            if os.path.isdir(self.staged):
                raise OperationFailed(f"{self.staged} is in the way", advice=f"Move that folder away: {self.active} needs its name")
            rename(self.active, self.staged)
        rename(self.kept, self.active)

    def return_to_staged(self) -> None:
        """Rename the new version back to the staged folder, for an instance that ran from
        elsewhere.

        A version folder that was there before the activation is restored.
        """
        if os.path.isdir(self.staged) or not os.path.isdir(self.active):
            return
        rename(self.active, self.staged)
        if os.path.isdir(self.kept):
            rename(self.kept, self.active)
