# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes that a replica has missed, and the full copy that brings them back.

A replica with missed writes synchronises partially after a restart: its offset is that of the
master, although its data is not. Two things make a replica miss writes.

- It refuses a command, and counts or logs that as an error.
- Before 6.2 it also refuses options in silence, such as ``SET ... PXAT``, which 7.0 sends for each
  ``SET ... EX``, or ``SET ... KEEPTTL``, which 6.0 sends for INCRBYFLOAT. A master that was handed
  over receives them until it is upgraded itself.
"""

from __future__ import annotations

from .._server.commands import Server, transaction
from .._server.info import NodeInfo
from .._server.sent_errors import logged_errors
from .._server.versions import counts_errors, is_newer_line, misses_in_silence
from .stop_guards import master_of

__all__ = ["copy_in_full", "missed_writes"]


def missed_writes(node: NodeInfo, master: tuple[str, str] | None, log_file: str) -> bool:
    """Return whether a running replica may lack writes.

    ``master``: server and version of its master; None if unknown. Below a newer master, errors of
    earlier processes count, too: that replica may have been restarted since.
    """
    replica = (node.server, node.version)
    if node.errors_sent or (not counts_errors(replica) and logged_errors(log_file, str(node.pid))):
        return True
    if master is None or not is_newer_line(replica, master):
        return False
    return misses_in_silence(replica) or logged_errors(log_file) > 0


def copy_in_full(server: Server, node: NodeInfo) -> None:
    """Make a replica copy all data from its master; nobody sees it as a master meanwhile.

    As a master for a moment it takes a new replication id, which its master does not know.
    """
    master = master_of(node)
    if master is not None:
        transaction(server, ["REPLICAOF", "NO", "ONE"], ["REPLICAOF", master.host, master.port])
