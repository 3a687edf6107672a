# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Activation: how a new version takes the place of the one that runs, and how it is undone.

Which way it is, is found out by ``choose``, kept as a record of JSON types (in the survey and in
the journal), and made an Activation again by ``activation_from``.
"""

from __future__ import annotations

import os
from typing import Any, Mapping, Protocol, Sequence

from .._atomic_write import FileIdentity
from .._host.process import version_folder
from .folders import Folders
from .instance_files import InstanceFiles
from .packages import Packages
from .symlink import Symlink, link_of, release_name, target_of

__all__ = ["Activation", "activation_from", "choose", "restaged"]


class Activation(Protocol):
    """One instance's way from the version that runs to the staged one, and back."""

    @property
    def staged(self) -> str:
        """The folder that the new version is staged in."""

    def places(self) -> list[str]:
        """The folders in which something is made, or renamed."""

    def installed_version(self) -> str:
        """The version in use, also if the activation was interrupted; empty if there is none."""

    def staged_version(self) -> str:
        """The version in the staged folder; empty if there is none."""

    def interrupted(self) -> bool:
        """Whether a run was killed in the middle of the activation."""

    def in_place(self, version: str) -> bool:
        """Whether this version is the one that would be started."""

    def activated(self, version: str) -> bool:
        """Whether the activation is done already."""

    def moved(self, executable: str) -> bool:
        """Whether an instance with this executable runs from elsewhere."""

    def now_at(self, path: str) -> str:
        """Where a file of the instance is now, also if the activation was interrupted."""

    def new_server(self) -> str:
        """The staged server's executable; empty if there is none."""

    def changes_place(self, executable: str) -> bool:
        """Whether the new server will have another path than this one."""

    def require_staged(self, version: str) -> None:
        """Raises PreconditionFailed unless the new version is there and runs."""

    def examine(self, files: InstanceFiles) -> None:
        """Raises PreconditionFailed if activating it would fail for want of something."""

    def activate(self, files: InstanceFiles, identity: FileIdentity | None) -> InstanceFiles:
        """Puts the new version in place of one that has been stopped; finishes an interrupted
        activation.

        The configuration file gets this identity. Returns what is to be started.
        """

    def after(self, files: InstanceFiles) -> InstanceFiles:
        """What is to be started where the activation is done already."""

    def undo(self, files: InstanceFiles, version: str) -> None:
        """Makes the version before, which ran from these files, the one in use, if that is not so
        already.
        """


def choose(wanted: str, folder: str, binary: str, claimed: Sequence[str], config_file: str, versions: tuple[str, str]) -> dict[str, Any]:
    """The record of an instance's activation.

    ``wanted`` and ``folder`` are what the user has set, ``binary`` is the file that runs,
    ``claimed`` the paths by which it may have been started, ``versions`` the running one and the
    one to stage (empty if that is not known).
    """
    link = ""
    if wanted != "folder":
        known = folder if folder and (os.path.islink(folder) or wanted == "symlink") else ""
        link = known or ("" if folder else link_of(os.path.realpath(binary), _followed(claimed), config_file, versions[0]))
    if link:
        return _symlink(link, os.path.realpath(binary), *versions)
    active = os.path.normpath(folder or version_folder(binary))
    doubts = []
    if wanted == "symlink":
        doubts.append(
            {
                "seen": f"redis_upgrade_activation is symlink, and {binary} was not started through a link to the folder of its version",
                "why": "It is not known which link to point to the new version",
                "do": "Name the link in redis_upgrade_redis_folder or redis_upgrade_sentinel_folder, or take the setting away",
            }
        )
    return {"method": "folder", "folder": active, "staged": Folders(active).staged, "kept": Folders(active).kept, "doubts": doubts}


def _followed(paths: Sequence[str]) -> list[str]:
    """The paths, and where they lead if they are links to a server, as
    ``/usr/local/bin/redis-server`` may be.
    """
    found = []
    for path in paths:
        followed = path
        while followed and followed not in found:
            found.append(followed)
            followed = target_of(followed)
    return found


def _symlink(link: str, binary: str, running: str, wanted: str) -> dict[str, Any]:
    target = target_of(link)
    releases = os.path.dirname(target) if target else os.path.join(os.path.dirname(link), "releases")
    # the release that runs; the link may point elsewhere already
    inner = os.path.relpath(binary, os.path.realpath(releases)).split(os.sep)[0]
    kept = os.path.join(releases, inner) if inner != os.pardir else target
    record = {"method": "symlink", "folder": os.path.normpath(link), "staged": "", "kept": kept, "doubts": []}
    return restaged({**record, "releases": releases}, running, wanted)


def restaged(record: Mapping[str, Any], running: str, wanted: str) -> dict[str, Any]:
    """The record for (another) wanted version."""
    if record["method"] != "symlink" or not wanted:
        return dict(record)
    name = os.path.basename(record["kept"]) or wanted
    return {**record, "staged": os.path.join(record["releases"], release_name(name, running, wanted))}


def activation_from(record: Mapping[str, Any]) -> Activation:
    if record["method"] == "package":
        return Packages(record["old_unit"], record["unit"], record["enabled"])
    if record["method"] == "symlink":
        return Symlink(record["folder"], record["staged"], record["kept"])
    return Folders(record["folder"])
