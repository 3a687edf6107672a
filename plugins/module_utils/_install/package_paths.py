# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the packages of Redis and those of Valkey have their things (Debian and its kin, Fedora and
its kin), purely.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["DATA_FOLDER", "Places", "new_name"]

DATA_FOLDER = "/var/lib/redis"  # the only one that the unit of the new package has another one for


def new_name(unit: str) -> str:
    """The unit of Valkey's package that stands for one of Redis's: ``valkey-server@6380.service``."""
    return unit.replace("redis", "valkey", 1)


@dataclass(frozen=True)
class Places:
    """The packages' places, below another root in tests."""

    root: str = ""

    def has(self, path: str) -> bool:
        """Whether a path is one of the places of Redis's package."""
        return self.path(path) != path

    def is_configuration(self, path: str) -> bool:
        return path.startswith(f"{self.root}/etc/redis/")

    def path(self, path: str) -> str:
        """Where Valkey's package has what Redis's has there; the same path if that is none of its
        places.

        ``/run/redis-6380`` belongs to a unit that was made from a template. Logs are rotated, and
        process ids are looked for, by the name of the server.
        """
        root = re.escape(self.root)
        moved = re.sub(rf"^{root}(/etc|/var/lib|/var/log)/redis(?=/|$)", rf"{self.root}\1/valkey", path)
        moved = re.sub(rf"^{root}(/var/run|/run)/redis(?=[-/]|$)", rf"{self.root}\1/valkey", moved)
        return re.sub(
            rf"^({root}(?:/var/log|/var/run|/run)/(?:valkey|sentinel).*/)redis-(?=(?:server|sentinel)[^/]*$)", r"\1valkey-", moved
        )

    def text(self, text: str) -> str:
        """A configuration with the paths of Valkey's package; comments stay as they are."""
        return "".join(line if line.lstrip().startswith("#") else self._line(line) for line in text.splitlines(keepends=True))

    def _line(self, line: str) -> str:
        # only where a path begins, not in the middle of another one
        return re.sub(r"(?<=[\s\"'])/[^\s\"']*", lambda found: self.path(found.group()), line)
