"""A data node in memory: role, offset, pause and fences, as a handover sees them."""

from __future__ import annotations

from typing import Any

from ansible_collections.sentinelops.redis.plugins.module_utils._server.versions import version_key
from ansible_collections.sentinelops.redis.tests.unit.support.servers import FakeServer, Wire

FENCE = "2147483647"  # the fence of a node that had min-replicas-to-write 0
SETTINGS = {"replica-priority": "100", "min-replicas-to-write": "0", "min-replicas-max-lag": "10", "repl-ping-replica-period": "10"}


class DataNode(FakeServer):
    """A data node; offsets are bytes.

    A master accepts writes (``writes_per_s`` bytes per second) unless it is paused, fenced or
    dead.
    """

    def __init__(self, address: str, wire: Wire, master: DataNode | None = None) -> None:
        super().__init__(address, wire)
        self.master = master
        self.run_id = f"run-{address}"
        self.server = "redis"
        self.version = "7.0.15"
        self.offset = 10000.0
        self.replid = master.replid if master else f"id-of-{address}"
        self.replid2 = "0" * 40
        self.second_offset = -1
        self.changes = 0.0
        self.saved_at = 1700000000
        self.writes_per_s = 50000.0
        self.loading = False
        self.link_up = True
        self.sync_full = 0
        self.errors_sent = 0
        self.config = dict(SETTINGS)
        self.saved_config = dict(self.config)
        self.paused_until_s = 0.0
        self.stalled_until_s = 0.0
        self.stale_bytes = 0
        self.promoted_at: float | None = None
        self.lost_bytes = 0.0
        self.killed_clients = 0
        self.clients = ["id=3 name= user=default", "id=4 name=sentinel-1f2e3d4c-cmd user=default"]
        self.dryrun: dict[str, str] = {}

    @property
    def role(self) -> str:
        return "slave" if self.master else "master"

    @property
    def paused(self) -> bool:
        return self.paused_until_s > self.clock.now_s()

    @property
    def fenced(self) -> bool:
        """Return whether the explicit fence is set; min-replicas-max-lag 0 disables the check."""
        return int(self.config["min-replicas-to-write"]) > 2000000000 and self.config["min-replicas-max-lag"] != "0"

    @property
    def linked_replicas(self) -> list[DataNode]:
        """Return the nodes that are linked to this master by its own view, also if they hang."""
        return [node for node in self.wire.nodes.values() if node.master is self and node.alive and node.link_up]

    @property
    def lacks_replicas(self) -> bool:
        """Return whether min-replicas-to-write makes this master refuse writes."""
        wanted = int(self.config["min-replicas-to-write"]) if self.config["min-replicas-max-lag"] != "0" else 0
        return len(self.linked_replicas) < wanted

    @property
    def takes_writes(self) -> bool:
        return self.master is None and self.alive and not (self.frozen or self.paused or self.lacks_replicas)

    def step(self, seconds: float) -> None:
        """Let time pass: a master accepts writes, a replica applies the stream if it can."""
        if self.takes_writes:
            self.offset += self.writes_per_s * seconds
            self.changes += self.writes_per_s * seconds
        elif (
            self.master
            and self.link_up
            and self.alive
            and max(self.stalled_until_s, self.frozen_until_s, self.paused_until_s) <= self.clock.now_s()
        ):
            self.offset = max(self.offset, self.master.offset - self.stale_bytes)

    def promote(self) -> None:
        """Become a master, as by Sentinel."""
        self.master, self.promoted_at = None, self.offset
        self.replid2, self.second_offset, self.replid = self.replid, int(self.offset) + 1, f"{self.replid}>{self.name}"
        self._reconfigured()

    def be_made_to_follow(self, master: DataNode) -> None:
        """Become a replica, as by Sentinel."""
        self.follow(master)
        self._reconfigured()

    def _reconfigured(self) -> None:
        """Save the settings and close the clients' connections, as Sentinel has a node do."""
        self.saved_config = dict(self.config)
        self.connection_lost = True

    def follow(self, master: DataNode) -> None:
        """Become a replica.

        Writes that this node accepted and its new master lacks are discarded, and counted
        as lost.
        """
        if self.master is None and master.promoted_at is not None:
            self.lost_bytes += max(0.0, self.offset - master.promoted_at)
            self.offset = master.promoted_at
        self.master = master
        if self.replid != master.replid:
            self.replid2, self.second_offset, self.replid = self.replid, int(self.offset) + 1, master.replid

    # -- commands

    def do_command(self, *names: str) -> list[Any]:
        return [[name.lower()] for name in names[1:]]

    def do_info(self, *sections: str) -> str:
        if sections == ("persistence",):
            return f"rdb_changes_since_last_save:{int(self.changes)}\r\nrdb_last_save_time:{self.saved_at}\r\n"
        head = {
            **versions(self.server, self.version),
            "redis_mode": "standalone",
            "run_id": self.run_id,
            "process_id": 1001,
            "uptime_in_seconds": 500,
            "loading": int(self.loading),
            "sync_full": self.sync_full,
            "unexpected_error_replies": self.errors_sent,
            "role": self.role,
            "master_replid": self.replid,
            "master_replid2": self.replid2,
            "second_repl_offset": self.second_offset,
        }
        if self.master is None:
            fields = {**head, "master_repl_offset": int(self.offset)}
            for number, node in enumerate(self.linked_replicas):
                line = f"ip={node.address.host},port={node.address.port},state=online,offset={int(node.offset)},lag=0"
                fields[f"slave{number}"] = line
            if "0" not in (self.config["min-replicas-to-write"], self.config["min-replicas-max-lag"]):
                fields["min_slaves_good_slaves"] = len(self.linked_replicas)
        else:
            fields = {
                **head,
                "master_host": self.master.address.host,
                "master_port": self.master.address.port,
                "master_link_status": "up" if self.link_up and self.master.alive else "down",
                "master_sync_in_progress": 0,
                "slave_repl_offset": int(self.offset),
            }
        return "".join(f"{name}:{value}\r\n" for name, value in fields.items())

    def do_config(self, what: str, *words: Any) -> Any:
        if what == "GET":
            return [words[0], self.config[words[0]]] if words[0] in self.config else []
        if what == "SET":
            self.config[str(words[0])] = str(words[1])
        else:
            self.saved_config = dict(self.config)
        return "OK"

    def do_client(self, what: str, *words: Any) -> Any:
        if what == "LIST":
            return "\n".join(self.clients) + "\n"
        if what in ("PAUSE", "UNPAUSE") and version_key(self.version) < (6, 2):
            self._refuse(("CLIENT",), "ERR Unknown subcommand or wrong number of arguments")
        if what == "PAUSE":
            self.paused_until_s = max(self.paused_until_s, self.clock.now_s() + int(words[0]) / 1000)
        elif what == "UNPAUSE":
            self.paused_until_s = 0.0
        elif what == "KILL":
            self.killed_clients += 1
            return 1
        return "OK"

    def do_acl(self, _dryrun: str, user: str, *words: Any) -> str:
        return next((reply for beginning, reply in self.dryrun.items() if f"{user} {words[0]}".startswith(beginning)), "OK")

    def do_replicaof(self, host: str, port: Any) -> str:
        self.follow(self.wire.nodes[f"{host}:{port}"])
        return "OK"


def versions(server: str, version: str) -> dict[str, str]:
    """Return the INFO fields of a server's version."""
    return {"redis_version": version} if server == "redis" else {"redis_version": "7.2.4", f"{server}_version": version}
