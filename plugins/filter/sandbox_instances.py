# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter for the instances of a sandbox."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def sandbox_instances(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the data nodes, the master first, then the Sentinels.

    ``layout``: ``version_folders`` gives each instance a host and a version folder of its own.
    ``runbook`` gives a data node and a Sentinel one folder of a machine, with all their files.
    """
    counts = {"redis": int(settings["replicas"]) + 1, "sentinel": int(settings["sentinels"])}
    if counts["redis"] < 1 or counts["sentinel"] < 0:
        raise AnsibleFilterError("redis_sandbox_replicas and redis_sandbox_sentinels must not be negative")
    found: list[dict[str, Any]] = []
    for kind, count in counts.items():
        for index in range(count):
            name = f"{kind}-{index + 1}"
            host = f"machine-{index + 1}" if settings["layout"] == "runbook" else name
            folder = f"{settings['folder']}/{host}/redis"
            base = folder if settings["layout"] == "runbook" else os.path.dirname(folder)
            found.append(
                {
                    "name": name,
                    "host": host,
                    "kind": kind,
                    "first": kind == "redis" and index == 0,
                    "port": int(settings[f"{kind}_port"]) + index,
                    "base": base,
                    "folder": folder,
                    "config_file": f"{folder}/{kind}.conf",
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
