# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The content of the journals: all that nobody can ask an instance once it is stopped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .model import Record
from .reserve import original_priority
from .rollback import rolls_back

__all__ = ["journal_of"]

_RECORDED = (
    "kind",
    "server",
    "version",
    "executable",
    "config_file",
    "config_identity",
    "folder",
    "activation",
    "log_file",
    "process",
    "service",
    "priority",
    "backup",
)


def journal_of(record: Record, plan: Mapping[str, Any], step: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the journal of an instance records.

    In a rollback the journal gets the state before the upgrade, so that an interrupted rollback
    looks like an interrupted upgrade.
    """
    source = record["before"] if plan.get("rollback") and rolls_back(record, plan["version"]) else record
    journal = {name: source[name] for name in _RECORDED if name in source}
    journal.update({"priority": original_priority(record)} if "priority" in record else {})
    shard = plan["shards"].get(step.get("shard"))
    if shard is not None:
        journal.update(
            shard=step["shard"],
            address=step["address"],
            upstream=step["upstream"],
            original_master=shard["original_master"],
            handover_host=shard["handover_host"],
        )
    return journal
