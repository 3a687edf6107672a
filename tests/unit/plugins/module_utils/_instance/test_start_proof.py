"""Numbers and limits before and after a restart."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import AccessDenied, OperationFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._host.process_facts import ProcessFacts, facts_of
from ansible_collections.sentinelops.redis.plugins.module_utils._host.service import Command, Process
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.start_proof import StartProof, lowered_numbers
from ansible_collections.sentinelops.redis.plugins.module_utils._server.info import node_info

NODE = node_info({"redis_version": "7.0.15", "process_id": str(os.getpid()), "role": "master"})


class Replies:
    """A server that answers CONFIG GET and INFO; a None is refused."""

    address = "10.0.0.1:6379"

    def __init__(self, config: dict[str, str] | None, info: str = "") -> None:
        self.config, self.info = config, info

    def command(self, *words: Any) -> Any:
        if words[0] == "INFO":
            return self.info
        if self.config is None:
            raise AccessDenied("NOPERM", node=self.address, command="CONFIG")
        return [part for pair in self.config.items() for part in pair]

    def close(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("before", "after", "configured", "lost"),
    [
        ({"maxclients": 10000}, {"maxclients": 992}, {}, ["maxclients 992 instead of 10000"]),
        ({"maxclients": 10000}, {"maxclients": 992}, {"maxclients": 992}, ["maxclients 992 instead of 10000"]),
        ({"maxclients": 992}, {"maxclients": 10000}, {}, []),
        ({"maxclients": 992}, {"maxclients": 992}, {"maxclients": 10000}, []),
        ({"tcp-backlog": 511}, {"tcp-backlog": 128}, {"tcp-backlog": 511}, ["tcp-backlog 128 instead of 511"]),
        ({"hash-max-listpack-entries": 512}, {"hash-max-listpack-entries": 128}, {}, []),
        ({"timeout": 300}, {"timeout": 100}, {"timeout": 100}, []),
        ({"gone-in-7": 300}, {"new-in-7": 1}, {"gone-in-7": 300}, []),
        ({}, {"maxclients": 992}, {}, []),
    ],
    ids=[
        "too few files",
        "written by the server itself",
        "raised",
        "low before, too",
        "another number that the file sets",
        "another default",
        "set at run time and not saved",
        "another name",
        "not known before",
    ],
)
def test_lowered_numbers(before: dict[str, int], after: dict[str, int], configured: dict[str, int], lost: list[str]) -> None:
    assert lowered_numbers(before, after, configured) == lost


def test_a_server_that_was_stopped_has_nothing_to_lose(tmp_path: Path) -> None:
    proof = StartProof.of(Replies({"maxclients": "10000"}), None)
    proof.require(Replies({"maxclients": "992"}), NODE, Process(), str(tmp_path / "redis.conf"))


@pytest.mark.parametrize(
    ("config", "info", "numbers"),
    [
        ({"maxclients": "10000", "dir": "/data", "save": ""}, "", {"maxclients": 10000}),
        (None, "# Clients\r\nconnected_clients:3\r\nmaxclients:10000\r\n", {"maxclients": 10000}),
        (None, "# Clients\r\nconnected_clients:3\r\n", {}),
    ],
    ids=["by CONFIG GET", "a Sentinel", "a Sentinel before 6.2"],
)
def test_the_numbers_of_a_server(config: dict[str, str] | None, info: str, numbers: dict[str, int]) -> None:
    assert StartProof.of(Replies(config, info), NODE).numbers == numbers


def test_a_size_in_the_file_counts_in_full(tmp_path: Path) -> None:
    config = tmp_path / "redis.conf"
    config.write_text("maxmemory 1gb\n")
    proof = StartProof({"maxmemory": 1 << 30})
    proof.require(Replies({"maxmemory": str(1 << 30)}), NODE, Process(), str(config))
    with pytest.raises(OperationFailed, match="maxmemory 1024 instead of 1073741824"):
        proof.require(Replies({"maxmemory": "1024"}), NODE, Process(), str(config))


def test_limits_of_a_plain_process() -> None:
    ours = facts_of(os.getpid())
    assert ours is not None
    soft, hard = ours.limits["core"]
    same = Process(ProcessFacts(ours.uid, ours.gid, limits={"core": (soft, hard)}))
    assert StartProof().lost(Replies({}), NODE, same, "") == []
    raised = Process(ProcessFacts(ours.uid, ours.gid, limits={"core": (soft + 1, hard)}))
    assert StartProof().lost(Replies({}), NODE, raised, "") == [f"limit core {soft} instead of {soft + 1}"]
    assert StartProof().lost(Replies({}), NODE, Command(("true",), ("true",)), "") == [], "the command sets them"


def test_a_lowered_number_in_the_file_is_repaired(tmp_path: Path) -> None:
    """A Sentinel writes maxclients at its start, into a file that both versions read."""
    config = tmp_path / "sentinel.conf"
    config.write_text("port 26379\nmaxclients 992\ntimeout 9\n")
    StartProof({"maxclients": 10000, "timeout": 10}).repair(str(config))
    assert config.read_text() == "port 26379\nmaxclients 10000\ntimeout 9\n"
    config.write_text("port 26379\nmaxclients 20000\n")
    StartProof({"maxclients": 10000}).repair(str(config))
    assert config.read_text() == "port 26379\nmaxclients 20000\n"
    StartProof({"maxclients": 10000}).repair(str(tmp_path / "not here"))
