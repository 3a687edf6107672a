"""Fixtures: real deployments, each on ports of its own.

LIVE_PORT is the first port; give another one to a second run at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from deployment import Deployment
from ports import deployment_ports, first_port


@pytest.fixture(scope="session")
def next_port() -> Callable[[], int]:
    """Return a function that returns the first port of one deployment after another."""
    return partial(next, deployment_ports(first_port(18001)))


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory, next_port: Callable[[], int]) -> Iterator[Callable[..., Deployment]]:
    """Return ``build(version, **options)``, which starts three data nodes and three Sentinels.

    The deployments are removed after the tests of the module.
    """
    made: list[Deployment] = []

    def start(version: str, **options: Any) -> Deployment:
        made.append(Deployment(Path(tmp_path_factory.mktemp("deployment")), version, next_port(), **options))
        made[-1].build()
        return made[-1]

    def build_one(version: str, **options: Any) -> Deployment:
        try:
            return start(version, **options)
        except TimeoutError:  # the machine was too busy for its Sentinels: once more
            made[-1].remove()
            return start(version, **options)

    yield build_one
    for one in made:
        one.remove()


@pytest.fixture(scope="module")
def deployment(build: Callable[..., Deployment], request: pytest.FixtureRequest) -> Deployment:
    """Return a deployment of Redis 6.2.14, or of the version in VERSION of the test module."""
    return build(getattr(request.module, "VERSION", "6.2.14"))
