"""Faults in the moment in which the master role moves: SENTINEL FAILOVER was accepted."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.sentinelops.redis.plugins.module_utils._errors import SentinelOpsError
from deployment import MASTER, Deployment
from fault import DONE, Expected, Fault, printed
from injections import Injection
from killing import parent

HANDOVER = printed("PLAY [(6/8)")
STANDS_STILL_S = 8


def leader(deployment: Deployment, seconds: float = 120) -> str:
    """Wait until a Sentinel leads a failover, and return its name at once."""
    servers = {name: deployment.administrator(name) for name in deployment.sentinels}
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            for name, server in servers.items():
                with contextlib.suppress(SentinelOpsError):
                    reply = server.command("SENTINEL", "MASTER", MASTER)
                    if "failover_in_progress" in dict(zip(reply[::2], reply[1::2], strict=True))["flags"]:
                        return name
            time.sleep(0.005)
    finally:
        for server in servers.values():
            server.close()
    raise AssertionError("no failover was begun")


def handover(deployment: Deployment) -> list[int]:
    """Return the ids of the standby, which leads a session of its own, and of its module."""
    standbys = [pid for pid in deployment.handing_over() if os.getsid(pid) == pid and not _is_ansible(pid)]
    return [*standbys, *[parent(pid) for pid in standbys]]


def _is_ansible(pid: int) -> bool:
    return b"ansible-playbook" in Path(f"/proc/{pid}/cmdline").read_bytes()


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def dead(with_the_leader: bool) -> Injection:
    """Kill the module and its standby; the leading Sentinel too, which is started again."""

    @contextlib.contextmanager
    def spoil(deployment: Deployment) -> Iterator[None]:
        name = leader(deployment)
        if with_the_leader:
            deployment.processes[name].kill()
        _signal(handover(deployment), signal.SIGKILL)
        yield
        if with_the_leader:
            deployment.processes[name].wait()
            deployment.start(name)

    return spoil


@contextlib.contextmanager
def standing_still(deployment: Deployment) -> Iterator[None]:
    leader(deployment)
    pids = handover(deployment)
    _signal(pids, signal.SIGSTOP)
    try:
        time.sleep(STANDS_STILL_S)
    finally:
        _signal(pids, signal.SIGCONT)
    yield


FAULTS = [
    Fault("the handover stands still in the middle", Expected.DONE, DONE, moment=HANDOVER, then=standing_still),
    Fault("the handover and its standby die in the middle", Expected.STOPPED, "Killed", moment=HANDOVER, then=dead(False)),
    Fault("the handover, its standby and the leading Sentinel die together", Expected.STOPPED, "Killed", moment=HANDOVER, then=dead(True)),
]
