"""Faults of the new version."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from binaries import AARCH64, pack, small_disk
from broken_builds import broken_build
from deployment import SERVERS, Deployment
from fault import PASSWORDS, Expected, Fault
from injections import Injection

NEW = SERVERS / PASSWORDS.wanted
NOTHING = "Nothing was placed and no server was touched"
Given = Callable[[Deployment], dict[str, Any]]


def broken_server(instead: str, only: str = "redis.conf") -> Given:
    def given(deployment: Deployment) -> dict[str, Any]:
        source = broken_build(deployment.folder / "broken", PASSWORDS.wanted, instead, only)
        return {"redis_binaries_source": source, "redis_upgrade_wait_s": 20}

    return given


def archive(deployment: Deployment, path: Path, checksum: str) -> dict[str, Any]:
    return {
        "redis_binaries_method": "archive",
        "redis_binaries_source": str(path),
        "redis_binaries_checksum": checksum,
        "redis_binaries_remote_src": False,
        "redis_binaries_cache": str(deployment.folder / "cache"),
    }


def wrong_checksum(deployment: Deployment) -> dict[str, Any]:
    return archive(deployment, pack(NEW, deployment.folder / "packed").path, "0" * 64)


def truncated(deployment: Deployment) -> dict[str, Any]:
    half = pack(NEW, deployment.folder / "packed").truncated()
    return archive(deployment, half.path, half.checksum)


def another_machine(deployment: Deployment) -> dict[str, Any]:
    packed = pack(NEW, deployment.folder / "packed", AARCH64)
    return archive(deployment, packed.path, packed.checksum)


@contextlib.contextmanager
def full_disk(deployment: Deployment) -> Iterator[None]:
    """Mount a file system of 1 MiB where redis-2's new version is to be staged."""
    with small_disk(deployment.folder / "redis-2" / "redis.new") as small:
        assert small, "mounting a small file system needs root"
        yield


def old_directive(name: str) -> Injection:
    """Add a line that 6.2 knows and 7.0 does not."""

    @contextlib.contextmanager
    def inject(deployment: Deployment) -> Iterator[None]:
        file = deployment.config(name)
        with file.open("a", encoding="utf-8") as opened:
            opened.write("\ngopher-enabled no\n")
        yield
        file.write_text(file.read_text(encoding="utf-8").replace("gopher-enabled no\n", ""), encoding="utf-8")

    return inject


def across_the_barrier(_deployment: Deployment) -> dict[str, Any]:
    return {
        "redis_upgrade_version": "7.0.15",
        "redis_binaries_source": str(SERVERS / "7.0.15"),
        "redis_upgrade_accept_no_way_back": True,
    }


BACK = "It was reverted to its old version 6.2.9 and proved healthy."
FAULTS = [
    Fault("a wrong checksum", Expected.UNSTAGED, f"expected was {'0' * 64}. {NOTHING}", given=wrong_checksum, quick=True),
    Fault("a truncated archive", Expected.UNSTAGED, "is truncated, damaged, or no tar archive", given=truncated),
    Fault("a server for another machine", Expected.UNSTAGED, "The new version is built for aarch64", given=another_machine),
    Fault(
        "a server of another version",
        Expected.UNSTAGED,
        "is version 6.2.7, announced was 6.2.14",
        given=lambda _deployment: {"redis_binaries_source": str(SERVERS / "6.2.7")},
    ),
    Fault(
        "a server that should be there and is not",
        Expected.UNSTAGED,
        "redis.new holds no redis-server or valkey-server",
        given=lambda _deployment: {"redis_binaries_method": "present"},
    ),
    Fault("the disk is full", Expected.UNSTAGED, "redis-2/redis.new needs ", before=full_disk),
    Fault(
        "the new server refuses a data node's configuration",
        Expected.UNSTAGED,
        "gopher-enabled no: Bad directive or wrong number of arguments.",
        before=old_directive("redis-3"),
        given=across_the_barrier,
    ),
    Fault(
        "the new server refuses a Sentinel's configuration",
        Expected.UNSTAGED,
        "gopher-enabled no: Bad directive or wrong number of arguments.",
        before=old_directive("sentinel-2"),
        given=across_the_barrier,
    ),
    Fault("the new server does not start", Expected.PUT_BACK, BACK, given=broken_server("exit 1"), old=("redis-2",), quick=True),
    Fault("the new Sentinel does not start", Expected.PUT_BACK, BACK, given=broken_server("exit 1", "sentinel.conf"), old=("sentinel-1",)),
    Fault("the new server hangs", Expected.PUT_BACK, BACK, given=broken_server("exec sleep 60"), old=("redis-2",)),
    Fault(
        "the new server crashes after its start",
        Expected.PUT_BACK,
        BACK,
        # without a link it is not proved before it crashes
        given=broken_server('(sleep 0.5; kill -KILL $$) & exec "$real" "$@" --masterauth wrong'),
        old=("redis-2",),
    ),
    Fault(
        "the new server does not follow the master",
        Expected.PUT_BACK,
        BACK,
        given=broken_server('exec "$real" "$@" --masterauth wrong'),
        old=("redis-2",),
    ),
]
