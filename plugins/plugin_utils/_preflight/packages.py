# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes for the plan about packages that get a later version, or an earlier one. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .._plan.model import Instance, Plan, Record
from .._plan.rollback import rolls_back

__all__ = ["package_notes"]

_NOT_HELD = ". They are not held: the next upgrade of the system may replace them, and restart all servers (redis_binaries_hold)"


def package_notes(instances: Sequence[Instance], plan: Plan) -> list[str]:
    """Return a note for each set of packages, with the instances that run from them."""
    users: dict[str, list[str]] = {}
    for instance in instances:
        if instance.key in plan.pending:
            for note in _rollback_notes(instance.record, plan.version) if plan.rollback else _upgrade_notes(instance.record):
                users.setdefault(note, []).append(f"{instance.host} ({instance.kind})")
    return [f"{', '.join(names)}: {note}" for note, names in users.items()]


def _upgrade_notes(record: Record) -> Iterator[str]:
    activation: Mapping[str, object] = record.get("activation") or {}
    wanted = activation.get("wanted")
    if activation.get("method") == "package_update" and isinstance(wanted, Mapping) and wanted:
        packages = ", ".join(f"{name} {version}" for name, version in sorted(wanted.items()))
        held = ", and holds them" if activation.get("hold") else ""
        yield f"{activation['manager']} installs {packages}{held}, once per machine" + ("" if held else _NOT_HELD)


def _rollback_notes(record: Record, leaving: str) -> Iterator[str]:
    before = record.get("before") or {}
    if not rolls_back(record, leaving) or "restorable" not in before:
        return
    if before["restorable"]:
        yield f"the packages of {before['version']} are installed again, once per machine"
    else:
        yield (
            f"the packages of {before['version']} cannot be had any more, so it is started from {before['kept']}, "
            f"and the packages stay at {leaving}"
        )
