# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of events that a run appends to, and the report that is written from it.

Many processes of one run append at the same time, each under the lock of the file. A report is
replaced as a whole, so that a reader never sees a part of it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...module_utils._atomic_write import write_atomically

__all__ = ["FINAL", "Paths", "paths_of", "read_events", "record", "rewrite"]

# After these events nothing else happens in a run. A verdict with problems is final, too.
FINAL = ("stopped", "interrupted", "ended")
REPORT_EVERY_S = 2.0
_MODE = 0o644

Event = Mapping[str, Any]
# Makes the texts of JSON file, page and metrics from all events of a run, and whether it is dead.
Rendering = Callable[[Sequence[Event], bool], tuple[str, str, str]]


@dataclass(frozen=True)
class Paths:
    """The three files of a report: ``report`` (JSON), ``page`` (HTML) and ``events``."""

    report: str
    page: str
    events: str


def paths_of(file: str) -> Paths:
    """Return the files that belong to ``redis_upgrade_report_file``."""
    report = os.path.abspath(os.path.expanduser(file))
    stem = report.removesuffix(".json")
    return Paths(report, f"{stem}.html", f"{stem}.events.jsonl")


def record(paths: Paths, event: Event, rendering: Rendering) -> None:
    """Append an event, and write the report if that is due. Raises OSError.

    The first event of a run starts a new file. An earlier run that did not come to its end keeps
    its report under another name. The report is written at the first and at a final event, and in
    between if the last one is older than two seconds.
    """
    with _locked(paths.events) as descriptor:
        before = _events_in(descriptor)
        begins = not before or before[0]["run"]["id"] != event["run"]["id"]
        if begins:
            if before and before[-1]["event"] != "ended":
                _keep(paths, before, rendering)
            os.ftruncate(descriptor, 0)
            os.fchmod(descriptor, _MODE)
        line = json.dumps(event, separators=(",", ":")) + "\n"
        _write_whole(descriptor, (_gap(descriptor) + line).encode("ascii"))
        if begins or _is_final(event) or _is_due(paths.report):
            _write(paths, _events_in(descriptor), rendering)


def rewrite(paths: Paths, rendering: Rendering, dead: bool = False) -> list[dict[str, Any]]:
    """Write the report from the events that a run has left; return these events. Raises OSError."""
    events = read_events(paths.events)
    if events:
        _write(paths, events, rendering, dead)
    return events


def read_events(path: str) -> list[dict[str, Any]]:
    """Return the events in a file. A line that a killed process has cut off is left out."""
    with open(path, "rb") as file:
        return _parsed(file.read())


@contextlib.contextmanager
def _locked(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _keep(paths: Paths, events: Sequence[Event], rendering: Rendering) -> None:
    """Write report, page and events of an earlier run to files with the id of that run."""
    kept = paths_of(f"{paths.report.removesuffix('.json')}.{events[0]['run']['id']}.json")
    lines = "".join(f"{json.dumps(event, separators=(',', ':'))}\n" for event in events)
    for path, text in zip((kept.report, kept.page, kept.events), (*rendering(events, True)[:2], lines), strict=True):
        _write_file(path, text)


def _events_in(descriptor: int) -> list[dict[str, Any]]:
    return _parsed(os.pread(descriptor, os.fstat(descriptor).st_size, 0))


def _parsed(content: bytes) -> list[dict[str, Any]]:
    found = []
    for line in content.decode("ascii", "replace").split("\n"):
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict) and isinstance(event.get("run"), dict) and "id" in event["run"]:
                found.append(event)
    return found


def _gap(descriptor: int) -> str:
    """Return a line break if the last line has none, since its writer was killed."""
    size = os.fstat(descriptor).st_size
    return "\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else ""


def _write_whole(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _is_final(event: Event) -> bool:
    return event["event"] in FINAL or (event["event"] == "verified" and bool(event["data"].get("problems")))


def _is_due(report: str) -> bool:
    try:
        return abs(time.time() - os.stat(report).st_mtime) >= REPORT_EVERY_S
    except FileNotFoundError:
        return True


def _write(paths: Paths, events: Sequence[Event], rendering: Rendering, dead: bool = False) -> None:
    """Write report and page, and the metrics if the run began with a file for these."""
    metrics = str(events[0]["data"].get("metrics_file", ""))
    for path, text in zip((paths.report, paths.page, metrics), rendering(events, dead), strict=True):
        if path:
            _write_file(path, text)


def _write_file(path: str, text: str) -> None:
    """Write a text; a server may have said what is no UTF-8."""
    write_atomically(path, text.encode("utf-8", "replace").decode("utf-8"), mode=_MODE, synced=False)
