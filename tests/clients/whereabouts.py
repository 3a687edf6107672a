"""The nodes that client processes are connected to, by what the servers list (CLIENT LIST).

A connection is told by its port: the servers list the peer's, and the kernel knows which process
holds it. So nothing is asked of the library, and no name changes what it sends when it connects.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from deployment import Deployment


def peer_ports(client_list: str) -> set[int]:
    """Return the ports from which the clients of a CLIENT LIST reply are connected."""
    return {int(port) for port in re.findall(r"\baddr=\S+:(\d+)", client_list)}


def local_ports(table: str) -> dict[str, int]:
    """Return the local port of each socket in /proc/net/tcp, by its inode."""
    fields = [line.split() for line in table.splitlines()[1:]]
    return {row[9]: int(row[1].rpartition(":")[2], 16) for row in fields if len(row) > 9}


def _inodes(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):  # the process has ended
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # the file has been closed
                found.update(re.findall(r"^socket:\[(\d+)\]$", str(link.readlink())))
    return found


def nodes_of(ports: set[int], listed: Mapping[str, set[int]]) -> frozenset[str]:
    return frozenset(name for name, peers in listed.items() if ports & peers)


def whereabouts(deployment: Deployment, pids: Iterable[int]) -> dict[int, frozenset[str]]:
    """Return the names of the data nodes that each process is connected to."""
    listed = {name: peer_ports(deployment.command(name, "CLIENT", "LIST")) for name in deployment.nodes}
    ports = local_ports(Path("/proc/net/tcp").read_text(encoding="ascii"))
    return {pid: nodes_of({ports[inode] for inode in _inodes(pid) if inode in ports}, listed) for pid in pids}
