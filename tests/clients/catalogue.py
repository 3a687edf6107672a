"""The clients that go through handovers: which library, in which style, with which workload."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ENVIRONMENTS = ROOT / ".cache" / "clients"
PYTHON_WORKLOADS = ("plain", "transaction", "transaction-function", "watch", "lua", "blpop", "pubsub", "read")
NODE_WORKLOADS = ("plain", "transaction", "watch", "lua", "blpop", "pubsub", "read")
# Workloads that write two lists in one atomic step: the two must hold the same values.
ATOMIC = ("transaction", "transaction-function", "watch", "lua")
RECEIVING = ("blpop", "pubsub")
WITHOUT_LIST = ("pubsub", "read")


@dataclass(frozen=True)
class Library:
    """One client library, in one version, installed in the folder ``environment`` by the Makefile.

    ``name`` is that of the library and ``package`` the one that is imported.
    """

    name: str
    environment: str
    package: str
    styles: tuple[str, ...]
    workloads: tuple[str, ...]

    @property
    def label(self) -> str:
        """Return the name without the version that tells environments apart."""
        return self.name.rstrip("0123456789.").rstrip("-")

    @property
    def is_python(self) -> bool:
        return bool(self.styles)

    @property
    def is_installed(self) -> bool:
        return (ENVIRONMENTS / self.environment / "installed").exists()

    def command(self) -> list[str]:
        here = Path(__file__).resolve().parent
        if self.is_python:
            return [str(ENVIRONMENTS / self.environment / "bin" / "python"), str(here / "python" / "client.py")]
        return ["node", str(here / "node" / "client.js")]


@dataclass(frozen=True)
class Kind:
    """One library with one workload; ``style`` is empty where a library has only one."""

    library: Library
    workload: str
    style: str

    @property
    def name(self) -> str:
        return "/".join(filter(None, (self.library.name, self.workload, self.style)))


def _python(name: str, package: str) -> Library:
    return Library(name, name, package, ("sync", "async"), PYTHON_WORKLOADS)


def _node(name: str, package: str) -> Library:
    return Library(name, "node", package, (), NODE_WORKLOADS)


LIBRARIES = (
    _python("redis-py-4.3", "redis"),
    _python("redis-py-8.1", "redis"),
    _python("valkey-py-6.2", "valkey"),
    _node("ioredis", "ioredis"),
    _node("iovalkey", "iovalkey"),
    _node("node-redis", "redis"),
)


def kinds_of(library: Library) -> list[Kind]:
    return [Kind(library, workload, style) for workload in library.workloads for style in library.styles or ("",)]


def chosen(patterns: Sequence[str]) -> list[list[Kind]]:
    """Return the kinds that match any pattern (all if there is none), grouped by library.

    A pattern is a shell pattern for the beginning of a name: ``ioredis``, ``*/watch``.
    """
    wanted = [f"{pattern}*" for pattern in patterns] or ["*"]
    groups = [[kind for kind in kinds_of(library) if any(fnmatch.fnmatch(kind.name, one) for one in wanted)] for library in LIBRARIES]
    return [group for group in groups if group]
