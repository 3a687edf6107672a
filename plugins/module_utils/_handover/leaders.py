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
    """Return the indexes of the Sentinels, the best leader first.

    The order:

    1. ``wanted`` (``host:port``).
    2. A Sentinel on a host without a replica of this shard. Elsewhere one dead host takes both the
       leader and a replica, and the dead man's fence blocks writes without a promotion.
    3. The Sentinel with the fewest clients (connected_clients of INFO clients): the leader names
       the old master a little longer than the other Sentinels do.
    4. The last Sentinel, since clients ask the first one of their list first.

    Raises PreconditionFailed if ``wanted`` is none of the Sentinels.
    """
    addresses = {index: str(servers.sentinels[index].address) for index in indexes}
    if wanted and wanted not in addresses.values():
        raise PreconditionFailed(
            f"leader is {wanted}, which is none of the Sentinels that can lead: {', '.join(addresses.values())}",
            state="Nothing was changed",
            advice="Name one of these Sentinels, or omit the option",
        )
    hosts = {node.address.rpartition(":")[0] for node in shard.nodes if not node.info.is_master}

    def rank(index: int) -> tuple[bool, bool, int, int]:
        beside_a_replica = addresses[index].rpartition(":")[0] in hosts
        return addresses[index] != wanted, beside_a_replica, _clients(servers, index), -index

    return sorted(indexes, key=rank)


def _clients(servers: ShardServers, index: int) -> int:
    """Return the number of a Sentinel's clients; 0 if the Sentinel does not say."""
    with contextlib.suppress(SentinelOpsError, ValueError):
        return int(parse_info(servers.sentinels[index].command("INFO", "clients")).get("connected_clients", "0"))
    return 0
