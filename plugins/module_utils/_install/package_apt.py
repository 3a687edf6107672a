# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The package manager of Debian and Ubuntu: apt, with dpkg below it."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from dataclasses import dataclass
from typing import Iterable, Mapping, Sequence

from .._errors import OperationFailed
from .._host.service import THIS_HOST, Host
from .package_manager import checked, write_locked

__all__ = ["Apt"]

_ENVIRONMENT = ["env", "DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_SUSPEND=1", "APT_LISTCHANGES_FRONTEND=none", "UCF_FORCE_CONFFOLD=1"]
# Options of apt-get: answer every question about configuration files with the file that is there.
_KEEP_CONFIGURATION = ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"]
_WAIT_FOR_LOCK = ["-o", "DPkg::Lock::Timeout=120"]
_MADISON = re.compile(r"\s*(\S+) \|\s+(\S+) \| (?!.* Sources$)")
# Of dpkg's database, other than "installed": the scripts of such a package have not ended well.
_INCOMPLETE = ("unpacked", "half-configured", "half-installed", "triggers-awaited", "triggers-pending")
_ADVICE = "See apt-cache policy; add the repository, or run apt-get update"
_DOWNLOADS = "apt-get downloads packages"


@dataclass(frozen=True)
class Apt:
    """The packages of a host with dpkg."""

    host: Host = THIS_HOST
    database: str = "/var/lib/dpkg"

    @property
    def name(self) -> str:
        return "apt"

    def owner(self, path: str) -> str:
        """Return the package that owns a file, also if dpkg knows the file by /bin or /lib."""
        for known in (path, path[len("/usr") :] if path.startswith("/usr/") else path):
            for line in self.host.run(["dpkg-query", "--search", "--", known], 30).output.splitlines():
                names, _colon, found = line.partition(": ")
                if found == known and not line.startswith("diversion by"):
                    return names.split(",")[0].split(":")[0].strip()
        return ""

    def _states(self) -> dict[str, tuple[str, str, str, str]]:
        """Return source, version, wanted state and state of each package in dpkg's database."""
        words = ["dpkg-query", "--show", "--showformat"]
        fields = "${Package}\\t${source:Package}\\t${Version}\\t${db:Status-Want}\\t${db:Status-Status}\\n"
        lines = [line.split("\t") for line in self.host.run([*words, fields], 30).output.splitlines()]
        return {line[0]: (line[1], line[2], line[3], line[4]) for line in lines if len(line) == 5}

    def siblings(self, package: str) -> dict[str, str]:
        states = self._states()
        source = states[package][0] if package in states else ""
        absent = ("not-installed", "config-files")
        return {name: found[1] for name, found in states.items() if source and found[0] == source and found[3] not in absent}

    def complete(self, packages: Iterable[str]) -> bool:
        states = self._states()
        return all(name in states and states[name][3] == "installed" for name in packages)

    def problem(self, packages: Iterable[str]) -> tuple[str, str]:
        incomplete = [f"{name} ({found[3]})" for name, found in self._states().items() if found[3] in _INCOMPLETE and name not in packages]
        if incomplete:
            return (
                f"the installation of {', '.join(incomplete)} is not complete",
                "Complete it: dpkg --configure -a, then apt-get -f install",
            )
        if any(write_locked(os.path.join(self.database, name)) for name in ("lock-frontend", "lock")):
            return "another program has locked the database of dpkg", "Wait for its end (apt, unattended-upgrades), and run again"
        return "", ""

    def held(self, packages: Iterable[str]) -> list[str]:
        states = self._states()
        return [name for name in packages if name in states and states[name][2] == "hold"]

    def available(self, packages: Sequence[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {name: [] for name in packages}
        for line in self.host.run(["apt-cache", "madison", *packages], 60).output.splitlines():
            entry = _MADISON.match(line)
            if entry and entry[1] in found and entry[2] not in found[entry[1]]:
                found[entry[1]].append(entry[2])
        return found

    def files(self, packages: Iterable[str]) -> list[str]:
        lines = self.host.run(["dpkg-query", "--listfiles", *packages], 30).output.splitlines()
        return [line for line in lines if line.startswith("/")]

    def unedited_files(self, packages: Iterable[str]) -> list[str]:
        words = ["dpkg-query", "--show", "--showformat", "${Conffiles}\\n", *packages]
        entries = [line.split() for line in self.host.run(words, 30).output.splitlines()]
        return [entry[0] for entry in entries if len(entry) == 2 and _md5(entry[0]) == entry[1]]

    def download(self, packages: Mapping[str, str], folder: str, alone: bool = False) -> None:
        os.makedirs(os.path.join(folder, "partial"), mode=0o755, exist_ok=True)
        if not alone:
            # downloading a held or an older package changes nothing
            allowed = ["--allow-downgrades", "--allow-change-held-packages"]
            checked(self.host, [*self._get(folder), "--download-only", *allowed, "install", *_pinned(packages)], 600, _ADVICE, _DOWNLOADS)
        missing = {name: version for name, version in packages.items() if name not in self.archives(packages, folder)}
        if missing:  # of a repository of files, or installed already
            command = [*_ENVIRONMENT, "sh", "-c", 'cd "$1" && shift && exec apt-get "$@"', "sh", folder]
            checked(self.host, [*command, "-q", "-o", "APT::Sandbox::User=root", "download", *_pinned(missing)], 600, _ADVICE, _DOWNLOADS)

    def archives(self, packages: Mapping[str, str], folder: str) -> dict[str, str]:
        found = {}
        for name, version in packages.items():
            pattern = glob.escape(os.path.join(folder, f"{name}_{version.replace(':', '%3a')}_"))
            found[name] = next(iter(glob.glob(pattern + "*.deb")), "")
        return {name: path for name, path in found.items() if path}

    def unpack(self, archive: str, folder: str) -> None:
        checked(self.host, ["dpkg-deb", "--extract", archive, folder])

    def install(self, packages: Mapping[str, str], folder: str, within: Sequence[str], downgrade: bool, held: bool) -> None:
        files = self.archives(packages, folder)
        options = [*(["--allow-downgrades"] if downgrade else []), *(["--allow-change-held-packages"] if held else [])]
        if not self.complete(packages):
            # apt does not unpack a package again whose unpacking was interrupted; dpkg does
            options.append("--fix-broken")
            dpkg = [*within, *_ENVIRONMENT, "dpkg", "--force-confdef", "--force-confold"]
            self.host.run([*dpkg, *(["--install", *files.values()] if len(files) == len(packages) else ["--configure", *packages])], 900)
        # files, since a repository may not have the packages any more
        wanted = [files.get(name, f"{name}={version}") for name, version in packages.items()]
        checked(
            self.host, [*within, *self._get(folder), "--no-download", *options, "install", *wanted], 900, says="apt-get installs packages"
        )
        found = {name: state[1] for name, state in self._states().items() if name in packages and state[3] == "installed"}
        if found != dict(packages):
            raise OperationFailed(f"apt-get has installed {found}, wanted were {dict(packages)}")

    def _get(self, folder: str) -> list[str]:
        options = ["--quiet", "--assume-yes", "--no-install-recommends", "--no-remove", "-o", f"Dir::Cache::archives={folder}"]
        return [*_ENVIRONMENT, "apt-get", *options, *_KEEP_CONFIGURATION, *_WAIT_FOR_LOCK]

    def hold(self, packages: Mapping[str, str]) -> None:
        checked(self.host, ["apt-mark", "hold", *packages], 60)


def _md5(path: str) -> str:
    """Return the checksum of a file as dpkg records it; empty for no file."""
    try:
        with open(path, "rb") as file:
            return hashlib.md5(file.read()).hexdigest()
    except OSError:
        return ""


def _pinned(packages: Mapping[str, str]) -> list[str]:
    return [f"{name}={version}" for name, version in packages.items()]
