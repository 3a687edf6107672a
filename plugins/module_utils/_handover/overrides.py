# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Override settings for the duration of one handover, and restore the original values."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass
from typing import Any, Mapping, Sequence

from .._errors import PreconditionFailed, SentinelOpsError
from .._server.commands import Server, send_all
from .._server.settings import config_values
from .._topology.sentinel import parse_master
from .._topology.shard import ShardServers

__all__ = ["INFO_PERIOD_MS", "SettingOverride", "info_period_ms", "restore_overrides"]

# The settings that a handover changes. An undo file that names another one is not ours.
SETTINGS = {
    "node": ("replica-priority", "min-replicas-to-write", "min-replicas-max-lag", "repl-ping-replica-period"),
    "sentinel": ("info-period", "failover-timeout", "parallel-syncs"),
}
INFO_PERIOD_MS = 10000  # Sentinels ask data nodes for INFO at this interval


@dataclass(frozen=True)
class SettingOverride:
    """One numeric setting of one server: its original value, and its value during the handover.

    ``kind`` is ``node`` or ``sentinel``. ``setting`` is a name of CONFIG SET for a node, and
    info-period, failover-timeout or parallel-syncs for a Sentinel.
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
        """Return the override that an undo file names.

        Raises PreconditionFailed for a setting that no handover changes: whoever can write the file
        must not be able to set anything by it.
        """
        kind, setting = str(fields["kind"]), str(fields["setting"])
        if setting not in SETTINGS.get(kind, ()):
            raise PreconditionFailed(
                f"an undo file names the setting {setting} of a {kind}, which no handover changes",
                node=str(fields["address"]),
                state="Nothing was changed",
                advice="Find out who has written the file; restore what is right by hand, and move the file away",
            )
        return cls(kind, str(fields["address"]), setting, int(fields["original"]), int(fields["temporary"]))

    def server(self, servers: ShardServers) -> Server:
        if self.kind == "node":
            return servers.node(self.address)
        return servers.sentinel(self.address)

    def words(self, value: int, master_name: str) -> list[Any]:
        """Return the command that sets this setting to ``value``."""
        if self.kind == "node":
            return ["CONFIG", "SET", self.setting, value]
        if self.setting == "info-period":
            return ["SENTINEL", "DEBUG", "INFO-PERIOD", value]
        return ["SENTINEL", "SET", master_name, self.setting, value]

    def now(self, servers: ShardServers, master_name: str) -> int:
        """Return the current value."""
        server = self.server(servers)
        if self.kind == "node":
            return int(config_values(server, self.setting)[self.setting])
        if self.setting == "info-period":
            return info_period_ms(server)
        view = parse_master(server.command("SENTINEL", "MASTER", master_name))
        return {"failover-timeout": view.failover_timeout_ms, "parallel-syncs": view.parallel_syncs}[self.setting]


def info_period_ms(sentinel: Server) -> int:
    """Return the interval at which this Sentinel asks for INFO (SENTINEL DEBUG, 7.0 and later).

    Raises CommandRefused or AccessDenied if the Sentinel does not tell.
    """
    reply = sentinel.command("SENTINEL", "DEBUG")
    values = {str(name).lower(): value for name, value in zip(reply[::2], reply[1::2])}
    return int(values.get("info-period", INFO_PERIOD_MS))


def restore_overrides(servers: ShardServers, master_name: str, overrides: Sequence[SettingOverride], *rewritten_too: str) -> list[str]:
    """Restore all original values, and have the nodes save their configuration.

    ``rewritten_too``: further nodes that must save their configuration. Returns a sentence for each
    command that failed.
    """
    commands = [(override.server(servers), override.words(override.original, master_name)) for override in overrides]
    nodes = {override.address for override in overrides if override.kind == "node"}
    commands += [(servers.node(address), ["CONFIG", "REWRITE"]) for address in sorted({*nodes, *rewritten_too})]
    return [
        f"not restored on {server.address} ({' '.join(map(str, words))}): {error}"
        for server, words in commands
        for error in send_all(server, [words])
    ]


def still_overridden(servers: ShardServers, master_name: str, overrides: Sequence[SettingOverride]) -> list[SettingOverride]:
    """Return the overrides that are still in place; values that somebody has set since are kept."""
    found = []
    for override in overrides:
        with contextlib.suppress(SentinelOpsError, StopIteration):
            if override.now(servers, master_name) == override.temporary != override.original:
                found.append(override)
    return found
