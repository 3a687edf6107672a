# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the Sentinels of a shard for the master that they name."""

from __future__ import annotations

from .._errors import SentinelOpsError
from .._server.address import Address
from .._server.commands import Server
from .context import HandoverContext

__all__ = ["names_master", "sentinels_naming"]


def names_master(context: HandoverContext, sentinel: Server) -> str:
    """Return the master that a Sentinel names (GET-MASTER-ADDR-BY-NAME); empty for none."""
    reply = sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", context.request.master_name)
    if not reply:
        return ""
    host, port = reply
    return context.servers.names.of(str(Address(host, int(port))))


def sentinels_naming(context: HandoverContext, address: str) -> tuple[int, int]:
    """Return how many Sentinels name a node as the master, and how many give no answer."""
    naming = silent = 0
    for sentinel in context.servers.sentinels:
        try:
            naming += names_master(context, sentinel) == address
        except SentinelOpsError:
            silent += 1
    return naming, silent
