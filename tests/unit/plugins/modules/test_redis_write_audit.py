"""The module redis_write_audit: what it refuses, and a short audit of a server that speaks the
protocol.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.tests.unit.support.loopback import Listening, Refusal, listening
from ansible_collections.sentinelops.redis.tests.unit.support.modules import Runner

NAME = "redis_write_audit"


class OneServer:
    """A master without replicas that answers for its Sentinel too."""

    def __init__(self) -> None:
        self.lists: dict[str, list[str]] = {}
        self.listening: Listening | None = None

    def answer(self, words: list[str]) -> Any:
        verb, *arguments = words
        if verb == "SENTINEL":
            return self._sentinel(*arguments)
        if verb == "RPUSH":
            self.lists.setdefault(arguments[0], []).append(arguments[1])
        if verb == "LRANGE":
            return self.lists[arguments[0]][int(arguments[1]) : int(arguments[2]) + 1]
        if verb == "INFO":
            return "role:master\r\nmaster_repl_offset:1\r\n"
        if verb == "DEL":
            self.lists.clear()
        return sum(key in self.lists for key in arguments) if verb == "EXISTS" else 1

    def _sentinel(self, what: str, name: str = "") -> Any:
        assert self.listening is not None
        if name not in ("", "mymaster"):
            return Refusal("ERR No such master with that name")
        address = [self.listening.address.host, str(self.listening.address.port)]
        if what == "MASTERS":
            return [["name", "mymaster", "ip", address[0], "port", address[1], "flags", "master", "num-other-sentinels", "0"]]
        return address if what == "GET-MASTER-ADDR-BY-NAME" else []


@pytest.fixture
def one() -> Any:
    server = OneServer()
    with listening(server.answer) as found:
        server.listening = found
        yield server


def params(one: OneServer, **more: Any) -> dict[str, Any]:
    assert one.listening is not None
    return {**one.listening.params, "master_name": "mymaster", "writers": 2, "writes_per_second": 200.0, **more}


@pytest.mark.parametrize("discovery", ["get-master-addr-by-name", "masters"])
def test_an_audit(runner: Runner, one: OneServer, tmp_path: Path, discovery: str) -> None:
    (tmp_path / "stop").touch()
    files = {"stop_file": str(tmp_path / "stop"), "result_file": str(tmp_path / "result.json")}
    result = runner.run(NAME, **params(one, discovery=discovery, duration_s=60, **files))
    assert (result["changed"], result["lost"], result["unexpected"], result["errors"]) == (False, 0, 0, {})
    assert result["acknowledged"] == result["attempted"] > 0
    assert result["seconds"] < 30, "the stop file is there: it does not last as long as it might"
    assert one.lists == {}, "no key is left"
    written = json.loads((tmp_path / "result.json").read_text())
    assert written["acknowledged"] == result["acknowledged"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["result.json", "stop"]


def test_check_mode_writes_nothing(runner: Runner, one: OneServer) -> None:
    assert runner.run(NAME, check_mode=True, **params(one))["changed"] is False
    assert one.listening is not None
    assert one.listening.said == []


def test_another_audit_is_not_disturbed(runner: Runner, one: OneServer) -> None:
    one.lists["sentinelops:audit:1"] = ["1"]
    result = runner.run(NAME, **params(one))
    assert result["failed"]
    assert "the keys sentinelops:audit:1 exist already" in result["msg"]
    assert one.lists == {"sentinelops:audit:1": ["1"]}


@pytest.mark.parametrize("wrong", [{"writers": 0}, {"writes_per_second": 0.0}, {"writes_per_second": -1.0}])
def test_numbers_that_make_no_sense(runner: Runner, one: OneServer, wrong: dict[str, Any]) -> None:
    result = runner.run(NAME, **params(one, **wrong))
    assert result["failed"]
    assert "writers must be at least 1" in result["msg"]


def test_a_master_that_is_not_monitored(runner: Runner, one: OneServer) -> None:
    result = runner.run(NAME, **params(one, master_name="other"))
    assert result["failed"]
    assert "no master named 'other' (it monitors: mymaster)" in result["msg"]
