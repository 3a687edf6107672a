# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who we are to a server, what the logic needs of one, and what is done with any of them.

The connections themselves are in _redis_py, which is imported where one is opened and not before:
whoever only judges what others have read (the filters, on the controller) needs no redis-py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Protocol, Sequence

from .._errors import CommandRefused, ConnectionFailed, SentinelOpsError
from .address import Address

__all__ = [
    "CONNECTION_SPEC",
    "NODE_LOGIN_SPEC",
    "Connector",
    "Login",
    "Server",
    "connect",
    "login_from",
    "node_login_from",
    "retry_once",
    "send_all",
    "transaction",
]

# The options of the doc fragment "connection".
CONNECTION_SPEC: dict[str, Any] = {
    "login_host": {"type": "str", "default": "127.0.0.1"},
    "login_port": {"type": "int", "default": 6379},
    "login_user": {"type": "str"},
    "login_password": {"type": "str", "no_log": True},
    "tls": {"type": "bool", "default": False},
    "validate_certs": {"type": "bool", "default": True},
    "ca_certs": {"type": "path"},
    "client_cert_file": {"type": "path"},
    "client_key_file": {"type": "path"},
    "timeout_ms": {"type": "int", "default": 5000},
}

# The options of the doc fragment "nodes": modules whose login_* options lead to a Sentinel reach
# the data nodes with these. TLS options of theirs that are left out are those of the Sentinel
# connection.
NODE_LOGIN_SPEC: dict[str, Any] = {
    "node_login_user": {"type": "str"},
    "node_login_password": {"type": "str", "no_log": True},
    "node_tls": {"type": "bool"},
    "node_validate_certs": {"type": "bool"},
    "node_ca_certs": {"type": "path"},
    "node_client_cert_file": {"type": "path"},
    "node_client_key_file": {"type": "path"},
}
_TLS_OPTIONS = ("tls", "validate_certs", "ca_certs", "client_cert_file", "client_key_file")


@dataclass(frozen=True)
class Login:
    """Who we are to a server, how the connection is secured, and how long a reply may take
    (milliseconds).
    """

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    validate_certs: bool = True
    ca_certs: str | None = None
    client_cert_file: str | None = None
    client_key_file: str | None = None
    timeout_ms: int = 5000


def login_from(params: Mapping[str, Any]) -> Login:
    """The login_* and TLS options of a module."""
    return Login(
        user=params["login_user"] or None,
        password=params["login_password"] or None,
        tls=params["tls"],
        validate_certs=params["validate_certs"],
        ca_certs=params["ca_certs"] or None,
        client_cert_file=params["client_cert_file"] or None,
        client_key_file=params["client_key_file"] or None,
        timeout_ms=params["timeout_ms"],
    )


def node_login_from(params: Mapping[str, Any]) -> Login:
    """The node_* options; TLS options that are not given are those of the Sentinel connection."""
    own = {name: params[f"node_{name}"] for name in _TLS_OPTIONS if params[f"node_{name}"] not in (None, "")}
    account = {"login_user": params["node_login_user"], "login_password": params["node_login_password"]}
    return login_from({**params, **account, **own})


class Server(Protocol):
    """What the logic needs of a server; tests pass one that replays recorded replies."""

    address: Address

    def command(self, *words: Any) -> Any:
        """Sends one command and returns its reply; raises ConnectionFailed, AccessDenied or
        CommandRefused.
        """

    def set_timeout(self, timeout_ms: int) -> None:
        """From the next command on, waits no longer than this for a connection or a reply."""

    def close(self) -> None:
        """Closes the connection; the next command opens it again."""


class Connector(Protocol):
    """Opens connections to the servers of one kind (all Sentinels, or all data nodes)."""

    def __call__(self, address: Address) -> Server: ...


def connect(address: Address, login: Login) -> Server:
    from .redis_py import Connection  # noqa: PLC0415 see the head of this file

    return Connection(address, login)


def transaction(server: Server, *commands: list[Any]) -> list[Any]:
    """Runs commands as one MULTI/EXEC and returns their replies; an error in one of them is raised."""
    try:
        server.command("MULTI")
        for words in commands:
            server.command(*words)
        replies: list[Any] = server.command("EXEC")
    except Exception:
        server.close()  # with the connection a transaction that was begun ends
        raise
    for words, reply in zip(commands, replies):
        if isinstance(reply, Exception):
            raise CommandRefused(str(reply), node=str(server.address), command=str(words[0]))
    return replies


def retry_once(server: Server, *words: Any) -> Any:
    """For commands that may be sent twice: sends it once more if the connection broke."""
    try:
        return server.command(*words)
    except ConnectionFailed:
        return server.command(*words)


def send_all(server: Server, commands: Sequence[list[Any]]) -> list[SentinelOpsError]:
    """Sends every command, also if one before it has failed; returns what failed."""
    failed = []
    for words in commands:
        try:
            retry_once(server, *words)
        except SentinelOpsError as error:
            failed.append(error)
    return failed
