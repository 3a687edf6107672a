# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose the Sentinel that should lead a failover."""

from __future__ import annotations

import contextlib
from typing import Sequence

from .._errors import PreconditionFailed, SentinelOpsError
from .._server.info import parse_info
from .._topology.shard import Shard, ShardServers

__all__ = ["ordered_leaders"]


def ordered_leaders(servers: ShardServers, shard: Shard, indexes: Sequence[int], wanted: str) -> list[int]:
    """Return the Sentinels by their index, the best leader first.

    ``wanted`` (``host:port``) comes first. Else a Sentinel on whose host no replica of this shard
    runs: if the host of a leader with a replica dies, the dead man's fence has one replica too few.
    Then the fewest clients (connected_clients of INFO clients): the leader names the old master for
    about one second longer than the others. Then the last, since clients list the first one first.
    Raises PreconditionFailed if ``wanted`` is none of the Sentinels.
    """
    addresses = {index: str(servers.sentinels[index].address) for index in indexes}
    if wanted and wanted not in addresses.values():
        raise PreconditionFailed(
            f"leader is {wanted}, which is none of the Sentinels that can lead: {', '.join(addresses.values())}",
            state="Nothing was changed",
            advice="Name one of these, or leave the option out",
        )
    hosts = {node.address.rpartition(":")[0] for node in shard.nodes if not node.info.is_master}

    def rank(index: int) -> tuple[bool, bool, int, int]:
        beside_a_replica = addresses[index].rpartition(":")[0] in hosts
        return addresses[index] != wanted, beside_a_replica, _clients(servers, index), -index

    return sorted(indexes, key=rank)


def _clients(servers: ShardServers, index: int) -> int:
    """Return how many clients a Sentinel has; 0 if it does not say."""
    with contextlib.suppress(SentinelOpsError, ValueError):
        return int(parse_info(servers.sentinels[index].command("INFO", "clients")).get("connected_clients", "0"))
    return 0
