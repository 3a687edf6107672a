# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other data nodes of its shard that a data node could not follow; no secret leaves the host."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from .._errors import SentinelOpsError
from .._server.address import Address, same_node
from .._server.commands import Server
from .._server.login import Login
from .._topology.following import TIMEOUT_MS, Connect, cannot_follow, info_of

__all__ = ["following_facts"]


def following_facts(server: Server, own: str, login: Login, connect: Connect) -> list[dict[str, str]]:
    """Return which other data nodes of its shard the node at ``server`` could not follow, and why.

    ``own``: the address at which others know the node; ``login``: ours. The master names its
    replicas; a replica asks its master. What cannot be asked is left out.
    """
    found: list[dict[str, str]] = []
    node = info_of(server)
    others = [replica.address for replica in node.replicas]
    if not node.is_master:
        with contextlib.suppress(SentinelOpsError):
            master = info_of(connect(Address.parse(node.master), replace(login, timeout_ms=TIMEOUT_MS)))
            others = [node.master, *(replica.address for replica in master.replicas)]
    for address in others:
        if same_node(address, own) or same_node(address, str(server.address)):
            continue
        why = cannot_follow(server, Address.parse(address), login, connect)
        if why:
            found.append({"address": address, "why": why})
    return found
