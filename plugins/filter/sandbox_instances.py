# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter for the instances of a sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def sandbox_instances(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the data nodes, the master first, then the Sentinels."""
    counts = {"redis": int(settings["replicas"]) + 1, "sentinel": int(settings["sentinels"])}
    if counts["redis"] < 1 or counts["sentinel"] < 0:
        raise AnsibleFilterError("redis_sandbox_replicas and redis_sandbox_sentinels must not be negative")
    found: list[dict[str, Any]] = []
    for kind, count in counts.items():
        for index in range(count):
            name, base = f"{kind}-{index + 1}", f"{settings['folder']}/{kind}-{index + 1}"
            found.append(
                {
                    "name": name,
                    "kind": kind,
                    "first": kind == "redis" and index == 0,
                    "port": int(settings[f"{kind}_port"]) + index,
                    "base": base,
                    "folder": f"{base}/redis",
                    "executable": f"{base}/redis/redis-server",
                    "config_file": f"{base}/redis/{kind}.conf",
                    "log_file": f"{base}/{kind}.log",
                }
            )
    ports = [instance["port"] for instance in found]
    if len(set(ports)) != len(ports):
        raise AnsibleFilterError("the ports of data nodes and Sentinels overlap: choose redis_sandbox_sentinel_port further away")
    return found


class FilterModule:
    """The filters of the sandbox."""

    def filters(self) -> dict[str, Any]:
        return {"sandbox_instances": sandbox_instances}
