"""The writers of the write audit, and its check at the end, on a deployment in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._audit.writers import Audit, AuditRequest, MasterAddrClient, by_master_addr
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import (
    AccessDenied,
    CommandRefused,
    ConditionNotMet,
    ConnectionFailed,
    PreconditionFailed,
)
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address
from ansible_collections.sentinelops.redis.plugins.module_utils._wait import Clock
from ansible_collections.sentinelops.redis.tests.unit.support.clock import FakeClock

MASTER, REPLICA = Address("10.0.0.1", 6379), Address("10.0.0.2", 6379)
SENTINELS = [Address("10.0.0.1", 26379), Address("10.0.0.2", 26379)]


class Store:
    """The lists of a master and its replica.

    ``on_write`` may raise an error, or return False to lose an acknowledged write.
    """

    def __init__(self) -> None:
        self.lists: dict[Address, dict[str, list[int]]] = {MASTER: {}, REPLICA: {}}
        self.lifetimes: dict[str, int] = {}
        self.refuses_expire = False
        self.on_write: Callable[[str, int], bool] = lambda key, value: True
        self.replica_offset = 100
        self.dead_sentinels: set[Address] = set()
        self.opened: list[Address] = []
        self._lock = threading.Lock()

    def server(self, address: Address) -> Any:
        self.opened.append(address)
        return Server(self, address)

    def write(self, key: str, value: int) -> None:
        with self._lock:
            if self.on_write(key, value):
                for lists in self.lists.values():
                    lists.setdefault(key, []).append(value)


class Server:
    """A connection to a data node or a Sentinel of the store."""

    def __init__(self, store: Store, address: Address) -> None:
        self.store, self.address = store, address

    def command(self, *words: Any) -> Any:
        return getattr(self, f"do_{words[0].lower()}")(*words[1:])

    def close(self) -> None:
        """There is no connection."""

    def do_sentinel(self, what: str, name: str) -> Any:
        if self.address in self.store.dead_sentinels:
            raise ConnectionFailed("no answer to SENTINEL", node=str(self.address), sent=False)
        if what == "REPLICAS":
            return [["ip", REPLICA.host, "port", str(REPLICA.port)]]
        return [MASTER.host, str(MASTER.port)] if name == "mymaster" else None

    def do_rpush(self, key: str, value: int) -> int:
        self.store.write(key, value)
        return 1

    def do_expire(self, key: str, seconds: int) -> int:
        if self.store.refuses_expire:
            raise AccessDenied("NOPERM", node=str(self.address))
        self.store.lifetimes[key] = seconds
        return 1

    def do_exists(self, *keys: str) -> int:
        return sum(key in self.store.lists[MASTER] for key in keys)

    def do_del(self, *keys: str) -> int:
        for lists in self.store.lists.values():
            for key in keys:
                lists.pop(key, None)
        return len(keys)

    def do_lrange(self, key: str, first: int, last: int) -> list[str]:
        return [str(value) for value in self.store.lists[self.address].get(key, [])[first : last + 1]]

    def do_info(self, *_sections: str) -> str:
        if self.address == MASTER:
            return "role:master\r\nmaster_repl_offset:100\r\n"
        return f"role:slave\r\nmaster_host:{MASTER.host}\r\nmaster_link_status:up\r\nslave_repl_offset:{self.store.replica_offset}\r\n"


def audit_of(store: Store, writers: int = 2, duration_s: float = 30) -> Audit:
    request = AuditRequest("mymaster", writers, 1000.0, "audit", duration_s, settle_s=1)
    new_client = by_master_addr(SENTINELS, "mymaster", store.server, store.server)
    return Audit(request, new_client, MasterAddrClient(SENTINELS, "mymaster", store.server, store.server), store.server)


def written(store: Store, count: int) -> Callable[[], bool]:
    """Return a function that tells whether every writer has made this many attempts."""
    tries: dict[str, int] = {}
    then = store.on_write

    def counted(key: str, value: int) -> bool:
        tries[key] = value
        return then(key, value)

    store.on_write = counted
    return lambda: len(tries) >= 2 and min(tries.values()) >= count


def test_nothing_is_lost() -> None:
    store = Store()
    audit = audit_of(store)
    audit.require_unused_keys()
    seconds = audit.write(written(store, 20), Clock())
    verdict = audit.verdict(Clock())
    assert verdict["acknowledged"] == verdict["attempted"] >= 40
    assert [verdict[what] for what in ("lost", "unexpected", "recovered", "duplicates", "reordered", "refused", "unknown")] == [0] * 7
    assert (verdict["errors"], verdict["master"]) == ({}, str(MASTER))
    assert sorted(verdict["nodes"]) == [str(MASTER), str(REPLICA)]
    assert {writer["key"] for writer in verdict["writers"]} == {"audit:0", "audit:1"}
    assert 0 < seconds < 30
    assert set(store.lifetimes) == {"audit:0", "audit:1"}, "if the audit is killed, the lists go away"
    assert audit.clean_up() == 0
    assert store.lists == {MASTER: {}, REPLICA: {}}


def test_a_write_that_was_acknowledged_and_is_gone_is_lost() -> None:
    store = Store()
    store.on_write = lambda key, value: value != 5
    audit = audit_of(store)
    audit.write(written(store, 10), Clock())
    assert audit.verdict(Clock())["lost"] == 2, "one of each writer"


def test_the_totals_are_those_of_the_worst_node() -> None:
    store = Store()
    audit = audit_of(store)
    audit.write(written(store, 10), Clock())
    store.lists[REPLICA]["audit:0"].remove(3)
    verdict = audit.verdict(Clock())
    assert (verdict["lost"], verdict["nodes"][str(MASTER)]["lost"], verdict["nodes"][str(REPLICA)]["lost"]) == (1, 0, 1)


@pytest.mark.parametrize(
    ("error", "kind", "outcome"),
    [
        (CommandRefused("READONLY You can't write", node="n", command="RPUSH"), "READONLY", "refused"),
        (CommandRefused("NOREPLICAS Not enough good replicas to write.", node="n", command="RPUSH"), "NOREPLICAS", "refused"),
        (CommandRefused("STRANGE error", node="n", command="RPUSH"), "STRANGE", "unknown"),
        (ConnectionFailed("gone", node="n", sent=True), "closed or timed out", "unknown"),
        (ConnectionFailed("gone", node="n", sent=False), "cannot connect", "refused"),
        (AccessDenied("NOPERM", node="n"), "AccessDenied", "refused"),
    ],
)
def test_the_outcome_of_a_write_that_was_not_acknowledged(error: Exception, kind: str, outcome: str) -> None:
    store = Store()

    def fail_once(key: str, value: int) -> bool:
        if value == 3:
            raise error
        return True

    store.on_write = fail_once
    audit = audit_of(store)
    audit.write(written(store, 10), Clock())
    verdict = audit.verdict(Clock())
    assert verdict["errors"] == {kind: 2}
    assert (verdict["refused"], verdict["unknown"]) == ((2, 0) if outcome == "refused" else (0, 2))
    assert verdict["acknowledged"] == verdict["attempted"] - 2
    assert verdict["lost"] == 0


def test_a_write_of_unknown_outcome_that_was_applied_is_recovered() -> None:
    store = Store()

    def apply_and_fail(key: str, value: int) -> bool:
        if value == 3:
            for lists in store.lists.values():
                lists[key].append(value)
            raise ConnectionFailed("gone", node="n", sent=True)
        return True

    store.on_write = apply_and_fail
    audit = audit_of(store)
    audit.write(written(store, 10), Clock())
    verdict = audit.verdict(Clock())
    assert (verdict["recovered"], verdict["unexpected"], verdict["unknown"]) == (2, 0, 2)


def test_a_list_whose_lifetime_could_not_be_set_counts_all_the_same() -> None:
    store = Store()
    store.refuses_expire = True
    audit = audit_of(store)
    audit.write(written(store, 10), Clock())
    verdict = audit.verdict(Clock())
    assert verdict["acknowledged"] == verdict["attempted"]
    assert (verdict["refused"], verdict["unknown"], verdict["errors"]) == (0, 0, {})


def test_the_duration_ends_it() -> None:
    audit = audit_of(Store(), duration_s=0.1)
    assert 0.1 <= audit.write(lambda: False, Clock()) < 5


def test_keys_that_exist_already() -> None:
    store = Store()
    store.lists[MASTER]["audit:1"] = [1]
    with pytest.raises(PreconditionFailed, match="the keys audit:1 exist already"):
        audit_of(store).require_unused_keys()


def test_a_deployment_that_does_not_settle() -> None:
    """Without all lists there is no verdict."""
    store = Store()
    store.replica_offset = 99
    with pytest.raises(ConditionNotMet) as caught:
        audit_of(store).verdict(FakeClock())
    assert "10.0.0.2:6379: role replica, offset 99 of 100" in str(caught.value)
    assert "whether writes were lost is unknown" in str(caught.value)


def client(store: Store) -> MasterAddrClient:
    return MasterAddrClient(SENTINELS, "mymaster", store.server, store.server)


def test_a_sentinel_that_is_down_is_passed_over() -> None:
    store = Store()
    store.dead_sentinels = {SENTINELS[0]}
    assert client(store).find_master() == MASTER
    assert client(store).replicas() == [["ip", REPLICA.host, "port", "6379"]]


def test_no_sentinel_answers() -> None:
    store = Store()
    store.dead_sentinels = set(SENTINELS)
    for ask in (client(store).find_master, client(store).replicas):
        with pytest.raises(ConnectionFailed) as caught:
            ask()
        assert not caught.value.sent


def test_a_master_that_nobody_monitors() -> None:
    store = Store()
    with pytest.raises(ConnectionFailed, match="no Sentinel names the master of other"):
        MasterAddrClient(SENTINELS, "other", store.server, store.server).find_master()


def test_a_client_connects_again_after_an_error() -> None:
    store = Store()
    writer = client(store)
    writer.command("RPUSH", "audit:0", 1)
    writer.command("RPUSH", "audit:0", 2)
    assert store.opened.count(MASTER) == 1

    def fail(key: str, value: int) -> bool:
        raise CommandRefused("READONLY", node="n", command="RPUSH")

    store.on_write = fail
    with pytest.raises(CommandRefused):
        writer.command("RPUSH", "audit:0", 3)
    store.on_write = lambda key, value: True
    writer.command("RPUSH", "audit:0", 4)
    assert store.opened.count(MASTER) == 2
