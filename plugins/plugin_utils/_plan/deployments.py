# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployments of an inventory: which Sentinels belong together, whatever their masters are
called. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ...module_utils._topology.sentinel import view_from_dict
from .._finding import Finding
from .model import Instance

__all__ = ["deployments_of", "several_deployments"]


def deployments_of(sentinels: Sequence[Instance]) -> list[list[Instance]]:
    """Return the Sentinels of each deployment, in the order of the inventory.

    Two Sentinels belong together if one knows the other one (the id in SENTINEL SENTINELS), or if
    both monitor the same server. Those that do not answer are left out.
    """
    found: list[tuple[set[Any], list[Instance]]] = []
    for sentinel in sentinels:
        marks, members = set(_marks(sentinel)), [sentinel]
        if not marks:
            continue
        apart = []
        for others, theirs in found:
            if marks & others:
                marks |= others
                members = theirs + members
            else:
                apart.append((others, theirs))
        found = [*apart, (marks, members)]
    order = {sentinel.key: position for position, sentinel in enumerate(sentinels)}
    return sorted((sorted(members, key=lambda one: order[one.key]) for _marks, members in found), key=lambda one: order[one[0].key])


def _marks(sentinel: Instance) -> Iterator[Any]:
    """Yield what a Sentinel shares with the others of its deployment."""
    for view in map(view_from_dict, sentinel.record.get("views", [])):
        yield view.run_id
        yield from (peer.run_id for peer in view.peers if peer.run_id)
        yield view.master.run_id or (view.master.name, view.master.address)


def several_deployments(sentinels: Sequence[Instance]) -> list[Finding]:
    """Return the refusal of an inventory with several deployments; empty if there is one."""
    found = deployments_of(sentinels)
    if len(found) < 2:
        return []
    named = "; ".join(f"{number}: {_words(members)}" for number, members in enumerate(found, 1))
    return [
        Finding(
            "inventory",
            f"it has {len(found)} deployments, whose Sentinels do not know each other: {named}",
            "A run upgrades one deployment",
            "Put the data nodes and the Sentinels of each into two groups of their own, and run once for each: "
            "-e redis_upgrade_redis_group=... -e redis_upgrade_sentinel_group=...; such runs may go side by side. If all these Sentinels "
            "should be one set, mend the network between them first",
            "inventory",
        )
    ]


def _words(members: Sequence[Instance]) -> str:
    masters = dict.fromkeys(
        f"{view.master.name} at {view.master.address}" for one in members for view in map(view_from_dict, one.record.get("views", []))
    )
    return f"{', '.join(one.host for one in members)} ({', '.join(masters)})"
