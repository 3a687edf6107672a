"""Many shards behind one set of three Sentinels, real processes on loopback."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import redis
from deployment import SERVERS, Deployment, Writers

KEYS_PER_MIB, KEYS_AT_ONCE = 5243, 20000


class Fleet(Deployment):
    """``shards`` shards, called ``shard-1`` and so on, each with a master and replicas.

    The data nodes are called ``shard-1-redis-1`` (the master) and so on, and listen from ``port``
    on; the Sentinels after them.
    """

    def __init__(self, folder: Path, version: str, port: int, shards: int, replicas: int) -> None:
        super().__init__(folder, version, port)
        self.shards = {
            f"shard-{shard + 1}": [f"shard-{shard + 1}-redis-{node + 1}" for node in range(replicas + 1)] for shard in range(shards)
        }
        self.nodes = {name: port + index for index, name in enumerate(name for names in self.shards.values() for name in names)}
        self.sentinels = {f"sentinel-{number + 1}": port + len(self.nodes) + number for number in range(3)}

    def _set_up(self, name: str, follows: str = "") -> None:
        folder, port = self.folder / name / "redis", self.ports[name]
        shutil.copytree(SERVERS / self.version, folder, copy_function=os.link)
        common = f"port {port}\nbind 127.0.0.1\ndir {folder.parent}\nlogfile {folder.parent}/log\n"
        self.config(name).write_text(common + (self._watching() if name in self.sentinels else self._following(name)), encoding="utf-8")
        self.start(name)

    def _following(self, name: str) -> str:
        master = next(names[0] for names in self.shards.values() if name in names)
        return "" if name == master else f"replicaof 127.0.0.1 {self.nodes[master]}\n"

    def _watching(self) -> str:
        return "".join(
            f"sentinel monitor {shard} 127.0.0.1 {self.nodes[names[0]]} 2\nsentinel down-after-milliseconds {shard} {self.down_after_ms}\n"
            f"sentinel failover-timeout {shard} 60000\n"
            for shard, names in self.shards.items()
        )

    def _shards(self) -> dict[str, list[str]]:
        return self.shards

    def masters_at_home(self) -> list[str]:
        """Return the shards whose first node is the master, by the node's own word."""
        return [shard for shard, names in self.shards.items() if self.info(names[0])["role"] == "master"]

    def fill(self, mib: int) -> None:
        """Write so much data to every shard, in values of 100 bytes, and wait for the replicas.

        A key with its value takes about 200 bytes of the server's memory.
        """
        for names in self.shards.values():
            client = redis.Redis(port=self.nodes[names[0]], socket_timeout=120)
            for first in range(0, mib * KEYS_PER_MIB, KEYS_AT_ONCE):
                pipeline = client.pipeline(transaction=False)
                for number in range(first, min(first + KEYS_AT_ONCE, mib * KEYS_PER_MIB)):
                    pipeline.set(f"key:{number:010d}", "x" * 100)
                pipeline.execute()
            client.close()
        self._await_links()

    def _inventory(self) -> dict[str, Any]:
        found = super()._inventory()
        del found["all"]["vars"]["redis_upgrade_master_name"]
        return found

    @contextlib.contextmanager
    def writing(self) -> Iterator[Callable[[], dict[str, dict[str, Any]]]]:
        """Write to every shard, a little; yield a function that ends that, with the verdicts."""
        with contextlib.ExitStack() as stack:
            writers = {
                shard: stack.enter_context(
                    Writers(self, stop=f"stop-{shard}", master_name=shard, writers=1, writes_per_second=20, duration_s=3600)
                )
                for shard in self.shards
            }
            yield lambda: {shard: one.verdict() for shard, one in writers.items()}
