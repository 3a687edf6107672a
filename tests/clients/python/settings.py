"""The settings of one client process, from its command line, and the pace at which it works."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

GRACE_S = 3.0  # for the operation in flight when the process is told to stop
LUA = "redis.call('RPUSH', KEYS[2], ARGV[1]) return redis.call('RPUSH', KEYS[1], ARGV[1])"


class Settings:
    """One process: the library, the workload, the Sentinels in the order in which they are asked.

    ``package`` is ``redis`` or ``valkey``, ``style`` is ``sync`` or ``async``. ``key`` names the
    list, queue or channel; ``twin`` the second list of the workloads that write two at once.
    """

    def __init__(self, text: str) -> None:
        fields: dict[str, Any] = json.loads(text)
        self.package: str = fields["package"]
        self.style: str = fields["style"]
        self.workload: str = fields["workload"]
        self.sentinels = [tuple(address) for address in fields["sentinels"]]
        self.master: str = fields["master"]
        self.key: str = fields["key"]
        self.twin = f"{self.key}:twin"
        self.log: str = fields["log"]
        self.period_s: float = fields["period_ms"] / 1000
        self.stopped = threading.Event()
        threading.Thread(target=self._watch, args=(fields["stop"],), daemon=True).start()

    def _watch(self, stop: str) -> None:
        """End the process when the file appears or the parent ends, also if an operation hangs."""
        parent = os.getppid()
        while not Path(stop).exists() and os.getppid() == parent:
            time.sleep(0.1)
        self.stopped.set()
        time.sleep(GRACE_S)
        os._exit(0)

    def version(self) -> str:
        return importlib.metadata.version(self.package)

    def module(self, name: str) -> ModuleType:
        """Import ``name`` of the library: ``sentinel``, ``exceptions``, ``asyncio.sentinel``."""
        return importlib.import_module(f"{self.package}.{name}")


class Pace:
    """The moments at which operations are due; a client that was held up does not catch up."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._due_s = time.monotonic()

    def rest_s(self) -> float:
        now_s = time.monotonic()
        self._due_s = max(self._due_s + self._period_s, now_s)
        return self._due_s - now_s
