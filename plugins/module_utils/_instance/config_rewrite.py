# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have a server write its settings to its configuration file, which keeps its owner and mode."""

from __future__ import annotations

import os
from typing import Any, Mapping

from .._atomic_write import FileIdentity, sync, write_atomically
from .._errors import CommandRefused, PreconditionFailed, SentinelOpsError
from .._server.commands import Server
from .._server.config_file import difference, is_mount_point, read_text
from .._server.info import is_sentinel, parse_info
from .._server.secret_directives import masked
from .._server.settings import config_values
from .._suboptions import suboptions
from .config_attempt import trial_options, try_rewritten

__all__ = ["NOT_SAVED", "SAVE_SPEC", "order_rewrite", "require_rewritable", "rewrite_file", "save_before_stop", "save_configuration"]

NOT_SAVED = "the configuration file cannot be read, or its owner cannot be restored: {error}. Run the task with become."
# The options of redis_config_rewrite beside the login; redis_instance has them in one option.
SAVE_SPEC: dict[str, Any] = {
    "local_file": {"type": "bool", "default": True},
    "trial": {"type": "dict"},
    "running_executable": {"type": "path"},
}


def require_rewritable(path: str, node: str) -> None:
    """Raise PreconditionFailed if the server cannot replace its configuration file."""
    if not path:
        raise PreconditionFailed(
            "the server is running without a configuration file, so its settings would be lost at the next start",
            node=node,
            advice="Start it with a configuration file (redis-server /path/redis.conf)",
        )
    if not os.path.exists(path):
        raise PreconditionFailed(
            f"its configuration file {path} is not on this host",
            node=node,
            advice="Run the module on the host of the server; in a container, on the container",
        )
    if is_mount_point(path):
        raise PreconditionFailed(
            f"its configuration file {path} is itself a mount (a bind mount), which the server cannot replace",
            node=node,
            advice="Mount the folder instead of the file",
        )


def _explained(refused: CommandRefused, path: str) -> PreconditionFailed:
    """Return the error, with advice, for a refused CONFIG REWRITE."""
    folder = os.path.dirname(path)
    return PreconditionFailed(
        f"the server cannot rewrite {path}: {refused.reply}",
        node=refused.node,
        advice=f"The server's user needs write access to the folder {folder} (from 6.0 on a new file is written and "
        "renamed), which must not be read-only; under systemd check ReadWritePaths and ProtectSystem of the unit",
    )


def order_rewrite(server: Server, info: Mapping[str, str], path: str) -> None:
    """Have the server write its file. Raises PreconditionFailed if the server cannot."""
    try:
        server.command(*(["SENTINEL", "FLUSHCONFIG"] if is_sentinel(info) else ["CONFIG", "REWRITE"]))
    except CommandRefused as refused:
        raise _explained(refused, path) from refused


def rewrite_file(server: Server, info: Mapping[str, str], path: str, identity: FileIdentity) -> bool:
    """Have the server write its file on this host; return whether owner or mode were restored."""
    order_rewrite(server, info, path)
    sync(path)
    return identity.apply_to(path)


def save_configuration(server: Server, options: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Have the server write its settings to its file; return the result of redis_config_rewrite.

    ``options``: those of SAVE_SPEC. Raises PreconditionFailed, with the file as before, if the
    server cannot write it, or if a version refuses it.
    """
    info = parse_info(server.command("INFO", "server"))
    path = info.get("config_file", "")
    if not options["local_file"]:
        if not check_mode:
            order_rewrite(server, info, path)
        return {"config_file": path, "restored": False, "tried": False, "changed": False}
    require_rewritable(path, str(server.address))
    before, identity = read_text(path), FileIdentity.of(path)
    result: dict[str, Any] = {"config_file": path, "restored": False, "tried": False}
    if check_mode:
        differing = [] if is_sentinel(info) else difference(before, config_values(server, "*"))
        return {**result, "changed": bool(differing), "differing": differing}
    result["restored"] = rewrite_file(server, info, path, identity)
    after = read_text(path)
    result["changed"] = after != before
    result["tried"] = after != before and _tried(options, path, before, identity)
    headers = {"before_header": path, "after_header": path}
    return {**result, "diff": {"before": masked(before), "after": masked(after), **headers}}


def save_before_stop(server: Server, given: Mapping[str, Any], check_mode: bool) -> None:
    """Do the same by the option ``save_configuration`` of redis_instance.

    Every error says that the instance is untouched.
    """
    try:
        save_configuration(server, suboptions("save_configuration", given, SAVE_SPEC, {"state": "Nothing was touched"}), check_mode)
    except SentinelOpsError as error:
        error.facts["untouched"] = True
        raise
    except OSError as error:
        raise PreconditionFailed(NOT_SAVED.format(error=error), node=str(server.address), untouched=True) from error


def _tried(options: Mapping[str, Any], path: str, before: str, identity: FileIdentity) -> bool:
    """Try a file that was rewritten; return whether that was asked for.

    If a version refuses the file, restore its content and raise PreconditionFailed.
    """
    if not options["trial"]:
        return False
    try:
        try_rewritten(trial_options(options["trial"]), options["running_executable"] or "")
    except SentinelOpsError as refused:
        write_atomically(path, before, identity)
        raise PreconditionFailed(
            f"{refused.message}. So the server had rewritten it (CONFIG REWRITE)",
            state="Nothing was stopped, the running server was not touched, and its configuration file is as before",
            advice="If the line repeats one of an included file, move that line from there to the main file. "
            "Otherwise correct the setting so that both versions can read it. Then run again",
            **refused.facts,
        ) from refused
    return True
