"""Where deployments live: each one on ports of its own, from LIVE_PORT on."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deployment import Deployment
from fault import Fault, World
from runner import build

FIRST_PORT = int(os.environ.get("LIVE_PORT", "22001"))


class Places:
    """Deployments, each with a range of ports to itself; those that nothing has touched are used
    again.
    """

    def __init__(self, folder: Callable[[str], Path]) -> None:
        self._folder = folder
        self._used: dict[int, Deployment] = {}
        self._untouched: dict[int, Deployment] = {}

    def _build(self, world: World, **options: Any) -> Deployment:
        port = next(port for port in range(FIRST_PORT, 65000, 200) if port not in self._used)
        self._used[port] = build(world, self._folder("deployment"), port, **options)
        return self._used[port]

    def take(self, fault: Fault) -> Deployment:
        if not fault.shared:
            return self._build(fault.world, **fault.options)
        if id(fault.world) not in self._untouched:
            # patient Sentinels: what hangs for a moment stays what it is
            self._untouched[id(fault.world)] = self._build(fault.world, down_after_ms=60000)
        return self._untouched[id(fault.world)]

    def give_back(self, deployment: Deployment, untouched: bool) -> None:
        if not untouched:
            self._untouched = {world: one for world, one in self._untouched.items() if one is not deployment}
            self._used = {port: one for port, one in self._used.items() if one is not deployment}
            deployment.remove()

    def close(self) -> None:
        for deployment in self._used.values():
            deployment.remove()
