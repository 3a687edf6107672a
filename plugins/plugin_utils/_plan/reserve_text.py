# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of plan and report about the reserves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["PLAYS", "play_lines", "reserve_notes", "reserves_of"]

# By the name of the play.
PLAYS = {
    "reserve": "{reserve_host} stays on {reserve_version} as the way back, with replica-priority 0; backlogs of {mib} MiB on {hosts}",
    "promotable": "{hosts} has every write, and gets its replica-priority back",
    "release": "what was set for a reserve is put back on {hosts}",
}
_NEXT = "watch it with the playbook reserve, go back with rollback, or upgrade it, too, with finish"


def play_lines(plan: Mapping[str, Any], play: str, hosts: list[str]) -> Iterator[str]:
    """Yield a line for each shard that a play over these hosts is about."""
    for name, shard in plan["shards"].items():
        own = [host for host in shard["nodes"] if host in hosts]
        if own:
            yield f"{name}: {PLAYS[play].format(hosts=', '.join(own), mib=shard['backlog_bytes'] >> 20, **shard)}"


def reserves_of(plan: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return host and version of the reserves that an upgrade leaves, by shard."""
    shards = {} if plan.get("rollback") else plan["shards"]
    return {name: {"host": one["reserve_host"], "version": one["reserve_version"]} for name, one in shards.items() if one["reserve"]}


def reserve_notes(reserves: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return how to go on where a shard has a reserve."""
    return [f"{one['host']} is the reserve of {name}, on {one['version']}, a way back: {_NEXT}" for name, one in reserves.items()]
