"""Measurements from client logs: gaps, errors, missed messages, and the judgement of the lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.tests.clients.catalogue import chosen
from ansible_collections.sentinelops.redis.tests.clients.records import (
    Log,
    Window,
    count_errors,
    judge,
    longest_gap_ms,
    missed_messages,
    name_of_error,
)
from ansible_collections.sentinelops.redis.tests.clients.whereabouts import listed_connections, nodes_of, sockets

WINDOW = Window(10.0, 20.0)


def log_of(*records: dict[str, Any]) -> Log:
    log = Log()
    for at_s, record in enumerate(records):
        log.add({"t": float(at_s), **record})
    return log


def written(value: int, **outcome: Any) -> list[dict[str, Any]]:
    return [{"invoke": value}, {"done": value, **(outcome or {"outcome": "ok"})}]


@pytest.mark.parametrize(
    ("answers", "gap_ms"),
    [
        ([9.9, 10.0, 10.4, 19.9], 9500.0),
        # the interval began before the window
        ([9.0, 11.5, *(11.6 + i / 10 for i in range(90))], 2500.0),
        # no answer until the end of the window
        ([*(9 + i / 10 for i in range(30))], 8100.0),
        ([*(9 + i / 10 for i in range(200))], 100.0),
    ],
)
def test_longest_gap(answers: list[float], gap_ms: float) -> None:
    assert longest_gap_ms(answers, WINDOW) == pytest.approx(gap_ms)


@pytest.mark.parametrize(
    ("kind", "text", "name"),
    [
        ("ConnectionError", "The previous master is now a slave", "READONLY"),
        ("ConnectionError", "Connection closed by server.", "closed"),
        ("ConnectionError", "Error 111 connecting to 127.0.0.1:6379. Connection refused.", "refused"),
        ("ResponseError", "UNBLOCKED force unblock from blocking operation, instance state changed", "UNBLOCKED"),
        ("ReplyError", "READONLY You can't write against a read only replica.", "READONLY"),
        ("AbortError", "Command aborted due to connection close", "aborted"),
        ("MasterNotFoundError", "No master found for 'mymaster'", "no master"),
        ("OddError", "something else", "OddError"),
    ],
)
def test_errors_are_named_by_what_they_say(kind: str, text: str, name: str) -> None:
    assert name_of_error(kind, text) == name


def test_errors_outside_of_the_window_do_not_count() -> None:
    assert count_errors([(9.0, "closed"), (12.0, "closed"), (13.0, "READONLY"), (21.0, "closed")], WINDOW) == {"closed": 1, "READONLY": 1}


def test_the_errors_of_a_receivers_sender_are_not_its_own() -> None:
    log = log_of(*written(1, outcome="unknown", kind="ConnectionError", text="closed"), {"broken": "ResponseError", "text": "UNBLOCKED"})
    assert [name for _at, name in log.errors(receiving=True)] == ["UNBLOCKED"]
    assert [name for _at, name in log.errors(receiving=False)] == ["closed", "UNBLOCKED"]


def test_a_half_written_record_waits_for_its_other_half(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    whole, half = json.dumps({"t": 1.0, "done": 1, "outcome": "ok"}), json.dumps({"t": 2.0, "done": 2, "outcome": "ok"})
    log.path.write_text(f"{whole}\n{half[:12]}", encoding="utf-8")
    assert [value for _at, value in log.read().ok] == [1]
    log.path.write_text(f"{whole}\n{half}\n", encoding="utf-8")
    assert [value for _at, value in log.read().ok] == [1, 2]


def test_missed_messages_were_published_in_the_window_and_never_received() -> None:
    log = Log(ok=[(9.0, 1), (11.0, 2), (12.0, 3)], got=[(12.1, 3)])
    assert missed_messages(log, WINDOW) == 1


def test_an_operation_without_an_outcome_may_have_been_applied() -> None:
    log = log_of(*written(1), {"invoke": 2})
    assert judge(log, [1, 2]).is_clean
    assert judge(log, [1]).is_clean
    assert judge(log, [1, 2]).recovered == 1


@pytest.mark.parametrize(
    ("final", "twin", "found"),
    [
        ([2], None, {"lost": 1}),
        ([1, 2, 2], None, {"doubled": 1}),
        ([1, 2, 3], None, {"unexpected": 1}),
        ([1, 2], [1], {"torn": 1}),
        ([1, 2], [1, 2, 2], {"doubled": 1}),
    ],
)
def test_what_the_lists_should_not_hold(final: list[int], twin: list[int] | None, found: dict[str, int]) -> None:
    refused = {"outcome": "fail", "kind": "ReadOnlyError", "text": ""}
    judgement = judge(log_of(*written(1), *written(2), *written(3, **refused)), final, twin)
    assert not judgement.is_clean
    assert {name: getattr(judgement, name) for name in ("lost", "doubled", "unexpected", "torn") if getattr(judgement, name)} == found


def test_a_process_is_on_the_node_that_lists_its_connection() -> None:
    table = "  sl  local_address rem_address   st\n   0: 0100007F:C350 0100007F:5DC1 01 0:0 00:0 0 0 0 777 1\n"
    listed = {
        "redis-1": listed_connections("id=3 addr=127.0.0.1:50000 laddr=127.0.0.1:24001 fd=8 name=", 24001),
        "redis-2": listed_connections("id=3 addr=127.0.0.1:50001 laddr=127.0.0.1:24002 fd=8 name=", 24002),
        # another process's connection, to another server, from the same port
        "redis-3": listed_connections("id=3 addr=127.0.0.1:50000 laddr=127.0.0.1:24003 fd=8 name=", 24003),
    }
    assert nodes_of({sockets(table)["777"]}, listed) == {"redis-1"}


def test_clients_are_chosen_by_the_beginning_of_their_name() -> None:
    names = [kind.name for group in chosen(["io*/plain", "valkey-py-6.2/watch/async"]) for kind in group]
    assert names == ["valkey-py-6.2/watch/async", "ioredis/plain", "iovalkey/plain"]
