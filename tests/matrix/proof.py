"""Proof of an upgrade of a sandbox: the servers' own numbers, and the files that it has left."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from secrets_shown import texts_in
from trial import Audit, Sandbox

KEY = "matrix"
VALUES = [str(number) for number in range(100)]


@contextmanager
def proven_upgrade(deployment: Sandbox, new: Path) -> Iterator[None]:
    """Write to the sandbox while the block upgrades it; require that it then is as it should be.

    Raises AssertionError.
    """
    with deployment.connect("redis-1") as master:
        master.rpush(KEY, *VALUES)
    audit = Audit(deployment)
    try:
        yield
        verdict = audit.verdict()
    finally:
        audit.end()
    assert (verdict["lost"], verdict["unexpected"], verdict["acknowledged"] > 100) == (0, 0, True), verdict
    assert {info["redis_version"] for info in deployment.numbers().values()} == {new.name}
    assert deployment.master() == "redis-1"
    assert deployment.read(KEY) == [VALUES] * 3
    assert json.loads(deployment.report.read_text(encoding="utf-8"))["problems"] == []


@contextmanager
def unchanged_processes(deployment: Sandbox) -> Iterator[None]:
    """Require that each server is the same process after the block. Raises AssertionError."""
    before = processes(deployment)
    yield
    assert processes(deployment) == before


def processes(deployment: Sandbox) -> dict[str, int]:
    return {host: info["process_id"] for host, info in deployment.numbers().items()}


def left_behind(deployment: Sandbox, but: Collection[Path] = ()) -> dict[str, str]:
    """Return the texts of all files that runs have left behind: at work, at home, in the journals.

    Without the collections and the vault's password. ``but``: more that was given.
    """
    station = deployment.station
    at_home = texts_in(station.home, [station.home / ".ansible" / "collections", station.home / "vault-password"])
    return {**texts_in(station.work, but), **at_home, **texts_in(deployment.folder / "journal")}
