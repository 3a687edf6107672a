"""Surveyed deployments: records like those of redis_survey, for plan, preflight and report.

Hosts are called ``redis-1``, ``redis-2``, ... and ``sentinel-1``, ... with addresses 10.0.0.<n>. A
test can change a deployment instance by instance before it makes the plan.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.model import Instance, Plan, Settings
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.plan import make_plan

OLD, NEW = "7.0.5", "7.0.15"
IDENTITY = {"uid": 100, "gid": 100, "mode": 0o640}


@dataclass
class Node:
    """A data node; ``record`` replaces fields of its survey record.

    ``hidden``: the Sentinels count it and do not list it. ``follows``: the host of the replica that
    it follows, so that no Sentinel knows it.
    """

    host: str
    address: str
    version: str = OLD
    priority: int = 100
    server: str = "redis"
    stopped: bool = False
    answers: bool = True
    in_inventory: bool = True
    hidden: bool = False
    follows: str = ""
    journal: dict[str, Any] | None = None
    record: dict[str, Any] = field(default_factory=dict)


@dataclass
class Shard:
    """A shard; ``master`` is the index of the node that the Sentinels name as master."""

    name: str
    nodes: list[Node]
    master: int = 0

    @property
    def master_node(self) -> Node:
        return self.nodes[self.master]

    def followers(self, node: Node) -> list[Node]:
        """Return the nodes that follow one."""
        return [other for other in self.nodes if other is not self.master_node and self.source(other) is node]

    def source(self, node: Node) -> Node:
        """Return the node that a replica follows."""
        return next((other for other in self.nodes if other.host == node.follows), self.master_node)


@dataclass
class Sentinel:
    """A Sentinel.

    ``views`` replaces fields of its view of a master, by name; the field ``master`` replaces fields
    of the reply about the master.
    """

    host: str
    address: str
    version: str = OLD
    answers: bool = True
    stopped: bool = False
    journal: dict[str, Any] | None = None
    views: dict[str, dict[str, Any]] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)


@dataclass
class Surveyed:
    """A whole deployment."""

    shards: list[Shard]
    sentinels: list[Sentinel]

    def node(self, host: str) -> Node:
        return next(node for shard in self.shards for node in shard.nodes if node.host == host)

    def instances(self) -> list[Instance]:
        found = [Instance(one.host, "sentinel", self._of_sentinel(one), _host(one.address)) for one in self.sentinels]
        for shard in self.shards:
            known = [node for node in shard.nodes if node.in_inventory]
            found += [Instance(node.host, "redis", _of_node(node, shard), _host(node.address)) for node in known]
        return found

    def plan(self, version: str = NEW, **settings: Any) -> Plan:
        return make_plan(self.instances(), Settings(version, **settings))

    def _of_sentinel(self, sentinel: Sentinel) -> dict[str, Any]:
        common = _common(sentinel.host, sentinel.address, "sentinel", sentinel.version, sentinel.journal)
        if not sentinel.answers or sentinel.stopped:
            return {**_gone(common, sentinel.stopped), **sentinel.record}
        return {**common, "role": "sentinel", "views": [self._view(sentinel, shard) for shard in self.shards], **sentinel.record}

    def _view(self, sentinel: Sentinel, shard: Shard) -> dict[str, Any]:
        changes = dict(sentinel.views.get(shard.name, {}))
        master = {
            "name": shard.name,
            "address": shard.master_node.address,
            "run_id": f"run-{shard.master_node.host}",
            "flags": ["master"],
            "replicas": len(shard.followers(shard.master_node)),
            "other_sentinels": len(self.sentinels) - 1,
            "quorum": len(self.sentinels) // 2 + 1,
            "config_epoch": 3,
            "down_after_ms": 5000,
            "failover_timeout_ms": 60000,
            "parallel_syncs": 1,
            "ping_pending_ms": 0,
        }
        view = {
            "address": sentinel.address,
            "server": "redis",
            "version": sentinel.version,
            "run_id": f"run-{sentinel.host}",
            "tilt": False,
            "replicas": [_replica(node, shard) for node in shard.followers(shard.master_node) if not node.hidden],
            "peers": [_peer(other) for other in self.sentinels if other is not sentinel],
            "quorum_ok": True,
            "quorum_reply": f"OK {len(self.sentinels)} usable Sentinels. Quorum and failover authorization can be reached",
        }
        return {**view, "master": {**master, **changes.pop("master", {})}, **changes}


def _host(address: str) -> str:
    return address.rpartition(":")[0]


def _common(host: str, address: str, kind: str, version: str, journal: dict[str, Any] | None) -> dict[str, Any]:
    folder = f"/opt/{kind}/redis"
    return {
        "kind": kind,
        "login": "127.0.0.1:" + address.rpartition(":")[2],
        "journal": journal,
        "answers": True,
        "stopped": False,
        "error": "",
        "server": "redis",
        "version": version,
        "run_id": f"run-{host}",
        "pid": 1001,
        "uptime_s": 500,
        "executable": f"{folder}/redis-server",
        "config_file": f"{folder}/{kind}.conf",
        "config_identity": IDENTITY,
        "config_writable": True,
        "process": {"uid": 100, "gid": 100},
        "service": {"manager": "process", "unit": "", "doubts": []},
        "our_uid": 0,
        "machine": f"machine-of-{host}",
        "folder": folder,
        "installed_version": version,
        "staged_version": "",
        "interrupted": False,
        "folder_writable": True,
        "log_file": f"/var/log/{kind}.log",
        "dir": f"/var/lib/{kind}",
    }


def _gone(common: dict[str, Any], stopped: bool) -> dict[str, Any]:
    """Return the record of an unreachable instance; its journal adds to it if it was stopped."""
    always = {name: common[name] for name in ("kind", "login", "journal")}
    noted = ("executable", "config_file", "config_identity", "folder", "version", "folder_writable", "service")
    told = {name: common[name] for name in noted}
    gone = {**always, "answers": False, "stopped": stopped, "error": "no answer to INFO", "role": "stopped" if stopped else "unreachable"}
    return {**gone, **(told if stopped else {})}


def _of_node(node: Node, shard: Shard) -> dict[str, Any]:
    common = {**_common(node.host, node.address, "redis", node.version, node.journal), "server": node.server}
    if not node.answers or node.stopped:
        return {**_gone(common, node.stopped), **node.record}
    is_master = node is shard.master_node
    return {
        **common,
        "role": "master" if is_master else "replica",
        "master": "" if is_master else shard.source(node).address,
        "link_up": True,
        "loading": False,
        "offset": 5000,
        "replicas": [other.address for other in shard.followers(node)],
        "priority": node.priority,
        "min_replicas_to_write": 0,
        "save": "3600 1",
        "appendonly": "no",
        "announced_port": 0,
        **node.record,
    }


def _replica(node: Node, shard: Shard) -> dict[str, Any]:
    down = node.stopped or not node.answers
    return {
        "address": node.address,
        "run_id": f"run-{node.host}",
        "flags": ["slave", "s_down", "disconnected"] if down else ["slave"],
        "link_up": not down,
        "priority": node.priority,
        "offset": 5000,
        "info_age_ms": 400,
        "ping_age_ms": 300,
        "ping_pending_ms": 0,
        "master": shard.master_node.address,
    }


def _peer(sentinel: Sentinel) -> dict[str, Any]:
    down = sentinel.stopped or not sentinel.answers
    return {
        "address": sentinel.address,
        "run_id": f"run-{sentinel.host}",
        "flags": ["sentinel", "s_down", "disconnected"] if down else ["sentinel"],
        "hello_age_ms": 60000 if down else 800,
        "ping_age_ms": 60000 if down else 300,
        "ping_pending_ms": 60000 if down else 0,
    }


def three_and_three(**of_the_nodes: Any) -> Surveyed:
    """Return three data nodes and three Sentinels; redis-1 is the master."""
    nodes = [Node(f"redis-{n}", f"10.0.0.{n}:6379", **of_the_nodes) for n in (1, 2, 3)]
    return Surveyed([Shard("mymaster", nodes)], [Sentinel(f"sentinel-{n}", f"10.0.0.1{n}:26379") for n in (1, 2, 3)])


def two_shards() -> Surveyed:
    """Return two shards of different sizes; one-1 and two-1 are the masters."""
    first = Shard("one", [Node(f"one-{n}", f"10.0.1.{n}:6379") for n in range(1, 5)])
    second = Shard("two", [Node(f"two-{n}", f"10.0.2.{n}:6379") for n in range(1, 3)])
    return Surveyed([first, second], [Sentinel(f"sentinel-{n}", f"10.0.0.1{n}:26379") for n in (1, 2, 3)])


def half_upgraded(replicas: bool = True, handover: bool = False, old_master: bool = False) -> Surveyed:
    """Return an upgrade that was killed after the Sentinels and the named steps.

    redis-2 was the target of the handover.
    """
    deployment = three_and_three()
    for sentinel in deployment.sentinels:
        sentinel.version, sentinel.journal = NEW, {"schema": 1, "kind": "sentinel", "version": OLD}
    (shard,) = deployment.shards
    for node in shard.nodes:
        node.journal = {"schema": 1, "original_master": "10.0.0.1:6379", "address": node.address, "priority": 100, "version": OLD}
        node.journal["config_identity"] = IDENTITY
    for node in shard.nodes[1:] if replicas else []:
        node.version = NEW
    if old_master:
        shard.nodes[0].version = NEW
    shard.master = 1 if handover else 0
    return deployment
