"""Ports of test deployments: each pytest worker has a range below the ephemeral ports."""

from __future__ import annotations

import os
from collections.abc import Iterator

PER_WORKER = 1000


def first_port(default: int) -> int:
    """Return the first port of this pytest worker; ``LIVE_PORT`` replaces the default."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return int(os.environ.get("LIVE_PORT", default)) + number * PER_WORKER


def deployment_ports(first: int) -> Iterator[int]:
    """Yield the first port of one deployment after another.

    A deployment may use ten ports from there on for its data nodes, and ten ports from 100 above
    for its Sentinels.
    """
    for hundred in range(first, first + PER_WORKER, 200):
        yield from range(hundred, hundred + 100, 10)
