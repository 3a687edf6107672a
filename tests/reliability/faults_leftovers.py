"""Leftovers of an earlier run, which the next run must handle."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator

from ansible_collections.sentinelops.redis.plugins.module_utils._records.journal import write_journal
from deployment import SERVERS, Deployment
from fault import DONE, Expected, Fault
from faults import command


@contextlib.contextmanager
def fence(deployment: Deployment) -> Iterator[None]:
    command(deployment, "redis-1", "CONFIG", "SET", "min-replicas-to-write", 2147483647)
    yield


@contextlib.contextmanager
def steered_priority(deployment: Deployment) -> Iterator[None]:
    """Leave a steered priority, and a journal with the original value."""
    path = deployment.folder / "journal" / f"redis-{deployment.nodes['redis-2']}.json"
    home = deployment.address("redis-1")
    write_journal(str(path), {"schema": 1, "kind": "redis", "version": deployment.version, "priority": 100, "original_master": home})
    command(deployment, "redis-2", "CONFIG", "SET", "replica-priority", 1)
    yield


@contextlib.contextmanager
def old_folder(deployment: Deployment) -> Iterator[None]:
    """Leave the folder of the previous version."""
    shutil.copytree(SERVERS / "6.2.7", deployment.folder / "redis-2" / "redis.old")
    yield


@contextlib.contextmanager
def half_staged_folder(deployment: Deployment) -> Iterator[None]:
    folder = deployment.folder / "redis-2" / "redis.new"
    folder.mkdir()
    (folder / "redis-server").write_text("half", encoding="utf-8")
    yield


FAULTS = [
    Fault("a fence of an earlier run", Expected.DONE, "it has a fence", before=fence),
    Fault(
        "a steered priority of an earlier run", Expected.DONE, "the replica-priority of redis-2 is 1, and was 100", before=steered_priority
    ),
    Fault("redis.old of an earlier run", Expected.DONE, DONE, before=old_folder),
    Fault("a half-staged folder", Expected.DONE, "redis.new of an earlier run, with no server that runs", before=half_staged_folder),
]
