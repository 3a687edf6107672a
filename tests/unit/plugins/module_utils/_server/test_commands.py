"""Sequences of commands, on a socket whose other end answers as a server would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import CommandRefused, ConnectionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._server.commands import retry_once, send_all, transaction
from ansible_collections.sentinelops.redis.plugins.module_utils._server.connection import connect
from ansible_collections.sentinelops.redis.plugins.module_utils._server.login import Login
from ansible_collections.sentinelops.redis.tests.unit.support.loopback import HangUp, Listening, Refusal, listening


def in_a_transaction(server: Listening) -> list[Any]:
    return transaction(connect(server.address, Login()), ["CLIENT", "PAUSE", 4000, "WRITE"], ["INFO", "replication"])


def test_a_transaction() -> None:
    replies = iter(["OK", "QUEUED", "QUEUED", ["OK", "role:master\r\n"]])
    with listening(lambda words: next(replies)) as server:
        assert in_a_transaction(server) == ["OK", "role:master\r\n"]
    sent = [words for words in server.said if words[0] != "CLIENT" or words[1] != "SETINFO"]
    assert sent == [["MULTI"], ["CLIENT", "PAUSE", "4000", "WRITE"], ["INFO", "replication"], ["EXEC"]]


def test_an_error_within_a_transaction_is_raised() -> None:
    replies = iter(["OK", "QUEUED", "QUEUED", [Refusal("ERR syntax error"), "role:master\r\n"]])
    with listening(lambda words: next(replies)) as server, pytest.raises(CommandRefused, match="syntax error") as caught:
        in_a_transaction(server)
    assert caught.value.command == "CLIENT"


@pytest.mark.parametrize("refused", [1, 3])
def test_a_transaction_that_is_refused(refused: int) -> None:
    replies = iter(Refusal("ERR no") if number == refused else "QUEUED" for number in range(4))
    with listening(lambda words: next(replies)) as server, pytest.raises(CommandRefused):
        in_a_transaction(server)


def test_after_a_command_that_could_not_be_queued_the_transaction_is_ended() -> None:
    replies = iter(["OK", Refusal("BUSY Redis is busy running a script."), "OK", "OK"])
    with listening(lambda words: next(replies)) as server:
        connection = connect(server.address, Login())
        with pytest.raises(CommandRefused):
            transaction(connection, ["CLIENT", "PAUSE", 4000, "WRITE"])
        connection.command("CLIENT", "UNPAUSE")
    after = [words[0] for words in server.said][server.said.index(["CLIENT", "PAUSE", "4000", "WRITE"]) + 1 :]
    assert "DISCARD" in after or "CLIENT" in after[1:], "discarded, or on a new connection"


# -- commands that may be sent twice


def hanging_up(times: int, reply: str = "OK") -> Callable[[list[str]], str]:
    """Hang up on the first commands, then answer."""
    left = iter(range(times))

    def answer(_words: list[str]) -> str:
        if next(left, None) is not None:
            raise HangUp
        return reply

    return answer


def test_a_command_is_sent_again_if_the_connection_broke() -> None:
    with listening(hanging_up(1)) as server:
        assert retry_once(connect(server.address, Login()), "INFO") == "OK"
    assert server.said.count(["INFO"]) == 2


def test_a_command_is_not_sent_a_third_time() -> None:
    with listening(hanging_up(2)) as server, pytest.raises(ConnectionFailed):
        retry_once(connect(server.address, Login()), "INFO")
    assert server.said.count(["INFO"]) == 2


def test_a_refused_command_is_not_sent_again() -> None:
    with listening(lambda words: Refusal("ERR no")) as server, pytest.raises(CommandRefused):
        retry_once(connect(server.address, Login()), "INFO")
    assert server.said.count(["INFO"]) == 1


def test_every_command_is_sent_even_after_a_failure() -> None:
    with listening(lambda words: Refusal("ERR no") if words[-1] == "a" else "OK") as server:
        errors = send_all(connect(server.address, Login()), [["SET", "a"], ["SET", "b"], ["GET", "a"]])
    assert [error.facts["reply"] for error in errors] == ["no", "no"]
    assert [words for words in server.said if words[0] != "CLIENT"] == [["SET", "a"], ["SET", "b"], ["GET", "a"]]
