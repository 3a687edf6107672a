# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of included configuration files that a rewrite of the main file repeats or overrides.

CONFIG REWRITE and SENTINEL FLUSHCONFIG write the main file only, and know of no line elsewhere. No
value leaves the host, since it may be a secret.
"""

from __future__ import annotations

import contextlib
from typing import Any, Mapping, Sequence

from .._errors import SentinelOpsError
from .._host.process_facts import process_facts_from
from .._instance.config_trial import HostFiles, surroundings_of
from .._instance.config_trial_files import ConfigLine, lines_in_order
from .._server.commands import Server
from .._server.config_file import differs
from .._server.settings import config_values

__all__ = ["included_facts", "included_lines"]

# Directives of which a server refuses, or repeats, a second line.
_REPEATED = ("user", "loadmodule", "sentinel")
# The server tells these in another form than they may be written in.
_OTHER_FORMS = ("dir", "notify-keyspace-events", "oom-score-adj")


def included_facts(server: Server, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts about the included files of an instance; empty if there are none."""
    config_file = str(record.get("config_file") or "")
    if not record.get("config_identity"):
        return {}
    unit = str((record.get("service") or {}).get("unit") or "")
    folder = surroundings_of(config_file, unit, process_facts_from(record.get("process"))).folder
    lines = lines_in_order(config_file, HostFiles(), folder)
    if not any(line.words[0].lower() == "include" for line in lines):
        return {}
    running: dict[str, str] = {}
    if record.get("kind") == "redis":
        with contextlib.suppress(SentinelOpsError):
            running = config_values(server, "*")
    return {"folder": folder, **included_lines(config_file, lines, running)}


def included_lines(config_file: str, lines: Sequence[ConfigLine], running: Mapping[str, str]) -> dict[str, Any]:
    """Return ``missing`` files, ``repeated`` and ``overriding`` lines, and ``saves_above``.

    ``overriding``: lines that are read last, and differ from the running value; ``certain`` if the
    main file has such a line before, which a rewrite changes in vain. ``saves_above``: the number
    of lines ``save`` in the main file above its first ``include``.
    """
    last = {line.words[0].lower(): line for line in lines}
    in_main = {line.words[0].lower() for line in lines if line.file == config_file}
    names = [line.words[0].lower() for line in lines]
    above = lines[: names.index("include")] if "include" in names else []
    return {
        "missing": [{**_place(line), "name": line.words[1]} for line in lines if line.missing],
        "repeated": [_place(line) for line in lines if line.file != config_file and line.words[0].lower() in _REPEATED],
        "overriding": [
            {**_place(line), "certain": name in in_main}
            for name, line in last.items()
            if line.file != config_file and name not in _OTHER_FORMS and differs(name, [line.words[1:]], running)
        ],
        "saves_above": sum(line.words[0].lower() == "save" for line in above),
    }


def _place(line: ConfigLine) -> dict[str, Any]:
    """Return where a line is, and its first word; of a Sentinel's directives two, and whether a
    master's name follows.
    """
    name = line.words[0].lower()
    of_master = name == "sentinel" and len(line.words) > 3
    name = " ".join([name, *(word.lower() for word in line.words[1:2] if name == "sentinel")])
    return {"file": line.file, "line": line.number, "directive": name, "of_master": of_master}
