"""The module redis_info_check, with recorded servers that speak the protocol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.tests.unit.support.loopback import Listening, Refusal, answers_of, listening
from ansible_collections.sentinelops.redis.tests.unit.support.modules import Runner
from ansible_collections.sentinelops.redis.tests.unit.support.recorded import MASTER, RecordedNode, RecordedSentinel, recorded

NAME, V = "redis_info_check", "7.0.15"


@pytest.fixture
def sentinel() -> Iterator[Listening]:
    with listening(answers_of(RecordedSentinel(recorded(V, "healthy")["sentinels"]["sentinel-1"]))) as found:
        yield found


@pytest.fixture
def master() -> Iterator[Listening]:
    with listening(answers_of(RecordedNode(recorded(V, "healthy")["nodes"]["redis-1"]))) as found:
        yield found


def replica_of(master: Listening, behind: int) -> dict[str, Any]:
    """The recorded replica, as one of the master that listens here, some bytes behind it."""
    said = recorded(V, "healthy")["nodes"]
    head = next(int(line.split(":")[1]) for line in said["redis-1"]["info"] if line.startswith("master_repl_offset:"))
    lines = [line for line in said["redis-2"]["info"] if not line.startswith(("master_host", "master_port", "slave_repl_offset"))]
    added = [f"master_host:{master.address.host}", f"master_port:{master.address.port}", f"slave_repl_offset:{head - behind}"]
    return {**said["redis-2"], "info": [*lines, *added]}


def test_all_is_well(runner: Runner, master: Listening) -> None:
    result = runner.run(NAME, **master.params, role="master", version=V, loaded=True, fields={"connected_slaves": ">= 1"})
    assert (result["changed"], result["met"]) == (False, True)
    assert result["info"]["redis_version"] == V
    assert [finding["condition"] for finding in result["conditions"]] == ["role", "version", "loaded", "connected_slaves"]
    assert "view" not in result


def test_a_condition_fails(runner: Runner, master: Listening) -> None:
    result = runner.run(NAME, **master.params, role="replica", version=V)
    assert result["failed"]
    assert "not met: role: wanted replica, seen master" in result["msg"]
    assert (result["met"], [finding["ok"] for finding in result["conditions"]]) == (False, [False, True])


def test_check_mode_tells_without_failing(runner: Runner, master: Listening) -> None:
    result = runner.run(NAME, check_mode=True, **master.params, role="replica", wait_s=60)
    assert (result["met"], result.get("failed", False), result["waited_ms"] < 5000) == (False, False, True)


def test_a_sentinel(runner: Runner, sentinel: Listening) -> None:
    wanted = {"role": "sentinel", "master_name": "mymaster", "master": MASTER, "known_sentinels": 2, "known_replicas": 2}
    result = runner.run(NAME, **sentinel.params, **wanted, quorum=True, links_fresh=True, no_tilt=True, no_failover=True)
    assert result["met"]
    assert result["view"]["master"]["address"] == MASTER


@pytest.mark.parametrize(("behind", "met"), [(10, True), (11, False)])
def test_the_lag_of_a_replica_is_asked_from_its_master(runner: Runner, master: Listening, behind: int, met: bool) -> None:
    with listening(answers_of(RecordedNode(replica_of(master, behind)))) as replica:
        result = runner.run(NAME, check_mode=True, **replica.params, role="replica", link_up=True, max_lag_bytes=10)
    assert result["met"] is met


def test_it_waits_until_the_condition_holds(runner: Runner) -> None:
    looks = iter(["loading:1\r\n", "loading:1\r\n"])
    with listening(lambda words: next(looks, "loading:0\r\n")) as server:
        result = runner.run(NAME, **server.params, loaded=True, wait_s=30, interval_ms=1)
    assert result["met"]
    assert len([words for words in server.said if words[0] == "INFO"]) == 3


def test_an_instance_that_is_loading_is_waited_for(runner: Runner) -> None:
    looks = iter([Refusal("LOADING Redis is loading the dataset in memory")])
    with listening(lambda words: next(looks, "loading:0\r\n")) as server:
        assert runner.run(NAME, **server.params, loaded=True, wait_s=30, interval_ms=1)["met"]


def test_an_instance_that_nobody_reaches(runner: Runner) -> None:
    with listening(lambda words: "") as server:
        params = server.params
    result = runner.run(NAME, **params, loaded=True)
    assert result["failed"]
    assert "answers: wanted True, seen" in result["msg"]


def test_a_wrong_password_is_an_error_at_once(runner: Runner) -> None:
    with listening(lambda words: Refusal("WRONGPASS invalid username-password pair or user is disabled.")) as server:
        result = runner.run(NAME, **server.params, login_password="s3cret", loaded=True, wait_s=60)
    assert result["failed"]
    assert result["advice"] == "Check user and password"
    assert "s3cret" not in result["msg"]
    assert len([words for words in server.said if words[0] == "AUTH"]) == 1


@pytest.mark.parametrize(("offset", "met"), [(0, False), (1, True)])
def test_the_log_from_an_offset_on(runner: Runner, master: Listening, tmp_path: Path, offset: int, met: bool) -> None:
    trouble, noise = "1:M 22 Nov 2026 14:37:41.505 # Can't open the log", "1:M 22 Nov 2026 14:37:41.505 # Background saving error"
    log = tmp_path / "redis.log"
    log.write_text(f"{trouble}\n{noise}\n")
    params = {"log_clean": True, "log_file": str(log), "log_offset": offset * (len(trouble) + 1)}
    result = runner.run(NAME, check_mode=True, **master.params, **params)
    assert (result["met"], result["log_warnings"]) == (met, [noise])


@pytest.mark.parametrize("params", [{"quorum": True}, {"known_replicas": 2}, {"master": MASTER}, {"no_tilt": True}, {"log_clean": True}])
def test_what_is_needed_besides(runner: Runner, params: dict[str, Any]) -> None:
    result = runner.run(NAME, **params)
    assert result["failed"]
    assert "missing parameter" in result["msg"]


@pytest.mark.parametrize(
    ("info", "met"), [("unexpected_error_replies:2", False), ("unexpected_error_replies:0", True), ("role:slave", True)]
)
def test_errors_that_were_sent_are_not_waited_for(runner: Runner, info: str, met: bool) -> None:
    """Without the field (5.0) the log decides."""
    with listening(lambda words: f"loading:0\r\n{info}\r\n") as server:
        result = runner.run(NAME, **server.params, loaded=True, no_errors_sent=True, wait_s=600)
    assert result["met"] is met
    assert met or "not met: no_errors_sent: wanted True, seen 2 (unexpected_error_replies" in result["msg"]
