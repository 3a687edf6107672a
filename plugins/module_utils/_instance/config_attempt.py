# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trial of a configuration by the options of a module."""

from __future__ import annotations

import os
from typing import Any, Mapping

from .._errors import PreconditionFailed
from .._host.process_facts import PROCESS_OPTIONS, process_facts_from
from .._install.folders import server_in, version_in
from .._suboptions import suboptions
from .._wait import Clock
from .config_trial import RUNNING, Trial, Visit, surroundings_of, try_config

__all__ = ["TRIAL_SPEC", "attempt", "trial_options", "try_rewritten"]

TRIAL_SPEC: dict[str, Any] = {
    "folder": {"type": "path"},
    "executable": {"type": "path"},
    "config_file": {"type": "path", "required": True},
    "sentinel": {"type": "bool", "default": False},
    "version_folder": {"type": "path"},
    "version": {"type": "str"},
    "process": PROCESS_OPTIONS,
    "unit": {"type": "str"},
    "wait_s": {"type": "int", "default": 30},
}


def trial_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with their defaults; raise PreconditionFailed if one is wrong or missing."""
    return suboptions("the option trial", given, TRIAL_SPEC, required_one_of=[("folder", "executable")])


def _server(params: Mapping[str, Any]) -> tuple[str, str]:
    """Return the executable to try, and its version folder (empty: none).

    Raises PreconditionFailed if there is no executable.
    """
    folder, in_use, executable = params["folder"] or "", params["version_folder"] or "", str(params["executable"])
    if folder and not server_in(folder) and params["version"] and version_in(in_use) == params["version"]:
        folder = in_use
    found = str(server_in(folder) or "") if folder else executable
    if not os.path.isfile(found):
        raise PreconditionFailed(
            f"{folder} holds no redis-server or valkey-server (at its top, in bin or in src)" if folder else f"{found} does not exist",
            state="Nothing was stopped, and the running server was not touched",
            advice="Place the new version there (redis_binaries)",
        )
    return found, folder


def attempt(params: Mapping[str, Any], noun: str = "the new server", visit: Visit | None = None) -> dict[str, Any]:
    """Try the configuration; return the module's result. ``visit``: further work in the trial."""
    executable, folder = _server(params)
    trial = Trial(executable, folder, params["config_file"], params["sentinel"], params["version_folder"] or "", noun)
    surroundings = surroundings_of(params["config_file"], params["unit"] or "", process_facts_from(params["process"]))
    return {"changed": False, "executable": executable, "files": try_config(trial, surroundings, params["wait_s"], Clock(), visit)}


def try_rewritten(params: Mapping[str, Any], running: str) -> None:
    """Try a rewritten configuration with the new server and with the running one.

    ``running``: the executable of the running server, which may be gone from its place. Raises
    PreconditionFailed if either refuses.
    """
    attempt(params)
    if running and os.path.isfile(running):
        attempt({**params, "folder": None, "executable": running}, RUNNING)
