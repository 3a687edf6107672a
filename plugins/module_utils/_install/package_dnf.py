# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The package manager of Fedora, Red Hat and their kin: dnf, with rpm below it.

Versions have the form ``0:8.0.6-1.el9``: the epoch is always written.
"""

from __future__ import annotations

import glob
import os
import re
import tarfile
from dataclasses import dataclass
from typing import Iterable, Mapping, Sequence

from .._errors import OperationFailed
from .._host.service import THIS_HOST, Host
from .package_manager import checked, write_locked

__all__ = ["Dnf"]

_VERSION = "%{EPOCHNUM}:%{VERSION}-%{RELEASE}"
_ADVICE = "See dnf list --showduplicates; enable the repository or the module's stream that has the version"
_LOCK_FOLDERS = ("/usr/lib/sysimage/rpm", "/var/lib/rpm", "/root/.rpmdb")


@dataclass(frozen=True)
class Dnf:
    """The packages of a host with rpm."""

    host: Host = THIS_HOST

    @property
    def name(self) -> str:
        return "dnf"

    def owner(self, path: str) -> str:
        done = self.host.run(["rpm", "--query", "--file", "--queryformat", "%{NAME}\\n", "--", path], 30)
        return done.output.split()[0] if not done.code and done.output.split() else ""

    def _installed(self) -> dict[str, tuple[str, str]]:
        """Return the source package and the version of each installed package."""
        done = self.host.run(["rpm", "--query", "--all", "--queryformat", f"%{{NAME}}\\t%{{SOURCERPM}}\\t{_VERSION}\\n"], 60)
        lines = [line.split("\t") for line in done.output.splitlines()]
        return {line[0]: (line[1], line[2]) for line in lines if len(line) == 3}

    def siblings(self, package: str) -> dict[str, str]:
        installed = self._installed()
        source = installed[package][0] if package in installed else ""
        return {name: found[1] for name, found in installed.items() if source and found[0] == source}

    def complete(self, packages: Iterable[str]) -> bool:
        """Return whether each package is installed, and in one version only.

        A killed transaction may leave both the old and the new version in the database.
        """
        names = list(packages)
        done = self.host.run(["rpm", "--query", "--queryformat", "%{NAME}\\n", *names], 30)
        return not names or (not done.code and sorted(done.output.split()) == sorted(names))

    def problem(self, packages: Iterable[str]) -> tuple[str, str]:
        folder = self.host.run(["rpm", "--eval", "%{_dbpath}"], 30).output.strip()
        locks = [os.path.join(path, ".rpm.lock") for path in dict.fromkeys([folder, *_LOCK_FOLDERS]) if path]
        if any(write_locked(path, by_readers=False) for path in locks):
            return "another program has locked the database of rpm", "Wait for its end (dnf, dnf-automatic), and run again"
        return "", ""

    def held(self, packages: Iterable[str]) -> list[str]:
        locked = self.host.run(["dnf", "--quiet", "versionlock", "list"], 60)
        lines = [] if locked.code else locked.output.split()
        return [name for name in packages if any(line == name or re.match(rf"{re.escape(name)}-\d", line) for line in lines)]

    def available(self, packages: Sequence[str]) -> dict[str, list[str]]:
        form = "%{name}\\t%{epoch}:%{version}-%{release}\\n"
        words = ["dnf", "--quiet", "repoquery", "--disableplugin=versionlock", "--showduplicates", "--queryformat", form, *packages]
        found: dict[str, list[str]] = {name: [] for name in packages}
        # dnf lists the newest last
        for line in reversed(self.host.run(words, 300).output.splitlines()):
            name, _tab, version = line.strip().partition("\t")
            if version and version not in found.get(name, [version]):
                found[name].append(version)
        return found

    def files(self, packages: Iterable[str]) -> list[str]:
        lines = self.host.run(["rpm", "--query", "--list", *packages], 30).output.splitlines()
        return [line for line in lines if line.startswith("/")]

    def unedited_files(self, packages: Iterable[str]) -> list[str]:
        names = list(packages)
        paths = self.host.run(["rpm", "--query", "--configfiles", *names], 30).output.split()
        # a line of an edited file: "S.5....T.  c /etc/redis/redis.conf"
        verified = [line.split() for line in self.host.run(["rpm", "--verify", "--nodeps", *names], 60).output.splitlines()]
        edited = [words[-1] for words in verified if len(words) > 1 and ("5" in words[0] or words[0] == "missing")]
        return [path for path in paths if path.startswith("/") and path not in edited]

    def download(self, packages: Mapping[str, str], folder: str, alone: bool = False) -> None:
        """Download packages; ``alone`` is for the installed versions, which dnf reinstalls."""
        os.makedirs(folder, mode=0o755, exist_ok=True)
        options = ["--quiet", "--assumeyes", "--disableplugin=versionlock", "--setopt=install_weak_deps=False"]
        verb = "reinstall" if alone else "install"
        words = ["dnf", *options, verb, "--downloadonly", f"--downloaddir={folder}"]
        checked(self.host, [*words, *(f"{name}-{version}" for name, version in packages.items())], 900, _ADVICE, "dnf downloads packages")

    def archives(self, packages: Mapping[str, str], folder: str) -> dict[str, str]:
        found = {}
        for name, version in packages.items():
            pattern = glob.escape(os.path.join(folder, f"{name}-{version.partition(':')[2]}"))
            found[name] = next(iter(glob.glob(pattern + ".*.rpm")), "")
        return {name: path for name, path in found.items() if path}

    def unpack(self, archive: str, folder: str) -> None:
        """Unpack a package; rpm2archive writes a tar file beside the package it is given."""
        name = os.path.join(folder, "package.rpm")
        os.symlink(archive, name)
        checked(self.host, ["rpm2archive", name])
        try:
            with tarfile.open(name + ".tgz") as file:
                # newer releases of Python refuse absolute links, which packages may have
                file.extraction_filter = getattr(tarfile, "fully_trusted_filter", None)
                file.extractall(folder)
        except tarfile.TarError as error:
            raise OperationFailed(f"{archive} cannot be unpacked: {error}") from error
        os.remove(name)
        os.remove(name + ".tgz")

    def install(self, packages: Mapping[str, str], folder: str, within: Sequence[str], downgrade: bool, held: bool) -> None:
        files = list(self.archives(packages, folder).values())
        verb = "downgrade" if downgrade else "install"
        options = ["--quiet", "--assumeyes", "--disablerepo=*", "--setopt=install_weak_deps=False"]
        plugins = ["--disableplugin=versionlock"] if held else []
        if self.siblings(next(iter(packages), "")) != dict(packages) or not self.complete(packages):
            words = [*within, "env", "dnf", *options, *plugins, verb, *files, *self._dependencies(files, folder)]
            checked(self.host, words, 900, says="dnf installs packages")
        self._erase_others(packages, within)
        found = {name: version for name, (_source, version) in self._installed().items() if name in packages}
        if found != dict(packages):
            raise OperationFailed(f"dnf has installed {found}, wanted were {dict(packages)}")

    def _erase_others(self, packages: Mapping[str, str], within: Sequence[str]) -> None:
        """Erase other versions, which a killed transaction has left beside the wanted ones.

        rpm leaves those files alone that the wanted version owns, too.
        """
        done = self.host.run(["rpm", "--query", "--queryformat", f"%{{NAME}}\\t{_VERSION}\\n", *packages], 30)
        known = [(name, version) for name, _tab, version in (line.partition("\t") for line in done.output.splitlines()) if name in packages]
        others = [
            f"{name}-{version.partition(':')[2]}"
            for name, version in known
            if version != packages[name] and (name, packages[name]) in known
        ]
        if others:
            checked(self.host, [*within, "rpm", "--erase", "--nodeps", "--noscripts", *others])

    def _dependencies(self, files: Sequence[str], folder: str) -> list[str]:
        """Return the downloaded dependencies, which are not installed yet."""
        others = [path for path in glob.glob(os.path.join(glob.escape(folder), "*.rpm")) if path not in files]
        form = ["rpm", "--query", "--package", "--queryformat", "%{NAME}"]
        installed = self._installed()
        return [path for path in others if self.host.run([*form, path], 30).output.strip() not in installed]

    def hold(self, packages: Mapping[str, str]) -> None:
        """Lock the packages in the installed versions, instead of in earlier ones."""
        self.host.run(["dnf", "--quiet", "versionlock", "delete", *packages], 60)
        advice = "Install the plugin (python3-dnf-plugin-versionlock)"
        checked(self.host, ["dnf", "--quiet", "versionlock", "add", *packages], 120, advice)
