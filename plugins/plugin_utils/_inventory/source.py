# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a deployment from real servers, on the controller."""

from __future__ import annotations

import sys

from ...module_utils._errors import PreconditionFailed
from ...module_utils._server.address import Address
from ...module_utils._server.commands import Server
from ...module_utils._server.connection import connect
from ...module_utils._server.redis_py import require_redis_py
from .discovery import discover
from .facts import Instance
from .request import Request

__all__ = ["read_instances"]


def read_instances(request: Request) -> list[Instance]:
    """Return all instances of a deployment; raises SentinelOpsError, see discover."""
    try:
        require_redis_py()
    except PreconditionFailed as error:
        raise PreconditionFailed(
            error.message.partition(", for ")[0] + f" on the controller, for {sys.executable}, the Python of ansible-core",
            advice=f"The inventory plugin connects from the controller: {sys.executable} -m pip install 'redis>=4.3'",
        ) from error

    def sentinel(address: Address) -> Server:
        return connect(address, request.sentinel_login)

    def node(address: Address) -> Server:
        return connect(address, request.node_login)

    return discover(request.sentinels, sentinel, node, request.master_names, request.keep_down_sentinels)
