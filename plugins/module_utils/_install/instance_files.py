# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of one instance, and the service manager that stops and starts the instance."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from .._host.service import Process, Service
from .._server.config_file import directives, read_text

__all__ = ["InstanceFiles", "log_file_of"]


@dataclass(frozen=True)
class InstanceFiles:
    """The files that an instance is started from, its log (empty: no log file), and its manager.

    ``local`` is false if executable and configuration may not be files of this host, as those of a
    container.
    """

    executable: str
    config_file: str
    sentinel: bool
    log_file: str
    service: Service = field(default_factory=Process)
    local: bool = True

    @property
    def local_config(self) -> str:
        """The configuration file if that is a file of this host, else empty."""
        return self.config_file if self.local and os.path.isfile(self.config_file) else ""


def log_file_of(config_file: str) -> str:
    """Return the absolute path of the log file that a configuration file names; empty if the log
    goes to stdout.

    A relative name counts from ``dir``, or from the folder of the configuration file.
    """
    lines = directives(read_text(config_file))
    path = (lines.get("logfile") or [[""]])[-1][0]
    folder = (lines.get("dir") or [[os.path.dirname(config_file)]])[-1][0]
    return os.path.join(folder, path) if path else ""
