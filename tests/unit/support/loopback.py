"""A server on a loopback port that speaks the protocol, so that tests include redis-py."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ansible_collections.sentinelops.redis.plugins.module_utils._errors import CommandRefused
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address
from ansible_collections.sentinelops.redis.plugins.module_utils._server.commands import Server

Answer = Callable[[list[str]], Any]


def answers_of(server: Server) -> Answer:
    """Return the answers of a fake server."""

    def answer(words: list[str]) -> Any:
        try:
            return server.command(*words)
        except CommandRefused as refused:
            return Refusal(refused.reply)

    return answer


class Refusal(str):
    """A whole error reply: ``READONLY You can't write against a read only replica.``"""


class HangUp(Exception):
    """The order to close the connection instead of answering."""


def encoded(reply: Any) -> bytes:
    if isinstance(reply, Refusal):
        return f"-{reply}\r\n".encode()
    if isinstance(reply, str):
        data = reply.encode()
        return b"$%d\r\n%s\r\n" % (len(data), data)
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if reply is None:
        return b"$-1\r\n"
    return b"*%d\r\n" % len(reply) + b"".join(map(encoded, reply))


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        mine: list[list[str]] = []
        self.server.said_on.append(mine)  # type: ignore[attr-defined]
        while words := self._command():
            mine.append(words)
            self.server.said.append(words)  # type: ignore[attr-defined]
            try:
                self.wfile.write(encoded(self._answered(words, mine)))
            except (HangUp, OSError):
                return

    def _answered(self, words: list[str], said: list[list[str]]) -> Any:
        """Accept a transaction that the test does not answer, without any effect."""
        if self.server.takes_transactions:  # type: ignore[attr-defined]
            begun = said[::-1].index(["MULTI"]) if ["MULTI"] in said else -1
            if words in (["MULTI"], ["EXEC"]):
                return "OK" if words == ["MULTI"] else ["OK"] * (begun - 1)
            if begun > 0 and ["EXEC"] not in said[-begun:]:
                return "QUEUED"
        return self.server.answer(words)  # type: ignore[attr-defined]

    def _command(self) -> list[str]:
        head = self.rfile.readline()
        if not head.startswith(b"*"):
            return []
        return [self._word() for _number in range(int(head[1:]))]

    def _word(self) -> str:
        length = int(self.rfile.readline()[1:])
        return self.rfile.read(length + 2)[:length].decode()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, answer: Answer, takes_transactions: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.takes_transactions = takes_transactions
        self.said: list[list[str]] = []
        self.said_on: list[list[list[str]]] = []


class Listening:
    """The address of the server, and every command that arrived.

    ``said`` has all commands, ``said_on`` the commands of each connection.
    """

    def __init__(self, server: _Server) -> None:
        self.address = Address("127.0.0.1", server.server_address[1])
        self.said = server.said
        self.said_on = server.said_on

    @property
    def ran(self) -> list[list[str]]:
        """Return the commands that ran, without those of a discarded transaction."""
        found: list[list[str]] = []
        for said in self.said_on:
            begun = len(said) - said[::-1].index(["MULTI"]) - 1 if ["MULTI"] in said else len(said)
            found += said if ["EXEC"] in said[begun:] else said[:begun]
        return found

    @property
    def params(self) -> dict[str, Any]:
        """Return the connection options for a module."""
        return {"login_host": self.address.host, "login_port": self.address.port}


@contextlib.contextmanager
def listening(answer: Answer, takes_transactions: bool = False) -> Iterator[Listening]:
    """Answer every command with the result of ``answer`` for its words.

    redis-py's own greetings are answered with OK. With ``takes_transactions``, the commands in a
    transaction do not reach ``answer``.
    """

    def greeted(words: list[str]) -> Any:
        return "OK" if words[:2] == ["CLIENT", "SETINFO"] else answer(words)

    with _Server(greeted, takes_transactions) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield Listening(server)
        finally:
            server.shutdown()
            thread.join()
