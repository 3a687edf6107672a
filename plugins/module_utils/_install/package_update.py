# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Activation of a later version of the same packages, by the package manager of the host.

The packages of a machine are replaced once, while the first of its instances is stopped. The others
go on running from the deleted files, until they are restarted in their turn. The version in use is
kept outside of the packages, so that an instance whose new version fails can be started from there
alone.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass, replace
from typing import Iterator

from .._atomic_write import FileIdentity, replacing
from .._errors import OperationFailed, PreconditionFailed, SentinelOpsError
from .._host.service import THIS_HOST, Host
from .copy_files import inside
from .folders import require_version_in, server_in, version_in
from .instance_files import InstanceFiles
from .package_apt import Apt
from .package_dnf import Dnf
from .package_manager import PackageManager
from .package_programs import ARCHIVES, keep_programs, origin_of_programs, packages_locked, program_in, programs_version
from .restart_guard import RestartGuard, instances_of

__all__ = ["PackageUpdate", "manager_named"]

_UNIT = re.compile(r"(?:/usr)?/lib/systemd/system/([^/]+\.service)$")


def manager_named(name: str, host: Host = THIS_HOST) -> PackageManager:
    """Return the package manager of this name, ``apt`` or ``dnf``."""
    return Dnf(host) if name == "dnf" else Apt(host)


@dataclass(frozen=True)
class PackageUpdate:
    """The packages of one machine: their programs in ``folder``, and two folders outside of them.

    ``staged`` holds the programs of the new version, ``kept`` those of the version in use; both
    have a record of their packages. ``hold``: whether the packages are held, before and after.
    ``whole``: whether a revert installs the earlier packages again (a rollback), and not only
    starts one instance from its kept program.
    """

    folder: str
    staged: str
    kept: str
    manager: PackageManager
    hold: bool = False
    whole: bool = False
    host: Host = THIS_HOST
    archives: str = ARCHIVES

    @property
    def _server(self) -> str:
        """The product, which the names of the folders begin with: ``redis`` or ``valkey``."""
        return os.path.basename(self.staged or self.kept).partition("-")[0]

    def changed_folders(self) -> list[str]:
        return [os.path.dirname(self.kept), self.archives, self.folder]

    def installed_version(self) -> str:
        return programs_version(self.folder, self._server)

    def staged_version(self) -> str:
        return version_in(self.staged) if self.staged else ""

    def kept_version(self) -> str:
        return version_in(self.kept)

    def interrupted(self) -> bool:
        """Return whether a run was killed while it replaced packages."""
        staged = self.staged_version()
        incomplete = bool(staged) and self.in_place(staged) and not self.manager.complete(self._packages())
        return incomplete or bool(self._guard(()).leftovers())

    def in_place(self, version: str) -> bool:
        return self.installed_version() == version

    def activated(self, version: str) -> bool:
        return self.in_place(version) and not self.interrupted()

    def serves_previous(self, executable: str, version: str) -> bool:
        if not inside(executable, self.kept):
            return self.in_place(version)
        return not self.whole or (self.in_place(self.staged_version()) and not self.restorable())

    def restorable(self) -> bool:
        """Return whether the earlier packages can still be had."""
        packages = origin_of_programs(self.kept).get("packages", {})
        missing = {name: version for name, version in packages.items() if name not in self.manager.archives(packages, self.archives)}
        known = self.manager.available(list(missing)) if missing else {}
        return bool(packages) and all(version in known[name] for name, version in missing.items())

    def runs_elsewhere(self, executable: str) -> bool:
        return False  # also a kept program belongs to these packages

    def current_path(self, path: str) -> str:
        return path

    def copies(self, config_file: str) -> bool:
        return False  # both versions use the same file

    def new_server(self) -> str:
        return (server_in(self.staged) if self.staged else None) or program_in(self.folder, self._server)

    def changes_server_path(self, executable: str) -> bool:
        return False

    def require_staged(self, version: str) -> None:
        require_version_in(self.staged, version)

    def require_activatable(self, files: InstanceFiles) -> None:
        """Raise PreconditionFailed if the packages could not be installed now."""
        wanted = origin_of_programs(self.staged).get("packages", {})
        absent = [name for name in wanted if name not in self.manager.archives(wanted, self.archives)]
        problem, advice = self.manager.problem(wanted)
        if absent:
            problem, advice = f"the downloaded package of {', '.join(absent)} is not in {self.archives}", "Stage the new version again"
        elif self.manager.held(wanted) and not self.hold:
            problem = f"{', '.join(self.manager.held(wanted))} is held"
            advice = "Set redis_binaries_hold, or release the packages (apt-mark unhold)"
        elif not self.kept_version():
            problem, advice = f"{self.kept} does not hold the version in use, to revert to", "Run again"
        if problem and not self.in_place(version_in(self.staged)):
            raise PreconditionFailed(problem, state="The version in use was not touched", advice=advice)
        self._guard(self._units()).require_possible()

    def keep(self, executable: str, pid: int, version: str) -> bool:
        """Copy the running server out of its package, and download that package for a rollback.

        Returns whether anything was missing. A package that cannot be had any more is no error.
        """
        with packages_locked(os.path.dirname(self.kept)):
            packages = self._packages()
            if not self.in_place(version) or not self.manager.complete(packages):
                packages = {}
            changed = keep_programs(self.manager.name, packages, self.program(executable), pid, version, self.kept)
            with contextlib.suppress(SentinelOpsError):
                if set(self.manager.archives(packages, self.archives)) != set(packages):
                    self.manager.download(packages, self.archives, alone=True)
        return changed

    def activate(self, files: InstanceFiles, identity: FileIdentity | None) -> InstanceFiles:
        """Install the downloaded packages while nothing may start, stop or restart a server."""
        version = version_in(self.staged)
        if not self.activated(version):
            self._install(self.staged, downgrade=False)
        if not self.in_place(version):
            raise OperationFailed(f"the packages are installed, and {self.folder} holds version {self.installed_version()}, not {version}")
        return self.files_after(files)

    def files_after(self, files: InstanceFiles) -> InstanceFiles:
        return replace(files, executable=self.program(files.executable))

    def revert(self, files: InstanceFiles, version: str) -> InstanceFiles:
        """Return the files of the earlier version: its packages', or the kept ones.

        With ``whole`` the earlier packages are installed again, if they can still be had.
        """
        if not self.manager.problem(self._packages())[0]:
            self._guard(()).remove()  # what a killed installation has left
        if self.whole and not self.activated(version):
            with contextlib.suppress(SentinelOpsError):
                self._install(self.kept, downgrade=True)
        if self.in_place(version):
            return self.files_after(files)
        if self.kept_version() != version:
            raise OperationFailed(f"{self.kept} does not hold version {version}", state=f"{self.folder} was not changed")
        kept = os.path.join(self.kept, os.path.basename(files.executable))
        if files.service.starts_other_path(kept):
            return replace(files, executable=kept)
        self._install(self.kept, downgrade=True)
        return self.files_after(files)

    # -- the packages

    def _packages(self) -> dict[str, str]:
        """Return the installed packages of the same source, with their versions."""
        known = {**origin_of_programs(self.kept).get("packages", {}), **origin_of_programs(self.staged).get("packages", {})}
        owner = self.manager.owner(self.program("")) or next(iter(known), "")
        return self.manager.siblings(owner) if owner else {}

    def program(self, executable: str) -> str:
        """Return the program of the packages, also for an executable that was copied from there."""
        if executable and any(inside(executable, os.path.dirname(folder)) for folder in (self.kept, self.staged) if folder):
            return os.path.join(self.folder, os.path.basename(executable))
        if executable:
            return executable
        return program_in(self.folder, self._server)

    def _install(self, folder: str, downgrade: bool) -> None:
        """Install the packages from which a folder's programs come."""
        packages = origin_of_programs(folder).get("packages", {})
        if not packages:
            raise OperationFailed(f"the packages of {folder} are not known")
        if set(self.manager.archives(packages, self.archives)) != set(packages):
            self.manager.download(packages, self.archives)
        with self._guard(self._units()).active() as within, _unchanged(self.manager.unedited_files(packages)):
            self.manager.install(packages, self.archives, within, downgrade, self.hold)
        if self.hold:
            self.manager.hold(packages)

    def _guard(self, units: tuple[str, ...]) -> RestartGuard:
        return RestartGuard(units, self.host)

    def _units(self) -> tuple[str, ...]:
        """Return the units of the packages, and all instances of their templates."""
        if not self.host.booted_by_systemd():
            return ()
        found = [unit[1] for unit in map(_UNIT.match, self.manager.files(self._packages())) if unit]
        return (*(unit for unit in found if "@." not in unit), *instances_of(found, self.host))


@contextlib.contextmanager
def _unchanged(paths: list[str]) -> Iterator[None]:
    """Keep the configuration of servers: package managers replace files that nobody has edited.

    A default that a new package brings is kept beside the file, with the suffix ``.new``.
    """
    before = {path: _bytes_of(path) for path in paths if path.endswith(".conf")}
    try:
        yield
    finally:
        for path, content in before.items():
            now = _bytes_of(path)
            if now and now != content:
                identity = FileIdentity.of(path)
                for name, text in ((path + ".new", now), (path, content)):
                    with replacing(name, identity) as file:
                        file.write(text)


def _bytes_of(path: str) -> bytes:
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return file.read()
    return b""
