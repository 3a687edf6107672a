# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reasons for which a data node copies all data from its master after its restart. Pure."""

from __future__ import annotations

from ...module_utils._server.versions import is_newer_line, misses_in_silence
from .model import Instance, Plan, ShardPlan
from .versions import wanted_server

__all__ = ["appends", "full_copy_because", "full_sync_because", "saves"]


def saves(node: Instance) -> bool:
    """Return whether a data node saves a snapshot when it is stopped."""
    return bool(node.record.get("save"))


def appends(node: Instance) -> bool:
    """Return whether a data node has an append-only file."""
    return node.record.get("appendonly") == "yes"


def full_sync_because(node: Instance) -> str:
    """Return why its own files do not let a node continue where it was; empty if they do."""
    if appends(node):
        return "it starts from its append-only file, which does not record a replication offset"
    return "" if saves(node) else 'it saves nothing when it is stopped (save "", appendonly no)'


def full_copy_because(node: Instance, master: Instance, shard: ShardPlan, plan: Plan) -> str:
    """Return why this run makes a node copy all data (see _instance/missed_writes).

    The master of now is a replica of a newer one before it is upgraded itself.
    """
    sent = int(node.record.get("errors_sent") or 0)
    if sent and node.host != shard.master_host:
        return f"it has sent its master errors ({sent} since its start), so it may lack writes, and this run lets it copy all data"
    running, wanted = _server(node), (wanted_server(node.record), plan.version)
    newer = is_newer_line(running, wanted) if node.host == shard.master_host else is_newer_line(running, _server(master))
    if newer and not plan.rollback and misses_in_silence(running):
        return f"as a replica of a newer master, {running[1]} does not understand all that it is sent"
    return ""


def _server(node: Instance) -> tuple[str, str]:
    return str(node.record.get("server", "redis")), str(node.record.get("version", ""))
