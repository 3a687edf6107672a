# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Activation: how a new version takes the place of the running one, and how that is reverted.

``choose_activation`` picks the method and returns a record of JSON types, kept in the survey and in
the journal. ``activation_from`` makes an Activation from that record.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Mapping, Protocol, Sequence

from .._atomic_write import FileIdentity
from .._host.process import version_folder
from .copy_files import inside
from .folders import Folders
from .instance_files import InstanceFiles
from .own_commands import OwnCommands
from .package_folder import programs_folder
from .programs import Programs, program_folders
from .symlink import Symlink, link_of, link_target, release_name

__all__ = ["Activation", "Neighbours", "activation_from", "choose_activation", "restaged"]

_GENERAL = ("/", "/usr", "/usr/local", "/opt", "/srv")  # folders of everybody, never of one version


class Activation(Protocol):
    """The way of one instance from the running version to the staged one, and back."""

    @property
    def staged(self) -> str:
        """The folder in which the new version is staged."""

    def changed_folders(self) -> list[str]:
        """Return the folders in which an activation makes or renames something."""

    def installed_version(self) -> str:
        """Return the version in use, also after an interrupted activation; empty if none."""

    def staged_version(self) -> str:
        """Return the version in the staged folder; empty if there is none."""

    def interrupted(self) -> bool:
        """Return whether a run was killed in the middle of the activation."""

    def kept_version(self) -> str:
        """Return the version that a revert would restore; empty if none is kept, or unknown."""

    def in_place(self, version: str) -> bool:
        """Return whether a start would start this version."""

    def serves_previous(self, executable: str, version: str) -> bool:
        """Return whether a server of the previous version runs as ``revert`` would leave it.

        ``executable``: the file that the server runs.
        """

    def activated(self, version: str) -> bool:
        """Return whether this version is activated already."""

    def runs_elsewhere(self, executable: str) -> bool:
        """Return whether an executable is outside the place that the activation changes."""

    def copies(self, config_file: str) -> bool:
        """Return whether each version has its own copy of this configuration file."""

    def current_path(self, path: str) -> str:
        """Return the path at which a file is now, also after an interrupted activation."""

    def new_server(self) -> str:
        """Return the new server's executable; empty if there is none."""

    def changes_server_path(self, executable: str) -> bool:
        """Return whether the new server will have another path than the executable in use."""

    def require_staged(self, version: str) -> None:
        """Raise PreconditionFailed unless the new version is staged and runs here."""

    def require_activatable(self, files: InstanceFiles) -> None:
        """Raise PreconditionFailed if the activation lacks something, such as disk space."""

    def activate(self, files: InstanceFiles, identity: FileIdentity | None) -> InstanceFiles:
        """Put the new version in place of a stopped one, or finish an interrupted activation.

        The configuration file gets this identity, if any. Returns the files to start.
        """

    def files_after(self, files: InstanceFiles) -> InstanceFiles:
        """Return the files to start once the activation is done."""

    def revert(self, files: InstanceFiles, version: str) -> InstanceFiles:
        """Put the earlier version, which ran from these files, in use again, if it is not.

        Returns the files to start. Their executable is another one if only this instance returns
        to the earlier version, and others of its installation keep the new one.
        """


@dataclass(frozen=True)
class Neighbours:
    """Content of a version folder that forbids replacing the folder as a whole.

    ``shared``: other instances run from that folder. ``data``: the instance's data folder.
    ``replaced``: another file is at the path of the running program already.
    """

    shared: bool = False
    data: str = ""
    replaced: bool = False


def choose_activation(
    method: str,
    folder: str,
    binary: str,
    claimed: Sequence[str],
    config_file: str,
    versions: tuple[str, str],
    neighbours: Neighbours = Neighbours(),
) -> dict[str, Any]:
    """Return the record of an instance's activation.

    ``method`` (``auto``, ``folder``, ``files`` or ``symlink``) and ``folder`` are the user's
    settings. ``binary``: the running file. ``claimed``: the paths by which the server may have been
    started. ``versions``: the running version, and the version to stage (empty if unknown).
    """
    link = ""
    if method in ("auto", "symlink"):
        known = folder if folder and (os.path.islink(folder) or method == "symlink") else ""
        link = known or ("" if folder else link_of(os.path.realpath(binary), _with_link_targets(claimed), config_file, versions[0]))
    if link:
        return _symlink_record(link, os.path.realpath(binary), *versions)
    active = os.path.normpath(folder or version_folder(binary))
    if method == "files" or (method == "auto" and _in_pieces(active, binary, neighbours)):
        return _files_record(binary)
    doubts = []
    if method == "symlink":
        doubts.append(
            {
                "seen": f"redis_upgrade_activation is symlink, and {binary} was not started through a link to the folder of its version",
                "why": "The link to point to the new version is not known",
                "do": "Name the link in redis_upgrade_redis_folder or redis_upgrade_sentinel_folder, or remove the setting",
            }
        )
    return {"method": "folder", "folder": active, "staged": Folders(active).staged, "kept": Folders(active).kept, "doubts": doubts}


def _with_link_targets(paths: Sequence[str]) -> list[str]:
    """Return the paths, each with the targets of its links: ``/usr/local/bin/redis-server`` may be
    a link to a server.
    """
    found = []
    for path in paths:
        target = path
        while target and target not in found:
            found.append(target)
            target = link_target(target)
    return found


def _in_pieces(active: str, binary: str, neighbours: Neighbours) -> bool:
    """Return whether programs must be replaced one by one, since their folder holds more."""
    if not inside(binary, active) or inside(os.path.dirname(binary), "/usr/bin") or inside(os.path.dirname(binary), "/usr/sbin"):
        return False  # the instance moves into a version folder, or belongs to a package
    holds_data = bool(neighbours.data) and inside(neighbours.data, active)
    return active in _GENERAL or neighbours.shared or neighbours.replaced or holds_data


def _files_record(binary: str) -> dict[str, Any]:
    active, product = os.path.dirname(binary), "valkey" if "valkey" in os.path.basename(binary) else "redis"
    staged, kept = program_folders(active, product)
    return {"method": "files", "folder": active, "staged": staged, "kept": kept, "doubts": []}


def _symlink_record(link: str, binary: str, running: str, wanted: str) -> dict[str, Any]:
    target = link_target(link)
    releases = os.path.dirname(target) if target else os.path.join(os.path.dirname(link), "releases")
    # the release of the running binary, since the link may point to another release already
    inner = os.path.relpath(binary, os.path.realpath(releases)).split(os.sep)[0]
    kept = os.path.join(releases, inner) if inner != os.pardir else target
    record = {"method": "symlink", "folder": os.path.normpath(link), "staged": "", "kept": kept, "doubts": []}
    return restaged({**record, "releases": releases}, running, wanted)


def restaged(record: Mapping[str, Any], running: str, wanted: str) -> dict[str, Any]:
    """Return the record with the staged release of another wanted version."""
    if record["method"] == "package_update" and wanted:
        server = os.path.basename(record["kept"]).partition("-")[0]
        return {**record, "staged": programs_folder(server, wanted, os.path.dirname(record["kept"]))}
    if record["method"] != "symlink" or not wanted:
        return dict(record)
    name = os.path.basename(record["kept"]) or wanted
    return {**record, "staged": os.path.join(record["releases"], release_name(name, running, wanted))}


def activation_from(record: Mapping[str, Any]) -> Activation:
    """Return the activation that a record describes."""
    if record["method"] in ("package", "package_update"):
        return _by_package(record)
    if record["method"] == "command":
        return OwnCommands.of(record)
    if record["method"] == "symlink":
        return Symlink(record["folder"], record["staged"], record["kept"], bool(record.get("whole")))
    if record["method"] == "files":
        return Programs(record["folder"], record["staged"], record["kept"], bool(record.get("whole")))
    return Folders(record["folder"])


def _by_package(record: Mapping[str, Any]) -> Activation:
    if record["method"] == "package":
        from .packages import Packages

        return Packages(record["old_unit"], record["unit"], record["enabled"])
    from .package_update import PackageUpdate, manager_named

    manager = manager_named(str(record["manager"]))
    return PackageUpdate(record["folder"], record["staged"], record["kept"], manager, bool(record["hold"]), bool(record.get("whole")))
