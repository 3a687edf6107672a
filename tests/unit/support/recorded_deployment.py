"""A whole recorded deployment, whose addresses and words a test can change."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address
from ansible_collections.sentinelops.redis.plugins.module_utils._server.commands import Server
from ansible_collections.sentinelops.redis.tests.unit.support.recorded import (
    MASTER,
    OTHER_REPLICA,
    REPLICA,
    SENTINELS,
    RecordedNode,
    RecordedSentinel,
    Unreachable,
    recorded,
)

# Three machines, each with a data node and a Sentinel.
MACHINES = {
    MASTER: "10.0.0.1:6379",
    REPLICA: "10.0.0.2:6379",
    OTHER_REPLICA: "10.0.0.3:6379",
    **{address: f"10.0.0.{number}:26379" for number, address in enumerate(SENTINELS, 1)},
}
ADDRESS_FIELDS = (("ip", "port"), ("master-host", "master-port"))


class SeveralMasters(RecordedSentinel):
    """A Sentinel that monitors further masters, each with its views in ``said["more"]``."""

    def __init__(self, said: dict[str, Any]) -> None:
        super().__init__(said)
        self._more = {one["master"]["name"]: RecordedSentinel({**said, **one}) for one in said.get("more", [])}

    def command(self, *words: Any) -> Any:
        if words[:2] == ("SENTINEL", "MASTERS"):
            return super().command(*words) + [one.command(*words)[0] for one in self._more.values()]
        if words[0] == "SENTINEL" and words[2] in self._more:
            return self._more[words[2]].command(*words)
        return super().command(*words)


class RecordedDeployment:
    """``sentinels`` and ``nodes`` have the recorded words by address, for tests to change.

    ``subject``: the file of the record, and the moment in it if there are several. An address in
    ``gone`` does not answer. ``asked`` has each address that was asked, in order.
    """

    def __init__(self, version: str, subject: str = "healthy", moves: Mapping[str, str] = MACHINES) -> None:
        file, _space, moment = subject.partition(" ")
        found = recorded(version, file)
        said = moved(copy.deepcopy(found[moment] if moment else found), moves)
        self.sentinels: dict[str, Any] = {one["address"]: one for one in said["sentinels"].values()}
        self.nodes: dict[str, Any] = {one["address"]: one for one in said["nodes"].values()}
        self.gone: set[str] = set()
        self.asked: list[str] = []

    def sentinel(self, address: Address) -> Server:
        return self._server(address, self.sentinels, SeveralMasters)

    def node(self, address: Address) -> Server:
        return self._server(address, self.nodes, RecordedNode)

    def _server(self, address: Address, known: Mapping[str, Any], kind: Callable[[dict[str, Any]], Server]) -> Server:
        self.asked.append(str(address))
        if str(address) in self.gone or str(address) not in known:
            return Unreachable(address)
        return kind({**known[str(address)], "address": str(address)})

    def listed(self, what: str, address: str) -> list[dict[str, str]]:
        """Return what each Sentinel lists for an address in its ``replicas`` or ``sentinels``."""
        return [one for said in self.sentinels.values() for one in said[what] if f"{one['ip']}:{one['port']}" == address]

    def flag(self, what: str, address: str, flags: str) -> None:
        for one in self.listed(what, address):
            one["flags"] = flags

    def tell(self, address: str, **fields: str) -> None:
        """Change fields in the INFO of a data node."""
        lines = self.nodes[address]["info"]
        self.nodes[address]["info"] = [line for line in lines if line.partition(":")[0] not in fields] + [
            f"{name}:{value}" for name, value in fields.items()
        ]


def moved(said: Any, moves: Mapping[str, str]) -> Any:
    """Return recorded words with other addresses."""
    if isinstance(said, dict):
        found = {name: moved(value, moves) for name, value in said.items()}
        for host, port in ADDRESS_FIELDS:
            target = moves.get(f"{found.get(host)}:{found.get(port)}")
            if target:
                found[host], found[port] = target.rpartition(":")[0], target.rpartition(":")[2]
        if found.get("address") in moves:
            found["address"] = moves[found["address"]]
        return found
    if isinstance(said, list):
        lines = [moved(value, moves) for value in said]
        return _moved_info(lines, moves) if "# Server" in lines else lines
    return said


def _moved_info(lines: list[str], moves: Mapping[str, str]) -> list[str]:
    """Return the lines of INFO with other addresses of masters and replicas."""
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    target = moves.get(f"{fields.get('master_host')}:{fields.get('master_port')}", "")
    return [_moved_line(line, target, moves) for line in lines]


def _moved_line(line: str, master: str, moves: Mapping[str, str]) -> str:
    name, _colon, value = line.partition(":")
    parts = dict(part.split("=", 1) for part in value.split(",") if "=" in part)
    new = moves.get(f"{parts.get('ip')}:{parts.get('port')}") if name.startswith("slave") else None
    if new:
        return line.replace(f"ip={parts['ip']},port={parts['port']}", "ip={},port={}".format(*new.rsplit(":", 1)))
    if master and name in ("master_host", "master_port"):
        return f"{name}:{master.rsplit(':', 1)[name == 'master_port']}"
    return line
