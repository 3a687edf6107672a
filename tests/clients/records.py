"""The logs of client processes, and the measurements that follow from them. Pure, but for reading.

Times are seconds on the monotonic clock; gaps are milliseconds.
"""

from __future__ import annotations

import itertools
import json
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.sentinelops.redis.plugins.module_utils._audit.checker import History, check

# The first that matches, in the class or the message of an error, names it in the table.
ERRORS = (
    ("UNBLOCKED", "UNBLOCKED"),
    ("READONLY", "READONLY"),
    ("ReadOnly", "READONLY"),
    ("previous master is now a slave", "READONLY"),
    ("read only replica", "READONLY"),
    ("EXECABORT", "EXECABORT"),
    ("ExecAbort", "EXECABORT"),
    ("NOSCRIPT", "NOSCRIPT"),
    ("No master found", "no master"),
    ("refused", "refused"),
    ("WatchError", "WatchError"),
    ("Watched variable changed", "WatchError"),
    ("timed out", "timeout"),
    ("Timeout", "timeout"),
    ("AbortError", "aborted"),
    ("closed", "closed"),
    ("Connection lost", "closed"),
    ("reset by peer", "closed"),
    ("ECONNRESET", "closed"),
    ("Broken pipe", "closed"),
    ("EPIPE", "closed"),
)


def name_of_error(kind: str, text: str) -> str:
    """Return the table's name of an error, or its class if no name is known."""
    return next((name for part, name in ERRORS if part in kind or part in text), kind)


@dataclass
class Log:
    """The records of one process. ``read`` adds those that were written since the last call."""

    path: Path = Path()
    version: str = ""
    attempted: int = 0
    ok: list[tuple[float, int]] = field(default_factory=list)
    got: list[tuple[float, int]] = field(default_factory=list)
    failed: list[tuple[float, str]] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)
    broken: list[tuple[float, str]] = field(default_factory=list)
    _offset: int = 0

    def read(self) -> Log:
        if self.path.exists():
            with self.path.open("rb") as file:
                file.seek(self._offset)
                text = file.read()
            whole = text[: text.rfind(b"\n") + 1]  # the last line may be half written
            self._offset += len(whole)
            for line in whole.splitlines():
                self.add(json.loads(line))
        return self

    def add(self, record: dict[str, Any]) -> None:
        at_s = record["t"]
        if "invoke" in record:
            self.attempted = record["invoke"]
        elif "got" in record:
            self.got.append((at_s, record["got"]))
        elif "broken" in record:
            self.broken.append((at_s, name_of_error(record["broken"], record["text"])))
        elif record.get("outcome") == "ok":
            self.ok.append((at_s, record["done"]))
        elif "done" in record:
            self.failed.append((at_s, name_of_error(record["kind"], record["text"])))
            if record["outcome"] == "fail":
                self.refused.add(record["done"])
        else:
            self.version = record["version"]

    def answers(self, receiving: bool) -> list[float]:
        """Return when the application got what it waits for: acknowledgements, or values."""
        return [at_s for at_s, _value in (self.got if receiving else self.ok)]

    def errors(self, receiving: bool) -> list[tuple[float, str]]:
        """Return the errors of the operation under test; those of a receiver's sender are not."""
        return self.broken if receiving else sorted([*self.failed, *self.broken])

    def unknown(self) -> set[int]:
        """Return the values whose operations were begun and neither acknowledged nor refused."""
        return set(range(1, self.attempted + 1)) - {value for _at, value in self.ok} - self.refused


@dataclass(frozen=True)
class Window:
    """One handover's time: from its start until the clients' places are looked up."""

    begin_s: float
    end_s: float


def longest_gap_ms(answers: Sequence[float], window: Window) -> float:
    """Return the longest interval between two answers that lies in the window at least in part.

    An interval that has not ended with the window counts with the length that it has then.
    """
    first = max(0, bisect_left(answers, window.begin_s) - 1)
    last = bisect_right(answers, window.end_s)
    times = [*answers[first:last], window.end_s]
    return round(max((after - before for before, after in itertools.pairwise(times)), default=0.0) * 1000, 1)


def count_errors(errors: Iterable[tuple[float, str]], window: Window) -> Counter[str]:
    return Counter(name for at_s, name in errors if window.begin_s <= at_s <= window.end_s)


def missed_messages(log: Log, window: Window) -> int:
    """Return how many messages were published in the window, acknowledged and never received."""
    received = {value for _at, value in log.got}
    return sum(1 for at_s, value in log.ok if window.begin_s <= at_s <= window.end_s and value not in received)


@dataclass(frozen=True)
class Judgement:
    """Counts of values: the write audit's, and ``torn``, which stand in one of two lists only."""

    acknowledged: int
    lost: int
    doubled: int
    unexpected: int
    torn: int
    unknown: int
    recovered: int

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.unexpected or self.torn)


def judge(log: Log, final: Sequence[int], twin: Sequence[int] | None = None) -> Judgement:
    """Compare what was acknowledged with what the lists hold (see the write audit's checker).

    ``final``: the values of the list, or of a queue all that was taken from it and the rest.
    """
    unknown = log.unknown()
    history = History(attempted=log.attempted, ok=[value for _at, value in log.ok], unknown=sorted(unknown))
    verdict = check(history, final)
    torn = len(set(final) ^ set(twin)) if twin is not None else 0
    doubled = verdict.duplicates + (len(twin) - len(set(twin)) if twin is not None else 0)
    return Judgement(
        acknowledged=verdict.acknowledged,
        lost=verdict.lost,
        doubled=doubled,
        unexpected=verdict.unexpected,
        torn=torn,
        unknown=len(unknown),
        recovered=verdict.recovered,
    )
