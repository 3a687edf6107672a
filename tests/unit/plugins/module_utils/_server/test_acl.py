"""The rights that a handover needs, checked without changing anything."""

from __future__ import annotations

from itertools import repeat

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._server.acl import (
    Refusals,
    missing_on_node,
    missing_on_sentinel,
    missing_to_coordinate,
    refused_on_node,
    refused_on_sentinel,
)
from ansible_collections.sentinelops.redis.tests.unit.support.deployment import MASTER, SENTINELS, Deployment

NOPERM = "NOPERM this user has no permissions to run the command"
MODES = ["pause", "fence", "coordinated", "plain"]


@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_missing_and_nothing_is_done(mode: str) -> None:
    deployment = Deployment()
    before = deployment.settings()
    assert missing_on_node(deployment.master, mode) == []
    assert missing_on_sentinel(deployment.sentinels[0]) == []
    assert deployment.wire.changing() == []
    assert deployment.settings() == before
    assert deployment.roles()[MASTER] == "master"
    assert deployment.master.command("PING") == "PONG", "no transaction is left open"


@pytest.mark.parametrize(
    ("command", "right", "modes"),
    [
        ("MULTI", "+multi", MODES),
        ("CLIENT PAUSE", "+client|pause", ["pause"]),
        ("CLIENT UNPAUSE", "+client|unpause", ["pause"]),
        ("REPLICAOF", "+replicaof", ["pause", "fence", "coordinated"]),
        ("CLIENT KILL", "+client|kill", ["pause", "fence", "coordinated"]),
        ("CONFIG SET replica-priority", "+config|set", MODES),
        ("CONFIG REWRITE", "+config|rewrite", MODES),
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_a_right_is_missing_on_a_node(mode: str, command: str, right: str, modes: list[str]) -> None:
    deployment = Deployment()
    deployment.master.refuses[command] = repeat(NOPERM)
    word = command.split(maxsplit=1)[0]
    expected = [f"our user lacks the right {right} on {MASTER} ({word}: {NOPERM})"] if mode in modes else []
    assert missing_on_node(deployment.master, mode) == expected
    assert deployment.wire.changing() == []


def test_the_right_to_end_a_transaction_is_missing() -> None:
    deployment = Deployment()
    deployment.master.refuses["EXEC"] = repeat("NOPERM this user has no permissions to run the 'exec' command")
    (sentence,) = missing_on_node(deployment.master, "pause")
    assert f"our user lacks the right +exec on {MASTER}" in sentence


def test_several_rights_are_missing_on_a_node() -> None:
    deployment = Deployment()
    for command in ("CLIENT", "CONFIG SET"):
        deployment.master.refuses[command] = repeat(NOPERM)
    found = missing_on_node(deployment.master, "pause")
    assert [sentence.split(" right ")[1].split()[0] for sentence in found] == [
        "+client|pause",
        "+client|unpause",
        "+client|kill",
        "+config|set",
    ]


@pytest.mark.parametrize("command", ["MULTI", "EXEC", "CLIENT PAUSE", "CONFIG REWRITE"])
def test_what_fails_for_another_reason_is_no_missing_right(command: str) -> None:
    """The command that needs the right reports such an error."""
    deployment = Deployment()
    deployment.master.refuses[command] = repeat("BUSY Redis is busy running a script")
    assert missing_on_node(deployment.master, "pause") == []


def test_a_server_that_is_gone_is_no_missing_right() -> None:
    deployment = Deployment()
    deployment.master.alive = deployment.sentinels[0].alive = False
    assert missing_on_node(deployment.master, "pause") == []
    assert missing_on_sentinel(deployment.sentinels[0]) == []


def test_a_right_is_missing_on_a_sentinel() -> None:
    deployment = Deployment()
    deployment.sentinels[0].refuses["SENTINEL FAILOVER"] = repeat(NOPERM)
    assert missing_on_sentinel(deployment.sentinels[0]) == [
        f"our user lacks the right +sentinel|failover on Sentinel {SENTINELS[0]} (SENTINEL: {NOPERM})"
    ]
    assert not deployment.sentinels[0].running


# -- for the whole upgrade


def test_nothing_is_denied_and_nothing_is_done() -> None:
    deployment = Deployment()
    before = deployment.settings()
    assert refused_on_node(deployment.master) == Refusals()
    assert refused_on_sentinel(deployment.sentinels[0]) == Refusals()
    assert deployment.wire.changing() == []
    assert deployment.settings() == before
    assert deployment.master.command("PING") == "PONG", "no transaction is left open"


@pytest.mark.parametrize("command", ["INFO", "PING", "SHUTDOWN", "CLIENT PAUSE", "CONFIG REWRITE", "BGSAVE"])
def test_a_right_is_denied_on_a_node(command: str) -> None:
    deployment = Deployment()
    deployment.master.refuses[command] = repeat(NOPERM)
    right = "+" + command.lower().replace(" ", "|")
    assert refused_on_node(deployment.master).denied == {right: f"{command.split(maxsplit=1)[0]}: {NOPERM}"}


def test_without_transactions_the_rest_is_not_known() -> None:
    deployment = Deployment()
    for command in ("MULTI", "EXEC", "PING"):
        deployment.master.refuses[command] = repeat(NOPERM)
    assert sorted(refused_on_node(deployment.master).denied) == ["+exec", "+multi", "+ping"]


@pytest.mark.parametrize("command", ["PING", "SENTINEL FAILOVER", "SENTINEL CKQUORUM", "SENTINEL SET", "SHUTDOWN"])
def test_a_right_is_denied_on_a_sentinel(command: str) -> None:
    deployment = Deployment()
    deployment.sentinels[0].refuses[command] = repeat(NOPERM)
    assert list(refused_on_sentinel(deployment.sentinels[0]).denied) == ["+" + command.lower().replace(" ", "|")]


UNKNOWN = "ERR unknown command, with args beginning with: "


@pytest.mark.parametrize("command", ["INFO", "CONFIG", "SHUTDOWN", "CLIENT", "REPLICAOF", "SLAVEOF", "MULTI", "EXEC", "BGSAVE"])
def test_a_command_is_not_known_on_a_node(command: str) -> None:
    deployment = Deployment()
    deployment.master.refuses[command] = repeat(UNKNOWN)
    assert refused_on_node(deployment.master) == Refusals(unknown={command: UNKNOWN})
    assert deployment.wire.changing() == []


@pytest.mark.parametrize("command", ["REPLICAOF", "CLIENT", "CONFIG", "SLAVEOF"])
def test_a_handover_needs_the_command(command: str) -> None:
    deployment = Deployment()
    deployment.master.refuses[command] = repeat(UNKNOWN)
    assert missing_on_node(deployment.master, "pause") == [f"{MASTER} does not know the command {command}: it is renamed or disabled"]


def test_our_user_needs_no_right_to_what_sentinels_send() -> None:
    deployment = Deployment()
    deployment.master.refuses["SLAVEOF"] = repeat(NOPERM)
    assert refused_on_node(deployment.master) == Refusals()
    assert missing_on_node(deployment.master, "pause") == []


@pytest.mark.parametrize("command", ["PING", "SENTINEL", "SHUTDOWN"])
def test_a_command_is_not_known_on_a_sentinel(command: str) -> None:
    deployment = Deployment()
    deployment.sentinels[0].refuses[command] = repeat(UNKNOWN)
    assert list(refused_on_sentinel(deployment.sentinels[0]).unknown) == [command]


# -- the Sentinels' own user


def test_the_sentinels_may_coordinate() -> None:
    assert missing_to_coordinate(Deployment().master) == ([], [])


def test_the_users_of_the_sentinels_are_asked_about() -> None:
    deployment = Deployment()
    deployment.master.clients = [
        "id=3 addr=10.0.0.9:1 name= user=app",
        "id=4 addr=10.0.0.1:1 name=sentinel-1f2e3d4c-cmd user=watcher db=0",
        "id=5 addr=10.0.0.1:2 name=sentinel-1f2e3d4c-pubsub user=watcher db=0",
        "id=6 addr=10.0.0.2:1 name=sentinel-5a6b7c8d-cmd user=other db=0",
    ]
    assert missing_to_coordinate(deployment.master) == ([], [])
    asked = [text.partition("ACL DRYRUN ")[2] for text in deployment.wire.tried if "DRYRUN" in text]
    assert {text.split()[0] for text in asked} == {"watcher", "other"}
    assert {text.split()[1] for text in asked} == {"FAILOVER", "CLIENT"}


@pytest.mark.parametrize(("command", "right"), [("FAILOVER", "+failover"), ("CLIENT", "+client")])
def test_a_right_of_the_sentinels_is_missing(command: str, right: str) -> None:
    deployment = Deployment()
    deployment.master.dryrun[f"default {command}"] = f"User default has no permissions to run the '{command.lower()}' command"
    (found,), unknown = missing_to_coordinate(deployment.master)
    assert found.startswith(f"the Sentinels' user default lacks the right {right} on {MASTER} (User default has no")
    assert unknown == []


@pytest.mark.parametrize("reply", [NOPERM, "ERR unknown subcommand 'DRYRUN'"])
@pytest.mark.parametrize("command", ["CLIENT LIST", "ACL DRYRUN"])
def test_what_could_not_be_found_out_is_said(command: str, reply: str) -> None:
    deployment = Deployment()
    deployment.master.refuses[command] = repeat(reply)
    found, (unknown,) = missing_to_coordinate(deployment.master)
    assert found == []
    assert "could not be checked" in unknown
    assert reply in unknown


def test_a_master_that_does_not_answer_just_then() -> None:
    """The rights are unknown in this case too."""
    deployment = Deployment()
    deployment.master.connection_lost = True
    found, (unknown,) = missing_to_coordinate(deployment.master)
    assert found == []
    assert "could not be checked" in unknown
