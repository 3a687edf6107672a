#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Download a later version of installed packages, and prove that its server runs here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_package_stage
short_description: Find the packages of a version, and download a later version of installed ones
version_added: 1.0.0
description:
  - For packages of Redis or Valkey that are installed in another version, downloads the packages of
    the wanted version with apt or dnf. The server in these packages is unpacked into a folder of
    its own, C(/usr/lib/sentinelops-redis/redis-8.0.6), and run with C(--version).
  - All installed packages of the same source are downloaded, since they must be replaced together.
  - Of packages that are not installed, such as those of Valkey beside those of Redis, the version
    is only looked up. They can be installed without touching a server.
  - Nothing is installed, no list of a repository is refreshed, and no server is touched. For the
    installation see O(sentinelops.redis.redis_instance#module:activation).
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection.attributes
  - sentinelops.redis.connection.no_group
  - sentinelops.redis.connection.progress
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  names:
    description: The packages, for example V([redis-server, redis-sentinel, redis-tools]).
    type: list
    elements: str
    required: true
  version:
    description: The version that the server must report, for example V(8.0.6).
    type: str
    required: true
  package_version:
    description: The exact version of the packages. By default any whose upstream version is
      O(version).
    type: str
"""

EXAMPLES = r"""
- name: Download Redis 8.0.6
  sentinelops.redis.redis_package_stage:
    names: [redis-server, redis-sentinel, redis-tools]
    version: 8.0.6
"""

RETURN = r"""
staged:
  description: The folder with the server of the downloaded packages; empty if none of the packages
    is installed in another version.
  returned: success
  type: str
manager:
  description: V(apt) or V(dnf), whichever has installed a server on this host, or is there.
  returned: success
  type: str
packages:
  description: The versions of the packages that were downloaded; if RV(staged) is empty, of those
    that are still to be installed.
  returned: success
  type: dict
installed:
  description: The installed packages of the same source, with their versions.
  returned: success
  type: dict
complete:
  description: Whether all named packages are installed in the wanted version.
  returned: success
  type: bool
"""

import os
import shutil
from typing import Any, Iterable, Mapping

from ..module_utils._module import run_module
from ..module_utils._errors import PreconditionFailed
from ..module_utils._install.package_apt import Apt
from ..module_utils._install.package_dnf import Dnf
from ..module_utils._install.package_folder import PROGRAMS, programs_folder
from ..module_utils._install.package_manager import PackageManager, common_version, matches_version
from ..module_utils._install.package_programs import (
    ARCHIVES,
    origin_of_programs,
    packages_locked,
    stage_programs,
)
from ..module_utils._install.package_record import manager_of, wanted_packages
from ..module_utils._progress_file import PROGRESS_SPEC

SPEC: dict[str, Any] = {
    **PROGRESS_SPEC,
    "names": {"type": "list", "elements": "str", "required": True},
    "version": {"type": "str", "required": True},
    "package_version": {"type": "str"},
}
_SERVERS = {f"{product}-{name}": product for product in ("redis", "valkey") for name in ("server", "sentinel")}
BIN = "/usr/bin"
UNTOUCHED = "Nothing was installed and no server was touched"


def manager_here() -> PackageManager:
    """Return the package manager that has installed a server, or else one that is there.

    A host may have the tools of both. Raises PreconditionFailed if it has neither.
    """
    for name in _SERVERS:
        owning, owner = manager_of(os.path.join(BIN, name))
        if owner:
            return owning
    managers: tuple[PackageManager, ...] = (Apt(), Dnf())
    for manager in managers:
        if shutil.which({"apt": "apt-get", "dnf": "dnf"}[manager.name]):
            return manager
    raise PreconditionFailed("this host has neither apt nor dnf", state=UNTOUCHED, advice="Use another redis_binaries_method")


def installed_server(manager: PackageManager, names: list[str]) -> tuple[dict[str, str], str]:
    """Return the installed packages, and the path of a server in them.

    The path is empty if no named package with a server is installed.
    """
    for name in names:
        packages = manager.siblings(name)
        programs = [path for path in manager.files(packages) if _is_server(path)] if packages else []
        if programs:
            return packages, programs[0]
    return {}, ""


def _is_server(path: str) -> bool:
    """Return whether a file is a server; there may be an init script of the same name."""
    folder, name = os.path.split(path)
    return os.path.basename(folder) in ("bin", "sbin") and name in _SERVERS and os.access(path, os.X_OK) and os.path.isfile(path)


def ensure(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Download and unpack the packages; return the module's result."""
    names, version, exact = params["names"], params["version"], params["package_version"] or ""
    manager = manager_here()
    installed, program = installed_server(manager, names)
    result = {"manager": manager.name, "installed": installed, "complete": False}
    if not program or all(matches_version(now, exact, version) for now in installed.values()):
        new = [name for name in names if name not in installed]
        wanted = common_version(manager.available(new), exact, version) if new else {}
        _require_all(new, wanted, exact or version)
        return {**result, "changed": False, "staged": "", "packages": wanted, "complete": not new}
    folder = programs_folder(_SERVERS[os.path.basename(program)], version)
    wanted = wanted_packages(manager, installed, exact, version, folder)
    _require_all(installed, wanted, exact or version)
    changed = origin_of_programs(folder).get("packages") != wanted
    if not check_mode:
        with packages_locked(PROGRAMS):
            changed = stage_programs(manager, wanted, os.path.dirname(program), version, folder, ARCHIVES)
    return {**result, "changed": changed, "staged": folder, "packages": wanted}


def _require_all(names: Iterable[str], found: Mapping[str, str], version: str) -> None:
    """Raise PreconditionFailed unless a version of each package was found."""
    absent = sorted(set(names) - set(found))
    if absent:
        raise PreconditionFailed(
            f"there is no version {version} of {', '.join(absent)} in the package lists of this host",
            state=UNTOUCHED,
            advice="See apt-cache policy or dnf list --showduplicates; add the repository (for example backports), or update the lists "
            "(apt-get update)",
        )


def main() -> None:
    run_module(SPEC, ensure, os_error="The packages cannot be staged: {error}. No server was touched.")


if __name__ == "__main__":
    main()
