# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight of included configuration files: what a rewrite of the main file would not keep.

The rules are those of real servers (5.0.6, 6.2.14, 7.0.15, Valkey 8.0.1 and 9.1.2). Harmless in
included files are all other directives, such as ``rename-command``, ``client-output-buffer-limit``,
``bind`` or ``replicaof``. Pure functions of the survey.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...module_utils._server.versions import version_key
from .._finding import WARNING, Finding
from .._plan.model import Instance

__all__ = ["included_findings"]

# A Sentinel refuses a second line of these.
_ONCE = {f"sentinel {name}" for name in ("monitor", "known-replica", "known-slave", "known-sentinel", "rename-command")}


def included_findings(instance: Instance, server: str, version: str) -> Iterator[Finding]:
    """Yield which lines of included files a restart would refuse, lose or change.

    ``server`` and ``version``: those to be run in future.
    """
    record = instance.record
    found: Mapping[str, Any] = (record.get("examined") or {}).get("included") or {}
    if not found:
        return
    config_file = str(record.get("config_file"))
    for line in found["missing"]:
        yield Finding(
            instance.host,
            f"{line['file']}, line {line['line']} includes {line['name']}, which is not in {found['folder']}, or cannot be read",
            "A relative name counts from the folder in which the server was started, which a running server does not tell",
            f"Write the whole path into {line['file']}; the running server need not be restarted",
            "included",
        )
    versions = [version_key(str(record.get("version") or version)), version_key(version)]
    refused = [line for line in found["repeated"] if _is_refused(line, instance.kind, min(versions), max(versions))]
    if refused:
        yield Finding(
            instance.host,
            f"an included file has lines that may be there once only: {_places(refused)}",
            f"The server repeats them whenever it writes {config_file} (CONFIG REWRITE), and then neither version starts any more",
            f"Move these lines to {config_file}, or only delete them if they are there already; the running server need not be restarted",
            "included",
        )
    if instance.kind == "redis":
        yield from _save_findings(instance, found, server, version)
        # an interrupted run has settings to restore
        yield from () if record.get("journal") else _overriding_findings(instance, found["overriding"], config_file)


def _is_refused(line: Mapping[str, Any], kind: str, lower: tuple[int, ...], higher: tuple[int, ...]) -> bool:
    """Return whether a server that has rewritten its main file refuses this line of another one."""
    name = str(line["directive"])
    if name in ("user", "loadmodule"):
        # 7.0 and later refuse the second line, and save modules
        return higher >= (7,)
    if kind != "sentinel":
        return False
    # 5.0 writes `sentinel monitor` to the end of the file, below lines that need it
    return name in _ONCE or (lower < (6, 2) and bool(line["of_master"]))


def _places(lines: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(f"{line['file']}, line {line['line']} ({line['directive']})" for line in lines)


def _save_findings(instance: Instance, found: Mapping[str, Any], server: str, version: str) -> Iterator[Finding]:
    """Yield the loss of save points: after an ``include``, servers from 7.0 on keep the last line
    only. Redis writes a line for each point, and Valkey one line for all.
    """
    record = instance.record
    points, config_file = len(str(record.get("save", "")).split()) // 2, record.get("config_file")
    if record.get("server", "redis") != "redis" or points < 2 or found["saves_above"] >= points:
        return
    if server == "redis" and version_key(version) < (7,):
        return
    yield Finding(
        instance.host,
        f"{config_file} includes a file above its lines of {points} save points, or lacks these lines",
        f"The server writes each point into a line, and {version} keeps only the last line after an include: the others are lost",
        f"Write a line (save SECONDS CHANGES) for each of '{record['save']}' into {config_file}, above the first include, and none into "
        "included files; the running server need not be restarted",
        "included",
    )


def _overriding_findings(instance: Instance, lines: Sequence[Mapping[str, Any]], config_file: str) -> Iterator[Finding]:
    """Yield lines of included files that would undo what was set at run time."""
    certain = [line for line in lines if line["certain"]]
    others = [line for line in lines if not line["certain"]]
    do = f"Correct these lines; or, to give up what was set, CONFIG SET as they say. Best have such lines in {config_file} only"
    if certain:
        yield Finding(
            instance.host,
            f"its memory has other values than an included file: {_places(certain)}",
            f"CONFIG REWRITE writes the values of the memory into {config_file} above the include, and the next start takes the other ones",
            do,
            "included",
        )
    if others:
        yield Finding(
            instance.host,
            f"its memory has other values than an included file: {_places(others)}",
            "CONFIG REWRITE writes the value of the memory, unless that is the default: then the next start takes the included one",
            do,
            "included",
            WARNING,
        )
