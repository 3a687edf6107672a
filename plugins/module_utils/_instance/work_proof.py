# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof that an instance does its work again after a start: the conditions of its role hold."""

from __future__ import annotations

from typing import Any, Mapping

from .._errors import ConditionNotMet, OperationFailed
from .._server.login import address_from, login_from
from .._suboptions import suboptions
from .._topology.condition_check import CONDITIONS_SPEC, CheckRequest, check
from .._topology.conditions import ConditionsWanted

__all__ = ["prove", "require_conditions"]

_SPEC: dict[str, Any] = {**CONDITIONS_SPEC, "masters": {"type": "dict", "default": {}}}


def require_conditions(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the option ``conditions`` with types; raise PreconditionFailed for an unknown one."""
    return suboptions("conditions", params["conditions"] or {}, _SPEC, {"state": "Nothing was touched", "untouched": True})


def prove(params: Mapping[str, Any], given: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    """Wait until the conditions hold, after a state of redis_instance with ``result``.

    The log is judged from the start on, if there is one. Raises OperationFailed, with the facts of
    the result, if the instance runs and does not do its work.
    """
    wanted = {name: given[name] for name in CONDITIONS_SPEC}
    wanted["log_clean"] = wanted["log_clean"] and bool(result["log_file"])
    request = CheckRequest(
        address_from(params),
        login_from(params),
        ConditionsWanted(**{"version": result["version"], **{name: value for name, value in wanted.items() if value is not None}}),
        given["masters"],
        result["log_file"],
        result["log_offset"],
        params["wait_s"],
    )
    try:
        check(request)
    except ConditionNotMet as error:
        kept = {name: value for name, value in result.items() if name in ("log_file", "log_offset", "log_before", "set_aside")}
        raise OperationFailed(
            f"it runs {result['version']}, and does not do its work: {error.message}",
            node=error.node,
            state="It was left running",
            advice="Read its log, and the conditions that are not met",
            conditions=error.facts["conditions"],
            **kept,
        ) from error
