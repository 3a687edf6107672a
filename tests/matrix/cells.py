"""The cells of the matrix: who controls, and which Python and redis-py each host has.

One run has six hosts, so one run tries six pairs of a Python and a redis-py. Each pair is on a host
at least once, each ansible-core meets each of its Pythons and each redis-py, and each pair hands a
master role over (test_handovers.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from supported import CORES, REDIS_PY, TARGETS, Core, RedisPy, number

HOSTS = ("redis-1", "redis-2", "redis-3", "sentinel-1", "sentinel-2", "sentinel-3")


@dataclass(frozen=True)
class Pair:
    """The Python of a host and its redis-py."""

    python: str
    redis_py: RedisPy

    def __str__(self) -> str:
        return f"py{self.python}-redis{self.redis_py.name}"

    @property
    def names(self) -> tuple[str, str]:
        return self.python, self.redis_py.name


@dataclass(frozen=True)
class Controller:
    """An ansible-core and the Python that runs it."""

    core: Core
    python: str

    def __str__(self) -> str:
        return f"core{self.core.release}-py{self.python}"

    @property
    def names(self) -> tuple[str, str]:
        return self.core.release, self.python


PAIRS = tuple(Pair(python, redis_py) for python in TARGETS for redis_py in REDIS_PY if number(redis_py.oldest_python) <= number(python))
CONTROLLERS = tuple(Controller(core, python) for core in CORES for python in core.controllers)


def pairs_of(core: Core) -> list[Pair]:
    """Return the pairs whose Python an ansible-core supports on hosts."""
    return [pair for pair in PAIRS if pair.python in core.targets]


def newest_controller(pythons: Collection[str], host_python: str) -> Controller:
    """Return the newest ansible-core that supports the Python on hosts, of those that run here.

    ``pythons``: those that this machine has.
    """
    able = [controller for controller in CONTROLLERS if host_python in controller.core.targets]
    return [controller for controller in able if controller.python in pythons or controller == able[0]][-1]


def oldest_and_newest(pythons: Collection[str]) -> list[Controller]:
    """Return the oldest and the newest ansible-core, each with the newest of its Pythons.

    ``pythons``: those that this machine has. A core without any of them has its oldest Python.
    """
    ends = [[controller for controller in CONTROLLERS if controller.core == core] for core in (CORES[0], CORES[-1])]
    return [[controller for controller in end if controller.python in pythons or controller == end[0]][-1] for end in ends]


def assign(pythons: Collection[str]) -> Iterator[tuple[Controller, dict[str, Pair]]]:
    """Yield the controllers with the pair of each host.

    ``pythons``: those that this machine has. A controller whose Python is not among them has no
    hosts. The pair comes next whose Python and whose redis-py the core has met least; of several,
    the pair that was used least.
    """
    used: Counter[Pair] = Counter()
    met: Counter[tuple[Core, str]] = Counter()
    for controller in CONTROLLERS:
        core, hosts = controller.core, {}
        possible = [pair for pair in pairs_of(core) if pair.python in pythons]
        for host in HOSTS if controller.python in pythons else ():
            hosts[host] = min(possible, key=lambda pair: (met[core, pair.python], met[core, pair.redis_py.name], used[pair]))
            used[hosts[host]] += 1
            met.update([(core, hosts[host].python), (core, hosts[host].redis_py.name)])
        yield controller, hosts
