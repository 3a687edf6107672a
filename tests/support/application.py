"""An application that writes with scripts, expiring keys and streams, and comparisons of nodes."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from typing import Any

from all_kinds import write_all_kinds
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import SentinelOpsError
from ansible_collections.sentinelops.redis.plugins.module_utils._server.commands import Server
from deployment import MASTER, Deployment
from states import wait_until

SCRIPT = "return redis.call('rpush', KEYS[1], ARGV[1])"
LIST, STREAM = "list", "stream"


class Application:
    """A thread that writes through the Sentinels' master; ``acknowledged``: the completed rounds.

    No number is used twice: a round that fails is repeated with the next one.
    """

    pause_s = 0.004
    _numbers = itertools.count(1)

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.acknowledged: list[int] = []

    def __enter__(self) -> Application:
        self._thread.start()
        wait_until(lambda: len(self.acknowledged) > 20)
        return self

    def __exit__(self, *_reason: object) -> None:
        self._done.set()
        self._thread.join()

    def _connect(self) -> Server:
        while True:
            for name in self._deployment.sentinels:
                with contextlib.suppress(SentinelOpsError):
                    _host, port = self._deployment.command(name, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
                    return self._deployment.connect(next(node for node, own in self._deployment.nodes.items() if own == int(port)))
            time.sleep(0.05)

    def _write(self) -> None:
        server, script = self._connect(), ""
        while not self._done.wait(self.pause_s):
            number = next(self._numbers)
            try:
                script = script or str(server.command("SCRIPT", "LOAD", SCRIPT))
                self._round(server, script, number)
                self.acknowledged.append(number)
            except SentinelOpsError:
                server.close()
                time.sleep(0.05)
                server, script = self._connect(), ""
        server.close()

    def _round(self, server: Server, script: str, number: int) -> None:
        server.command("EVALSHA", script, 1, LIST, number)
        server.command("SET", f"key-{number}", number, "EX", 3600)
        server.command("INCRBYFLOAT", f"sum-{number}", "0.5")
        server.command("XADD", STREAM, "MAXLEN", 100, "*", "number", number)
        if number % 10 == 0:
            server.command("XGROUP", "CREATE", STREAM, number, 0)
            server.command("XREADGROUP", "GROUP", number, "consumer", "NOACK", "COUNT", 1, "STREAMS", STREAM, ">")


class AllKinds(Application):
    """An application that writes with every kind of command, slowly, as its collections grow."""

    pause_s = 0.05

    def _round(self, server: Server, script: str, number: int) -> None:
        write_all_kinds(server, number)


def lost_rounds(application: Application, data: dict[str, Any]) -> list[int]:
    """Return the acknowledged rounds of AllKinds whose writes are not in the data."""
    kept = [(data.get(f"k-lua-{number}"), data.get(f"k-expiring-{number}")) for number in application.acknowledged]
    expected = [((str(number), False), ("value", True)) for number in application.acknowledged]
    return [number for number, own, wanted in zip(application.acknowledged, kept, expected, strict=True) if own != wanted]


def contents(deployment: Deployment, name: str) -> dict[str, Any]:
    """Return all data of a node; of each string also whether it expires."""
    server = deployment.administrator(name)
    try:
        return all_data(server)
    finally:
        server.close()


def all_data(server: Server) -> dict[str, Any]:
    """Return all data of a server; of each string also whether it expires."""
    found: dict[str, Any] = {}
    for key in sorted(server.command("KEYS", "*")):
        kind = server.command("TYPE", key)
        if kind == "string":
            found[key] = (server.command("GET", key), server.command("TTL", key) > 0)
        elif kind == "list":
            found[key] = server.command("LRANGE", key, 0, -1)
        elif kind in ("hash", "set"):
            found[key] = sorted(map(str, _pairs(server.command("HGETALL", key)) if kind == "hash" else server.command("SMEMBERS", key)))
        elif kind == "zset":
            found[key] = server.command("ZRANGE", key, 0, -1, "WITHSCORES")
        else:
            fields = [dict(zip(group[::2], group[1::2], strict=True)) for group in server.command("XINFO", "GROUPS", key)]
            groups = [(group["name"], group["consumers"], group["last-delivered-id"]) for group in fields]
            found[key] = (server.command("XRANGE", key, "-", "+"), groups)
    return found


def _pairs(reply: Any) -> list[Any]:
    return list(reply.items()) if isinstance(reply, dict) else list(zip(reply[::2], reply[1::2], strict=True))


def same_everywhere(deployment: Deployment) -> dict[str, Any]:
    """Return the data of all nodes once they have the same offset; fail unless they are equal."""

    def in_step() -> bool:
        infos = [deployment.administered_info(name) for name in deployment.nodes]
        return len({info.get("slave_repl_offset", info["master_repl_offset"]) for info in infos}) == 1

    wait_until(in_step)
    (master,) = (name for name in deployment.nodes if deployment.administered_info(name)["role"] == "master")
    expected = contents(deployment, master)
    for name in deployment.nodes:
        found = contents(deployment, name)
        differ = sorted(key for key in {*found, *expected} if found.get(key) != expected.get(key))
        assert not differ, f"{len(differ)} keys of {name} differ from those of {master}: {differ[:5]}"
    return expected


def lost(application: Application, data: dict[str, Any]) -> list[int]:
    """Return the acknowledged rounds whose writes are not in the data."""
    listed = {int(number) for number in data[LIST]}

    def kept(number: int) -> bool:
        strings = (data.get(f"key-{number}"), data.get(f"sum-{number}"))
        return number in listed and strings == ((str(number), True), ("0.5", False))

    return [number for number in application.acknowledged if not kept(number)]
