# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that are other than usual while one handover lasts, and the way back from there."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass
from typing import Any, Mapping, Sequence

from .._errors import SentinelOpsError
from .._server.commands import Server, send_all
from .._topology.sentinel import parse_master
from .._topology.shard import ShardServers, config_values

__all__ = ["INFO_PERIOD_MS", "SettingOverride", "info_period_ms", "restore_overrides"]

INFO_PERIOD_MS = 10000  # how often Sentinels ask data nodes for INFO


@dataclass(frozen=True)
class SettingOverride:
    """One number, on one server, before and during the handover.

    ``kind`` is ``node`` or ``sentinel``; ``setting`` is replica-priority there, and info-period,
    failover-timeout or parallel-syncs here.
    """

    kind: str
    address: str
    setting: str
    original: int
    temporary: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> SettingOverride:
        return cls(**{name: fields[name] for name in ("kind", "address", "setting", "original", "temporary")})

    def server(self, servers: ShardServers) -> Server:
        if self.kind == "node":
            return servers.node(self.address)
        return servers.sentinel(self.address)

    def words(self, value: int, master_name: str) -> list[Any]:
        """The command that sets it."""
        if self.kind == "node":
            return ["CONFIG", "SET", self.setting, value]
        if self.setting == "info-period":
            return ["SENTINEL", "DEBUG", "INFO-PERIOD", value]
        return ["SENTINEL", "SET", master_name, self.setting, value]

    def now(self, servers: ShardServers, master_name: str) -> int:
        """The value at this moment."""
        server = self.server(servers)
        if self.kind == "node":
            return int(config_values(server, self.setting)[self.setting])
        if self.setting == "info-period":
            return info_period_ms(server)
        view = parse_master(server.command("SENTINEL", "MASTER", master_name))
        return {"failover-timeout": view.failover_timeout_ms, "parallel-syncs": view.parallel_syncs}[self.setting]


def info_period_ms(sentinel: Server) -> int:
    """How often this Sentinel asks for INFO (SENTINEL DEBUG, 7.0 and later); CommandRefused or
    AccessDenied if it does not tell.
    """
    reply = sentinel.command("SENTINEL", "DEBUG")
    values = {str(name).lower(): value for name, value in zip(reply[::2], reply[1::2])}
    return int(values.get("info-period", INFO_PERIOD_MS))


def restore_overrides(servers: ShardServers, master_name: str, changes: Sequence[SettingOverride], *rewritten_too: str) -> list[str]:
    """Sets everything to what it was and has the nodes save it; returns what could not be put back,
    a sentence each.

    ``rewritten_too``: further nodes that have something to save.
    """
    commands = [(change.server(servers), change.words(change.original, master_name)) for change in changes]
    nodes = {change.address for change in changes if change.kind == "node"}
    commands += [(servers.node(address), ["CONFIG", "REWRITE"]) for address in sorted({*nodes, *rewritten_too})]
    return [
        f"not restored on {server.address} ({' '.join(map(str, words))}): {error}"
        for server, words in commands
        for error in send_all(server, [words])
    ]


def still_overridden(servers: ShardServers, master_name: str, changes: Sequence[SettingOverride]) -> list[SettingOverride]:
    """Those that are still as the handover set them; what someone has set since is theirs."""
    found = []
    for change in changes:
        with contextlib.suppress(SentinelOpsError, StopIteration):
            if change.now(servers, master_name) == change.temporary != change.original:
                found.append(change)
    return found
