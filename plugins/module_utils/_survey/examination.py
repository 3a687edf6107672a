# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The survey of an instance with the facts for the preflight, which no later survey needs."""

from __future__ import annotations

import contextlib
import os
from typing import Any, Callable, Mapping

from .._errors import SentinelOpsError
from .._server.commands import Server
from .._server.connection import connect
from .._server.login import login_from
from .._wait import Clock
from .following import following_facts
from .included_facts import included_facts
from .pace_facts import work_facts
from .readiness_facts import journal_or_reason, not_surveyed, readiness_facts
from .user_facts import user_facts

__all__ = ["examined"]


def examined(server: Server, params: Mapping[str, Any], surveyed: Callable[[dict[str, Any] | None], dict[str, Any]]) -> dict[str, Any]:
    """Return the survey's record, or the reason for its failure, with the preflight's facts.

    ``params``: the options of redis_survey. ``surveyed``: returns the record, given the journal.
    """
    journal, reason = journal_or_reason(params["journal"])
    try:
        record = surveyed(journal)
    except SentinelOpsError as error:
        record = not_surveyed(server, params["kind"], journal, error)
    found = readiness_facts(server, record, params["journal"], params["asked_at_s"], Clock(), params["backup_folder"])
    if record.get("answers") and record["kind"] == "redis":
        with contextlib.suppress(SentinelOpsError):  # as for the other facts of a node
            found["cannot_follow"] = following_facts(server, str(record.get("login")), login_from(params), connect)
    if record.get("answers"):
        if record.get("config_identity"):
            found["real_config_file"] = os.path.realpath(record["config_file"])
        found["included"] = included_facts(server, record)
        with contextlib.suppress(SentinelOpsError):
            found["users"] = user_facts(server, record, Clock())
    found["work"] = work_facts()
    return {**record, "journal_error": reason, "examined": found}
