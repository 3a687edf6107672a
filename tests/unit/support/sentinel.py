"""A Sentinel in memory: its view of the data nodes, and failovers with their measured timing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.sentinelops.redis.plugins.module_utils._server.versions import version_key
from ansible_collections.sentinelops.redis.tests.unit.support.data_node import DataNode, versions
from ansible_collections.sentinelops.redis.tests.unit.support.servers import FakeServer, Wire

NAME = "mymaster"


@dataclass
class Known:
    """A Sentinel's view of a data node from the node's last INFO."""

    node: DataNode
    info_at_s: float
    seen: dict[str, Any] = field(default_factory=dict)

    def refresh(self, now_s: float) -> None:
        self.info_at_s = now_s
        self.seen = {
            "role": self.node.role,
            "priority": int(self.node.config["replica-priority"]),
            "offset": int(self.node.offset),
            "link": "ok" if self.node.link_up and self.node.master else "err",
        }


@dataclass
class Failover:
    target: DataNode
    old_master: DataNode
    changed_s: float
    coordinated: bool = False
    promoted: bool = False
    announced: bool = False
    ended: bool = False


class FakeSentinel(FakeServer):
    """A Sentinel whose failovers take the measured times.

    Tests can change a failover: ``promotion_s`` and ``demotion_s`` (counted from the
    promotion), ``aborts``, ``loses_the_answer``, and ``promotes``, a node that is promoted
    whatever the priorities are. After failover-timeout, a promotion that has not come is
    aborted, and one that is known is ended without the replicas' INFO. A Sentinel that
    ``hangs`` neither promotes nor aborts, and answers nothing more.
    """

    def __init__(self, address: str, wire: Wire, nodes: list[DataNode], has_debug: bool) -> None:
        super().__init__(address, wire)
        self.master = nodes[0]
        self.others: list[FakeSentinel] = []
        self.server = "redis"
        self.version = "7.0.15" if has_debug else "6.2.14"
        self.has_debug = has_debug
        self.info_period_ms = 10000
        self.config_epoch = 0
        self.quorum = 2
        self.down_after_ms = 5000
        self.failover_timeout_ms = 60000
        self.parallel_syncs = 1
        self.tilt = False
        self.connected_clients = 4
        self.master_flags = ["master"]
        self.replica_flags: dict[str, str] = {}
        self.reported_roles: dict[str, str] = {}
        self.hello_age_ms: dict[str, int] = {}
        self.ghosts = 0
        self.ckquorum = "OK 3 usable Sentinels. Quorum and failover authorization can be reached"
        self.promotion_s = 0.19
        self.demotion_s = 11.0
        self.aborts = False
        self.hangs = False
        self.promotes: DataNode | None = None
        self.loses_the_answer: str = ""  # "accepted": the command ran; "unheard": it never arrived
        self.failover: Failover | None = None
        self.known = {str(node.address): Known(node, 0.0) for node in nodes}
        self._oldest_s = 0.0

    def know_everything(self, phase_s: float) -> None:
        """Set the view as if every node had sent its INFO ``phase_s`` seconds ago."""
        for known in self.known.values():
            known.refresh(self.clock.now_s() - phase_s)

    @property
    def running(self) -> bool:
        return self.failover is not None and not self.failover.ended

    def step(self, _seconds: float) -> None:
        """Ask for INFO when it is due: each second during a failover, else each INFO period."""
        now_s, period_s = self.clock.now_s(), 1.0 if self.running else self.info_period_ms / 1000
        if self.frozen_until_s > now_s:
            return
        if self.running:
            self._end_if_late()
        if not self.alive or now_s - self._oldest_s < period_s:
            return
        for known in self.known.values():
            if known.node.alive and not known.node.frozen and now_s - known.info_at_s >= period_s:
                known.refresh(now_s)
                self._judge(known)
        self._oldest_s = min(known.info_at_s for known in self.known.values() if known.node.alive)

    def _judge(self, known: Known) -> None:
        failover = self.failover
        if self.running and failover and known.node is failover.target and known.seen["role"] == "master" and self.master is not known.node:
            self._announce(failover)

    # -- the failover

    def _begin(self, coordinated: bool) -> None:
        ranked = sorted(
            (known for known in self.known.values() if known.node is not self.master and known.seen["priority"] > 0 and known.node.alive),
            key=lambda known: (known.seen["priority"], -known.seen["offset"], known.node.run_id),
        )
        self.failover = Failover(self.promotes or ranked[0].node, self.master, self.clock.now_s(), coordinated)
        if coordinated:
            self.clock.at(0.05, lambda: vars(self.master).update(paused_until_s=self.clock.now_s() + 60))
        self.clock.at(self.promotion_s, self._give_up if self.aborts else self._promote)

    def _end_if_late(self) -> None:
        failover = self.failover
        if failover and not self.hangs and self.clock.now_s() - failover.changed_s > self.failover_timeout_ms / 1000:
            self._give_up()

    def _give_up(self) -> None:
        if self.failover:
            self.failover.ended = True
            if self.failover.coordinated and not self.failover.promoted:
                self.failover.old_master.paused_until_s = 0.0

    def _promote(self) -> None:
        """Promote the target as soon as it answers, if the failover still runs."""
        failover = self.failover
        if not (self.alive and self.running and failover) or self.hangs:
            return
        if self.frozen or failover.target.frozen or not failover.target.alive:
            self.clock.at(0.1, self._promote)
            return
        failover.promoted, failover.changed_s = True, self.clock.now_s()
        if failover.coordinated:
            failover.target.offset = failover.old_master.offset
        if failover.target.master is not None:  # else REPLICAOF NO ONE changes nothing
            failover.target.promote()
        if failover.coordinated:
            failover.old_master.follow(failover.target)
            failover.old_master.paused_until_s = 0.0
        self.clock.at(self.demotion_s, self._demote)

    def _announce(self, failover: Failover) -> None:
        """Name the target, since its INFO shows the promotion; the other Sentinels follow."""
        failover.announced, failover.changed_s = True, self.clock.now_s()
        self._name(failover.target)
        for other in self.others:
            self.clock.at(0.08, lambda other=other: other._name(failover.target))
        for known in self.known.values():
            if known.node not in (failover.target, failover.old_master):
                self.clock.at(0.1, lambda node=known.node: node.be_made_to_follow(failover.target))
        self.clock.at(1.0, lambda: self._give_up() if self.failover is failover else None)

    def _name(self, target: DataNode) -> None:
        if self.alive:
            self.master = target
            self.config_epoch += 1

    def _demote(self) -> None:
        """End a state with two masters: Sentinels demote the master that they do not name."""
        failover = self.failover
        if not failover:
            return
        old, target = failover.old_master, failover.target
        if any(node.master is not None or not node.alive for node in (old, target)):
            return
        named = {sentinel.master for sentinel in (self, *self.others) if sentinel.alive}
        if target in named:
            old.be_made_to_follow(target)
        elif named:  # the leader died before it announced the promotion
            target.offset = old.offset
            target.be_made_to_follow(old)

    # -- commands

    def do_info(self, *_sections: str) -> str:
        said = {**versions(self.server, self.version), "redis_mode": "sentinel", "run_id": f"id-{self.address}"}
        said["connected_clients"] = str(self.connected_clients)
        return "".join(f"{name}:{value}\r\n" for name, value in {**said, "sentinel_tilt": int(self.tilt)}.items())

    def do_sentinel(self, what: str, *words: Any) -> Any:
        if self.hangs and self.running:
            self.clock.pass_s(self.timeout_ms / 1000)
            self.lose_the_answer(("SENTINEL",))
        if words and what not in ("DEBUG",) and words[0] != NAME:
            self._refuse(("SENTINEL",), "ERR No such master with that name")
        return getattr(self, "_" + what.lower().replace("-", "_"))(*words[1:] if what != "DEBUG" else words)

    def _masters(self) -> list[list[str]]:
        return [self._master()]

    def _master(self) -> list[str]:
        # SENTINEL MASTER names the old master until the failover has ended.
        named = self.failover.old_master if self.running and self.failover else self.master
        flags = [*self.master_flags, *(["failover_in_progress"] if self.running else [])]
        return _flat(
            name=NAME,
            ip=named.address.host,
            port=named.address.port,
            runid=named.run_id,
            flags=",".join(flags),
            **{
                "num-slaves": len(self.known) - 1,
                "num-other-sentinels": len(self.others) + self.ghosts,
                "quorum": self.quorum,
                "config-epoch": self.config_epoch,
                "down-after-milliseconds": self.down_after_ms,
                "failover-timeout": self.failover_timeout_ms,
                "parallel-syncs": self.parallel_syncs,
            },
        )

    def _replicas(self) -> list[list[str]]:
        return [self._replica(known) for known in self.known.values() if known.node is not self.master]

    def _replica(self, known: Known) -> list[str]:
        return _flat(
            ip=known.node.address.host,
            port=known.node.address.port,
            runid=known.node.run_id,
            flags=self.replica_flags.get(str(known.node.address), "slave"),
            **{
                "last-ping-sent": 0,
                "last-ok-ping-reply": 300,
                "role-reported": self.reported_roles.get(str(known.node.address), "slave"),
                "info-refresh": round((self.clock.now_s() - known.info_at_s) * 1000),
                "master-link-status": known.seen["link"],
                "master-host": self.master.address.host,
                "master-port": self.master.address.port,
                "slave-priority": known.seen["priority"],
                "slave-repl-offset": known.seen["offset"],
            },
        )

    def _sentinels(self) -> list[list[str]]:
        return [
            _flat(
                ip=other.address.host,
                port=other.address.port,
                runid=f"id-{other.address}",
                flags="sentinel",
                **{"last-hello-message": self.hello_age_ms.get(str(other.address), 800), "last-ok-ping-reply": 300, "last-ping-sent": 0},
            )
            for other in self.others
        ]

    def _ckquorum(self) -> str:
        if not self.ckquorum.startswith("OK"):
            self._refuse(("SENTINEL",), self.ckquorum)
        return self.ckquorum

    def _get_master_addr_by_name(self) -> list[str]:
        return [self.master.address.host, str(self.master.address.port)]

    def _debug(self, *words: Any) -> Any:
        if not self.has_debug:
            self._refuse(("SENTINEL",), "ERR Unknown sentinel subcommand 'DEBUG'")
        if words:
            self.info_period_ms = int(words[1])
            return "OK"
        return ["INFO-PERIOD", str(self.info_period_ms), "PING-PERIOD", "1000"]

    def _set(self, setting: str, value: Any) -> str:
        setattr(self, {"failover-timeout": "failover_timeout_ms", "parallel-syncs": "parallel_syncs"}[setting], int(value))
        return "OK"

    def _failover(self, *words: str) -> str:
        if words and (self.server != "valkey" or version_key(self.version) < (9, 1, 1)):
            self._refuse(("SENTINEL",), "ERR Wrong number of arguments for 'sentinel|failover' command")
        if self.running:
            self._refuse(("SENTINEL",), "INPROG Failover already in progress")
        if self.loses_the_answer != "unheard":
            self._begin(coordinated=bool(words))
        if self.loses_the_answer:
            self.lose_the_answer(("SENTINEL",))
        return "OK"


def _flat(**fields: Any) -> list[str]:
    return [str(word) for pair in fields.items() for word in pair]
