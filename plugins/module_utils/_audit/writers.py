# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The write audit: writers that find the master through Sentinel, and the check of their lists."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any, Callable, Protocol, Sequence

from .._errors import CommandRefused, ConditionNotMet, ConnectionFailed, PreconditionFailed, SentinelOpsError
from .._server.address import Address
from .._server.commands import Connector, Server, retry_once
from .._server.info import node_info, parse_info
from .._server.login import Login
from .._server.sentinel_client import SentinelClient
from .._topology.sentinel import parse_replica
from .._wait import Clock, until
from .checker import History, Verdict, check, gaps_ms, least_gap_ms, longest_gap_ms, outcome_of, total

__all__ = ["Audit", "AuditRequest", "by_master_addr", "by_masters"]

RECONNECT_PAUSE_S = 0.02
KEY_LIFETIME_S = 86400  # the lists of a killed audit expire
READ_CHUNK = 20000


@dataclass(frozen=True)
class AuditRequest:
    """The options of an audit; ``writes_per_second`` is per writer, durations are seconds."""

    master_name: str
    writers: int
    writes_per_second: float
    key_prefix: str
    duration_s: float
    settle_s: float


class MasterAddrClient:
    """A client that asks GET-MASTER-ADDR-BY-NAME whenever it connects, as after each error."""

    def __init__(self, sentinels: Sequence[Address], name: str, to_sentinel: Connector, to_node: Connector) -> None:
        self._sentinels = [to_sentinel(address) for address in sentinels]
        self._name = name
        self._to_node = to_node
        self._node: Server | None = None

    def find_master(self) -> Address:
        """Return the master that the first answering Sentinel names.

        Raises ConnectionFailed if no Sentinel names one.
        """
        for sentinel in self._sentinels:
            try:
                reply = sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._name)
            except (ConnectionFailed, CommandRefused):
                continue
            if reply:
                return Address(str(reply[0]), int(reply[1]))
        raise ConnectionFailed(f"no Sentinel names the master of {self._name}", node=self._name, sent=False)

    def replicas(self) -> list[Any]:
        """Return the SENTINEL REPLICAS reply of the first answering Sentinel."""
        for sentinel in self._sentinels:
            try:
                replies: list[Any] = sentinel.command("SENTINEL", "REPLICAS", self._name)
                return replies
            except (ConnectionFailed, CommandRefused):
                continue
        raise ConnectionFailed(f"no Sentinel lists the replicas of {self._name}", node=self._name, sent=False)

    def command(self, *words: Any) -> Any:
        """Send a command to the master; an error closes the connection."""
        if self._node is None:
            self._node = self._to_node(self.find_master())
        try:
            return self._node.command(*words)
        except SentinelOpsError:
            self._node.close()
            self._node = None
            raise

    def close(self) -> None:
        for server in [*self._sentinels, *([self._node] if self._node else [])]:
            server.close()


class Client(Protocol):
    """A client that follows the master: MasterAddrClient or SentinelClient."""

    def command(self, *words: Any) -> Any:
        """Send a command to the master and return its reply."""

    def close(self) -> None:
        """Close all connections."""


ClientFactory = Callable[[], Client]


def by_master_addr(sentinels: Sequence[Address], name: str, to_sentinel: Connector, to_node: Connector) -> ClientFactory:
    """Return a factory of clients that ask GET-MASTER-ADDR-BY-NAME."""
    return lambda: MasterAddrClient(sentinels, name, to_sentinel, to_node)


def by_masters(sentinels: Sequence[Address], name: str, login: Login, node_login: Login) -> ClientFactory:
    """Return a factory of redis-py's Sentinel clients, which ask SENTINEL MASTERS."""
    return lambda: SentinelClient(sentinels, name, login, node_login)


class _Writer(threading.Thread):
    """A thread that appends 1, 2, 3, ... to its list until the stop event is set."""

    def __init__(self, key: str, client: Client, period_s: float, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.key = key
        self.history = History()
        self.end_s = 0.0
        self._client = client
        self._period_s = period_s
        self._stop_event = stop

    def run(self) -> None:
        due_s = time.monotonic()
        while not self._stop_event.is_set():
            self._write()
            due_s = max(due_s + self._period_s, time.monotonic() - 0.1)
            time.sleep(max(0.0, due_s - time.monotonic()))
        self.end_s = time.monotonic()
        self._client.close()

    def _write(self) -> None:
        history = self.history
        history.attempted += 1
        try:
            self._client.command("RPUSH", self.key, history.attempted)
            history.ok.append(history.attempted)
            history.ok_at_s.append(time.monotonic())
            if len(history.ok) == 1:
                self._client.command("EXPIRE", self.key, KEY_LIFETIME_S)
        except SentinelOpsError as error:
            if len(history.ok) == 1 and history.ok[0] == history.attempted:
                return  # the write was acknowledged; only EXPIRE failed
            self._record(error)
            time.sleep(RECONNECT_PAUSE_S)

    def _record(self, error: SentinelOpsError) -> None:
        history = self.history
        if isinstance(error, CommandRefused):
            kind, outcome = error.reply.split(" ", 1)[0], outcome_of(error.reply)
        elif isinstance(error, ConnectionFailed):
            kind, outcome = ("closed or timed out", "unknown") if error.sent else ("cannot connect", "fail")
        else:
            kind, outcome = type(error).__name__, "fail"
        history.errors[kind] = history.errors.get(kind, 0) + 1
        if outcome == "unknown":
            history.unknown.append(history.attempted)
        else:
            history.failed += 1


@dataclass(frozen=True)
class _Settling:
    """The master and its replicas, and a text for each of them that is not ready yet."""

    servers: list[Server]
    behind: list[str]


class Audit:
    """One audit; call ``require_unused_keys``, ``write``, ``verdict`` and ``clean_up`` in turn."""

    def __init__(self, request: AuditRequest, new_client: ClientFactory, finder: MasterAddrClient, to_node: Connector) -> None:
        self.request = request
        self._finder = finder
        self._to_node = to_node
        self._stop = threading.Event()
        self._epoch_s = time.time() - time.monotonic()
        self._begun_s = time.monotonic()
        period_s = 1.0 / request.writes_per_second
        keys = [f"{request.key_prefix}:{index}" for index in range(request.writers)]
        self._writers = [_Writer(key, new_client(), period_s, self._stop) for key in keys]

    def require_unused_keys(self) -> None:
        """Raise PreconditionFailed if a key of this audit exists, which another audit may use."""
        master = self._to_node(self._finder.find_master())
        taken = [writer.key for writer in self._writers if master.command("EXISTS", writer.key)]
        if taken:
            raise PreconditionFailed(
                f"the keys {', '.join(taken)} exist already",
                node=str(master.address),
                advice="Choose another key_prefix, or delete them",
            )

    def write(self, told_to_stop: Callable[[], bool], clock: Clock) -> float:
        """Run the writers until ``told_to_stop`` or the end of the duration; return the seconds."""
        self._begun_s = time.monotonic()
        for writer in self._writers:
            writer.start()
        waited = until(
            told_to_stop, lambda stop: stop, deadline_s=self.request.duration_s, interval_s=0.1, clock=clock, says=lambda _stop: "writing"
        )
        self._stop.set()
        for writer in self._writers:
            writer.join()
        return waited.waited_s

    def settled(self, clock: Clock) -> list[Server]:
        """Wait until every replica has caught up; return the master and its replicas.

        Raises ConditionNotMet after ``settle_s``.
        """

        waited = until(
            self._settling,
            lambda seen: not seen.behind,
            deadline_s=self.request.settle_s,
            interval_s=0.25,
            clock=clock,
            says=lambda seen: "; ".join(seen.behind),
        )
        if not waited.satisfied:
            raise ConditionNotMet(
                f"the deployment did not settle within {self.request.settle_s:g} s: {'; '.join(waited.seen.behind)}",
                state="The lists could not be read from every node, so whether writes were lost is unknown",
            )
        return waited.seen.servers

    def _settling(self) -> _Settling:
        try:
            master = self._to_node(self._finder.find_master())
            head = node_info(parse_info(master.command("INFO")))
            servers, behind = [master], [] if head.is_master else [f"{master.address} is not a master"]
            for reply in self._finder.replicas():
                replica = self._to_node(Address.parse(parse_replica(reply).address))
                info = node_info(parse_info(replica.command("INFO")))
                servers.append(replica)
                if info.is_master or not info.link_up or info.offset < head.offset:
                    behind.append(f"{replica.address}: role {info.role}, offset {info.offset} of {head.offset}")
            return _Settling(servers, behind)
        except SentinelOpsError as error:
            return _Settling([], [str(error)])

    def _final(self, server: Server, key: str) -> list[int]:
        values: list[int] = []
        while True:
            chunk = retry_once(server, "LRANGE", key, len(values), len(values) + READ_CHUNK - 1)
            values += [int(value) for value in chunk]
            if len(chunk) < READ_CHUNK:
                return values

    def verdict(self, clock: Clock) -> dict[str, Any]:
        """Check the lists of every node; each total is that of the worst node."""
        servers = self.settled(clock)
        per_node: dict[str, dict[str, Any]] = {}
        for server in servers:
            verdicts: list[Verdict] = [check(writer.history, self._final(server, writer.key)) for writer in self._writers]
            per_node[str(server.address)] = total(verdicts)
        worst = {key: max(node[key] for node in per_node.values()) for key in next(iter(per_node.values()))}
        return {**worst, **self.counts(), "nodes": per_node, "master": str(servers[0].address)}

    def counts(self) -> dict[str, Any]:
        """Return the writers' own counts, errors and gaps."""
        histories = [writer.history for writer in self._writers]
        errors: dict[str, int] = {}
        for history in histories:
            for kind, count in history.errors.items():
                errors[kind] = errors.get(kind, 0) + count
        ends = [writer.end_s for writer in self._writers]
        gaps = [longest_gap_ms(history.ok_at_s, end) for history, end in zip(histories, ends)]
        least_ms = least_gap_ms(self.request.writes_per_second)
        return {
            "attempted": sum(history.attempted for history in histories),
            "acknowledged": sum(len(history.ok) for history in histories),
            "refused": sum(history.failed for history in histories),
            "unknown": sum(len(history.unknown) for history in histories),
            "errors": errors,
            "longest_gap_ms": max(gaps),
            "longest_gap_all_ms": longest_gap_ms(sorted(at for h in histories for at in h.ok_at_s), max(ends)),
            "acknowledged_per_second": self._per_second(max(ends)),
            "writers": [
                {
                    "key": writer.key,
                    "acknowledged": len(writer.history.ok),
                    "longest_gap_ms": gap,
                    "gaps": [
                        {"at_s": round(begin + self._epoch_s, 3), "gap_ms": length}
                        for begin, length in gaps_ms(writer.history.ok_at_s, writer.end_s, least_ms)
                    ],
                }
                for writer, gap in zip(self._writers, gaps)
            ],
        }

    def _per_second(self, end_s: float) -> dict[str, Any]:
        """Return the acknowledged writes of all writers in each second."""
        counts = [0] * (int(end_s - self._begun_s) + 1)
        for writer in self._writers:
            for at_s in writer.history.ok_at_s:
                counts[int(min(max(0.0, at_s - self._begun_s), len(counts) - 1))] += 1
        return {"begun_at_s": round(self._begun_s + self._epoch_s, 3), "counts": counts}

    def clean_up(self) -> int:
        """Delete the lists; return the number of remaining keys, which is 0."""
        master = self._to_node(self._finder.find_master())
        keys = [writer.key for writer in self._writers]
        master.command("DEL", *keys)
        return int(master.command("EXISTS", *keys))
