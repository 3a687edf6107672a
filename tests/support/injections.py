"""Faults of a deployment as values: functions from a deployment to a context manager."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

from ansible_collections.sentinelops.redis.plugins.module_utils._records.journal import write_journal
from deployment import MASTER, Deployment
from faults import command, not_applying, set_everywhere, stopped
from states import settled, wait_until

Injection = Callable[[Deployment], contextlib.AbstractContextManager[Any]]


def config(names: str, back: dict[str, Any] | None = None, /, **values: Any) -> Injection:
    """Set parameters of some data nodes with CONFIG SET, and restore them."""

    @contextlib.contextmanager
    def inject(deployment: Deployment) -> Iterator[None]:
        settings = {name.replace("_", "-"): value for name, value in values.items()}
        before = {(node, name): command(deployment, node, "CONFIG", "GET", name)[1] for node in names.split() for name in settings}
        for node, name in before:
            command(deployment, node, "CONFIG", "SET", name, settings[name])
        try:
            yield
        finally:
            for (node, name), value in before.items():
                command(deployment, node, "CONFIG", "SET", name, value)

    return inject


def sentinel_set(names: str, setting: str, value: int, back: int) -> Injection:
    words = ["SENTINEL", "SET", MASTER, setting]
    return lambda deployment: set_everywhere(deployment, names.split(), [*words, value], [*words, back])


def hung(name: str, for_s: float) -> Injection:
    """Hang an instance with SIGSTOP, long enough for others to notice."""

    @contextlib.contextmanager
    def inject(deployment: Deployment) -> Iterator[None]:
        try:
            with stopped(deployment, name):
                time.sleep(for_s)
                yield
        finally:
            if name in deployment.sentinels:  # TILT lasts for half a minute
                wait_until(lambda: not deployment.in_tilt(name), 60)

    return inject


def following(name: str, whom: str) -> Injection:
    """Make a replica follow another node (or NO ONE) than the master, until Sentinel corrects
    it.
    """

    @contextlib.contextmanager
    def inject(deployment: Deployment) -> Iterator[None]:
        where = ["NO", "ONE"] if whom == "no one" else [deployment.access.host, deployment.nodes[whom]]
        command(deployment, name, "REPLICAOF", *where)
        try:
            yield
        finally:
            command(deployment, name, "REPLICAOF", deployment.access.host, deployment.nodes["redis-1"])

    return inject


@contextlib.contextmanager
def cut_off(deployment: Deployment) -> Iterator[None]:
    """Give redis-3 a wrong password for its master."""
    with config("redis-3", masterauth="wrong")(deployment):
        command(deployment, "redis-1", "CLIENT", "KILL", "TYPE", "replica")
        wait_until(lambda: deployment.administered_info("redis-3")["master_link_status"] == "down")
        yield


@contextlib.contextmanager
def loading(deployment: Deployment) -> Iterator[None]:
    """Make redis-3 copy all data of its master, and load it slowly.

    A DEBUG RELOAD would keep the link, and the replica would refuse what comes meanwhile.
    """
    command(deployment, "redis-1", "DEBUG", "POPULATE", 3000)
    with config("redis-3", key_load_delay=20000, loading_process_events_interval_bytes=1024)(deployment):
        master = (deployment.access.host, deployment.nodes["redis-1"])
        command(deployment, "redis-3", "REPLICAOF", "NO", "ONE")
        command(deployment, "redis-3", "REPLICAOF", *master)
        wait_until(lambda: deployment.administered_info("redis-3")["loading"] == "1", 60)
        try:
            yield
        finally:
            command(deployment, "redis-3", "CONFIG", "SET", "key-load-delay", 0)
            wait_until(lambda: deployment.administered_info("redis-3").get("master_link_status") == "up", 120)
    command(deployment, "redis-1", "FLUSHALL")


@contextlib.contextmanager
def failing_over(deployment: Deployment) -> Iterator[None]:
    """Run FAILOVER on the master, to a replica that hangs."""
    target = (deployment.access.host, deployment.nodes["redis-3"])
    with stopped(deployment, "redis-3"):
        command(deployment, "redis-1", "SET", "something", "new")
        command(deployment, "redis-1", "FAILOVER", "TO", *target, "TIMEOUT", 600000)
        try:
            yield
        finally:
            command(deployment, "redis-1", "FAILOVER", "ABORT")


def together(*injections: Injection) -> Injection:
    @contextlib.contextmanager
    def inject(deployment: Deployment) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for one in injections:
                stack.enter_context(one(deployment))
            yield

    return inject


@contextlib.contextmanager
def lagging(deployment: Deployment) -> Iterator[None]:
    with not_applying(deployment, "redis-3"):
        command(deployment, "redis-1", "SET", "large", "x" * 100000)
        yield
    command(deployment, "redis-1", "DEL", "large")


@contextlib.contextmanager
def append_only(deployment: Deployment) -> Iterator[None]:
    with config("redis-2", appendonly="yes")(deployment):
        wait_until(lambda: deployment.administered_info("redis-2")["aof_rewrite_in_progress"] == "0")
        wait_until(lambda: deployment.administered_info("redis-2")["aof_rewrite_scheduled"] == "0")
        yield


def restarted(name: str, script: str) -> Injection:
    """Restart an instance with a shell script, and as usual in the end.

    In the script, CONF is the configuration file, SERVER the server.
    """

    @contextlib.contextmanager
    def inject(deployment: Deployment) -> Iterator[None]:
        conf, server = deployment.config(name), deployment.folder / name / "redis" / "redis-server"
        deployment.stop(name)
        words = ["unshare", "--map-root-user", "--mount", "sh", "-ec", f"CONF={conf} SERVER={server}; {script}"]
        deployment.processes[name] = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
        wait_until(lambda: deployment.processes[name].poll() is None and settled(deployment))
        try:
            yield
        finally:
            deployment.stop(name)
            deployment.start(name)
            wait_until(lambda: settled(deployment))

    return inject


READ_ONLY = "F=$(dirname $CONF); mount --bind $F $F; mount -o remount,bind,ro $F; exec $SERVER $CONF"
MOUNTED = "mount --bind $CONF $CONF; exec $SERVER $CONF"
RENAMED = "exec $SERVER $CONF --rename-command FLUSHALL hidden --rename-command KEYS ''"
NO_FILE = "exec $SERVER - < $CONF"


def file_in_journal(name: str, content: str) -> Injection:
    @contextlib.contextmanager
    def inject(deployment: Deployment) -> Iterator[None]:
        path = deployment.folder / "journal" / name.format(**{key.replace("-", "_"): port for key, port in deployment.ports.items()})
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
        try:
            yield
        finally:
            path.unlink()

    return inject


@contextlib.contextmanager
def an_unfinished_run(deployment: Deployment) -> Iterator[None]:
    """Leave the journal of a run, with another priority of redis-2."""
    path = deployment.folder / "journal" / f"redis-{deployment.nodes['redis-2']}.json"
    write_journal(
        str(path),
        {"schema": 1, "kind": "redis", "version": deployment.version, "priority": 50, "original_master": deployment.address("redis-1")},
    )
    try:
        yield
    finally:
        path.unlink()


@contextlib.contextmanager
def half_staged(deployment: Deployment) -> Iterator[None]:
    folder = deployment.folder / "redis-2" / "redis.new"
    folder.mkdir()
    (folder / "redis-server").write_text("half")
    try:
        yield
    finally:
        (folder / "redis-server").unlink()
        folder.rmdir()
