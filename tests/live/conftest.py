"""Fixtures: a deployment per module of tests, on ports of its own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from deployment import Deployment

_ports = count(22001, 200)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """Three data nodes and three Sentinels on Redis 6.2.14, or on the version that a test module's VERSION names."""
    version = getattr(request.module, "VERSION", "6.2.14")
    made = Deployment(Path(tmp_path_factory.mktemp("deployment")), version, next(_ports))
    try:
        made.build()
        yield made
    finally:
        made.remove()
