# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts that the inventory plugin reads: the instances, and how Sentinels and data nodes answered.

An address is a ``host:port`` text. One process may have several addresses; its run id identifies
it. All fields of an Instance are JSON types, so that the inventory cache keeps it unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ...module_utils._errors import ConnectionFailed
from ...module_utils._server.address import Address
from ...module_utils._server.info import NodeInfo
from ...module_utils._topology.sentinel import SentinelView

__all__ = ["MASTER", "REPLICA", "SENTINEL", "AskedNode", "AskedSentinel", "Instance", "SentinelSet", "ShardNodes", "instances_from"]

MASTER, REPLICA, SENTINEL = "master", "replica", "sentinel"


@dataclass(frozen=True)
class Instance:
    """A data node or a Sentinel, as the inventory has it.

    ``masters``: the master name of a data node's shard, or all that a Sentinel monitors. ``server``
    is ``redis`` or ``valkey``. An instance that does not answer has neither server, version nor
    run id.
    """

    address: str
    role: str
    masters: list[str]
    server: str = ""
    version: str = ""
    run_id: str = ""
    answers: bool = True

    @property
    def is_sentinel(self) -> bool:
        return self.role == SENTINEL

    @property
    def host(self) -> str:
        return Address.parse(self.address).host

    @property
    def port(self) -> int:
        return Address.parse(self.address).port

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def instances_from(records: Sequence[Mapping[str, Any]]) -> list[Instance]:
    """Return the instances of which Instance.as_dict made these records."""
    return [Instance(**record) for record in records]


@dataclass
class AskedSentinel:
    """A Sentinel that has answered, with its view of each wanted master by name."""

    address: str
    server: str
    version: str
    run_id: str
    views: dict[str, SentinelView]


@dataclass
class SentinelSet:
    """All Sentinels that the first ones lead to.

    ``asked`` has those that answered, by run id. ``leads_to`` has the run id of each address, and
    ``silent`` the error of each address at which nothing answered.
    """

    asked: dict[str, AskedSentinel] = field(default_factory=dict)
    leads_to: dict[str, str] = field(default_factory=dict)
    silent: dict[str, ConnectionFailed] = field(default_factory=dict)

    def identity(self, address: str) -> str:
        """Return a text that is the same for all addresses of a Sentinel."""
        return self.leads_to.get(address) or min(Address.parse(address).resolved())

    def master_names(self) -> list[str]:
        return sorted({name for one in self.asked.values() for name in one.views})

    def watching(self, name: str) -> list[AskedSentinel]:
        """Return the Sentinels that have answered and monitor this master."""
        return [one for one in self.asked.values() if name in one.views]

    def peer_addresses(self) -> set[str]:
        return {peer.address for one in self.asked.values() for view in one.views.values() for peer in view.peers}

    def known_to(self, one: AskedSentinel) -> set[str]:
        """Return the identities of the Sentinels that a Sentinel knows, for any master."""
        return {self.identity(peer.address) for view in one.views.values() for peer in view.peers}

    def address_of(self, one: AskedSentinel) -> str:
        """Return the address that other Sentinels have for a Sentinel, else where it was asked."""
        told = sorted(address for address in self.peer_addresses() if self.leads_to.get(address) == one.run_id)
        return told[0] if told else one.address


@dataclass(frozen=True)
class AskedNode:
    """A data node that has answered."""

    address: str
    info: NodeInfo


@dataclass
class ShardNodes:
    """The data nodes of one shard; the fields are like those of SentinelSet."""

    name: str
    asked: dict[str, AskedNode] = field(default_factory=dict)
    leads_to: dict[str, str] = field(default_factory=dict)
    silent: dict[str, ConnectionFailed] = field(default_factory=dict)

    def identity(self, address: str) -> str:
        """Return a text that is the same for all addresses of a data node."""
        return self.leads_to.get(address) or min(Address.parse(address).resolved())

    def followers(self) -> set[str]:
        """Return the address of each replica that a data node names in its INFO.

        Port 0: a client that reads the replication stream, such as ``redis-cli --replica``.
        """
        told = {line.address for node in self.asked.values() for line in node.info.replicas}
        return {address for address in told if not address.endswith(":0")}
