# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of a version of a package, outside of the package's own folder.

A folder per version, ``/usr/lib/sentinelops-redis/redis-8.0.2``, holds the server and the record
of the packages that the server comes from. The folder is made from downloaded packages, to try the
new version before it is installed; or from the running server, to keep the version in use.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from typing import Any, Iterator, Mapping

from .._atomic_write import replacing, write_atomically
from .._errors import OperationFailed, SentinelOpsError
from .._host.process import binary_version
from .._server.config_file import read_text
from .folders import require_version_in, version_in
from .package_manager import PackageManager

__all__ = [
    "ARCHIVES",
    "keep_programs",
    "origin_of_programs",
    "packages_locked",
    "program_in",
    "programs_version",
    "stage_programs",
]

ARCHIVES = "/var/cache/sentinelops-redis"
_ORIGIN = "packages.json"


@contextlib.contextmanager
def packages_locked(root: str) -> Iterator[None]:
    """Keep other modules of this collection on the same machine from packages and programs.

    Instances of one machine may have several inventory hosts, whose tasks run at the same time. The
    lock ends with its process.
    """
    os.makedirs(root, mode=0o755, exist_ok=True)
    descriptor = os.open(os.path.join(root, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def program_in(folder: str, server: str) -> str:
    """Return the server or, on a host with a Sentinel only, the Sentinel in a folder; or empty."""
    paths = [os.path.join(folder, f"{server}-{name}") for name in ("server", "sentinel")]
    return next((path for path in paths if os.path.isfile(path)), "")


def programs_version(folder: str, server: str) -> str:
    """Return the version of the server or Sentinel in a folder; empty if none of them runs."""
    try:
        return binary_version(program_in(folder, server)) if program_in(folder, server) else ""
    except SentinelOpsError:
        return ""


def origin_of_programs(folder: str) -> dict[str, Any]:
    """Return the record of a folder: ``{"manager", "folder", "packages"}``; empty if there is none.

    ``folder``: where the packages install their programs.
    """
    with contextlib.suppress(OSError, ValueError, SentinelOpsError):
        found = json.loads(read_text(os.path.join(folder, _ORIGIN)))
        return found if isinstance(found, dict) else {}
    return {}


def _write_origin(folder: str, manager: str, installs_to: str, packages: Mapping[str, str]) -> None:
    content = {"manager": manager, "folder": installs_to, "packages": dict(packages)}
    write_atomically(os.path.join(folder, _ORIGIN), json.dumps(content, indent=2, sort_keys=True) + "\n", mode=0o644)


# -- the new version


def stage_programs(
    manager: PackageManager, packages: Mapping[str, str], installs_to: str, version: str, target: str, archives: str
) -> bool:
    """Download packages, and unpack their programs; return whether anything was missing.

    ``installs_to``: the folder of the programs in the packages. The target never holds a part of a
    version. Raises OperationFailed if a package cannot be had, and PreconditionFailed if its server
    has another version or does not run here.
    """
    downloaded = set(manager.archives(packages, archives)) == set(packages)
    if not downloaded:
        manager.download(packages, archives)
    files = manager.archives(packages, archives)
    absent = sorted(set(packages) - set(files))
    if absent:
        raise OperationFailed(f"{', '.join(absent)} was downloaded to {archives}, and is not there", state="No server was touched")
    if origin_of_programs(target).get("packages") == dict(packages) and version_in(target) == version:
        return not downloaded
    partial = target + ".partial"
    shutil.rmtree(partial, ignore_errors=True)
    os.makedirs(os.path.join(partial, "unpacked"), mode=0o755)
    for path in files.values():
        manager.unpack(path, os.path.join(partial, "unpacked"))
    _take_programs(os.path.join(partial, "unpacked", installs_to.lstrip("/")), partial)
    shutil.rmtree(os.path.join(partial, "unpacked"))
    _name_server(partial, os.path.basename(target).partition("-")[0])
    require_version_in(partial, version)
    _write_origin(partial, manager.name, installs_to, packages)
    _replace_folder(partial, target)
    return True


def _take_programs(source: str, target: str) -> None:
    """Move the programs of a folder; links among them stay, other links are left out."""
    for name in sorted(os.listdir(source)) if os.path.isdir(source) else []:
        path = os.path.join(source, name)
        if os.path.islink(path):
            program = os.path.basename(os.readlink(path))
            if os.path.lexists(os.path.join(source, program)) or os.path.lexists(os.path.join(target, program)):
                os.symlink(program, os.path.join(target, name))
        elif os.path.isfile(path):
            os.rename(path, os.path.join(target, name))


def _name_server(folder: str, server: str) -> None:
    """Give a folder both names of the server, which runs as either by its name."""
    names = [f"{server}-{name}" for name in ("server", "sentinel")]
    for name, other in (names, reversed(names)):
        if os.path.isfile(os.path.join(folder, other)) and not os.path.lexists(os.path.join(folder, name)):
            os.symlink(other, os.path.join(folder, name))


def _replace_folder(partial: str, target: str) -> None:
    replaced = target + ".replaced"
    shutil.rmtree(replaced, ignore_errors=True)
    if os.path.isdir(target):
        os.rename(target, replaced)
    os.rename(partial, target)
    shutil.rmtree(replaced, ignore_errors=True)


# -- the version in use


def keep_programs(manager: str, packages: Mapping[str, str], executable: str, pid: int, version: str, target: str) -> bool:
    """Copy the running server aside, and return whether it was not there yet.

    ``packages``: the installed packages, empty if they are of another version already; the running
    file is then read from /proc, since it was deleted. Raises OperationFailed if the copy does not
    run, or has another version.
    """
    same = version_in(target) == version
    if same and (not packages or origin_of_programs(target).get("packages") == dict(packages)):
        return False
    if not same:
        server = os.path.basename(target).partition("-")[0]
        partial = target + ".partial"
        shutil.rmtree(partial, ignore_errors=True)
        os.makedirs(partial, mode=0o755)
        source = executable if _has_version(executable, version) else f"/proc/{pid}/exe"
        _copy_program(source, os.path.join(partial, f"{server}-server"))
        _name_server(partial, server)
        require_version_in(partial, version)
        _replace_folder(partial, target)
    if packages:
        _write_origin(target, manager, os.path.dirname(executable), packages)
    elif not same:
        _write_origin(target, manager, os.path.dirname(executable), {})
    return True


def _has_version(executable: str, version: str) -> bool:
    try:
        return binary_version(executable) == version
    except SentinelOpsError:
        return False


def _copy_program(source: str, target: str) -> None:
    """Copy a program with its mode and its extended attributes (SELinux)."""
    with open(source, "rb") as old, replacing(target, mode=0o755) as new:
        shutil.copyfileobj(old, new)
        with contextlib.suppress(OSError):
            os.setxattr(new.fileno(), "security.selinux", os.getxattr(source, "security.selinux"))
