"""The module redis_sentinel_failover, with a deployment in memory behind real sockets."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.options import request_from
from ansible_collections.sentinelops.redis.plugins.modules.redis_sentinel_failover import ensure
from ansible_collections.sentinelops.redis.tests.unit.support.loopback import Listening, answers_of, listening
from ansible_collections.sentinelops.redis.tests.unit.support.modules import Runner
from ansible_collections.sentinelops.redis.tests.unit.support.recorded import RecordedNode, RecordedSentinel, recorded

NAME, V = "redis_sentinel_failover", "7.0.15"
TIMES = {"wait_s": 60, "catch_up_ms": 300, "disconnect_ms": 300}
DEFAULTS = {"mode": "pause", "align": True, "version": "", "leader": "", "max_lag_bytes": 1048576, **TIMES}


class Shard:
    """The recorded shard; everything listens on ports of its own, and the Sentinels name those."""

    def __init__(self, stack: contextlib.ExitStack, journal_folder: Path) -> None:
        self._said = recorded(V, "healthy")
        self._journal_folder = journal_folder
        self.fenced: set[str] = set()
        self.nodes = {name: stack.enter_context(listening(self._answer_of_a_node(name), True)) for name in self._said["nodes"]}
        self.sentinels = {name: stack.enter_context(listening(self._answer_of_a_sentinel(name))) for name in self._said["sentinels"]}

    def _ports(self) -> dict[str, str]:
        """Return the recorded port of every data node, and the port on which the node listens."""
        return {self._said["nodes"][name]["address"].split(":")[1]: str(found.address.port) for name, found in self.nodes.items()}

    def _translated(self, text: str) -> str:
        for recorded_port, port in self._ports().items():
            text = text.replace(f"master_port:{recorded_port}", f"master_port:{port}")
        return text

    def _answer_of_a_node(self, name: str) -> Any:
        answer = answers_of(RecordedNode(self._said["nodes"][name]))

        def answered(words: list[str]) -> Any:
            if words[-1] == "min-replicas-to-write" and name in self.fenced:
                return [words[-1], "2147483647"]
            reply = answer(words)
            return self._translated(reply) if words[0] == "INFO" else reply

        return answered

    def _answer_of_a_sentinel(self, name: str) -> Any:
        answer = answers_of(RecordedSentinel(self._said["sentinels"][name]))

        def translated(reply: Any) -> Any:
            return [translated(one) for one in reply] if isinstance(reply, list) else self._ports().get(reply, reply)

        return lambda words: translated(answer(words))

    @property
    def params(self) -> dict[str, Any]:
        addresses = [str(sentinel.address) for sentinel in self.sentinels.values()]
        options = {"master_name": "mymaster", "sentinels": addresses, "wait_s": 2, "journal_folder": str(self._journal_folder)}
        return {**self.sentinels["sentinel-1"].params, **options}

    def address(self, name: str) -> str:
        return str(self.nodes[name].address)

    def run_id(self, name: str) -> str:
        lines: list[str] = self._said["nodes"][name]["info"]
        return next(line.removeprefix("run_id:") for line in lines if line.startswith("run_id:"))

    def ran(self) -> set[str]:
        """Return the commands that took effect."""
        listening: list[Listening] = [*self.nodes.values(), *self.sentinels.values()]
        return {" ".join(words[:2]) for one in listening for words in one.ran if words[1:] != ["FAILOVER", NO_SUCH_MASTER]}


@pytest.fixture
def shard(tmp_path: Path) -> Iterator[Shard]:
    with contextlib.ExitStack() as stack:
        yield Shard(stack, tmp_path / "journal")


NO_SUCH_MASTER = "no-such-master-of-sentinelops"
READS = {
    *("CLIENT SETINFO", "INFO", "INFO server", "PING", "CONFIG GET", "MULTI", "EXEC"),
    "REPLCONF capa",  # as the old master would to its target
    *(f"SENTINEL {what}" for what in ("MASTER", "MASTERS", "REPLICAS", "SENTINELS", "CKQUORUM")),
}


def test_the_target_is_master_already(runner: Runner, shard: Shard) -> None:
    result = runner.run(NAME, **shard.params, target=shard.address("redis-1"))
    assert result.get("failed") is None, result
    assert (result["changed"], result["new_master"]) == (False, shard.address("redis-1"))
    assert shard.ran() <= READS


def test_check_mode_judges_and_changes_nothing(runner: Runner, shard: Shard) -> None:
    result = runner.run(NAME, check_mode=True, **shard.params, target=shard.address("redis-2"))
    assert (result["changed"], result["old_master"], result["new_master"]) == (True, shard.address("redis-1"), shard.address("redis-2"))
    assert result["mode"] == "pause"
    assert shard.ran() <= READS
    assert not Path(shard.params["journal_folder"]).exists()


def test_the_target_is_named_as_its_host_is(runner: Runner, shard: Shard) -> None:
    port = shard.nodes["redis-2"].address.port
    result = runner.run(NAME, check_mode=True, **shard.params, target=f"localhost:{port}")
    assert result["new_master"] == shard.address("redis-2")


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_refusal_names_the_problems(runner: Runner, shard: Shard, check_mode: bool) -> None:
    result = runner.run(NAME, check_mode=check_mode, **shard.params, target=shard.address("redis-2"), version="7.2.6")
    assert result["failed"]
    assert result["problems"] == [f"the target {shard.address('redis-2')} runs {V}, not the wanted 7.2.6"]
    assert "Nothing was changed" in result["state_now"]
    assert shard.ran() <= READS


@pytest.mark.parametrize("target", ["redis-2", "redis-2:0", ""])
def test_a_target_that_is_no_address(runner: Runner, tmp_path: Path, target: str) -> None:
    """The error comes before any server is asked."""
    result = runner.run(NAME, master_name="mymaster", target=target, journal_folder=str(tmp_path))
    assert result["failed"]
    assert "is not an address" in result["msg"]


def test_the_warning_of_the_plain_mode_is_a_warning(runner: Runner, shard: Shard) -> None:
    """In check mode nothing is lost, so there is no warning."""
    result = runner.run(NAME, check_mode=True, **shard.params, target=shard.address("redis-2"), mode="plain")
    assert (result["changed"], result["mode"]) == (True, "plain")


def test_the_request() -> None:
    request = request_from({**DEFAULTS, "target": "::1:6379", "version": "7.0.15", "wait_s": 5}, "mymaster")
    assert (request.master_name, request.target) == ("mymaster", "[::1]:6379")
    assert (request.wanted_version, request.wait_s, request.mode) == ("7.0.15", 5, "pause")


def test_the_request_for_a_run_id() -> None:
    assert request_from({**DEFAULTS, "target": "a" * 40}, "mymaster").target == "a" * 40


def test_the_request_for_a_leader_and_a_burst() -> None:
    request = request_from({**DEFAULTS, "target": "a" * 40, "leader": "::1:26379", "disconnect_ms": 0}, "mymaster")
    assert (request.leader, request.disconnect_ms) == ("[::1]:26379", 0)


def test_the_target_is_named_by_its_run_id(runner: Runner, shard: Shard) -> None:
    result = runner.run(NAME, check_mode=True, **shard.params, target=shard.run_id("redis-2"))
    assert (result["changed"], result["new_master"]) == (True, shard.address("redis-2"))


def test_the_only_master_needs_no_name(runner: Runner, shard: Shard) -> None:
    result = runner.run(NAME, check_mode=True, **{**shard.params, "master_name": ""}, target=shard.address("redis-2"))
    assert (result["changed"], result["new_master"]) == (True, shard.address("redis-2"))


@pytest.mark.parametrize(("mode", "chosen"), [("auto", "pause"), ("fence", "fence"), ("pause", "pause")])
def test_the_mode_is_told(runner: Runner, shard: Shard, mode: str, chosen: str) -> None:
    assert runner.run(NAME, check_mode=True, **shard.params, target=shard.address("redis-2"), mode=mode)["mode"] == chosen


def test_a_mode_that_cannot_be_used_is_refused(runner: Runner, shard: Shard) -> None:
    result = runner.run(NAME, **shard.params, target=shard.address("redis-2"), mode="coordinated")
    assert result["failed"]
    assert "mode coordinated needs a Sentinel of Valkey 9.1.1 or later" in result["msg"]
    assert shard.ran() <= READS


@pytest.mark.parametrize("target", ["redis-1", "redis-2"])
def test_check_mode_tells_what_an_earlier_handover_has_left(runner: Runner, shard: Shard, target: str) -> None:
    shard.fenced.add("redis-1")
    result = runner.run(NAME, check_mode=True, **shard.params, target=shard.address(target))
    assert result["changed"], "also if it is the master already"
    address = shard.address("redis-1")
    assert ensure(result["invocation"]["module_args"], check_mode=True)["warnings"] == [
        f"an earlier handover was cut short, and will be finished: {address} is fenced (min-replicas-to-write 2147483647)"
    ]
    assert shard.ran() <= READS
