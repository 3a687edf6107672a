"""The module redis_config_set, with a server that speaks the protocol."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.tests.unit.support.loopback import Listening, Refusal, listening
from ansible_collections.sentinelops.redis.tests.unit.support.modules import Runner

NAME = "redis_config_set"


@pytest.fixture
def config() -> dict[str, str]:
    return {"replica-priority": "1", "maxmemory": "0", "masterauth": "s3cret"}


@pytest.fixture
def server(config: dict[str, str]) -> Iterator[Listening]:
    def answer(words: list[str]) -> Any:
        if words[:2] == ["CONFIG", "GET"]:
            return [words[2], config[words[2]]] if words[2] in config else []
        if words[:2] == ["CONFIG", "SET"] and words[3] != "refused":
            config[words[2]] = words[3]
            return "OK"
        return Refusal("ERR CONFIG SET failed")

    with listening(answer) as found:
        yield found


def sets(server: Listening) -> list[list[str]]:
    return [words for words in server.said if words[:2] == ["CONFIG", "SET"]]


def test_set_once(runner: Runner, server: Listening, config: dict[str, str]) -> None:
    wanted = {**server.params, "settings": {"replica-priority": 100, "maxmemory": "0"}}
    first = runner.run(NAME, diff=True, **wanted)
    assert (first["changed"], first["before"]) == (True, {"replica-priority": "1", "maxmemory": "0"})
    assert first["diff"] == {"before": {"replica-priority": "1"}, "after": {"replica-priority": "100"}}
    assert config["replica-priority"] == "100"
    assert sets(server) == [["CONFIG", "SET", "replica-priority", "100"]], "only what differs"
    assert runner.run(NAME, **wanted)["changed"] is False


def test_check_mode(runner: Runner, server: Listening) -> None:
    assert runner.run(NAME, check_mode=True, **server.params, settings={"replica-priority": 100})["changed"]
    assert sets(server) == []


def test_a_parameter_that_the_server_does_not_have(runner: Runner, server: Listening) -> None:
    result = runner.run(NAME, **server.params, settings={"replica-priority": 100, "nonsense": 1})
    assert result["failed"]
    assert "this server has no parameter nonsense" in result["msg"]
    assert result["state_now"] == "Nothing was set"
    assert sets(server) == []


def test_a_value_that_the_server_refuses(runner: Runner, server: Listening) -> None:
    result = runner.run(NAME, **server.params, settings={"maxmemory": "refused"})
    assert result["failed"]
    assert result["reply"] == "CONFIG SET failed"


def test_no_secret_is_returned(runner: Runner, server: Listening) -> None:
    result = runner.run(NAME, check_mode=True, diff=True, **server.params, settings={"masterauth": "n3w-s3cret"})
    assert result["changed"]
    assert "s3cret" not in str({key: value for key, value in result.items() if key != "invocation"})
