# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight of ACL users that are only in memory. Pure functions of the survey."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .._finding import REFUSAL, WARNING, Finding
from .._plan.model import Instance

__all__ = ["user_findings"]

_KINDS = {"only_memory": "only in the memory", "changed": "with other rules in the memory", "only_file": "only in the file"}


def user_findings(instance: Instance) -> Iterator[Finding]:
    """Yield which users the restart of an instance would lose, change or bring back."""
    found: Mapping[str, Any] = (instance.record.get("examined") or {}).get("users") or {}
    acl_file = str(found.get("acl_file") or "")
    file = acl_file or str(instance.record.get("config_file"))
    if found.get("denied"):
        yield Finding(
            instance.host,
            f"our user lacks the right +acl|list on the {instance.noun}",
            f"Users that are not saved in {file} cannot be found, and the restart would lose them",
            "Nothing if all are saved, or ACL SETUSER with +acl|list",
            "rights",
            WARNING,
        )
    if found.get("reason"):
        yield Finding(
            instance.host,
            f"whether {file} has all ACL users could not be found out: {found['reason']}",
            "A restart loses users that are not saved" + (", and the file is refused" if found.get("refused") else ""),
            f"Correct {file}" if found.get("refused") else _remedy(acl_file),
            "users",
            REFUSAL if found.get("refused") else WARNING,
        )
    told = [f"{what}: {', '.join(found[kind])}" for kind, what in _KINDS.items() if found.get(kind)]
    if told:
        yield Finding(
            instance.host,
            f"its ACL users are not those of {file} ({'; '.join(told)})",
            "The restart takes the users of the file. Applications that log in as one of the others would be locked out",
            _remedy(acl_file),
            "users",
        )


def _remedy(acl_file: str) -> str:
    if not acl_file:
        return "SENTINEL FLUSHCONFIG on each Sentinel that is named"
    by_hand = "ACL SETUSER and ACL DELUSER until the memory is the same"
    return f"ACL SAVE if the memory is right. If the file is, {by_hand}; or ACL LOAD, which kills replicas of Valkey 8.0.1 and 8.0.2"
