# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases behind a symbolic link: activation points ``current`` from ``releases/7.0.7`` to
``releases/7.0.15``.

A rename replaces the link, so the link exists at every moment. A run that is killed earlier has
only copied files into the new release. Releases are never renamed or removed.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import Iterator, Sequence

from .._atomic_write import FileIdentity
from .._errors import OperationFailed
from .._host.process import servers_started_from, version_folder
from .._owned_files import give, make_link, remove, rename
from .copy_files import ConfigCopier, inside, own_like
from .folders import require_version_in, server_in, version_in, with_server_in
from .instance_files import InstanceFiles

__all__ = ["Symlink", "link_of", "link_target", "release_name"]


def _version_in_name(version: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\d.]){re.escape(version)}(?!\.?\d)")


def release_name(name: str, running: str, wanted: str) -> str:
    """Return the folder name of the wanted version, formed like the name of the running version.

    ``redis-7.0.7`` gives ``redis-7.0.15``; a name without the running version gives ``7.0.15``.
    """
    version = _version_in_name(running)
    return version.sub(lambda _found: wanted, name) if running and version.search(name) else wanted


def link_target(link: str) -> str:
    """Return the absolute path that a link points to, following one link; empty for no link."""
    try:
        return os.path.normpath(os.path.join(os.path.dirname(link), os.readlink(link)))
    except OSError:
        return ""


def _folder_links(path: str) -> Iterator[str]:
    """Yield the links to folders among the parents of a path, the nearest first."""
    while path != os.path.dirname(path):
        path = os.path.dirname(path)
        if os.path.islink(path) and os.path.isdir(path):
            yield path


def link_of(binary: str, executables: Sequence[str], config_file: str, version: str) -> str:
    """Return the link to the release that a server runs from; empty if there is none.

    ``binary``: the running file, without links. ``executables``: the paths by which the server may
    have been started. A link counts if the binary is in the link's release, or in a release beside
    that. The release must also bear the running version's name, or be the version folder of one of
    the executables.
    """
    for path in [*executables, config_file]:
        for link in _folder_links(path):
            release = os.path.realpath(link)
            is_version_folder = path != config_file and release == os.path.realpath(version_folder(path))
            is_named = bool(version and _version_in_name(version).search(os.path.basename(release)))
            if inside(binary, os.path.dirname(release)) and (is_version_folder or is_named) and os.path.dirname(release) != "/":
                return link
    return ""


@dataclass(frozen=True)
class Symlink:
    """The link to the release of one or more instances.

    The link points to ``kept`` before the activation, and to ``staged`` afterwards. ``kept`` is
    empty for an instance that ran from elsewhere. ``whole``: the link is rolled back with all its
    instances, so that no instance is started from the kept release alone.
    """

    link: str
    staged: str
    kept: str
    whole: bool = False

    def in_use(self) -> str:
        """Return the folder that holds the running (or just stopped) version."""
        return link_target(self.link) or self.kept

    def interrupted(self) -> bool:
        """Return whether the link is missing; no run of ours removes a link to a kept release."""
        return bool(self.kept) and not os.path.lexists(self.link)

    def changed_folders(self) -> list[str]:
        """Return the folders in which an activation makes or renames something."""
        return [os.path.dirname(path) for path in (self.link, self.staged) if path]

    def installed_version(self) -> str:
        return version_in(self.in_use())

    def staged_version(self) -> str:
        return version_in(self.staged)

    def in_place(self, version: str) -> bool:
        return version_in(self.link) == version

    def kept_version(self) -> str:
        return version_in(self.kept) if self.kept else ""

    def activated(self, version: str) -> bool:
        return link_target(self.link) == self.staged and self.in_place(version)

    def serves_previous(self, executable: str, version: str) -> bool:
        """Return whether an instance of the previous version will also be started with that.

        An instance that runs from the kept release counts in the revert of a single instance.
        """
        return self.runs_elsewhere(executable) or self.in_place(version) or not self.whole

    @property
    def copier(self) -> ConfigCopier:
        releases = [path for path in (self.in_use(), self.kept) if path]
        aliases = dict.fromkeys([*releases, *map(os.path.realpath, releases)])
        # through the link: its target alone does not tell that another user may have chosen it
        source = self.link if link_target(self.link) else self.kept
        return ConfigCopier(self.link, source, self.staged, tuple(aliases))

    def through_link(self, path: str) -> str:
        """Return the path through the link, for a path in the release in use."""
        return self.copier.unaliased(path)

    def runs_elsewhere(self, executable: str) -> bool:
        """Return whether an executable is outside the releases, as a package's server is."""
        return bool(executable) and not any(inside(executable, folder) for folder in (self.link, self.kept) if folder)

    def copies(self, config_file: str) -> bool:
        return bool(config_file) and any(inside(config_file, folder) for folder in (self.link, self.kept) if folder)

    def current_path(self, path: str) -> str:
        return self.copier.current_path(path)

    def new_server(self) -> str:
        return server_in(self.staged) or ""

    def changes_server_path(self, executable: str) -> bool:
        """Return whether the staged server will have another path than the executable in use."""
        return not (inside(executable, self.link) and os.path.isfile(os.path.join(self.staged, os.path.relpath(executable, self.link))))

    def require_staged(self, version: str) -> None:
        require_version_in(self.staged, version)

    def activate(self, files: InstanceFiles, identity: FileIdentity | None) -> InstanceFiles:
        """Copy the configuration into the staged release, and point the link to that release."""
        source = self.in_use()
        if source and source != self.staged:
            self.copier.copy(files.config_file, identity)
            own_like(source, self.staged)
        self._point_to(self.staged)
        return self.files_after(files)

    def files_after(self, files: InstanceFiles) -> InstanceFiles:
        return with_server_in(self.link, files)

    def require_activatable(self, files: InstanceFiles) -> None:
        """Do nothing: replacing a link needs neither space nor another program."""

    def revert(self, files: InstanceFiles, version: str) -> InstanceFiles:
        """Point the link to the kept release, or remove the link if there was none before.

        If other instances run the new release already, return the files to start this instance
        from the kept release alone.
        """
        if not self.kept:
            remove(self.link)
        elif link_target(self.link) != self.kept:
            if not os.path.isdir(self.kept):
                raise OperationFailed(f"there is no {self.kept} to restore", state=f"{self.link} points to {link_target(self.link)}")
            kept = server_in(self.kept) or ""
            if not self.whole and kept and self._used_by_others() and files.service.starts_other_path(kept):
                return replace(files, executable=kept)
            self._point_to(self.kept)
        return files

    def _used_by_others(self) -> bool:
        return bool(servers_started_from(self.staged))

    def _point_to(self, release: str) -> None:
        """Replace the link in one step; a relative link stays relative, and its owner stays."""
        partial = self.link + ".partial"
        remove(partial)
        was_link = os.path.islink(self.link)
        relative = not (was_link and os.path.isabs(os.readlink(self.link)))
        make_link(os.path.relpath(release, os.path.dirname(self.link)) if relative else release, partial)
        if was_link and os.geteuid() == 0:
            give(partial, os.lstat(self.link))
        rename(partial, self.link)
