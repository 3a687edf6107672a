"""The nodes that client processes are connected to, by what the servers list (CLIENT LIST).

A connection is told by its two ports: the servers list the peer's, and the kernel knows which
process holds it. One port alone is not enough, since connections to different servers may share it.
Nothing is asked of the library, and no client name changes what it sends when it connects.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from deployment import Deployment

Ports = tuple[int, int]  # the client's and the server's


def listed_connections(client_list: str, port: int) -> set[Ports]:
    """Return the connections in the CLIENT LIST reply of the server on ``port``."""
    return {(int(peer), port) for peer in re.findall(r"\baddr=\S+:(\d+)", client_list)}


def sockets(table: str) -> dict[str, Ports]:
    """Return the local and the remote port of each socket in /proc/net/tcp, by its inode."""
    fields = [line.split() for line in table.splitlines()[1:]]
    return {row[9]: (int(row[1].rpartition(":")[2], 16), int(row[2].rpartition(":")[2], 16)) for row in fields if len(row) > 9}


def _inodes(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):  # the process has ended
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # the file has been closed
                found.update(re.findall(r"^socket:\[(\d+)\]$", str(link.readlink())))
    return found


def nodes_of(connections: set[Ports], listed: Mapping[str, set[Ports]]) -> frozenset[str]:
    return frozenset(name for name, known in listed.items() if connections & known)


def whereabouts(deployment: Deployment, pids: Iterable[int]) -> dict[int, frozenset[str]]:
    """Return the names of the data nodes that each process is connected to."""
    listed = {name: listed_connections(deployment.command(name, "CLIENT", "LIST"), port) for name, port in deployment.nodes.items()}
    held = sockets(Path("/proc/net/tcp").read_text(encoding="ascii"))
    return {pid: nodes_of({held[inode] for inode in _inodes(pid) if inode in held}, listed) for pid in pids}
