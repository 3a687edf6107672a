"""Faults of a deployment of real servers, as context managers that remove them in the end."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

from ansible_collections.sentinelops.redis.plugins.module_utils._errors import CommandRefused
from deployment import MASTER, Deployment


def command(deployment: Deployment, name: str, *words: Any) -> Any:
    """Run a command as an administrator, whatever rights a test has revoked."""
    return deployment.administer(name, *words)


@contextlib.contextmanager
def set_everywhere(deployment: Deployment, names: list[str], words: list[Any], back: list[Any]) -> Iterator[None]:
    for name in names:
        command(deployment, name, *words)
    try:
        yield
    finally:
        for name in names:
            command(deployment, name, *back)


@contextlib.contextmanager
def stopped(deployment: Deployment, name: str) -> Iterator[None]:
    """Hang an instance: the process exists and does not answer."""
    # An upgrade may have replaced the process that the test started.
    pid = int(deployment.administered_info(name)["process_id"])
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def not_applying(deployment: Deployment, name: str) -> Iterator[None]:
    """Pause a replica: it answers, but does not apply the replication stream."""
    command(deployment, name, "CLIENT", "PAUSE", 60000, "WRITE")
    try:
        yield
    finally:
        command(deployment, name, "CLIENT", "UNPAUSE")


@contextlib.contextmanager
def without(deployment: Deployment, names: list[str], right: str) -> Iterator[None]:
    for name in names:
        command(deployment, name, "ACL", "SETUSER", "ops", f"-{right}")
    try:
        yield
    finally:
        for name in names:
            command(deployment, name, "ACL", "SETUSER", "ops", f"+{right}")


NODE_RIGHTS = ["info", "multi", "exec", "replicaof", "config|get", "config|set", "config|rewrite"]
CLIENT_RIGHTS = ["client|pause", "client|unpause", "client|kill"]
SENTINEL_RIGHTS = ["info", *(f"sentinel|{what}" for what in ("master", "replicas", "sentinels", "ckquorum", "failover"))]


@contextlib.contextmanager
def ghost(deployment: Deployment, name: str) -> Iterator[str]:
    """Add an instance and kill it for good; yield its address, which all Sentinels know."""
    deployment.add(name)
    address, process = deployment.address(name), deployment.processes[name]
    process.kill()
    process.wait()
    deployment.forget(name)
    try:
        yield address
    finally:
        for sentinel in deployment.sentinels:
            command(deployment, sentinel, "SENTINEL", "RESET", MASTER)
            # The Sentinel must have heard of the others before the next one forgets them.
            time.sleep(2.5)
        deployment.wait_until_known()


@contextlib.contextmanager
def forgotten(deployment: Deployment, name: str) -> Iterator[None]:
    """Make a Sentinel forget the master."""
    reply = command(deployment, name, "SENTINEL", "MASTER", MASTER)
    now = dict(zip(reply[::2], reply[1::2], strict=True))
    command(deployment, name, "SENTINEL", "REMOVE", MASTER)
    try:
        yield
    finally:
        command(deployment, name, "SENTINEL", "MONITOR", MASTER, now["ip"], now["port"], now["quorum"])
        for setting in ("down-after-milliseconds", "failover-timeout", "parallel-syncs"):
            command(deployment, name, "SENTINEL", "SET", MASTER, setting, now[setting])
        for setting, value in deployment.access.sentinels_own.items():
            command(deployment, name, "SENTINEL", "SET", MASTER, setting, value)
        deployment.wait_until_known()


@contextlib.contextmanager
def busy(deployment: Deployment, name: str) -> Iterator[None]:
    runaway = deployment.administrator(name)
    with contextlib.suppress(Exception):
        runaway.set_timeout(300)
        runaway.command("EVAL", "while true do end", 0)
    runaway.close()
    try:
        yield
    finally:
        with contextlib.suppress(CommandRefused):  # a Sentinel kills it, too
            command(deployment, name, "SCRIPT", "KILL")
