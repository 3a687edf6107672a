# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have a server write its settings to its configuration file, which keeps its owner and mode."""

from __future__ import annotations

import os
from typing import Mapping

from .._atomic_write import FileIdentity, sync
from .._errors import CommandRefused, PreconditionFailed
from .._server.commands import Server
from .._server.config_file import is_mount_point
from .._server.info import is_sentinel

__all__ = ["order_rewrite", "require_rewritable", "rewrite_file"]


def require_rewritable(path: str, node: str) -> None:
    """Raise PreconditionFailed if the server cannot replace its configuration file."""
    if not path:
        raise PreconditionFailed(
            "the server is running without a configuration file, so its settings would be lost at the next start",
            node=node,
            advice="Start it with a configuration file (redis-server /path/redis.conf)",
        )
    if not os.path.exists(path):
        raise PreconditionFailed(
            f"its configuration file {path} is not on this host",
            node=node,
            advice="Run the module on the host of the server; in a container, on the container",
        )
    if is_mount_point(path):
        raise PreconditionFailed(
            f"its configuration file {path} is itself a mount (a bind mount), which the server cannot replace",
            node=node,
            advice="Mount the folder instead of the file",
        )


def _explained(refused: CommandRefused, path: str) -> PreconditionFailed:
    """Return the error, with advice, for a refused CONFIG REWRITE."""
    folder = os.path.dirname(path)
    return PreconditionFailed(
        f"the server cannot rewrite {path}: {refused.reply}",
        node=refused.node,
        advice=f"The server's user needs write access to the folder {folder} (from 6.0 on a new file is written and "
        "renamed), which must not be read-only; under systemd check ReadWritePaths and ProtectSystem of the unit",
    )


def order_rewrite(server: Server, info: Mapping[str, str], path: str) -> None:
    """Have the server write its file. Raises PreconditionFailed if the server cannot."""
    try:
        server.command(*(["SENTINEL", "FLUSHCONFIG"] if is_sentinel(info) else ["CONFIG", "REWRITE"]))
    except CommandRefused as refused:
        raise _explained(refused, path) from refused


def rewrite_file(server: Server, info: Mapping[str, str], path: str, identity: FileIdentity) -> bool:
    """Have the server write its file on this host; return whether owner or mode were restored."""
    order_rewrite(server, info, path)
    sync(path)
    return identity.apply_to(path)
