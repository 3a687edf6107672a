# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the packages of Redis to those of Valkey: another unit, user, and other places of
configuration, data and logs.

Both are installed side by side. While the instance is down its configuration and data are copied to
where the new unit has them; what the old unit has is not changed, so that it can be started again
as it was.
"""

from __future__ import annotations

import contextlib
import glob
import grp
import os
import pwd
import re
import shutil
from dataclasses import dataclass, field, replace
from typing import Any, Mapping

from .._atomic_write import FileIdentity
from .._errors import OperationFailed, PreconditionFailed, SentinelOpsError
from .._host.process import binary_version
from .._host.service import THIS_HOST, Host
from .._host.systemd import UNITS, Systemd
from .._server.config_file import directives, read_text
from .copy_files import carry_file, inside, named_files
from .instance_files import InstanceFiles
from .package_paths import Places, new_name

__all__ = ["Packages", "package_record"]

_MARK = "# Copied by the Ansible collection sentinelops.redis from"
_CONFIG = re.compile(r"(?<=\s)(/[^\s\"']+\.conf)(?=\s|$)")
_DATA = {"dbfilename": "dump.rdb", "appendfilename": "appendonly.aof", "appenddirname": "appendonlydir"}


def package_record(service: Mapping[str, Any], executable: str, server: str, product: str) -> dict[str, Any]:
    """The record of an activation by packages; what stands against it is in its doubts."""
    unit = str(service.get("unit") or "")
    seen, do = "", "Move it into a version folder instead (redis_upgrade_redis_folder, redis_upgrade_sentinel_folder)"
    if service.get("manager") != "systemd":
        seen = f"it is upgraded by packages, and {executable} is not run by a unit of systemd"
    elif not inside(executable, "/usr/bin"):
        seen = f"it is upgraded by packages, and {executable} is not in /usr/bin"
    elif (server, product) != ("redis", "valkey"):
        seen = f"it runs {server}, and the packages to install are those of {product}"
        do = f"Only packages of Valkey in place of those of Redis are supported. {do}"
    elif "redis" not in unit:
        seen = f"its unit is called {unit}, so that it is not known which unit of Valkey's package stands for it"
    why = "Packages replace what a package's unit runs"
    return {
        "method": "package",
        "folder": "/usr",
        "staged": "",
        "kept": "",
        "product": product,
        "server": f"/usr/bin/{product}-server",
        "unit": new_name(unit),
        "old_unit": unit,
        "enabled": service.get("enabled") == "enabled",
        "drop_ins": _missing_drop_ins(unit) if unit else [],
        "doubts": [{"seen": seen, "why": why, "do": do}] if seen else [],
    }


def _missing_drop_ins(unit: str, units: str = UNITS) -> list[str]:
    """The drop-ins of a unit for which that of the new package has none."""
    files = sorted(glob.glob(os.path.join(glob.escape(os.path.join(units, f"{unit}.d")), "*.conf")))
    return [path for path in files if not os.path.exists(new_name(path))]


@dataclass(frozen=True)
class Packages:
    """The units of one instance: of the package that it runs from, and of the one that it shall run
    from.
    """

    old_unit: str
    unit: str
    enabled: bool
    host: Host = THIS_HOST
    where: Places = field(default_factory=Places)

    @property
    def staged(self) -> str:
        return ""  # the packages know where

    def places(self) -> list[str]:
        return ["/etc", "/var/lib"]

    def installed_version(self) -> str:
        """Of the new package, since the old one stays."""
        try:
            return binary_version(self.new_server())
        except SentinelOpsError:
            return ""

    staged_version = installed_version

    def interrupted(self) -> bool:
        return False

    def in_place(self, version: str) -> bool:
        return self.installed_version() == version

    def activated(self, version: str) -> bool:
        return False  # activating it again changes nothing, and completes what is not

    def moved(self, executable: str) -> bool:
        return True

    def changes_place(self, executable: str) -> bool:
        return False  # the new unit starts it where it is

    def now_at(self, path: str) -> str:
        return path

    def new_server(self) -> str:
        return self._command()[0]

    def require_staged(self, version: str) -> None:
        found = binary_version(self.new_server())
        if found != version:
            raise PreconditionFailed(
                f"{self.unit} starts {self.new_server()}, which is version {found}, wanted is {version}",
                state="The version in use was not touched",
                advice="Install the right version of the package (redis_binaries)",
            )

    def examine(self, files: InstanceFiles) -> None:
        """Raises PreconditionFailed if there is no room for a second copy of the data."""
        needed = sum(_size(path) for path in self._data(files))
        for folder in {self.where.path(os.path.dirname(path)) for path in self._data(files)}:
            free = shutil.disk_usage(_existing(folder)).free
            if free < needed * 1.1 + 2**20:
                raise PreconditionFailed(
                    f"its data ({needed} bytes) is copied to {folder}, where {free} bytes are free",
                    state="The version in use was not touched",
                    advice="Make room; the old data may be removed when the upgrade has ended",
                )

    def after(self, files: InstanceFiles) -> InstanceFiles:
        server, config_file = self._command()
        log_file = self.where.path(files.log_file)
        return replace(files, executable=server, config_file=config_file, log_file=log_file, service=Systemd(self.unit, self.host))

    def activate(self, files: InstanceFiles, identity: FileIdentity | None) -> InstanceFiles:
        """Copies configuration and data of an instance that has been stopped, and enables the new
        unit instead of the old one.
        """
        new = self.after(files)
        if not self._is_copied(new.config_file):
            for path in self._data(files):
                self._copy_data(path)
            for path in self._included(files.config_file):
                self._copy(path, self.where.path(path), None, "")
            # the last one, since it tells that all is there
            self._copy(files.config_file, new.config_file, identity, f"{_MARK} {files.config_file}\n")
        if self.enabled:
            self._enable(self.unit, instead_of=self.old_unit)
        return new

    def undo(self, files: InstanceFiles, version: str) -> None:
        """The old unit has all that it had. What was there before is put back in the place of our
        copies.
        """
        config_file = self._command()[1]
        if self._is_copied(config_file):
            for path in map(self.where.path, self._data(files)):
                _remove(path)
                if os.path.exists(_aside(path)):
                    os.replace(_aside(path), path)
            # the last one, since it tells that there is something to undo
            os.replace(_aside(config_file), config_file) if os.path.exists(_aside(config_file)) else os.remove(config_file)
        self.host.run(["systemctl", "reset-failed", "--", self.unit], 30)  # nobody needs to look at it
        if self.enabled:
            self._enable(self.old_unit, instead_of=self.unit)

    # -- what the units say
    # ---------------------------------------------------------------------------------------------

    def _show(self, unit: str, *names: str) -> dict[str, str]:
        done = self.host.run(["systemctl", "show", "--no-pager", f"--property={','.join(names)}", "--", unit], 30)
        return dict(line.partition("=")[::2] for line in done.output.splitlines())

    def _command(self) -> tuple[str, str]:
        """The server and the configuration file that the new unit starts."""
        said = self._show(self.unit, "LoadState", "ExecStart")
        argv = re.search(r"argv\[\]=(.*?) ;", said.get("ExecStart", ""))
        words = argv.group(1) if argv else ""
        config = _CONFIG.search(words)
        if said.get("LoadState") != "loaded" or not words or not config:
            raise PreconditionFailed(
                f"the unit {self.unit} is {said.get('LoadState') or 'not known to systemd'}, or starts no server with a configuration file",
                state="The version in use was not touched",
                advice="Install the package that has it (redis_binaries_packages)",
            )
        return words.split()[0], config.group(1)

    def _owners(self) -> tuple[Mapping[int, int], Mapping[int, int]]:
        """User and group ids of the old unit, each with that of the new one."""
        names = [self._show(unit, "User", "Group") for unit in (self.old_unit, self.unit)]
        try:
            users = [pwd.getpwnam(said["User"]) for said in names]
            groups = [grp.getgrnam(said["Group"]).gr_gid if said.get("Group") else user.pw_gid for said, user in zip(names, users)]
        except KeyError as error:
            raise OperationFailed(f"{self.old_unit} or {self.unit} has no user of its own: {error}") from error
        return {users[0].pw_uid: users[1].pw_uid}, {groups[0]: groups[1]}

    def _enable(self, unit: str, instead_of: str) -> None:
        for words in (["disable", "--", instead_of], ["enable", "--", unit]):  # both have the same alias, so in this order
            done = self.host.run(["systemctl", *words], 60)
            if done.code:
                raise OperationFailed(f"systemctl {' '.join(words)} ended with {done.code}: {done.errors}")

    # -- what is copied
    # -------------------------------------------------------------------------------------------------

    def _data(self, files: InstanceFiles) -> list[str]:
        """The files and folders with the instance's data, which are in a place of the package."""
        lines: dict[str, list[list[str]]] = {}
        for path in [*self._included(files.config_file), files.config_file]:
            lines.update(directives(read_text(path)))
        folder = (lines.get("dir") or [["/"]])[-1][0]
        if files.sentinel or not self.where.has(folder):
            return []
        names = [(lines.get(name) or [[default]])[-1][0] for name, default in _DATA.items()]
        return [path for path in (os.path.join(folder, name) for name in names if name) if os.path.exists(path)]

    def _included(self, config_file: str) -> list[str]:
        """The files in the package's places that the configuration, or a file that it includes,
        names.
        """
        found: list[str] = []
        unread = [config_file]
        while unread:
            path = unread.pop()
            for name, word in named_files(read_text(path)):
                file = os.path.join(os.path.dirname(config_file), word)
                for there in glob.glob(file) if name == "include" else [file]:
                    if self.where.is_configuration(there) and os.path.isfile(there) and there not in (*found, config_file):
                        found.append(there)
                        unread += [there] if name == "include" else []
        return found

    @staticmethod
    def _is_copied(config_file: str) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return read_text(config_file).startswith(_MARK)
        return False

    def _copy(self, source: str, target: str, identity: FileIdentity | None, mark: str) -> None:
        """A file of the configuration; one that is there already, as the package brings it, is set
        aside.
        """
        if os.path.exists(target) and not self._is_copied(target) and not os.path.exists(_aside(target)):
            carry_file(target, _aside(target))
        own = identity or FileIdentity.of(source)
        carry_file(source, target, self._owned(own), lambda text: mark + self.where.text(text))

    def _copy_data(self, path: str) -> None:
        """Data that is there already and is not what an interrupted run of ours has copied is set
        aside.
        """
        target = self.where.path(path)
        partial = target + ".partial"
        if _same(path, target):
            return
        _remove(partial)
        if os.path.isdir(path):
            shutil.copytree(path, partial)
            inner = [os.path.join(folder, name) for folder, folders, names in os.walk(partial) for name in [*folders, *names]]
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy2(path, partial)
            inner = []
        for copied in [partial, *inner]:
            self._owned(FileIdentity.of(path if copied == partial else os.path.join(path, os.path.relpath(copied, partial)))).apply_to(
                copied
            )
        if os.path.exists(target) and not os.path.exists(_aside(target)):
            os.replace(target, _aside(target))
        _remove(target)
        os.replace(partial, target)

    def _owned(self, identity: FileIdentity) -> FileIdentity:
        users, groups = self._owners()
        return replace(identity, uid=users.get(identity.uid, identity.uid), gid=groups.get(identity.gid, identity.gid))


def _aside(path: str) -> str:
    return path + ".before-upgrade"


def _files_in(path: str) -> list[str]:
    """The file, or all files in the folder, by their names in it."""
    if not os.path.isdir(path):
        return [""] if os.path.exists(path) else []
    return sorted(os.path.relpath(os.path.join(folder, name), path) for folder, _folders, names in os.walk(path) for name in names)


def _facts(path: str) -> list[tuple[str, int, int]]:
    found = [(name, os.stat(os.path.join(path, name) if name else path)) for name in _files_in(path)]
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in found]


def _same(one: str, other: str) -> bool:
    """Whether one is a copy of the other, by sizes and times."""
    return os.path.exists(other) and _facts(one) == _facts(other)


def _size(path: str) -> int:
    return sum(size for _name, size, _time in _facts(path))


def _remove(path: str) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.remove(path)


def _existing(folder: str) -> str:
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder
