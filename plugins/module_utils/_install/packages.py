# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Activation from Redis's packages to Valkey's, which have another unit and user, and other paths
of configuration, data and logs.

Both packages are installed side by side. While the instance is down, its configuration and data are
copied to the paths of the new unit. The files of the old unit are not changed, so that a rollback
only starts the old unit again.
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

from .._atomic_write import FileIdentity, replacing
from .._errors import OperationFailed, PreconditionFailed, SentinelOpsError
from .._host.disk_space import free_bytes
from .._host.process import binary_version
from .._host.service import THIS_HOST, Host
from .._host.systemd import UNITS, Systemd
from .._owned_files import as_owner, make_folders, remove, remove_tree, rename
from .._server.config_file import directives, read_text
from .copy_files import copy_file, inside, named_files
from .instance_files import InstanceFiles
from .package_paths import PackagePaths, new_name

__all__ = ["Packages", "package_record"]

# The first line of a copied configuration file; written last, so that it marks a complete copy.
_MARK = "# Copied by the Ansible collection sentinelops.redis from"
_CONFIG = re.compile(r"(?<=\s)(/[^\s\"']+\.conf)(?=\s|$)")
_DATA = {"dbfilename": "dump.rdb", "appendfilename": "appendonly.aof", "appenddirname": "appendonlydir"}


def package_record(service: Mapping[str, Any], executable: str, server: str, product: str) -> dict[str, Any]:
    """Return the record of an activation by packages; reasons against it are in its doubts."""
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
        seen = f"its unit is called {unit}, and no unit of Valkey's package corresponds to that"
    why = "Packages replace only the server that a package's unit runs"
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
    """Return the drop-ins of a unit that the new package's unit lacks."""
    files = sorted(glob.glob(os.path.join(glob.escape(os.path.join(units, f"{unit}.d")), "*.conf")))
    return [path for path in files if not os.path.exists(new_name(path))]


@dataclass(frozen=True)
class Packages:
    """The units of one instance: of the package before the activation, and of the package after.

    ``enabled``: whether the unit in use must be enabled, and the other unit disabled.
    """

    old_unit: str
    unit: str
    enabled: bool
    host: Host = THIS_HOST
    paths: PackagePaths = field(default_factory=PackagePaths)

    @property
    def staged(self) -> str:
        return ""  # packages are installed, not staged

    def changed_folders(self) -> list[str]:
        return ["/etc", "/var/lib"]

    def installed_version(self) -> str:
        """Return the version of the new package, since the old package stays installed."""
        try:
            return binary_version(self.new_server())
        except SentinelOpsError:
            return ""

    staged_version = installed_version

    def interrupted(self) -> bool:
        return False

    def kept_version(self) -> str:
        return ""  # the old package stays as it is

    def serves_previous(self, executable: str, version: str) -> bool:
        return True  # for the same reason

    def in_place(self, version: str) -> bool:
        return self.installed_version() == version

    def activated(self, version: str) -> bool:
        return False  # a second activation completes the first, and otherwise changes nothing

    def runs_elsewhere(self, executable: str) -> bool:
        return True  # the activation never changes the old package

    def changes_server_path(self, executable: str) -> bool:
        return False  # the new unit names its own server

    def copies(self, config_file: str) -> bool:
        return True

    def current_path(self, path: str) -> str:
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

    def require_activatable(self, files: InstanceFiles) -> None:
        """Raise PreconditionFailed if the disk has no space for a second copy of the data."""
        needed = sum(_total_bytes(path) for path in self._data(files))
        for folder in {self.paths.new_path(os.path.dirname(path)) for path in self._data(files)}:
            free = free_bytes(folder)
            if free < needed * 1.1 + 2**20:
                raise PreconditionFailed(
                    f"its data ({needed} bytes) is copied to {folder}, where {free} bytes are free",
                    state="The version in use was not touched",
                    advice="Free space there; the old data may be removed after the upgrade",
                )

    def files_after(self, files: InstanceFiles) -> InstanceFiles:
        server, config_file = self._command()
        log_file = self.paths.new_path(files.log_file)
        return replace(files, executable=server, config_file=config_file, log_file=log_file, service=Systemd(self.unit, self.host))

    def activate(self, files: InstanceFiles, identity: FileIdentity | None) -> InstanceFiles:
        """Copy a stopped instance's configuration and data, and enable the new unit instead."""
        new = self.files_after(files)
        if not self._is_copied(new.config_file):
            for path in self._data(files):
                self._copy_data(path)
            for path in self._included(files.config_file):
                self._copy_config(path, self.paths.new_path(path), None, "")
            # copied last, since its mark says that the copy is complete
            self._copy_config(files.config_file, new.config_file, identity, f"{_MARK} {files.config_file}\n")
        if self.enabled:
            self._enable(self.unit, instead_of=self.old_unit)
        return new

    def revert(self, files: InstanceFiles, version: str) -> InstanceFiles:
        """Replace our copies by the files that were there before, and enable the old unit again."""
        config_file = self._command()[1]
        if self._is_copied(config_file):
            for path in map(self.paths.new_path, self._data(files)):
                _remove(path)
                if os.path.exists(_backup_path(path)):
                    rename(_backup_path(path), path)
            # restored last, since its mark says that there is something to revert
            rename(_backup_path(config_file), config_file) if os.path.exists(_backup_path(config_file)) else remove(config_file)
        # a reverted unit must not stay listed as failed
        self.host.run(["systemctl", "reset-failed", "--", self.unit], 30)
        if self.enabled:
            self._enable(self.old_unit, instead_of=self.unit)
        return files

    # -- the units

    def _show(self, unit: str, *names: str) -> dict[str, str]:
        done = self.host.run(["systemctl", "show", "--no-pager", f"--property={','.join(names)}", "--", unit], 30)
        return dict(line.partition("=")[::2] for line in done.output.splitlines())

    def _command(self) -> tuple[str, str]:
        """Return the server and the configuration file that the new unit starts."""
        shown = self._show(self.unit, "LoadState", "ExecStart")
        argv = re.search(r"argv\[\]=(.*?) ;", shown.get("ExecStart", ""))
        words = argv.group(1) if argv else ""
        config = _CONFIG.search(words)
        if shown.get("LoadState") != "loaded" or not words or not config:
            raise PreconditionFailed(
                f"the unit {self.unit} is {shown.get('LoadState') or 'unknown to systemd'}, or starts no server with a configuration file",
                state="The version in use was not touched",
                advice="Install the package that contains the unit (redis_binaries_packages)",
            )
        return words.split()[0], config.group(1)

    def _owners(self) -> tuple[Mapping[int, int], Mapping[int, int]]:
        """Return the new unit's user id for the old unit's, and likewise the group id."""
        shown = [self._show(unit, "User", "Group") for unit in (self.old_unit, self.unit)]
        try:
            users = [pwd.getpwnam(one["User"]) for one in shown]
            groups = [grp.getgrnam(one["Group"]).gr_gid if one.get("Group") else user.pw_gid for one, user in zip(shown, users)]
        except KeyError as error:
            raise OperationFailed(f"{self.old_unit} or {self.unit} has no user of its own: {error}") from error
        return {users[0].pw_uid: users[1].pw_uid}, {groups[0]: groups[1]}

    def _enable(self, unit: str, instead_of: str) -> None:
        # in this order, since both units have the same alias
        for words in (["disable", "--", instead_of], ["enable", "--", unit]):
            done = self.host.run(["systemctl", *words], 60)
            if done.code:
                raise OperationFailed(f"systemctl {' '.join(words)} ended with {done.code}: {done.errors}")

    # -- the copies

    def _data(self, files: InstanceFiles) -> list[str]:
        """Return the files and folders of the instance's data, if in a folder of the package."""
        lines: dict[str, list[list[str]]] = {}
        for path in [*self._included(files.config_file), files.config_file]:
            lines.update(directives(read_text(path)))
        folder = (lines.get("dir") or [["/"]])[-1][0]
        if files.sentinel or not self.paths.is_packaged(folder):
            return []
        names = [(lines.get(name) or [[default]])[-1][0] for name, default in _DATA.items()]
        return [path for path in (os.path.join(folder, name) for name in names if name) if os.path.exists(path)]

    def _included(self, config_file: str) -> list[str]:
        """Return the package's configuration files that the main or an included file names."""
        found: list[str] = []
        unread = [config_file]
        while unread:
            path = unread.pop()
            for name, word in named_files(read_text(path)):
                file = os.path.join(os.path.dirname(config_file), word)
                for named in glob.glob(file) if name == "include" else [file]:
                    if self.paths.is_configuration(named) and os.path.isfile(named) and named not in (*found, config_file):
                        found.append(named)
                        unread += [named] if name == "include" else []
        return found

    @staticmethod
    def _is_copied(config_file: str) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return read_text(config_file).startswith(_MARK)
        return False

    def _copy_config(self, source: str, target: str, identity: FileIdentity | None, mark: str) -> None:
        """Copy a configuration file, after a backup of the file that the package has installed."""
        if os.path.exists(target) and not self._is_copied(target) and not os.path.exists(_backup_path(target)):
            copy_file(target, _backup_path(target))
        own = identity or FileIdentity.of(source)
        copy_file(source, target, self._with_new_owner(own), lambda text: mark + self.paths.new_text(text))

    def _copy_data(self, path: str) -> None:
        """Copy a file or folder with data, after a backup of other data at the target.

        A complete copy of an interrupted run is kept.
        """
        target = self.paths.new_path(path)
        partial = target + ".partial"
        if _same(path, target):
            return
        _remove(partial)
        make_folders(os.path.dirname(target))
        if not os.path.isdir(path):
            self._copy_data_file(path, partial)
        # from the bottom up: a folder that has its owner already may change at any moment
        for folder, _folders, names in os.walk(path, topdown=False):
            copy = os.path.join(partial, os.path.relpath(folder, path)) if folder != path else partial
            make_folders(copy, 0o700)
            for name in names:
                self._copy_data_file(os.path.join(folder, name), os.path.join(copy, name))
        for folder, _folders, _names in os.walk(path, topdown=False):
            copy = os.path.join(partial, os.path.relpath(folder, path)) if folder != path else partial
            self._with_new_owner(FileIdentity.of(folder)).apply_to(copy)
        if os.path.exists(target) and not os.path.exists(_backup_path(target)):
            rename(target, _backup_path(target))
        _remove(target)
        rename(partial, target)

    def _copy_data_file(self, path: str, target: str) -> None:
        """Copy a file with its time, by which ``_same`` recognises a complete copy."""
        with open(path, "rb", opener=as_owner) as old:
            found = os.fstat(old.fileno())
            with replacing(target, self._with_new_owner(FileIdentity.of(old.fileno()))) as new:
                shutil.copyfileobj(old, new)
                new.flush()
                os.utime(new.fileno(), ns=(found.st_atime_ns, found.st_mtime_ns))

    def _with_new_owner(self, identity: FileIdentity) -> FileIdentity:
        users, groups = self._owners()
        return replace(identity, uid=users.get(identity.uid, identity.uid), gid=groups.get(identity.gid, identity.gid))


def _backup_path(path: str) -> str:
    """Return the name under which a replaced file or folder is kept."""
    return path + ".before-upgrade"


def _files_in(path: str) -> list[str]:
    """Return the relative names of all files in a folder; one empty name for a file."""
    if not os.path.isdir(path):
        return [""] if os.path.exists(path) else []
    return sorted(os.path.relpath(os.path.join(folder, name), path) for folder, _folders, names in os.walk(path) for name in names)


def _sizes_and_times(path: str) -> list[tuple[str, int, int]]:
    """Return name, size (bytes) and modification time (ns) of each file."""
    found = [(name, os.stat(os.path.join(path, name) if name else path)) for name in _files_in(path)]
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in found]


def _same(one: str, other: str) -> bool:
    """Return whether one path is a copy of the other, by sizes and times."""
    return os.path.exists(other) and _sizes_and_times(one) == _sizes_and_times(other)


def _total_bytes(path: str) -> int:
    return sum(size for _name, size, _time in _sizes_and_times(path))


def _remove(path: str) -> None:
    if os.path.isdir(path):
        remove_tree(path)
    else:
        remove(path)
