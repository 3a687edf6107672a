# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose how writes are stopped while the master role moves, by what the servers support."""

from __future__ import annotations

from typing import Sequence

from .._server.info import NodeInfo
from .._server.versions import version_key
from .._topology.sentinel import SentinelView

__all__ = ["MODES", "can_coordinate", "can_pause_writes", "chosen_mode", "mode_refusals", "mode_warnings"]

MODES = ("pause", "fence", "coordinated", "plain")
# CLIENT PAUSE ... WRITE, CLIENT UNPAUSE, FAILOVER; every Valkey has them
WRITE_PAUSE_SINCE = (6, 2)
COORDINATED_SINCE = (9, 1, 1)  # SENTINEL FAILOVER ... COORDINATED, Valkey only


def _since(server: str, version: str, first: tuple[int, ...]) -> bool:
    return server == "valkey" or version_key(version) >= first


def can_pause_writes(node: NodeInfo) -> bool:
    """Return whether a data node knows ``CLIENT PAUSE ... WRITE``."""
    return _since(node.server, node.version, WRITE_PAUSE_SINCE)


def can_coordinate(view: SentinelView) -> bool:
    """Return whether this Sentinel knows ``SENTINEL FAILOVER name COORDINATED``."""
    return view.server == "valkey" and version_key(view.version) >= COORDINATED_SINCE


def chosen_mode(wanted: str, server: str, version: str) -> tuple[str, str]:
    """Return ``(mode, reason)`` for a master of this version.

    ``auto`` selects the mode with the shortest stop that loses no write on that version.
    """
    if wanted != "auto":
        return wanted, "the option mode names this mode"
    if _since(server, version, WRITE_PAUSE_SINCE):
        return "pause", f"{server} {version} can pause writes: clients wait, and see no error"
    return "fence", f"{server} {version} cannot pause writes alone (6.2 and later can): clients get NOREPLICAS for a moment"


def mode_refusals(mode: str, master: NodeInfo, address: str, views: Sequence[SentinelView]) -> list[str]:
    """Return the reasons against this mode on these servers, a sentence each."""
    found = []
    if mode in ("pause", "coordinated") and not _since(master.server, master.version, WRITE_PAUSE_SINCE):
        found.append(f"mode {mode} needs Redis 6.2 or later, and {address} runs {master.version}: use mode fence, or auto")
    if mode == "coordinated" and not any(can_coordinate(view) for view in views):
        seen = ", ".join(f"{view.address} runs {view.server} {view.version}" for view in views)
        found.append(f"mode coordinated needs a Sentinel of Valkey 9.1.1 or later ({seen}): use mode auto")
    return found


def mode_warnings(mode: str, master: NodeInfo) -> list[str]:
    """Return warnings for the user of this mode."""
    if mode == "plain":
        return ["mode plain: the old master goes on accepting writes for about ten seconds after the promotion, and they are lost"]
    if mode == "fence" and not _since(master.server, master.version, (6,)):
        return [
            f"Redis {master.version} lets transactions that were queued before the fence, and scripts, write in spite of it: such "
            "a write, in the fraction of a second before the demotion, can be lost"
        ]
    return []
