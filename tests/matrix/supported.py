"""The versions that the collection supports: the one place where these are listed.

``make matrix`` tries the built artefact with all of them. tests/unit/matrix compares
meta/runtime.yml and the documentation with this list. Versions within a release are not pinned: pip
chooses the newest, and the table of the matrix names it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Core:
    """A release of ansible-core, and the Pythons that it supports.

    ``targets``: for hosts, of those that the collection supports. Sources: ansible-core's
    Requires-Python, ``_PY_MIN`` of its module_utils/basic.py, and its support matrix, which also
    has the month of ``end_of_life``.
    """

    release: str
    controllers: tuple[str, ...]
    targets: tuple[str, ...]
    end_of_life: str

    @property
    def requirement(self) -> str:
        return f"ansible-core~={self.release}.0"

    @property
    def collections(self) -> str:
        """Return the requirement of the package ``ansible``: the collections that fit this core.

        Its release 10 was made for ansible-core 2.17, and each later one for the next ansible-core.
        """
        return f"ansible~={number(self.release)[1] - 7}.0"


@dataclass(frozen=True)
class RedisPy:
    """A release of redis-py that hosts may have, and the oldest Python on which pip installs it."""

    name: str
    requirement: str
    oldest_python: str


CORES = (
    Core("2.17", ("3.10", "3.11", "3.12"), ("3.8", "3.9", "3.10", "3.11", "3.12"), "2025-11"),
    Core("2.18", ("3.11", "3.12", "3.13"), ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13"), "2026-05"),
    Core("2.19", ("3.11", "3.12", "3.13"), ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13"), "2026-11"),
    Core("2.20", ("3.12", "3.13", "3.14"), ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14"), "2027-05"),
    Core("2.21", ("3.12", "3.13", "3.14"), ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14"), "2027-11"),
)
REDIS_PY = (
    RedisPy("4.3", "redis~=4.3.0", "3.8"),
    RedisPy("5", "redis~=5.0", "3.8"),
    RedisPy("6", "redis~=6.0", "3.8"),
    RedisPy("7", "redis~=7.0", "3.9"),
    RedisPy("newest", "redis>=8", "3.10"),
)


def number(python: str) -> tuple[int, ...]:
    """Return a version as numbers, in whose order 3.9 precedes 3.10."""
    return tuple(int(part) for part in python.split("."))


TARGETS = tuple(sorted({target for core in CORES for target in core.targets}, key=number))
