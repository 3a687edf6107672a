# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface of a server connection, and sequences of commands on it.

This file does not import redis-py: the filters on the controller judge recorded replies without it.
"""

from __future__ import annotations

from typing import Any, Protocol, Sequence

from .._errors import CommandRefused, ConnectionFailed, SentinelOpsError
from .address import Address

__all__ = ["Connector", "Server", "retry_once", "send_all", "transaction"]


class Server(Protocol):
    """A connection to one server or Sentinel; tests pass one that replays recorded replies."""

    address: Address

    def command(self, *words: Any) -> Any:
        """Send one command and return its reply.

        Raises ConnectionFailed, AccessDenied or CommandRefused.
        """

    def set_timeout(self, timeout_ms: int) -> None:
        """Limit connecting, and each reply, to this time from the next command on."""

    def close(self) -> None:
        """Close the connection; the next command opens it again."""


class Connector(Protocol):
    """A function that connects to servers of one kind (all Sentinels, or all data nodes)."""

    def __call__(self, address: Address) -> Server: ...


def transaction(server: Server, *commands: list[Any]) -> list[Any]:
    """Run commands as one MULTI/EXEC and return their replies.

    Raises CommandRefused for the first command that was answered with an error.
    """
    try:
        server.command("MULTI")
        for words in commands:
            server.command(*words)
        replies: list[Any] = server.command("EXEC")
    except Exception:
        server.close()  # the server discards an open transaction when its connection closes
        raise
    for words, reply in zip(commands, replies):
        if isinstance(reply, Exception):
            raise CommandRefused(str(reply), node=str(server.address), command=str(words[0]))
    return replies


def retry_once(server: Server, *words: Any) -> Any:
    """Send an idempotent command, and send it once more if the connection broke."""
    try:
        return server.command(*words)
    except ConnectionFailed:
        return server.command(*words)


def send_all(server: Server, commands: Sequence[list[Any]]) -> list[SentinelOpsError]:
    """Send every command, even after one has failed, and return the errors."""
    failed = []
    for words in commands:
        try:
            retry_once(server, *words)
        except SentinelOpsError as error:
            failed.append(error)
    return failed
