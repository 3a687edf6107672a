# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a running server, by CONFIG GET."""

from __future__ import annotations

from .commands import Server

__all__ = ["config_values"]


def config_values(server: Server, *names: str) -> dict[str, str]:
    """Return settings by CONFIG GET, one name at a time (several in one call need Redis 7.0).

    The name ``*`` stands for all of them.
    """
    values: dict[str, str] = {}
    for name in names:
        reply = server.command("CONFIG", "GET", name)
        values.update(zip(reply[::2], reply[1::2]))
    return values
