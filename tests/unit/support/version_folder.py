"""Version folders with a small program in place of the server, and a connection to the program.

The program prints a version. As a server, it writes its process id and version beside its
configuration file and sleeps. ``ProgramServer`` makes up the replies of a real server from that.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from ansible_collections.sentinelops.redis.plugins.module_utils._errors import CommandRefused, ConnectionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._host.process import alive
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address

PROGRAM = """#!/bin/sh
if [ "$1" = --version ]; then echo "{product} v={version} sha=00000000:0 malloc=jemalloc-5.2.1 bits=64 build=ae4d7c971a948f0"; exit; fi
{serve}
"""
SERVES = 'echo "$$ {version}" > "$(dirname "$0")/../run"; exec sleep 60'
FAILS = 'echo "*** FATAL CONFIG FILE ERROR ***"; echo ">>> \'gopher-enabled no\'"; exit 1'
HANGS = "exec sleep 60"


def place(folder: Path, version: str, serve: str = SERVES, product: str = "Redis server", name: str = "redis-server") -> Path:
    """Write a version folder with a program; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(PROGRAM.format(product=product, version=version, serve=serve.format(version=version)))
    program.chmod(0o755)
    return folder


class ProgramServer:
    """The replies of a server while the program runs.

    ``info`` replaces fields, ``refuses`` maps commands to error replies.
    """

    def __init__(self, base: Path, config_file: Path) -> None:
        self.address = Address("127.0.0.1", 6379)
        self.info: dict[str, str] = {"role": "slave", "master_link_status": "up", "config_file": str(config_file)}
        self.refuses: dict[str, str] = {}
        self.stays = False
        self.hangs = False
        self.started: list[int] = []
        self._run = base / "run"

    def running(self) -> tuple[int, str] | None:
        """Return the process id and version of the program, if it runs."""
        if not self._run.exists():
            return None
        pid, _space, version = self._run.read_text().strip().partition(" ")
        if not pid or not alive(int(pid)):
            return None
        if int(pid) not in self.started:
            self.started.append(int(pid))
        return int(pid), version

    def command(self, *words: Any) -> Any:
        running = self.running()
        if running is None:
            raise ConnectionFailed(f"no answer to {words[0]}: connection refused", node=str(self.address), sent=False, refused=True)
        if self.hangs:
            raise ConnectionFailed(f"no answer to {words[0]}: Timeout reading from socket", node=str(self.address), sent=True)
        if words[0] in self.refuses:
            raise CommandRefused(self.refuses[words[0]], node=str(self.address), command=words[0])
        if words[0] == "SHUTDOWN":
            if not self.stays:
                os.kill(running[0], signal.SIGTERM)
            raise ConnectionFailed("no answer to SHUTDOWN: connection closed by server", node=str(self.address), sent=True)
        fields = {"redis_version": running[1], "process_id": str(running[0]), **self.info}
        return "".join(f"{name}:{value}\r\n" for name, value in fields.items())

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def end_all(self) -> None:
        self.running()
        for pid in self.started:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
