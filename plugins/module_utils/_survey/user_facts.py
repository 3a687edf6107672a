# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ACL users that a restart would lose or change; no rule and no password leaves the host.

CONFIG REWRITE saves users of data nodes without an ACL file. ACL SAVE saves those of an ACL file.
SENTINEL FLUSHCONFIG saves those of Sentinels, which do so by themselves, but not when a user is
set, and not when they are stopped.
"""

from __future__ import annotations

import os
from itertools import groupby
from typing import Any, Mapping, Sequence

from .._errors import AccessDenied, CommandRefused, PreconditionFailed, SentinelOpsError
from .._host.process import is_replaced
from .._host.process_facts import process_facts_from
from .._instance.config_trial import RUNNING, HostFiles, Surroundings, Trial, surroundings_of
from .._instance.config_trial_files import ConfigLine, lines_in_order
from .._instance.saved_users import saved_users
from .._server.commands import Server
from .._server.config_file import split_args
from .._server.settings import config_values
from .._server.versions import version_key
from .._wait import Clock

__all__ = ["LISTING", "differing_users", "user_facts"]

LISTING = "+acl|list"
_WAIT_S = 20.0
_DEFAULTS = {"sanitize-payload"}  # is shown, or not, by the way in which a user was made


def user_facts(server: Server, record: Mapping[str, Any], clock: Clock) -> dict[str, Any]:
    """Return the users that are not saved; empty if the restart itself saves all.

    ``acl_file``: the path, if any. ``only_memory``, ``only_file``, ``changed``: names of users.
    ``denied``: the reply, if our user may not ask. ``reason``: why the files could not be loaded;
    ``refused``: whether the running version refuses them.
    """
    is_sentinel, config_file = record.get("kind") == "sentinel", str(record.get("config_file") or "")
    if not record.get("config_identity") or version_key(str(record.get("version"))) < ((6, 2) if is_sentinel else (6,)):
        return {}
    unit = str((record.get("service") or {}).get("unit") or "")
    around = surroundings_of(config_file, unit, process_facts_from(record.get("process")))
    lines = lines_in_order(config_file, HostFiles(), around.folder)
    acl_file = _acl_file(server, record, lines)
    if not acl_file and not is_sentinel:
        return {}
    try:
        memory = [str(line) for line in server.command("ACL", "LIST")]
    except AccessDenied as error:
        return {"acl_file": acl_file, "denied": error.message}
    except CommandRefused:
        return {}  # renamed
    return {"acl_file": acl_file, **_compared(record, memory, acl_file, _written(lines, acl_file), around, clock)}


def _acl_file(server: Server, record: Mapping[str, Any], lines: Sequence[ConfigLine]) -> str:
    """Return the absolute path of the ACL file; empty if there is none."""
    named = [line.words[1] for line in lines if line.words[0].lower() == "aclfile" and len(line.words) == 2]
    path = named[-1] if named else ""
    if record.get("kind") == "redis":
        path = config_values(server, "aclfile").get("aclfile", path)
    return os.path.join(str(record.get("dir", "")), path) if path else ""


def _written(lines: Sequence[ConfigLine], acl_file: str) -> list[str]:
    """Return the lines of users in the files."""
    if not acl_file:
        return [" ".join(line.words) for line in lines if line.words[0].lower() == "user"]
    text = (HostFiles().read(acl_file) or "").splitlines()
    return [" ".join(words) for words in map(split_args, text) if words and words[0].lower() == "user"]


def _compared(
    record: Mapping[str, Any], memory: list[str], acl_file: str, written: list[str], around: Surroundings, clock: Clock
) -> dict[str, Any]:
    """Compare by the text of the files, and if they differ by what a server makes of them."""
    found = differing_users(memory, written)
    if not any(found.values()):
        return found
    executable = str(record.get("executable", ""))
    if is_replaced(int(record.get("pid") or 0), executable):
        return {"reason": f"{executable} is not the running program any more"}
    trial = Trial(executable, "", str(record["config_file"]), record.get("kind") == "sentinel", noun=RUNNING)
    try:
        return differing_users(memory, saved_users(trial, acl_file, around, _WAIT_S, clock))
    except PreconditionFailed as error:
        return {"reason": error.message, "refused": bool(error.facts)}
    except (SentinelOpsError, OSError, ValueError) as error:
        return {"reason": str(error)}


def differing_users(memory: Sequence[str], saved: Sequence[str]) -> dict[str, list[str]]:
    """Compare the lines of ACL LIST with those after a restart; return the names of users."""
    now, then = _by_name(memory), _by_name(saved)
    return {
        "only_memory": sorted(set(now) - set(then)),
        "only_file": sorted(set(then) - set(now)),
        "changed": sorted(name for name in set(now) & set(then) if now[name] != then[name]),
    }


def _by_name(lines: Sequence[str]) -> dict[str, tuple[list[str], list[str]]]:
    """Return passwords and rules of each user, in one form.

    6.2 tells rules of single commands in an order of their own at each start.
    """
    found = {}
    for words in (line.split() for line in lines):
        rules = [word for word in words[2:] if word not in _DEFAULTS]
        others = [word for word in rules if not word.startswith("#")]
        runs = [sorted(run) if single else list(run) for single, run in groupby(others, _is_of_command)]
        found[words[1]] = (sorted(word for word in rules if word.startswith("#")), [word for run in runs for word in run])
    return found


def _is_of_command(rule: str) -> bool:
    return rule[:1] in ("+", "-") and rule[1:2] != "@"
