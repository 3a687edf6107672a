"""Replies, errors and lost connections of servers behind redis-py."""

from __future__ import annotations

import errno
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis.exceptions
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import (
    AccessDenied,
    CommandRefused,
    ConnectionFailed,
    PreconditionFailed,
    SentinelOpsError,
)
from ansible_collections.sentinelops.redis.plugins.module_utils._server import redis_py
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address
from ansible_collections.sentinelops.redis.plugins.module_utils._server.connection import connect
from ansible_collections.sentinelops.redis.plugins.module_utils._server.login import (
    Login,
)
from ansible_collections.sentinelops.redis.plugins.module_utils._server.redis_py import mapped, require_redis_py
from ansible_collections.sentinelops.redis.tests.unit.support.loopback import HangUp, Refusal, listening
from ansible_collections.sentinelops.redis.tests.unit.support.recorded import VERSIONS, recorded

NODE = "10.0.0.1:6379"
PASSWORD, KEY_NAME, VALUE = "s3cret-password", "s3cret-key", "s3cret-value"


def told(error: Exception) -> str:
    """Return all text of an error that a user can see."""
    return f"{error} {error.as_result() if isinstance(error, SentinelOpsError) else ''}"


# -- redis-py's exceptions


@pytest.mark.parametrize(
    ("error", "kind", "part"),
    [
        (redis.exceptions.AuthenticationError("Authentication required."), AccessDenied, "Give the password"),
        (
            redis.exceptions.AuthenticationError("invalid username-password pair or user is disabled."),
            AccessDenied,
            "Check user and password",
        ),
        (redis.exceptions.AuthenticationError("invalid password"), AccessDenied, "Check user and password"),
        (
            redis.exceptions.AuthenticationError("AUTH <password> called without any password configured for the default user."),
            AccessDenied,
            "The server has no password: give none",
        ),
        (redis.exceptions.NoPermissionError("this user has no permissions to run the 'get' command"), AccessDenied, "ACL SETUSER"),
        (redis.exceptions.ResponseError("NOPERM this user may not"), AccessDenied, "ACL SETUSER"),
        (redis.exceptions.ReadOnlyError("You can't write against a read only replica."), CommandRefused, "READONLY You can't write"),
        (redis.exceptions.BusyLoadingError("Redis is loading the dataset in memory"), CommandRefused, "LOADING Redis is loading"),
        (redis.exceptions.ResponseError("NOREPLICAS Not enough good replicas to write."), CommandRefused, "NOREPLICAS"),
        (redis.exceptions.ResponseError("INPROG Failover already in progress"), CommandRefused, "INPROG"),
        (redis.exceptions.ExecAbortError("Transaction discarded because of previous errors."), CommandRefused, "Transaction discarded"),
        (redis.exceptions.ConnectionError("Connection closed by server."), ConnectionFailed, "no answer to CONFIG: Connection closed"),
        (redis.exceptions.TimeoutError("Timeout reading from socket"), ConnectionFailed, "no answer to CONFIG: Timeout"),
        (OSError("Network is unreachable"), ConnectionFailed, "Network is unreachable"),
        (redis.exceptions.ConnectionError("certificate verify failed: self-signed certificate"), AccessDenied, "Check ca_certs"),
        (ssl.SSLError(1, "tlsv13 alert certificate required"), AccessDenied, "client_cert_file"),
        (ssl.SSLError(1, "tlsv1 alert unknown ca"), AccessDenied, "does not trust the authority"),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER] wrong version number"), AccessDenied, "Nothing speaks TLS on this port"),
        (ssl.SSLError(8, "EOF occurred in violation of protocol"), ConnectionFailed, "EOF occurred in violation"),
    ],
)
def test_an_error_of_redis_py(error: Exception, kind: type[SentinelOpsError], part: str) -> None:
    found = mapped(error, node=NODE, command="CONFIG", sent=True)
    assert isinstance(found, kind)
    assert part in told(found)
    assert NODE in str(found)
    assert "CONFIG" in str(found)


@pytest.mark.parametrize("sent", [True, False])
def test_whether_the_command_was_sent_is_kept(sent: bool) -> None:
    found = mapped(redis.exceptions.ConnectionError("gone"), node=NODE, command="RPUSH", sent=sent)
    assert isinstance(found, ConnectionFailed)
    assert found.sent is sent


def test_an_older_redis_py_has_fewer_exceptions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(redis.exceptions, "OutOfMemoryError")  # as 4.3, the one of Debian 12
    found = mapped(redis.exceptions.ResponseError("OOM command not allowed"), node=NODE, command="RPUSH", sent=True)
    assert isinstance(found, CommandRefused)
    assert found.reply == "OOM command not allowed"


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("y"), redis.exceptions.DataError("z")])
def test_what_is_no_error_of_a_server_comes_back_as_it_is(error: Exception) -> None:
    assert mapped(error, node=NODE, command="GET", sent=True) is error


# -- replies of real servers, over a socket


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["READONLY", "NOREPLICAS", "No such master", "INPROG", "NOGOODSLAVE"])
def test_a_refusal_is_whole(version: str, name: str) -> None:
    reply = recorded(version, "errors")[name]
    with listening(lambda words: Refusal(reply)) as server, pytest.raises(CommandRefused) as caught:
        connect(server.address, Login()).command("SENTINEL", "FAILOVER", "mymaster")
    assert caught.value.reply in (reply, reply.removeprefix("ERR "))
    assert caught.value.command == "SENTINEL"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["OOM", "MASTERDOWN"])
def test_a_refusal_whose_code_redis_py_knows_is_whole(version: str, name: str) -> None:
    reply = recorded(version, "errors")[name]
    with listening(lambda words: Refusal(reply)) as server, pytest.raises(CommandRefused) as caught:
        connect(server.address, Login()).command("RPUSH", "key", "1")
    assert caught.value.reply == reply


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["NOAUTH", "WRONGPASS", "NOPERM command", "NOPERM key", "AUTH without password"])
def test_a_lack_of_rights(version: str, name: str) -> None:
    reply = recorded(version, "errors")[name]
    with listening(lambda words: Refusal(reply)) as server, pytest.raises(AccessDenied) as caught:
        connect(server.address, Login()).command("GET", KEY_NAME)
    assert caught.value.advice
    assert "s3cret" not in told(caught.value)


@pytest.mark.parametrize("reply", ["NOPERM No permissions to access a key", "NOPERM No permissions to access a channel"])
def test_a_lack_of_rights_in_the_words_of_redis_7_2(reply: str) -> None:
    with listening(lambda words: Refusal(reply)) as server, pytest.raises(AccessDenied):
        connect(server.address, Login()).command("GET", "key")


@pytest.mark.parametrize(
    "reply", ["text", "", 7, 0, None, [], ["a", 1, None, ["b"]], "caf\u00e9"], ids=["text", "empty", "7", "0", "nil", "[]", "list", "utf-8"]
)
def test_a_reply_is_as_the_server_sent_it(reply: Any) -> None:
    with listening(lambda words: reply) as server:
        assert connect(server.address, Login()).command("ANY") == reply


def test_commands_are_sent_word_by_word() -> None:
    with listening(lambda words: "OK") as server:
        connection = connect(server.address, Login())
        connection.command("CONFIG", "SET", "requirepass", "a b\r\n'c\"")
        connection.command("CLIENT", "PAUSE", 4000, "WRITE")
        connection.close()
    assert server.said[-2:] == [["CONFIG", "SET", "requirepass", "a b\r\n'c\""], ["CLIENT", "PAUSE", "4000", "WRITE"]]


@pytest.mark.parametrize(
    ("login", "auth"),
    [
        (Login(), []),
        (Login(password=PASSWORD), [["AUTH", PASSWORD]]),
        (Login(user="ops", password=PASSWORD), [["AUTH", "ops", PASSWORD]]),
    ],
)
def test_logging_in(login: Login, auth: list[list[str]]) -> None:
    with listening(lambda words: "OK") as server:
        connect(server.address, login).command("PING")
    assert [words for words in server.said if words[0] == "AUTH"] == auth


# -- secrets


def refuse_auth(words: list[str]) -> Any:
    return Refusal("WRONGPASS invalid username-password pair or user is disabled.") if words[0] == "AUTH" else "OK"


def hang_up(words: list[str]) -> Any:
    raise HangUp


@pytest.mark.parametrize(
    "answer",
    [refuse_auth, hang_up, lambda words: Refusal("NOAUTH Authentication required."), lambda words: Refusal("ERR nonsense")],
    ids=["wrong password", "hung up", "no password", "refused"],
)
def test_no_secret_is_in_an_error(answer: Any) -> None:
    login = Login(user="ops", password=PASSWORD)
    with listening(answer) as server, pytest.raises(SentinelOpsError) as caught:
        connect(server.address, login).command("CONFIG", "SET", "masterauth", VALUE)
    assert "s3cret" not in told(caught.value)
    assert "s3cret" not in repr(login)


# -- lost connections


@pytest.fixture
def closed_port() -> Iterator[Address]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # nobody else gets it, and it does not listen
        yield Address("127.0.0.1", held.getsockname()[1])


def test_nobody_listens(closed_port: Address) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        connect(closed_port, Login()).command("PING")
    assert (caught.value.sent, caught.value.refused) == (False, True)
    assert str(closed_port) in str(caught.value)


def test_the_server_hangs_up() -> None:
    with listening(hang_up) as server, pytest.raises(ConnectionFailed) as caught:
        connect(server.address, Login()).command("RPUSH", "key", "1")
    assert (caught.value.sent, caught.value.refused) == (True, False)


def test_the_server_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ConnectionFailed) as caught:
        connect(Address("127.0.0.1", silent.getsockname()[1]), Login(timeout_ms=50)).command("PING")
    assert "Timeout" in str(caught.value)
    assert not caught.value.refused


def test_a_command_that_was_given_up_is_not_delivered_later() -> None:
    """A reset discards what the network has held up; before a normal end that is delivered."""
    ends: list[int] = []
    begun_s = time.monotonic()

    def serve() -> None:
        accepted, _address = listener.accept()
        with accepted:
            while data := accepted.recv(4096):
                if b"PING" not in data:  # until then it is greeted
                    accepted.sendall(b"+OK\r\n" * data.count(b"*"))
            while not ends or (ends == [0] and time.monotonic() < begun_s + 5):
                ends[:] = [accepted.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)]

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(ConnectionFailed) as caught:
            connect(Address("127.0.0.1", listener.getsockname()[1]), Login(timeout_ms=100)).command("PING")
        thread.join(5)
    assert (caught.value.sent, ends) == (True, [errno.EPIPE]), "reset after its end"


def slow(words: list[str]) -> str:
    time.sleep(0.2)
    return "PONG"


def test_someone_in_a_hurry_waits_no_longer() -> None:
    with listening(slow) as server:
        connection = connect(server.address, Login(timeout_ms=5000))
        assert connection.command("PING") == "PONG"
        connection.set_timeout(50)
        begun_s = time.monotonic()
        with pytest.raises(ConnectionFailed, match="Timeout") as caught:
            connection.command("PING")
        assert time.monotonic() - begun_s < 0.19
        assert (caught.value.sent, caught.value.refused) == (True, False)
        connection.set_timeout(2000)
        assert connection.command("PING") == "PONG"


def test_someone_in_a_hurry_connects_anew() -> None:
    """A later command must not wait for a connection, nor for a name server."""
    with listening(lambda words: "PONG") as server:
        connection = connect(server.address, Login())
        for _time in range(2):
            connection.command("PING")
        connection.set_timeout(500)
        connection.command("PING")
        assert [said.count(["PING"]) for said in server.said_on] == [2, 1]


def test_nothing_is_retried() -> None:
    with listening(hang_up) as server:
        connection = connect(server.address, Login())
        with pytest.raises(ConnectionFailed):
            connection.command("SHUTDOWN")
    assert [words for words in server.said if words[0] == "SHUTDOWN"] == [["SHUTDOWN"]]


def test_the_next_command_connects_again() -> None:
    answers = iter([HangUp(), "PONG"])

    def answer(words: list[str]) -> Any:
        reply = next(answers)
        if isinstance(reply, HangUp):
            raise reply
        return reply

    with listening(answer) as server:
        connection = connect(server.address, Login())
        with pytest.raises(ConnectionFailed):
            connection.command("PING")
        assert connection.command("PING") == "PONG"


def test_after_a_refusal_the_connection_stays() -> None:
    replies = iter([Refusal("ERR unknown command"), "PONG"])
    with listening(lambda words: next(replies)) as server:
        connection = connect(server.address, Login())
        with pytest.raises(CommandRefused):
            connection.command("NONSENSE")
        assert connection.command("PING") == "PONG"


# -- redis-py itself


def test_redis_py_is_here() -> None:
    require_redis_py()


@pytest.mark.parametrize(
    ("version", "trouble", "reason"),
    [
        (None, "ImportError: No module named 'redis'", "the Python package redis is missing, for "),
        ("3.5.3", "ImportError: No module named 'redis.backoff'", "is version 3.5.3, and 4.3 is the oldest supported version, for "),
        ("4.2.2", None, "is version 4.2.2, and 4.3 is the oldest supported version, for "),
        ("5.0.1", "Traceback:\nImportError: async_timeout", "is version 5.0.1, and cannot be imported (ImportError: async_timeout), for "),
    ],
)
def test_redis_py_is_missing_or_too_old(version: str | None, trouble: str | None, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_py, "REDIS_IMPORT_ERROR", trouble)
    monkeypatch.setattr(redis_py, "REDIS_VERSION", version or "")
    with pytest.raises(PreconditionFailed) as refused:
        connect(Address("127.0.0.1", 6379), Login())
    assert reason + sys.executable in str(refused.value)
    assert "Nothing was touched. Install it: the package python3-redis" in str(refused.value)


@pytest.mark.parametrize("version", ["4.3.0", "4.10.1", "5.0.0rc1", "8.1.0"])
def test_redis_py_is_new_enough(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_py, "REDIS_VERSION", version)
    require_redis_py()
