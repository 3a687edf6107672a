# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record an event of this run, and write the report of a run that has ended or was cut off."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from .._run.process import main_pid, run_of, run_state
from .._times import timestamp
from .events import FINAL, Event, paths_of, read_events, record, rewrite
from .plan_facts import facts_of
from .run_report import make_run_report

__all__ = ["record_event", "record_interruption", "render"]


def record_event(file: str, event: str, data: Mapping[str, Any]) -> None:
    """Record an event of this run, with the controller's time. Raises OSError.

    ``file``: the file of the report. ``data``: the facts of the event; for ``begun`` the plan.
    """
    found = facts_of(data) if event == "begun" else data
    made = {"event": event, "at": timestamp(time.time()), "run": run_of(main_pid()), "data": found}
    record(paths_of(file), made, _rendering)


def _rendering(events: Sequence[Event], dead: bool) -> tuple[str, str, str]:
    """Return the texts of the report.

    Most events are only appended, in a process of their own, which need not load all this.
    """
    texts: tuple[str, str, str] = import_module(f"{__package__}.page").rendering(events, dead)
    return texts


def record_interruption(file: str) -> None:
    """Record that this run ends early, if it has begun a report and not ended it. Raises OSError.

    Called by ansible-playbook itself.
    """
    events = read_events(paths_of(file).events)
    if events and events[0]["run"]["id"] == run_of(os.getpid())["id"] and events[-1]["event"] not in FINAL:
        record_event(file, "interrupted", {})


def render(file: str, check_mode: bool = False) -> dict[str, Any]:
    """Write report and page from the events that a run has left; return what they say.

    Writes nothing in check mode. Raises ValueError if there is no event, and OSError.
    """
    paths = paths_of(file)
    events = read_events(paths.events)
    if not events:
        raise ValueError(f"{paths.events} has no event of a run")
    dead = run_state(events[0]["run"]) == "dead"
    if not check_mode:
        rewrite(paths, _rendering, dead)
    report = make_run_report(events, dead)
    lines = [report["verdict"], *report["stop_message"], *report["problems"], *report["what_next"]]
    return {"report": paths.report, "page": paths.page, "outcome": report["outcome"], "lines": lines}
