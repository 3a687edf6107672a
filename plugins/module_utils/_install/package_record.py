# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of an instance whose packages get a later version, and what is against that."""

from __future__ import annotations

import os
from typing import Any, Dict, Iterable, Iterator

from .._host.disk_space import existing_folder, free_bytes, is_noexec
from .._host.service import THIS_HOST, Host
from .._sizes import readable_size
from .copy_files import inside
from .package_apt import Apt
from .package_dnf import Dnf
from .package_folder import PROGRAMS, programs_folder
from .package_manager import PackageManager, common_version, matches_version
from .package_programs import ARCHIVES, origin_of_programs, programs_version

__all__ = ["manager_of", "package_update_record", "wanted_packages"]

_SPARE_BYTES = 2**25
Doubts = Iterator[Dict[str, str]]


def manager_of(path: str, host: Host = THIS_HOST) -> tuple[PackageManager, str]:
    """Return the package manager that owns a file, and the package; empty if none owns the file.

    Both are asked, since a host may have the tools of both.
    """
    managers: tuple[PackageManager, ...] = (Apt(host), Dnf(host))
    for manager in managers:
        owner = manager.owner(path)
        if owner:
            return manager, owner
    return managers[0], ""


def package_update_record(
    executable: str,
    server: str,
    versions: tuple[str, str],
    package_version: str,
    hold: bool,
    host: Host = THIS_HOST,
    root: str = PROGRAMS,
    archives: str = ARCHIVES,
) -> dict[str, Any]:
    """Return the record of an activation by packages of the same name; its doubts forbid it.

    ``executable``: the running one, which may be a kept program. ``versions``: the running version
    and the one to stage. ``package_version``: the exact version of the packages, if it is set.
    """
    running, wanted = versions
    folder = os.path.dirname(executable)
    if inside(executable, root):
        folder = str(origin_of_programs(folder).get("folder") or "/usr/bin")
    manager, owner = manager_of(os.path.join(folder, os.path.basename(executable)), host)
    record: dict[str, Any] = {
        "method": "package_update",
        "folder": folder,
        "staged": programs_folder(server, wanted, root),
        "kept": programs_folder(server, running, root),
        "manager": manager.name,
        "packages": manager.siblings(owner) if owner else {},
        "wanted": {},
        "hold": hold,
        "shared": True,
        "doubts": [],
    }
    if not owner:
        record["doubts"] = [_no_owner(executable)]
    elif wanted not in ("", running) and programs_version(folder, server) != wanted:
        record["wanted"] = wanted_packages(manager, record["packages"], package_version, wanted, record["staged"])
        versions_of = _version_doubts(record, package_version or wanted)
        record["doubts"] = [*versions_of, *_state_doubts(manager, record), *_space_doubts(record, root, archives)]
    return record


def wanted_packages(manager: PackageManager, packages: Iterable[str], exact: str, upstream: str, staged: str) -> dict[str, str]:
    """Return the versions to install of these packages; some may be missing.

    A repository may not have the versions any more that are staged already.
    """
    found = common_version(manager.available(list(packages)), exact, upstream)
    downloaded = origin_of_programs(staged).get("packages", {})
    known = {name: version for name, version in downloaded.items() if name in packages and matches_version(version, exact, upstream)}
    return {**known, **found}


def _no_owner(executable: str) -> dict[str, str]:
    return {
        "seen": f"it is upgraded by packages, and {executable} belongs to no package of this host",
        "why": "The packages would not replace the server that runs",
        "do": "Choose another redis_binaries_method; it may differ from host to host",
    }


def _version_doubts(record: dict[str, Any], wanted: str) -> Doubts:
    absent = sorted(set(record["packages"]) - set(record["wanted"]))
    if absent:
        yield {
            "seen": f"there is no version {wanted} of {', '.join(absent)} in the package lists of this host",
            "why": "These packages are installed from one source, and are replaced together",
            "do": "See apt-cache policy or dnf list --showduplicates; add the repository, or update the lists (apt-get update)",
        }


def _state_doubts(manager: PackageManager, record: dict[str, Any]) -> Doubts:
    """Yield why nothing can be installed now."""
    # what an upgrade to this version has not completed is completed by the next one
    ours = record["packages"] if origin_of_programs(record["staged"]) else {}
    problem, do = manager.problem(ours)
    if problem:
        yield {"seen": problem, "why": "No package could be installed", "do": do}
    held = [] if record["hold"] else manager.held(record["packages"])
    if held:
        yield {
            "seen": f"{', '.join(held)} is held",
            "why": "Somebody has decided that the version of the package must not change",
            "do": "Set redis_binaries_hold, which changes held packages and holds them again; or release them (apt-mark unhold)",
        }


def _space_doubts(record: dict[str, Any], root: str, archives: str) -> Doubts:
    """Yield why the file systems could not take packages and programs."""
    if is_noexec(root):
        yield {
            "seen": f"the file system of {root} is mounted with noexec",
            "why": "The version in use is kept there, and could not be started",
            "do": "Mount it with exec",
        }
    for path in (record["folder"], root, archives):
        if os.statvfs(existing_folder(path)).f_flag & os.ST_RDONLY:
            yield {"seen": f"the file system of {path} is read-only", "why": "Packages are installed there", "do": "Mount it read-write"}
    installed = sum(os.path.getsize(path) for path in _programs(record["folder"]))
    # the new files beside the old ones, the kept and the staged version
    for path, needed in ((root, 3 * installed), (archives, 2 * installed)):
        free = free_bytes(path)
        if free < needed + _SPARE_BYTES:
            required = readable_size(needed + _SPARE_BYTES)
            yield {
                "seen": f"there are {readable_size(free)} free at {existing_folder(path)}, and {required} are needed",
                "why": "The new packages, and the version in use, are kept there",
                "do": "Free disk space on that file system",
            }


def _programs(folder: str) -> list[str]:
    """Return the server's programs in a folder; links to programs are not counted."""
    names = [name for name in sorted(os.listdir(folder)) if name.startswith(("redis-", "valkey-"))]
    return [path for path in (os.path.join(folder, name) for name in names) if os.path.isfile(path) and not os.path.islink(path)]
