# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that is done for one instance before anything is stopped, in one call on its host."""

from __future__ import annotations

from typing import Any, Mapping

from .._errors import PreconditionFailed
from .._install.keep_version import KEEP_SPEC, NOT_KEPT, keep_version
from .._install.version_folder import NOT_PLACED, PLACE_SPEC, place_version
from .._records.journal import open_journal
from .._server.connection import server_from
from .._suboptions import suboptions
from .config_attempt import attempt, trial_options
from .config_rewrite import NOT_SAVED, SAVE_SPEC, save_configuration
from .other_defaults import other_defaults, other_defaults_text

__all__ = ["STAGE_SPEC", "stage_instance"]

# The options of redis_stage beside the login.
STAGE_SPEC: dict[str, Any] = {
    "journal": {"type": "path", "required": True},
    "journal_content": {"type": "dict", "required": True},
    "place": {"type": "dict"},
    "keep": {"type": "dict", "options": KEEP_SPEC},
    "save_configuration": {"type": "dict"},
    "trial": {"type": "dict"},
}
_UNTOUCHED = {"state": "No server was touched"}


def stage_instance(params: Mapping[str, Any]) -> dict[str, Any]:
    """Do what the options ask for, in their order; return the result of redis_stage.

    Raises SentinelOpsError at the first part that fails. No server is stopped, and a repetition
    continues.
    """
    before, after = open_journal(params["journal"], params["journal_content"])
    opened = after != before
    placed = params["place"] is not None and _place(params["place"])
    kept = params["keep"] is not None and _keep(params["keep"])
    saved = {"changed": False, "tried": False} if params["save_configuration"] is None else _save(params)
    tried = bool(saved["tried"])
    trial = None if params["trial"] is None else trial_options(params["trial"])
    if trial is not None and not tried:
        tried = bool(attempt(trial))
    others = [] if trial is None or trial["sentinel"] else other_defaults(server_from(params), trial)
    return {
        "changed": opened or placed or kept or saved["changed"],
        "journal_opened": opened,
        "placed": placed,
        "kept": kept,
        "configuration_saved": saved["changed"],
        "tried": tried,
        "other_defaults": others,
        "warnings": [other_defaults_text(str(trial["version"]), others)] if trial and others else [],
    }


def _place(given: Mapping[str, Any]) -> bool:
    options = suboptions("the option place", given, PLACE_SPEC, _UNTOUCHED, required_by={"origin": ["source"]})
    try:
        return bool(place_version(options, False)["changed"])
    except OSError as error:
        raise PreconditionFailed(NOT_PLACED.format(**{**options, "error": error})) from error


def _keep(options: Mapping[str, Any]) -> bool:
    try:
        return keep_version(options)
    except OSError as error:
        raise PreconditionFailed(NOT_KEPT.format(**{**options, "error": error})) from error


def _save(params: Mapping[str, Any]) -> dict[str, Any]:
    server = server_from(params)
    options = suboptions("the option save_configuration", params["save_configuration"], SAVE_SPEC, _UNTOUCHED)
    try:
        return save_configuration(server, options, False)
    except OSError as error:
        raise PreconditionFailed(NOT_SAVED.format(error=error), node=str(server.address)) from error
