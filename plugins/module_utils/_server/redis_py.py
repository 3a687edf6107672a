# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to servers with redis-py, which only this file and sentinel_client.py import.

A connection uses redis-py below its client classes: it sends one command and reads one reply.
Replies stay as the server sent them (text, numbers, lists). Nothing is retried, and an error tells
whether the command was sent. The methods used here are the same in redis-py 4.3 (Debian bookworm)
to 8.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import struct
import sys
import traceback
from typing import Any

from .._errors import AccessDenied, CommandRefused, ConnectionFailed, PreconditionFailed
from .address import Address
from .login import Login
from .redis_package import prepare_package, version_found

REDIS_IMPORT_ERROR: str | None = None
try:
    prepare_package()
    import redis.exceptions
    from redis.backoff import NoBackoff
    from redis.connection import Connection as PlainTransport
    from redis.connection import SSLConnection as TlsTransport
    from redis.retry import Retry
except ImportError:
    REDIS_IMPORT_ERROR = traceback.format_exc()
REDIS_VERSION = version_found()

__all__ = ["Connection", "client_options", "mapped", "require_redis_py"]

OLDEST_REDIS_PY = (4, 3)


def require_redis_py() -> None:
    """Raise PreconditionFailed unless the module's interpreter has redis-py 4.3 or newer."""
    found = REDIS_VERSION
    numbers = tuple(int(number) for number in re.findall(r"\d+", found)[:2])
    if REDIS_IMPORT_ERROR is None and numbers >= OLDEST_REDIS_PY:
        return
    oldest = ".".join(map(str, OLDEST_REDIS_PY))
    what = f"is version {found}, and {oldest} is the oldest supported version" if found else "is missing"
    if found and numbers >= OLDEST_REDIS_PY:
        what = f"is version {found}, and cannot be imported ({str(REDIS_IMPORT_ERROR).strip().splitlines()[-1]})"
    raise PreconditionFailed(
        f"the Python package redis {what}, for {sys.executable}, the interpreter that Ansible uses on this host",
        state="Nothing was touched",
        advice="Install it: the package python3-redis of the distribution (Debian 12, Ubuntu 24.04, Fedora or newer), or with "
        f"{sys.executable} -m pip install 'redis>={oldest}'; the role sentinelops.redis.redis_upgrade does it with "
        "tasks_from: requirements. Or set ansible_python_interpreter to one that has it",
        **({"exception": REDIS_IMPORT_ERROR} if REDIS_IMPORT_ERROR else {}),
    )


def _options(login: Login) -> dict[str, Any]:
    """Return keyword arguments for redis-py's connections, without address and TLS options."""
    seconds = login.timeout_ms / 1000
    options: dict[str, Any] = {
        "username": login.user,
        "password": login.password,
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "decode_responses": True,
        "encoding_errors": "backslashreplace",
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
    }
    if int(REDIS_VERSION.split(".", maxsplit=1)[0]) >= 5:
        # newer releases ask for RESP3 maps; every server version sends RESP2 lists
        options["protocol"] = 2
    return options


def _tls_options(login: Login) -> dict[str, Any]:
    return {
        "ssl_cert_reqs": "required" if login.validate_certs else "none",
        "ssl_check_hostname": login.validate_certs,
        "ssl_ca_certs": login.ca_certs,
        "ssl_certfile": login.client_cert_file,
        "ssl_keyfile": login.client_key_file,
    }


def client_options(login: Login) -> dict[str, Any]:
    """Return keyword arguments for redis-py's clients."""
    return {**_options(login), **({"ssl": True, **_tls_options(login)} if login.tls else {})}


def _transport(address: Address, login: Login) -> Any:
    options = {"host": address.host, "port": address.port, **_options(login)}
    return TlsTransport(**options, **_tls_options(login)) if login.tls else PlainTransport(**options)


_HUNG_UP = ("EOF occurred", "closed by server", "reset by peer", "Broken pipe")
_CHECK_PASSWORD = "Check user and password"
_CHECK_CA = "Check ca_certs (the authority that signed the server's certificate) and the name or address that the certificate is for"
_NO_TLS = "Nothing speaks TLS on this port: check the port, or set tls to false"
_UNKNOWN_CLIENT_CERT = "The server does not trust the authority that signed client_cert_file"
_GIVE_CLIENT_CERT = "If the server wants a client certificate, give client_cert_file and client_key_file"
_GIVE_RIGHT = "Give the user this right with ACL SETUSER; docs/rights.md lists all rights that are needed"
_ACCESS_ADVICE = {
    "NOAUTH": "Give the password (and the user)",
    "Authentication required": "Give the password (and the user)",
    "WRONGPASS": _CHECK_PASSWORD,
    "invalid password": _CHECK_PASSWORD,
    "invalid username-password": _CHECK_PASSWORD,
    "without any password configured": "The server has no password: give none",
    "NOPERM": _GIVE_RIGHT,
    "certificate required": _GIVE_CLIENT_CERT,
    "certificate verify failed": _CHECK_CA,
    "unknown ca": _UNKNOWN_CLIENT_CERT,
    "decrypt error": _UNKNOWN_CLIENT_CERT,
    "bad certificate": _UNKNOWN_CLIENT_CERT,
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "wrong version number": _NO_TLS,
}


_CODES = {
    "ReadOnlyError": "READONLY",
    "OutOfMemoryError": "OOM",  # not in 4.3, which leaves the code where it is
    "BusyLoadingError": "LOADING",
    "MasterDownError": "MASTERDOWN",
    "NoPermissionError": "NOPERM",
}


def _code_of(error: Exception) -> str:
    """Return the error code that redis-py cut off, for the errors with a class of their own."""
    kinds = ((getattr(redis.exceptions, name, None), code) for name, code in _CODES.items())
    return next((code for kind, code in kinds if kind and isinstance(error, kind)), "")


def mapped(error: Exception, *, node: str, command: str, sent: bool) -> Exception:
    """Return our error for one of redis-py's, or any other error unchanged."""
    text = str(error)
    code = _code_of(error)
    reply = text if text.startswith(code) else f"{code} {text}"
    if isinstance(error, (redis.exceptions.RedisError, ssl.SSLError)):
        advice = next((advice for part, advice in _ACCESS_ADVICE.items() if part in reply), "")
        if advice:
            return AccessDenied(f"{command}: {reply}", node=node, advice=advice)
    if code or isinstance(error, redis.exceptions.ResponseError):
        return CommandRefused(reply, node=node, command=command)
    if isinstance(error, (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError)):
        refused = isinstance(error.__cause__ or error.__context__, ConnectionRefusedError) or "onnection refused" in text
        return ConnectionFailed(f"no answer to {command}: {text}", node=node, sent=sent, refused=refused)
    return error


class Connection:
    """A connection to one server; the first command opens it, and nothing is retried."""

    def __init__(self, address: Address, login: Login) -> None:
        require_redis_py()
        self.address = address
        self._transport = _transport(address, login)
        self._login = login
        self._has_answered = False

    def command(self, *words: Any) -> Any:
        """Send one command and return its reply; see ``Server.command``.

        Errors name only the first word of the command, since the rest may be a secret.
        """
        sent = False
        try:
            self._transport.connect()
            self._forget_on_close()
            sent = True
            self._transport.send_command(*words)
            reply = self._transport.read_response()
            self._has_answered = True
            return reply
        except Exception as error:
            reason = mapped(error, node=str(self.address), command=str(words[0]), sent=sent)
            if not isinstance(reason, CommandRefused):
                self.close()
            raise self._with_tls_advice(reason) from error

    def _forget_on_close(self) -> None:
        """Have the kernel discard undelivered data when the connection is closed (SO_LINGER 0).

        Else the kernel of a host whose network comes back would deliver, seconds later, a command
        that was given up.
        """
        found = getattr(self._transport, "_sock", None)
        if found is not None:
            with contextlib.suppress(OSError):
                found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _with_tls_advice(self, reason: Exception) -> Exception:
        """Return the error with advice if the server hung up before its first reply.

        Such a server usually expects TLS, no TLS, or a client certificate.
        """
        if not isinstance(reason, ConnectionFailed) or self._has_answered:
            return reason
        if self._login.tls and "Timeout" in reason.message:
            reason.advice = "If nothing speaks TLS on this port, set tls to false"
        elif any(word in reason.message for word in _HUNG_UP):
            if not self._login.tls:
                reason.advice = "If this port speaks TLS, set tls to true"
            elif not self._login.client_cert_file:
                return AccessDenied(reason.message, node=reason.node, advice=_GIVE_CLIENT_CERT)
            else:  # TLS 1.3: its alert may be lost, since it comes after the client's handshake
                reason.advice = f"{_UNKNOWN_CLIENT_CERT}, or has just been stopped"
        return reason

    def set_timeout(self, timeout_ms: int) -> None:
        self.close()
        self._transport.socket_timeout = self._transport.socket_connect_timeout = timeout_ms / 1000

    def close(self) -> None:
        self._transport.disconnect()
