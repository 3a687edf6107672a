# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host of each handover: its Sentinel leads the failover, and the module runs there."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from ...module_utils._handover.undo_file import undo_file_name
from .model import Instance, Settings

__all__ = ["choose_handover_host", "recovery_host"]


def choose_handover_host(
    sentinels: Sequence[Instance], nodes: Sequence[Instance], master_host: str, settings: Settings, turn: int = 0
) -> str:
    """Return the inventory host that hands over a shard; empty if no Sentinel answers.

    ``nodes``: the data nodes of the shard. ``turn``: the number of the shard.

    First comes the operator's choice, then the choice of an earlier run, as the journals say. Else
    a Sentinel on whose host no replica of the shard runs: if a leader dies together with a replica,
    the dead man's fence has one replica too few. Several shards take these in turn, since a
    Sentinel has one aligned moment in each INFO period. The first shard takes the one with the
    fewest clients (connected_clients of INFO, before any Sentinel is restarted), as the leader
    names the old master a little longer, or the last of the inventory, since clients list the first
    Sentinel first.
    """
    answering = [sentinel for sentinel in sentinels if sentinel.record.get("answers")]
    if settings.handover_host or not answering:
        return settings.handover_host
    chosen = {str((node.record.get("journal") or {}).get("handover_host", "")) for node in nodes}
    earlier = next((sentinel.host for sentinel in answering if sentinel.host in chosen), "")
    if earlier:
        return earlier
    replica_hosts = {place for node in nodes if node.host != master_host for place in _places(node)}

    def rank(index: int) -> tuple[bool, int, int]:
        sentinel = answering[index]
        return bool(replica_hosts & _places(sentinel)), int(sentinel.record.get("clients") or 0), -index

    ranked = sorted(range(len(answering)), key=rank)
    alike = [index for index in ranked if rank(index)[0] == rank(ranked[0])[0]]
    return answering[alike[turn % len(alike)]].host


def _places(instance: Instance) -> set[str]:
    """Return what identifies the machine of an instance: its inventory host and its address."""
    address = instance.host_address
    return {instance.host, *([] if not address or address.startswith("127.") or address in ("localhost", "::1") else [address])}


def recovery_host(sentinels: Sequence[Instance], shard: str) -> str:
    """Return the host that has the undo file of an interrupted handover; empty for none."""
    for sentinel in sentinels:
        examined: Mapping[str, object] = sentinel.record.get("examined") or {}
        for note in examined.get("notes") or ():  # type: ignore[attr-defined]
            ours = os.path.basename(str(note["path"])) == undo_file_name(shard, sentinel.port)
            if ours and not note.get("held_by") and not note.get("error"):
                return sentinel.host
    return ""
