# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The package redis without its clients, which take half of the time of its import.

``redis/__init__.py`` imports all clients, those for asyncio and for clusters too. A module needs
connections only. That file runs when somebody asks the package for more than its submodules.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from importlib import metadata
from typing import Any

__all__ = ["prepare_package", "version_found"]

NAME = "redis"


class _OnDemand(types.ModuleType):
    """A package whose ``__init__.py`` has not run yet."""

    def __getattr__(self, name: str) -> Any:
        spec = self.__dict__.get("__spec__")
        if spec is None or (name.startswith("__") and name != "__version__"):
            raise AttributeError(name)
        self.__class__ = types.ModuleType  # type: ignore[assignment]
        spec.loader.exec_module(self)
        return getattr(self, name)


def prepare_package() -> None:
    """Let submodules of redis be imported without its clients.

    Does nothing if the package is imported already, or is missing.
    """
    spec = None if NAME in sys.modules else importlib.util.find_spec(NAME)
    if spec is None or spec.loader is None:
        return
    package = _OnDemand(NAME)
    package.__spec__, package.__loader__, package.__file__ = spec, spec.loader, spec.origin
    package.__path__ = list(spec.submodule_search_locations or [])
    package.__package__ = NAME
    sys.modules[NAME] = package


def version_found() -> str:
    """Return the version of the package that is imported; empty if there is none."""
    package = sys.modules.get(NAME)
    if package is None:
        return ""
    try:
        return metadata.version(NAME)
    except metadata.PackageNotFoundError:
        return str(getattr(package, "__version__", ""))
