# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of an instance whose programs are those of packages."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Mapping

from .._install.activation import Activation
from .._install.copy_files import inside
from .._install.package_folder import PROGRAMS

if TYPE_CHECKING:
    from .._install.package_update import PackageUpdate

__all__ = ["kept_path", "later_packages", "package_update"]

_PACKAGED = ("/usr/bin", "/usr/sbin")


def later_packages(
    executable: str, server: str, versions: tuple[str, str], package_version: str = "", hold: bool = False
) -> dict[str, Any] | None:
    """Return the record of an activation by later packages if a package owns the running server.

    None if no package of the host does. Arguments: see package_update_record.
    """
    if os.path.dirname(executable) not in _PACKAGED and not inside(executable, PROGRAMS):
        return None
    from .._install import package_record

    record = package_record.package_update_record(executable, server, versions, package_version, hold)
    return record if record["packages"] else None


def package_update(record: Mapping[str, Any], activation: Activation) -> PackageUpdate | None:
    """Return the activation if it replaces packages by later ones of the same names."""
    if record["method"] != "package_update":
        return None
    from .._install.package_update import PackageUpdate

    return activation if isinstance(activation, PackageUpdate) else None


def kept_path(executable: str, info: dict[str, str]) -> str:
    """Return the executable; by the name that it was started with, if it is a kept program."""
    claimed = info.get("executable", "")
    return claimed if claimed and inside(executable, PROGRAMS) else executable
