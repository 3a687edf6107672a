"""A server on a loopback port that speaks the protocol: what redis-py makes of replies is part of what is tested."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ansible_collections.sentinelops.redis.plugins.module_utils._address import Address
from ansible_collections.sentinelops.redis.plugins.module_utils._connection import Server
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import CommandRefused

Answer = Callable[[list[str]], Any]


def answers_of(server: Server) -> Answer:
    """Lets a fake server answer."""

    def answer(words: list[str]) -> Any:
        try:
            return server.command(*words)
        except CommandRefused as refused:
            return Refusal(refused.reply)

    return answer


class Refusal(str):
    """An error reply, whole: ``READONLY You can't write against a read only replica.``"""


class HangUp(Exception):
    """The server closes the connection instead of answering."""


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
        while words := self._command():
            self.server.said.append(words)  # type: ignore[attr-defined]
            try:
                self.wfile.write(encoded(self.server.answer(words)))  # type: ignore[attr-defined]
            except (HangUp, OSError):
                return

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

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.said: list[list[str]] = []


class Listening:
    """Where it listens, and every command that came."""

    def __init__(self, server: _Server) -> None:
        self.address = Address("127.0.0.1", server.server_address[1])
        self.said = server.said

    @property
    def params(self) -> dict[str, Any]:
        """The connection options of a module that lead to it."""
        return {"login_host": self.address.host, "login_port": self.address.port}


@contextlib.contextmanager
def listening(answer: Answer) -> Iterator[Listening]:
    """Answers every command with what ``answer`` returns for its words; redis-py's own greetings are answered OK."""

    def greeted(words: list[str]) -> Any:
        return "OK" if words[:2] == ["CLIENT", "SETINFO"] else answer(words)

    with _Server(greeted) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield Listening(server)
        finally:
            server.shutdown()
            thread.join()
