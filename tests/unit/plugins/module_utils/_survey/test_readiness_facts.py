"""The facts of an instance for the preflight, from the recorded replies of real servers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import AccessDenied, CommandRefused
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address
from ansible_collections.sentinelops.redis.plugins.module_utils._survey.readiness_facts import (
    journal_or_reason,
    not_surveyed,
    readiness_facts,
    replica_limit,
)
from ansible_collections.sentinelops.redis.plugins.module_utils._wait import Clock
from ansible_collections.sentinelops.redis.tests.unit.support.clock import FakeClock
from ansible_collections.sentinelops.redis.tests.unit.support.recorded import VERSIONS, Unreachable, recorded

CONFIG = {
    "repl-backlog-size": "1048576",
    "maxmemory": "0",
    "maxmemory-policy": "noeviction",
    "client-output-buffer-limit": "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
    "dbfilename": "dump.rdb",
}


class Examined:
    """A server that replays its INFO; a master's offset grows by 1000 bytes with each INFO."""

    def __init__(self, replies: dict[str, Any], denied: tuple[str, ...] = ()) -> None:
        self.address = Address.parse(replies["address"])
        self.denied = denied
        self.sent: list[str] = []
        self._lines = [*replies["info"], "used_memory:1500000", "mem_not_counted_for_evict:20", "used_memory_rss:8000000"]
        self._asked = 0

    def command(self, *words: Any) -> Any:
        text = " ".join(map(str, words))
        self.sent.append(text)
        if any(text.startswith(right) for right in self.denied):
            raise AccessDenied(f"{words[0]}: NOPERM no permissions", node=str(self.address))
        if words[0] == "INFO":
            self._asked += 1
            return "\r\n".join(self._moved(line) for line in self._lines)
        if words[:2] == ("CONFIG", "GET"):
            return [words[2], CONFIG[words[2]]] if words[2] in CONFIG else []
        if words[0] == "EXEC":
            return []
        if words[0] in ("SHUTDOWN", "SENTINEL"):
            raise CommandRefused("ERR syntax error", node=str(self.address), command=words[0])
        return "QUEUED"

    def _moved(self, line: str) -> str:
        name, _colon, value = line.partition(":")
        return f"{name}:{int(value) + 1000 * self._asked}" if name == "master_repl_offset" else line

    def set_timeout(self, timeout_ms: int) -> None:
        """There is nothing to wait for."""

    def close(self) -> None:
        """There is no connection."""


def record(**values: Any) -> dict[str, Any]:
    return {"kind": "redis", "answers": True, "role": "master", "pid": 0, **values}


def examined(
    server: Any, surveyed: dict[str, Any], journal: str = "/nowhere/redis-6379.json", clock: Clock | None = None
) -> dict[str, Any]:
    found = readiness_facts(server, surveyed, journal, 1234.5, clock or FakeClock())
    assert json.loads(json.dumps(found)) == found
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_a_master(version: str, tmp_path: Path) -> None:
    (tmp_path / "dump.rdb").write_bytes(b"x" * 77)
    clock = FakeClock()
    server = Examined(recorded(version, "healthy")["nodes"]["redis-1"])
    found = examined(server, record(dir=str(tmp_path)), clock=clock)
    assert (found["used_memory"], found["counted_memory"], found["resident_memory"]) == (1500000, 1499980, 8000000)
    assert (found["backlog_bytes"], found["maxmemory"], found["maxmemory_policy"]) == (1048576, 0, "noeviction")
    assert found["output_buffer"] == [268435456, 67108864, 60]
    assert (found["rdb_bytes"], found["save_failed"], found["aof_failed"]) == (77, False, False)
    assert found["failover_state"] == "no-failover"
    assert found["rate_bytes_s"] == 2000.0, "1000 bytes in half a second"
    assert clock.slept_s == [0.5]
    assert (found["clock"]["asked_at_s"], found["clock"]["host_s"] > 1.7e9) == (1234.5, True)
    assert (found["rights"], found["notes"]) == ({}, [])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_replica_is_not_waited_for(version: str) -> None:
    clock = FakeClock()
    found = examined(Examined(recorded(version, "healthy")["nodes"]["redis-2"]), record(role="replica"), clock=clock)
    assert (found["rate_bytes_s"], clock.slept_s) == (0.0, [])


def test_nothing_is_run_that_changes_anything() -> None:
    server = Examined(recorded("7.0.15", "healthy")["nodes"]["redis-1"])
    examined(server, record())
    after = {text: server.sent[number - 1] for number, text in enumerate(server.sent)}
    for text in ("CLIENT PAUSE 1 WRITE", "REPLICAOF NO ONE", "CONFIG SET replica-priority 100", "CONFIG REWRITE"):
        assert after[text] == "MULTI", "it is queued"
    assert server.sent.count("EXEC") == 1
    assert server.sent[server.sent.index("EXEC") - 1] == "MULTI", "and never run"
    assert [text for text in server.sent if text.startswith("SHUTDOWN")] == ["SHUTDOWN no-such-option-of-sentinelops"]


def test_rights_of_all_kinds_are_told_at_once() -> None:
    denied = ("PING", "SHUTDOWN", "CONFIG SET", "CLIENT KILL")
    found = examined(Examined(recorded("7.0.15", "healthy")["nodes"]["redis-1"], denied), record())
    assert sorted(found["rights"]) == ["+client|kill", "+config|set", "+ping", "+shutdown"]


def test_rights_of_a_sentinel() -> None:
    denied = ("SENTINEL CKQUORUM", "SENTINEL SET", "SHUTDOWN")
    server = Examined(recorded("7.0.15", "healthy")["sentinels"]["sentinel-1"], denied)
    found = examined(server, record(kind="sentinel", role="sentinel"))
    assert sorted(found["rights"]) == ["+sentinel|ckquorum", "+sentinel|set", "+shutdown"]
    assert "used_memory" not in found
    named = [text.split()[2] for text in server.sent if text.startswith("SENTINEL") and len(text.split()) > 2]
    assert set(named) == {"no-such-master-of-sentinelops"}


@pytest.mark.parametrize(("reply", "asked"), [("INFO: NOPERM no permissions", True), ("INFO: WRONGPASS invalid", False)])
def test_rights_are_asked_for_only_where_we_are_let_in(reply: str, asked: bool) -> None:
    server = Examined(recorded("7.0.15", "healthy")["nodes"]["redis-1"], ("INFO",))
    surveyed = not_surveyed(server, "redis", None, AccessDenied(reply, node="10.0.0.1:6379", advice="Give it"))
    assert (surveyed["answers"], surveyed["stopped"], surveyed["refused"]["right"], surveyed["refused"]["advice"]) == (
        False,
        False,
        asked,
        "Give it",
    )
    found = examined(server, surveyed)
    assert list(found["rights"]) == (["+info"] if asked else [])
    assert bool(server.sent) is asked


def test_an_instance_that_does_not_answer_is_not_asked() -> None:
    found = examined(Unreachable(Address("10.0.0.1", 6379)), record(answers=False))
    assert (found["rights"], "used_memory" in found) == ({}, False)


def test_disks_and_what_is_staged(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis" / "redis-server").write_bytes(b"x" * 50)
    (tmp_path / "redis.new").mkdir()
    surveyed = record(answers=False, folder=str(tmp_path / "redis"), executable="", dir=str(tmp_path))
    found = examined(Unreachable(Address("10.0.0.1", 6379)), surveyed)
    assert (found["versions"]["needed"], found["versions"]["left"]) == (50, True)
    assert found["versions"]["device"] == found["data"]["device"]


@pytest.mark.parametrize(
    ("content", "changes", "error"),
    [
        (
            '{"schema": 1, "overrides": [{"kind": "node", "address": "10.0.0.2:6379", "setting": "replica-priority", "original": 70, '
            '"temporary": 1}]}',
            ["replica-priority of 10.0.0.2:6379 (was 70)"],
            "",
        ),
        ("nonsense", [], "Expecting value"),
        ('{"overrides": [{}]}', [], "'kind'"),
        (
            '{"overrides": [{"kind": "node", "address": "10.0.0.2:6379", "setting": "dir"}]}',
            [],
            "10.0.0.2:6379: an undo file names the setting dir",
        ),
    ],
)
def test_notes(tmp_path: Path, content: str, changes: list[str], error: str) -> None:
    (tmp_path / "handover-mymaster.json").write_text(content)
    (tmp_path / "redis-6379.json").write_text("{}")
    (note,) = examined(Unreachable(Address("10.0.0.1", 6379)), record(answers=False), str(tmp_path / "redis-6379.json"))["notes"]
    assert (note["path"], note["changes"], note["held_by"]) == (str(tmp_path / "handover-mymaster.json"), changes, 0)
    assert note["error"].startswith(error)
    assert bool(note["error"]) is bool(error)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60", [268435456, 67108864, 60]),
        ("normal 0 0 0 replica 1 2 3", [1, 2, 3]),
        ("normal 0 0 0", [0, 0, 0]),
        ("", [0, 0, 0]),
    ],
)
def test_the_output_buffer_of_replicas(text: str, limit: list[int]) -> None:
    assert replica_limit(text) == limit


def test_a_journal_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.json"
    assert journal_or_reason(str(path)) == (None, "")
    path.write_text("nonsense")
    journal, reason = journal_or_reason(str(path))
    assert journal is None
    assert "cannot be read" in reason
