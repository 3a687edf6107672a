# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder in which programs of packages are staged and kept."""

from __future__ import annotations

import os

__all__ = ["PROGRAMS", "programs_folder"]

# /usr/lib may be executed on every system, and units that confine execution permit it (Debian's).
PROGRAMS = "/usr/lib/sentinelops-redis"


def programs_folder(server: str, version: str, root: str = PROGRAMS) -> str:
    """Return the folder for the programs of a version of ``redis`` or ``valkey``."""
    return os.path.join(root, f"{server}-{version}") if version else ""
