# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening connections to servers and Sentinels."""

from __future__ import annotations

from typing import Any, Mapping

from .address import Address
from .commands import Server
from .login import Login, address_from, login_from
from .redis_py import Connection

__all__ = ["connect", "server_from"]


def connect(address: Address, login: Login) -> Server:
    """Return a connection that opens with its first command.

    Raises PreconditionFailed if the host has no usable redis-py.
    """
    return Connection(address, login)


def server_from(params: Mapping[str, Any]) -> Server:
    """Return a connection to the server in a module's login_* and TLS options."""
    return connect(address_from(params), login_from(params))
