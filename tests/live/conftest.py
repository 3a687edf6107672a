"""Fixtures: real deployments, each on ports of its own, from LIVE_PORT on (another one for a second
run at the same time).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from deployment import Deployment

_ports = count(int(os.environ.get("LIVE_PORT", "22001")), 200)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Deployment]]:
    """``build(version, **options)`` starts a deployment of three data nodes and three Sentinels,
    gone after the module's tests.
    """
    made: list[Deployment] = []

    def build_one(version: str, **options: Any) -> Deployment:
        made.append(Deployment(Path(tmp_path_factory.mktemp("deployment")), version, next(_ports), **options))
        made[-1].build()
        return made[-1]

    yield build_one
    for one in made:
        one.remove()


@pytest.fixture(scope="module")
def deployment(build: Callable[..., Deployment], request: pytest.FixtureRequest) -> Deployment:
    """Redis 6.2.14, or the version that a test module's VERSION names."""
    return build(getattr(request.module, "VERSION", "6.2.14"))
