"""Faults of Sentinels."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from functools import partial

from deployment import MASTER, Deployment
from fault import Expected, Fault, answers, printed
from faults import command, ghost, set_everywhere, stopped
from injections import Injection, failing_over, sentinel_set
from states import settled, wait_until

ALL = "sentinel-1 sentinel-2 sentinel-3"


def down(*names: str) -> Injection:
    """Stop instances, and start them again in the end."""

    @contextlib.contextmanager
    def inject(deployment: Deployment) -> Iterator[None]:
        for name in names:
            os.kill(int(deployment.administered_info(name)["process_id"]), signal.SIGTERM)
            wait_until(partial(_is_down, deployment, name))
        try:
            yield
        finally:
            for name in names:
                deployment.start(name)
            wait_until(lambda: settled(deployment), 90)

    return inject


def _is_down(deployment: Deployment, name: str) -> bool:
    return not answers(deployment, name)


@contextlib.contextmanager
def tilt(deployment: Deployment) -> Iterator[None]:
    """Stop sentinel-2 for more than two seconds now and then; each time TILT lasts half a
    minute.
    """
    over, begun = threading.Event(), threading.Event()

    def stand_still() -> None:
        while not over.is_set():
            with stopped(deployment, "sentinel-2"):
                over.wait(2.6)
            begun.set()
            over.wait(20)

    thread = threading.Thread(target=stand_still)
    thread.start()
    begun.wait()
    try:
        yield
    finally:
        over.set()
        thread.join()
        wait_until(lambda: not deployment.in_tilt("sentinel-2"), 60)


@contextlib.contextmanager
def failover_that_stands_still(deployment: Deployment) -> Iterator[None]:
    """Begin a failover to a replica that dies at that moment, so that its promotion never comes."""
    with stopped(deployment, "redis-2"), stopped(deployment, "redis-3"):
        command(deployment, "sentinel-1", "SENTINEL", "FAILOVER", MASTER)
        log = deployment.folder / "sentinel-1" / "log"
        wait_until(lambda: "+failover-state-wait-promotion" in log.read_text(encoding="utf-8"))
        for name in ("redis-2", "redis-3"):
            deployment.processes[name].kill()
    for name in ("redis-2", "redis-3"):
        deployment.processes[name].wait()
    try:
        yield
    finally:
        with set_everywhere(
            deployment,
            ["sentinel-1"],
            ["SENTINEL", "SET", MASTER, "failover-timeout", 1000],
            ["SENTINEL", "SET", MASTER, "failover-timeout", 60000],
        ):
            for name in ("redis-2", "redis-3"):
                deployment.start(name)
            wait_until(lambda: settled(deployment), 90)


def crashing(when: str) -> Injection:
    """Let the Sentinel that leads the next failover crash; start it again in the end."""

    @contextlib.contextmanager
    def inject(deployment: Deployment) -> Iterator[None]:
        over, crashed = threading.Event(), []

        def spare_the_others() -> None:
            """Cancel the crash of the other Sentinels, which may fail over in its place."""
            while not crashed and not over.wait(0.1):
                crashed.extend(name for name in deployment.sentinels if not answers(deployment, name))
            for name in set(deployment.sentinels) - set(crashed):
                # without an argument: no failure
                command(deployment, name, "SENTINEL", "SIMULATE-FAILURE")

        for name in deployment.sentinels:
            command(deployment, name, "SENTINEL", "SIMULATE-FAILURE", when)
        watcher = threading.Thread(target=spare_the_others)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()
            for name in crashed:
                deployment.start(name)
            assert len(crashed) == 1, crashed

    return inject


HANDOVER = printed("PLAY [(6/8)")
FAULTS = [
    Fault(
        "a Sentinel is down before the start",
        Expected.REFUSED,
        "sentinel-2: the Sentinel does not answer",
        before=down("sentinel-2"),
        silent=("sentinel-2",),
        quick=True,
    ),
    Fault(
        "the quorum is lost: two of three Sentinels are down",
        Expected.REFUSED,
        "sentinel-3: the Sentinel does not answer",
        before=down("sentinel-2", "sentinel-3"),
        silent=("sentinel-2", "sentinel-3"),
    ),
    Fault("the quorum is out of reach", Expected.REFUSED, "NOQUORUM", before=sentinel_set(ALL, "quorum", 4, 2)),
    Fault("Sentinels disagree", Expected.REFUSED, "disagree on the quorum", before=sentinel_set("sentinel-2", "quorum", 1, 2)),
    Fault(
        "a ghost Sentinel",
        Expected.REFUSED,
        "it knows 4 Sentinels, the inventory has 3",
        before=lambda deployment: ghost(deployment, "sentinel-4"),
    ),
    Fault("a ghost replica", Expected.REFUSED, "which the inventory does not have", before=lambda deployment: ghost(deployment, "redis-4")),
    Fault("a Sentinel in TILT", Expected.REFUSED, "it is in TILT", before=tilt),
    Fault(
        "a failover of the master's own in progress",
        Expected.REFUSED,
        "begun with FAILOVER is in progress",
        before=failing_over,
        silent=("redis-3",),
    ),
    Fault(
        "a failover of a Sentinel in progress",
        Expected.REFUSED,
        "a failover is in progress",
        before=failover_that_stands_still,
        silent=("redis-2", "redis-3"),
    ),
    Fault(
        "the quorum is lost before the handover",
        Expected.STOPPED,
        "no answer",
        moment=HANDOVER,
        then=down("sentinel-2", "sentinel-3"),
        given=lambda _deployment: {"redis_upgrade_handover_wait_s": 10},
    ),
    Fault(
        "the leading Sentinel crashes after its election (SIMULATE-FAILURE)",
        Expected.STOPPED,
        "accepted the failover and aborted it",
        moment=HANDOVER,
        then=crashing("crash-after-election"),
    ),
    Fault(
        "the leading Sentinel crashes after the promotion (SIMULATE-FAILURE)",
        Expected.STOPPED,
        "the handover is done but has not settled",
        moment=HANDOVER,
        then=crashing("crash-after-promotion"),
    ),
]
