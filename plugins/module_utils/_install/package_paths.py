# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pure functions for the paths of Redis's and Valkey's packages (Debian and Fedora families)."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["DATA_FOLDER", "PackagePaths", "new_name"]

# The only data folder for which the new package's unit has a counterpart.
DATA_FOLDER = "/var/lib/redis"


def new_name(unit: str) -> str:
    """Return Valkey's unit for a unit of Redis's package: ``valkey-server@6380.service``."""
    return unit.replace("redis", "valkey", 1)


@dataclass(frozen=True)
class PackagePaths:
    """The paths of both packages; ``root`` is another folder in tests."""

    root: str = ""

    def is_packaged(self, path: str) -> bool:
        """Return whether a path belongs to Redis's package."""
        return self.new_path(path) != path

    def is_configuration(self, path: str) -> bool:
        """Return whether a path is in the configuration folder of Redis's package."""
        return path.startswith(f"{self.root}/etc/redis/")

    def new_path(self, path: str) -> str:
        """Return the path in Valkey's package for a path of Redis's; other paths are returned
        unchanged.

        ``/run/redis-6380`` belongs to a unit that was made from a template. Log and pid files
        contain the server's name, by which logs are rotated and process ids are found.
        """
        root = re.escape(self.root)
        moved = re.sub(rf"^{root}(/etc|/var/lib|/var/log)/redis(?=/|$)", rf"{self.root}\1/valkey", path)
        moved = re.sub(rf"^{root}(/var/run|/run)/redis(?=[-/]|$)", rf"{self.root}\1/valkey", moved)
        return re.sub(
            rf"^({root}(?:/var/log|/var/run|/run)/(?:valkey|sentinel).*/)redis-(?=(?:server|sentinel)[^/]*$)", r"\1valkey-", moved
        )

    def new_text(self, text: str) -> str:
        """Return a configuration with the paths of Valkey's package, except in comments."""
        return "".join(line if line.lstrip().startswith("#") else self._new_line(line) for line in text.splitlines(keepends=True))

    def _new_line(self, line: str) -> str:
        # a match starts at the start of a path, never in the middle of another path
        return re.sub(r"(?<=[\s\"'])/[^\s\"']*", lambda found: self.new_path(found.group()), line)
