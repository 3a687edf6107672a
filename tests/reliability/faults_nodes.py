"""Faults of data nodes."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator

from ansible_collections.sentinelops.redis.plugins.module_utils._errors import SentinelOpsError
from deployment import MASTER, SERVERS, Deployment
from fault import DONE, Expected, Fault, answers, printed, process_ended
from faults import busy, command, not_applying, stopped
from injections import NO_FILE, READ_ONLY, Injection, config, cut_off, file_in_journal, hung, restarted
from states import wait_until

HANDOVER = printed("PLAY [(6/8)")
SHORT = {"redis_upgrade_handover_wait_s": 10}


@contextlib.contextmanager
def flooded(deployment: Deployment) -> Iterator[None]:
    """Keep redis-3 from applying a flood of writes."""
    with not_applying(deployment, "redis-3"):
        for number in range(4):
            command(deployment, "redis-1", "SET", f"large-{number}", "x" * 1000000)
        yield
    for number in range(4):
        command(deployment, "redis-1", "DEL", f"large-{number}")


def busy_script(name: str) -> Injection:
    @contextlib.contextmanager
    def inject(deployment: Deployment) -> Iterator[None]:
        with config(name, lua_time_limit=100)(deployment), busy(deployment, name):
            yield

    return inject


@contextlib.contextmanager
def busy_for_a_while(deployment: Deployment) -> Iterator[None]:
    """Keep the master busy for less than down-after-milliseconds, after which it would be down."""
    with busy_script("redis-1")(deployment):
        time.sleep(3)
    yield


def kill(deployment: Deployment, *names: str) -> None:
    """Kill data nodes, among them the master; return when all Sentinels name another master."""
    was = str(deployment.ports["redis-1"])
    for name in names:
        os.kill(int(deployment.administered_info(name)["process_id"]), signal.SIGKILL)
        deployment.processes[name].wait()

    def named() -> set[str]:
        return {deployment.administer(name, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)[1] for name in deployment.sentinels}

    wait_until(lambda: was not in named(), 90)


@contextlib.contextmanager
def dead_master(deployment: Deployment) -> Iterator[None]:
    """Kill the master, and start it again once all Sentinels name another master.

    An old master that starts earlier is a master until Sentinel demotes it (10 s, Redis 6.2), and
    loses the writes of that time. An upgrade cannot change that.
    """
    kill(deployment, "redis-1")
    deployment.start("redis-1")
    yield


@contextlib.contextmanager
def dead_replica(deployment: Deployment) -> Iterator[None]:
    """Kill the replica that has been upgraded and proved, until the run is over."""
    os.kill(int(deployment.administered_info("redis-2")["process_id"]), signal.SIGKILL)
    yield
    deployment.start("redis-2")


@contextlib.contextmanager
def last_one_left(deployment: Deployment) -> Iterator[None]:
    """Kill all nodes but the replica that has just been restarted, until the run is over.

    That replica becomes the master, and nobody follows it.
    """
    kill(deployment, "redis-1", "redis-3")
    yield
    others = ("redis-1", "redis-3")
    for name in others:
        deployment.start(name)
    master = deployment.ports["redis-2"]
    wait_until(lambda: all(answers(deployment, name) and deployment.administer(name, "ROLE")[2] == master for name in others), 120)


@contextlib.contextmanager
def long_transactions(deployment: Deployment) -> Iterator[None]:
    """Run MULTI with thousands of commands, one after the other, on the current master."""
    over, executed = threading.Event(), []

    def transact() -> None:
        while not over.is_set():
            for name in deployment.nodes:
                with contextlib.suppress(SentinelOpsError):
                    server = deployment.administrator(name)
                    try:
                        server.command("MULTI")
                        for number in range(5000):
                            server.command("SET", f"sentinelops:multi:{number % 100}", number)
                        executed.append(server.command("EXEC"))
                    finally:
                        server.close()

    thread = threading.Thread(target=transact)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert executed


@contextlib.contextmanager
def much_data(deployment: Deployment) -> Iterator[None]:
    """Store so much data that each node takes five seconds to load it."""
    for name in deployment.nodes:
        command(deployment, name, "CONFIG", "SET", "key-load-delay", 1000)
    command(deployment, "redis-1", "DEBUG", "POPULATE", 5000)
    deployment.remember()  # the delay is a setting of the deployment
    yield
    for name in deployment.nodes:  # but not of the one that is compared in the end
        command(deployment, name, "CONFIG", "SET", "key-load-delay", 0)
        command(deployment, name, "CONFIG", "REWRITE")


def to(version: str) -> dict[str, str]:
    return {"redis_upgrade_version": version, "redis_binaries_source": str(SERVERS / version)}


FAULTS = [
    Fault("a replica's link is down", Expected.REFUSED, "its link to the master is down", before=cut_off, quick=True),
    Fault("a replica lags under a flood of writes", Expected.REFUSED, "bytes behind the master", before=flooded),
    Fault(
        "a replica hangs before the start",
        Expected.REFUSED,
        "the data node does not answer",
        before=hung("redis-3", 0),
        silent=("redis-3",),
    ),
    Fault(
        "all priorities are 0", Expected.REFUSED, "no replica that may become master", before=config("redis-2 redis-3", replica_priority=0)
    ),
    Fault("a script keeps the master busy", Expected.REFUSED, "BUSY", before=busy_script("redis-1"), silent=("redis-1",)),
    Fault(
        "min-replicas-to-write would refuse writes",
        Expected.REFUSED,
        "min-replicas-to-write is 2, and 2 replicas",
        before=config("redis-1", min_replicas_to_write=2),
    ),
    Fault("no configuration file", Expected.REFUSED, "without a configuration file", before=restarted("redis-3", NO_FILE)),
    Fault("the configuration's folder is read-only", Expected.REFUSED, "may not write the folder", before=restarted("redis-3", READ_ONLY)),
    Fault("a downgrade is asked for", Expected.REFUSED, "a downgrade is refused", given=lambda _deployment: to("6.2.7"), quick=True),
    Fault(
        "a format barrier, with no way back",
        Expected.REFUSED,
        "no way back from 7.0.15 to 6.2.9",
        given=lambda _deployment: {**to("7.0.15"), "redis_upgrade_backup": False},
        quick=True,
    ),
    Fault(
        "a journal that cannot be read",
        Expected.REFUSED,
        "is not usable",
        before=file_in_journal("redis-{redis_2}.json", "nonsense"),
    ),
    Fault(
        "a handover's note that cannot be read",
        Expected.REFUSED,
        "cannot be read",
        before=file_in_journal("handover-x.json", "nonsense"),
    ),
    Fault(
        "a replica hangs when the handover is to begin",
        Expected.STOPPED,
        "no answer",
        moment=HANDOVER,
        then=lambda deployment: stopped(deployment, "redis-3"),
        given=lambda _deployment: SHORT,
    ),
    Fault(
        "a replica cannot catch up in the handover",
        Expected.STOPPED,
        "no attempt succeeded within 10 s",
        moment=HANDOVER,
        then=lambda deployment: not_applying(deployment, "redis-3"),
        given=lambda _deployment: SHORT,
    ),
    Fault("a script keeps the master busy when the handover is to begin", Expected.DONE, DONE, moment=HANDOVER, then=busy_for_a_while),
    Fault("long transactions during the handovers", Expected.DONE, DONE, moment=HANDOVER, then=long_transactions),
    Fault(
        "a replica dies after it was upgraded",
        Expected.STOPPED,
        "should have 2 replicas, and has",
        moment=printed("Run the hook after the data node"),
        then=dead_replica,
    ),
    Fault(
        "the master dies while a replica is upgraded",
        Expected.STOPPED,
        "it is a master, followed by",
        moment=process_ended("redis-2", "PLAY [(5/8)"),
        then=dead_master,
        may_lose_s=1,
    ),
    Fault(
        "all other nodes die while a replica is upgraded",
        Expected.STOPPED,
        "it is a master, followed by nobody, and will not be stopped",
        moment=process_ended("redis-2", "PLAY [(5/8)"),
        then=last_one_left,
        may_lose_s=1,
        given=lambda _deployment: {"redis_upgrade_wait_s": 20},
    ),
    Fault('save "": nothing is saved', Expected.DONE, "no persistence", options={"extra": 'save ""\n'}),
    Fault("an append-only file", Expected.DONE, "starts from its append-only file", options={"extra": "appendonly yes\n"}),
    Fault("a backlog that is too small", Expected.DONE, "the backlog holds 16 KiB", options={"extra": "repl-backlog-size 16kb\n"}),
    Fault("much data, slow to load", Expected.DONE, DONE, before=much_data),
]
