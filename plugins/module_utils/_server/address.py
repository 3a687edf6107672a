# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of servers, which options, results and messages name as ``host:port``."""

from __future__ import annotations

import functools
import socket
from typing import NamedTuple

from .._errors import PreconditionFailed

__all__ = ["Address", "is_run_id", "same_node"]


class Address(NamedTuple):
    """The host and port of a server; ``str()`` gives ``10.0.0.1:6379`` or ``[::1]:6379``."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Return the address in a ``host:port`` text; an IPv6 address may be in brackets.

        Raises PreconditionFailed for any other text.
        """
        host, _separator, port = text.rpartition(":")
        host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        if not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
            raise PreconditionFailed(f"'{text}' is not an address", advice="Write host:port, for example 10.0.0.1:6379 or [::1]:6379")
        return cls(host, int(port))

    def resolved(self) -> set[str]:
        """Return the numeric ``host:port`` texts of this address, or itself if it does not resolve.

        Lookups are cached, since a handover must not wait for a slow name server.
        """
        return {str(Address(host, self.port)) for host in _hosts(self.host)}


@functools.lru_cache(maxsize=None)
def _hosts(host: str) -> frozenset[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return frozenset({host})
    return frozenset(str(info[4][0]) for info in found)


def is_run_id(text: str) -> bool:
    """Return whether the text is a run id (``run_id`` in INFO): 40 hexadecimal digits."""
    return len(text) == 40 and all(character in "0123456789abcdef" for character in text)


def same_node(one: str, other: str) -> bool:
    """Return whether two ``host:port`` texts resolve to a common address."""
    return one == other or bool(Address.parse(one).resolved() & Address.parse(other).resolved())
