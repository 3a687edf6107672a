# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that finds the master through Sentinels, as applications do."""

from __future__ import annotations

import contextlib
from typing import Any, Sequence

from .address import Address
from .login import Login
from .redis_py import client_options, mapped, require_redis_py

with contextlib.suppress(ImportError):  # require_redis_py() tells
    from redis import Sentinel
    from redis.sentinel import MasterNotFoundError

__all__ = ["SentinelClient"]


class SentinelClient:
    """redis-py's own Sentinel client, as applications use it, with its retries switched off.

    The client asks SENTINEL MASTERS whenever it has to connect.
    """

    def __init__(self, sentinels: Sequence[Address], name: str, login: Login, node_login: Login) -> None:
        require_redis_py()
        self._name = name
        self._client = Sentinel(
            [(address.host, address.port) for address in sentinels],
            sentinel_kwargs=client_options(login),
            **client_options(node_login),
        ).master_for(name)

    def command(self, *words: Any) -> Any:
        try:
            return self._client.execute_command(*words)
        except Exception as error:
            # "Error 111 connecting to ..." and "No master found" precede the sending of a command
            sent = not ("connecting to" in str(error) or isinstance(error, MasterNotFoundError))
            raise mapped(error, node=self._name, command=str(words[0]), sent=sent) from error

    def close(self) -> None:
        self._client.close()
