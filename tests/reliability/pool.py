"""Deployments that faults are met on, each one on ports of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from deployment import Deployment
from fault import Fault, World
from ports import deployment_ports, first_port
from runner import build

FIRST_PORT = first_port(22001)


class DeploymentPool:
    """Deployments by their first port; a deployment that nothing has touched is used again."""

    def __init__(self, folder: Callable[[str], Path]) -> None:
        self._folder = folder
        self._used: dict[int, Deployment] = {}
        self._untouched: dict[int, Deployment] = {}

    def _build(self, world: World, **options: Any) -> Deployment:
        port = next(port for port in deployment_ports(FIRST_PORT) if port not in self._used)
        self._used[port] = build(world, self._folder("deployment"), port, **options)
        return self._used[port]

    def take(self, fault: Fault) -> Deployment:
        """Return a deployment for the fault: a new one, or one that refusals have left alone."""
        if not fault.shared:
            return self._build(fault.world, **fault.options)
        if id(fault.world) not in self._untouched:
            # patient Sentinels: an instance that hangs for a moment is not taken for down
            self._untouched[id(fault.world)] = self._build(fault.world, down_after_ms=60000)
        return self._untouched[id(fault.world)]

    def give_back(self, deployment: Deployment, untouched: bool) -> None:
        """Keep an untouched deployment for the next fault; remove any other."""
        if not untouched:
            self._untouched = {world: one for world, one in self._untouched.items() if one is not deployment}
            self._used = {port: one for port, one in self._used.items() if one is not deployment}
            deployment.remove()

    def close(self) -> None:
        for deployment in self._used.values():
            deployment.remove()
