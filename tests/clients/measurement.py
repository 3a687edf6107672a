"""The handovers of one group of clients, and what each client saw of each of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.sentinelops.redis.plugins.modules.redis_sentinel_failover import SPEC
from catalogue import ATOMIC, WITHOUT_LIST, Kind
from client_process import ClientProcess
from deployment import Deployment
from records import Judgement, Log, Window, count_errors, judge, longest_gap_ms, missed_messages
from states import settled, wait_until
from whereabouts import whereabouts

START_S = 60.0
LOOK_AFTER_S = 10.0
LOOKS = 3  # a client that reconnects all the time is not connected at every moment
SILENT_S = 3.0


@dataclass(frozen=True)
class Sighting:
    """One client in one handover.

    ``leads``: whether the client's first Sentinel led it. ``silent_s``: how long the client had no
    answer when it was looked up, 0 if not for long. ``misplaced``: the node other than the master
    that the client was connected to then, if any.
    """

    leads: bool
    gap_ms: float
    errors: Counter[str]
    silent_s: float = 0.0
    misplaced: str = ""

    @property
    def is_back(self) -> bool:
        return not self.silent_s and not self.misplaced

    def __str__(self) -> str:
        silence = f"no answer for {self.silent_s:.0f} s" if self.silent_s else ""
        return ", ".join(filter(None, (silence, self.misplaced and f"on the {self.misplaced}"))) or "back"


@dataclass
class Seen:
    """All that was measured of one client."""

    kind: Kind
    version: str = ""
    sightings: list[Sighting] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)
    missed: int = 0

    def where(self, leads: bool) -> list[Sighting]:
        return [sighting for sighting in self.sightings if sighting.leads == leads]

    @property
    def is_clean(self) -> bool:
        return all(judgement.is_clean for judgement in self.judgements)

    @property
    def stuck(self) -> int:
        return sum(1 for sighting in self.sightings if not sighting.is_back)


@dataclass
class Group:
    """The results of one group: its clients, and the handovers themselves."""

    seen: list[Seen] = field(default_factory=list)
    pauses_ms: list[float] = field(default_factory=list)
    leaders: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def leader_options(deployment: Deployment, leader: str) -> dict[str, Any]:
    """Return the module's options that let this Sentinel lead.

    Without the option ``leader`` the first Sentinel of the list leads from Redis 7.0 on; on older
    servers the one that is ready first does.
    """
    addresses = [deployment.address(name) for name in deployment.sentinels]
    at = addresses.index(leader)
    options: dict[str, Any] = {"sentinels": [*addresses[at:], *addresses[:at]]}
    return {**options, "leader": leader} if "leader" in SPEC else options


def misplaced(nodes: frozenset[str], master: str, old_master: str) -> str:
    """Return which node a client that asked for the master should not be connected to, if any."""
    wrong = nodes - {master}
    return "old master" if old_master in wrong else "other replica" if wrong else ""


class Measurement:
    """Handovers of one deployment while a group of clients works. Use: ``run(count)``."""

    def __init__(self, deployment: Deployment, kinds: Sequence[Kind], mode: str, first_number: int, say: Callable[[str], None]) -> None:
        self._deployment = deployment
        self._mode = mode
        self._say = say
        self._addresses = [deployment.address(name) for name in deployment.sentinels]
        self._clients = [
            ClientProcess(kind, first_number + index, deployment, self._addresses[index % len(self._addresses)])
            for index, kind in enumerate(kinds)
        ]
        self._windows: list[list[tuple[Log, Window]]] = [[] for _client in self._clients]
        self.group = Group([Seen(kind) for kind in kinds])

    def run(self, count: int) -> Group:
        """Carry out ``count`` handovers, led by each Sentinel in turn, then judge the lists."""
        try:
            self._start(self._clients)
            for number in range(count):
                self._one(self._addresses[number % len(self._addresses)], number + 1)
            self._stop()
        finally:
            for client in self._clients:
                client.kill()
        self._judge()
        return self.group

    def _start(self, clients: Sequence[ClientProcess]) -> None:
        for client in clients:
            client.start()
        deadline_s = time.monotonic() + START_S
        for client in clients:
            client.await_answers(deadline_s)

    def _one(self, leader: str, number: int) -> None:
        deployment, group = self._deployment, self.group
        begin_s = time.monotonic()
        result = deployment.hand_over(deployment.other_than_master(), mode=self._mode, **leader_options(deployment, leader))
        if result.get("failed"):
            group.failures.append(str(result["msg"]))
            self._say(f"  {number}: FAILED: {result['msg']}")
            return
        time.sleep(LOOK_AFTER_S)
        # the old master of a plain failover takes writes for about as long
        wait_until(lambda: settled(deployment), 60)
        group.pauses_ms.append(result["pause_ms"])
        group.leaders[result["leader"]] += 1
        late = self._note(result, begin_s)
        told = "; ".join(f"{client.kind.name} ({sighting})" for client, sighting in late)
        self._say(f"  {number}: led by {result['leader']}, writes paused {result['pause_ms']:.0f} ms, not back: {told or 'none'}")
        self._start_anew([client for client, _sighting in late])

    def _note(self, result: dict[str, Any], begin_s: float) -> list[tuple[ClientProcess, Sighting]]:
        """Note what each client saw of a handover; return those that are not back."""
        places = self._places(result["old_master"])
        window = Window(begin_s, time.monotonic())
        late = []
        for client, seen, windows in zip(self._clients, self.group.seen, self._windows, strict=True):
            log = client.log.read()
            answers = log.answers(client.receiving)
            silent_s = window.end_s - answers[-1]
            sighting = Sighting(
                leads=result["leader"] == client.first_sentinel,
                gap_ms=longest_gap_ms(answers, window),
                errors=count_errors(log.errors(client.receiving), window),
                silent_s=silent_s if silent_s > SILENT_S else 0.0,
                misplaced=places[client.pid],
            )
            seen.sightings.append(sighting)
            windows.append((log, window))
            if not sighting.is_back:
                late.append((client, sighting))
        return late

    def _places(self, old_master: str) -> dict[int, str]:
        """Return, for each client, the node other than the master that it was seen on."""
        (master,) = self._deployment.masters()
        old = next(name for name in self._deployment.nodes if self._deployment.address(name) == old_master)
        found: dict[int, frozenset[str]] = {client.pid: frozenset() for client in self._clients}
        for look in range(LOOKS):
            time.sleep(0.2 * bool(look))
            for pid, nodes in whereabouts(self._deployment, list(found)).items():
                found[pid] |= nodes
        return {pid: misplaced(nodes, master, old) for pid, nodes in found.items()}

    def _start_anew(self, clients: Sequence[ClientProcess]) -> None:
        """Restart clients that are not back: the next handover must find them on the master."""
        for client in clients:
            client.kill()
        self._start(clients)

    def _stop(self) -> None:
        for client in self._clients:
            client.ask_to_stop()
        for client in self._clients:
            client.await_end()

    def _judge(self) -> None:
        wait_until(lambda: settled(self._deployment), 60)
        for client, seen, windows in zip(self._clients, self.group.seen, self._windows, strict=True):
            seen.version = client.log.version
            if client.kind.workload == "pubsub":
                seen.missed = sum(missed_messages(log, window) for log, window in windows)
            if client.kind.workload not in WITHOUT_LIST:
                seen.judgements = [self._judged(client, log, start) for start, log in enumerate(client.logs, 1)]

    def _judged(self, client: ClientProcess, log: Log, start: int) -> Judgement:
        key = client.key(start)
        if client.kind.workload == "blpop":
            return judge(log, [*(value for _at, value in log.got), *self._list(key)])
        return judge(log, self._list(key), self._list(f"{key}:twin") if client.kind.workload in ATOMIC else None)

    def _list(self, key: str) -> list[int]:
        (master,) = self._deployment.masters()
        return [int(value) for value in self._deployment.command(master, "LRANGE", key, 0, -1)]
