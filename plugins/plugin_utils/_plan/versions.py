# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The versions of a shard's data nodes and the wanted one: downgrades, and data formats."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ...module_utils._server.versions import can_downgrade, can_replicate, is_downgrade
from .._finding import REFUSAL, WARNING, Finding
from .model import Instance, Record, Settings

__all__ = ["crosses_barrier", "form_problem", "no_way_back", "version_problems", "wanted_server"]

# A released version, or a candidate such as 8.0.0-rc1: what the server itself reports.
_FORM = re.compile(r"\d+\.\d+\.\d+(-\w+)?")


def wanted_server(record: Record) -> str:
    """Return the server to run, ``redis`` or ``valkey``; only packages can change it."""
    return str((record.get("activation") or {}).get("product") or record.get("server", "redis"))


def crosses_barrier(record: Record, version: str) -> bool:
    """Return whether a node runs a version that cannot read the data of the wanted one."""
    running = str(record.get("version", ""))
    if running in ("", version):
        return False
    return not can_downgrade((str(record.get("server", "redis")), running), (wanted_server(record), version))


def form_problem(settings: Settings) -> list[Finding]:
    """Return the finding that the wanted version is not a version number, if that is so."""
    if _FORM.fullmatch(settings.version):
        return []
    variable = "redis_upgrade_rollback_from" if settings.rollback else "redis_upgrade_version"
    inside = _FORM.search(settings.version)
    do = f"Set {variable} to the whole version, such as 7.0.15"
    if inside:
        do = f"Set {variable} to {inside[0]}"
    if "valkey" in settings.version.lower() or "redis" in settings.version.lower():
        do += "; whether that is Redis or Valkey follows from what the role redis_binaries is to install"
    seen = f"{variable} is '{settings.version}', which is not a version number of three parts"
    return [Finding("plan", seen, "It is compared with the version that each server reports", do, "version")]


def version_problems(shard: str, nodes: Sequence[Instance], settings: Settings) -> Iterator[Finding]:
    """Yield why the data nodes of a shard must not be upgraded to the wanted version."""
    for node in nodes:
        server, running = str(node.record.get("server", "redis")), str(node.record.get("version", ""))
        if not running or running == settings.version:
            continue
        wanted = (wanted_server(node.record), settings.version)
        if wanted[0] == server and is_downgrade(running, settings.version):
            yield Finding(
                node.host,
                f"{node.host} runs {running}, which is newer than the wanted {settings.version}: a downgrade is refused",
                "An older server may be unable to read the data",
                "Correct redis_upgrade_version",
                "downgrade",
            )
        elif not can_replicate((server, running), wanted):
            yield Finding(
                node.host,
                f"a replica with {settings.version} cannot read the data of a master with {running}",
                "The first replica that is upgraded could not replicate from the master",
                "Choose another version; there may be one in between",
                "format",
            )
        elif crosses_barrier(node.record, settings.version) and not settings.accept_no_way_back:
            yield no_way_back(shard, running, settings.version, accepted=False)
            return


def no_way_back(shard: str, running: str, wanted: str, accepted: bool) -> Finding:
    """Return the finding that the old version cannot read the new data; a warning once accepted."""
    return Finding(
        f"shard {shard}",
        f"there is no way back from {wanted} to {running}",
        f"Once the master runs {wanted}, a node with {running} cannot read its data. Such a node could not replicate any more, a failed "
        "node could not be reverted, and only a restore from a backup would help, without all later writes",
        "Nothing, redis_upgrade_accept_no_way_back accepts the risk. Have a backup"
        if accepted
        else "Make a backup, and accept the risk with redis_upgrade_accept_no_way_back: true",
        "format",
        WARNING if accepted else REFUSAL,
    )
