# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases behind a symbolic link: ``current`` points to ``releases/7.0.7``, and is pointed to
``releases/7.0.15``.

The link is replaced by a rename, so there is no moment without it; before that a killed run has
done nothing but copy files into the new release. Releases are never renamed, and none is removed.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from typing import Iterator, Sequence

from .._atomic_write import FileIdentity
from .._errors import OperationFailed
from .._host.process import version_folder
from .copy_files import ConfigCopier, inside, own_like
from .folders import require_version_in, server_in, started_from, version_in
from .instance_files import InstanceFiles

__all__ = ["Symlink", "link_of", "release_name", "target_of"]


def _version_in_name(version: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\d.]){re.escape(version)}(?!\.?\d)")


def release_name(name: str, running: str, wanted: str) -> str:
    """What the folder of the wanted version is called, after that of the running one:
    ``redis-7.0.7`` or ``7.0.7``.
    """
    version = _version_in_name(running)
    return version.sub(lambda _found: wanted, name) if running and version.search(name) else wanted


def target_of(link: str) -> str:
    """Where a link points to, as it says, made absolute; empty if it is none."""
    try:
        return os.path.normpath(os.path.join(os.path.dirname(link), os.readlink(link)))
    except OSError:
        return ""


def _links(path: str) -> Iterator[str]:
    """The links to folders that a path goes through, the last one first."""
    while path != os.path.dirname(path):
        path = os.path.dirname(path)
        if os.path.islink(path) and os.path.isdir(path):
            yield path


def link_of(binary: str, executables: Sequence[str], config_file: str, version: str) -> str:
    """The link through which a server runs; empty if there is none.

    ``binary`` is the file that runs, without links; ``executables`` are the paths by which it may
    have been started. A link counts if the binary is in the release that it points to, or in one
    beside that, and the release is named after the version that runs or is what the server's folder
    is.
    """
    for path in [*executables, config_file]:
        for link in _links(path):
            release = os.path.realpath(link)
            whole = path != config_file and release == os.path.realpath(version_folder(path))
            named = bool(version and _version_in_name(version).search(os.path.basename(release)))
            if inside(binary, os.path.dirname(release)) and (whole or named) and os.path.dirname(release) != "/":
                return link
    return ""


@dataclass(frozen=True)
class Symlink:
    """The link that one instance runs through, and the releases that it points to: now (``kept``;
    empty: none), and then.
    """

    link: str
    staged: str
    kept: str

    def in_use(self) -> str:
        """Where the files of the running (or just stopped) version are."""
        return target_of(self.link) or self.kept

    def interrupted(self) -> bool:
        """Whether there is no link, which none of our runs leaves behind."""
        return bool(self.kept) and not os.path.lexists(self.link)

    def places(self) -> list[str]:
        """The folders in which something is made, or renamed."""
        return [os.path.dirname(path) for path in (self.link, self.staged) if path]

    def installed_version(self) -> str:
        return version_in(self.in_use())

    def staged_version(self) -> str:
        return version_in(self.staged)

    def in_place(self, version: str) -> bool:
        return version_in(self.link) == version

    def activated(self, version: str) -> bool:
        return target_of(self.link) == self.staged and self.in_place(version)

    @property
    def _carrier(self) -> ConfigCopier:
        releases = [path for path in (self.in_use(), self.kept) if path]
        aliases = dict.fromkeys([*releases, *map(os.path.realpath, releases)])
        return ConfigCopier(self.link, self.in_use(), self.staged, tuple(aliases))

    def named(self, path: str) -> str:
        """A path through the link, if it is in a release that is in use."""
        return self._carrier.named(path)

    def moved(self, executable: str) -> bool:
        """Whether an instance runs from elsewhere, as a package's server does until it is upgraded."""
        return bool(executable) and not any(inside(executable, folder) for folder in (self.link, self.kept) if folder)

    def now_at(self, path: str) -> str:
        return self._carrier.now_at(path)

    def new_server(self) -> str:
        return server_in(self.staged) or ""

    def changes_place(self, executable: str) -> bool:
        """Whether the staged version's server will have another path than the executable in use."""
        return not (inside(executable, self.link) and os.path.isfile(os.path.join(self.staged, os.path.relpath(executable, self.link))))

    def require_staged(self, version: str) -> None:
        require_version_in(self.staged, version)

    def activate(self, files: InstanceFiles, identity: FileIdentity | None) -> InstanceFiles:
        """Points the link to the staged release, into which the configuration has been copied."""
        source = self.in_use()
        if source and source != self.staged:
            self._carrier.carry(files.config_file, identity)
            own_like(source, self.staged)
        self._point_to(self.staged)
        return self.after(files)

    def after(self, files: InstanceFiles) -> InstanceFiles:
        return started_from(self.link, files)

    def examine(self, files: InstanceFiles) -> None:
        """Pointing a link elsewhere needs nothing."""

    def undo(self, files: InstanceFiles, version: str) -> None:
        """Points the link to the release that it pointed to; to none where the instance runs from
        elsewhere again.
        """
        if not self.kept:
            with contextlib.suppress(FileNotFoundError):
                os.remove(self.link)
        elif target_of(self.link) != self.kept:
            if not os.path.isdir(self.kept):
                raise OperationFailed(f"there is no {self.kept} to put back", state=f"{self.link} points to {target_of(self.link)}")
            self._point_to(self.kept)

    def _point_to(self, release: str) -> None:
        """In one step; a link that was relative, or somebody's, stays so."""
        partial = self.link + ".partial"
        with contextlib.suppress(FileNotFoundError):
            os.remove(partial)
        was_link = os.path.islink(self.link)
        relative = not (was_link and os.path.isabs(os.readlink(self.link)))
        os.symlink(os.path.relpath(release, os.path.dirname(self.link)) if relative else release, partial)
        if was_link and os.geteuid() == 0:
            owner = os.lstat(self.link)
            os.lchown(partial, owner.st_uid, owner.st_gid)
        os.replace(partial, self.link)
