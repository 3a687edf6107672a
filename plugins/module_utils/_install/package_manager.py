# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Package managers of this host: who owns a file, which versions there are, download and install.

Apt and Dnf have the same interface. Neither refreshes the lists of its repositories, and neither
prevents the scripts of packages from restarting servers; ``restart_guard`` does.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import struct
from typing import Iterable, Mapping, Protocol, Sequence

from .._errors import OperationFailed
from .._host.service import Host, Ran
from .._progress_file import PROGRESS

__all__ = [
    "PACKAGE_NAME",
    "PackageManager",
    "checked",
    "common_version",
    "matches_version",
    "write_locked",
]

PACKAGE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*$")
_UPSTREAM = r"(?:\d+:)?{}(?![\d.])"  # the epoch, and the text after the version, do not matter


class PackageManager(Protocol):
    """The package manager that owns the servers of this host."""

    @property
    def name(self) -> str:
        """The name of the package manager: ``apt`` or ``dnf``."""

    def owner(self, path: str) -> str:
        """Return the name of the package that owns a file; empty if there is none."""

    def siblings(self, package: str) -> dict[str, str]:
        """Return the installed packages of a package's source, with their full versions.

        Nothing if the package is not installed.
        """

    def complete(self, packages: Iterable[str]) -> bool:
        """Return whether the installation of each of these packages is complete."""

    def problem(self, packages: Iterable[str]) -> tuple[str, str]:
        """Return why nothing could be installed now, and what to do; two empty texts if nothing.

        Packages among the given ones may be incomplete: their installation is completed.
        """

    def held(self, packages: Iterable[str]) -> list[str]:
        """Return those of the packages that somebody holds in their version."""

    def available(self, packages: Sequence[str]) -> dict[str, list[str]]:
        """Return the versions of each package that the repositories have, the preferred first."""

    def files(self, packages: Iterable[str]) -> list[str]:
        """Return the paths of all files that the packages have installed."""

    def unedited_files(self, packages: Iterable[str]) -> list[str]:
        """Return the packages' configuration files that nobody has edited, nor a server."""

    def download(self, packages: Mapping[str, str], folder: str, alone: bool = False) -> None:
        """Download the packages of these versions into a folder, with missing dependencies.

        ``alone``: without dependencies. Raises OperationFailed if the packages cannot be had.
        """

    def archives(self, packages: Mapping[str, str], folder: str) -> dict[str, str]:
        """Return the downloaded file of each of the packages that the folder has."""

    def unpack(self, archive: str, folder: str) -> None:
        """Unpack the files of a package into a folder, without running its scripts."""

    def install(self, packages: Mapping[str, str], folder: str, within: Sequence[str], downgrade: bool, held: bool) -> None:
        """Install the downloaded packages of these versions; complete an interrupted installation.

        ``within``: the words before every command that runs scripts of packages. ``held``: whether
        held packages may be changed. Raises OperationFailed.
        """

    def hold(self, packages: Mapping[str, str]) -> None:
        """Hold the packages in their versions."""


def checked(host: Host, words: Sequence[str], timeout_s: float = 120, advice: str = "", says: str = "") -> Ran:
    """Run a command. Raises OperationFailed, with the end of its output, unless it ends with 0.

    ``says``: the work of a command that may last, for the progress file.
    """
    if says:
        PROGRESS.tell(str, says, blocks=True)
    done = host.run(words, timeout_s)
    if says:
        PROGRESS.forget()
    if done.code:
        said = " / ".join((done.errors or done.output).strip().splitlines()[-6:])
        # without the words that only prepare the command
        command = " ".join(words[words.index("env") if "env" in words else 0 :])
        raise OperationFailed(f"{command} ended with {done.code}: {said or 'no output'}", advice=advice)
    return done


def matches_version(package_version: str, exact: str, upstream: str) -> bool:
    """Return whether a package's version is the exact one, or if that is empty the upstream one.

    ``5:8.0.6-1`` matches upstream ``8.0.6``, and ``8.0.61-1`` does not.
    """
    if exact:
        return package_version == exact
    return re.match(_UPSTREAM.format(re.escape(upstream)), package_version) is not None


def common_version(available: Mapping[str, Sequence[str]], exact: str, upstream: str) -> dict[str, str]:
    """Return the version to install of each package; packages without such a version are missing.

    Packages of one source depend on each other in the same version, so a version that all of them
    have comes first.
    """
    fitting = {name: [version for version in versions if matches_version(version, exact, upstream)] for name, versions in available.items()}
    shared = [version for version in next(iter(fitting.values()), []) if all(version in versions for versions in fitting.values())]
    return {name: shared[0] if shared else versions[0] for name, versions in fitting.items() if versions}


def write_locked(path: str, by_readers: bool = True) -> bool:
    """Return whether another process locks a file, without taking the lock.

    ``by_readers``: whether a lock of readers counts as well (fcntl(2), F_GETLK).
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            kind = fcntl.F_WRLCK if by_readers else fcntl.F_RDLCK
            asked = struct.pack("hhqqi", kind, os.SEEK_SET, 0, 0, 0)
            return bool(struct.unpack("hhqqi", fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))[0] != fcntl.F_UNLCK)
        finally:
            os.close(descriptor)
    return False
