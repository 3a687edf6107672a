"""Let every accident happen at every event of a handover under load, run it again, and count.

usage: sweep.py [--event E] [--kind K] [--version V] [--count N] [--results FILE] [--lasts S]

Each trial is one line of JSON in the results file, which grows from run to run; the table at the
end is of all lines. ``--event`` and ``--kind`` may be lists, separated by commas. Exit code 1 if a
trial of this run has lost a write, or has not ended with all as before.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from deployment import ROOT
from lab import LabDeployment, reenter
from scenarios import ALL_KINDS, KINDS, MORE_KINDS, build
from trial import EVENTS, LASTS_S, Trial, run

RESULTS = ROOT / ".cache" / "sweep" / "results.jsonl"
FAILED = RESULTS.with_name("failed")
PORT = 23001


def table(trials: list[Trial]) -> Iterator[str]:
    """Yield a Markdown table: a row per version, kind and event."""
    yield "| version | kind | event | trials | lost / acknowledged | longest gap | failed |"
    yield "|---|---|---|---|---|---|---|"

    def place(trial: Trial) -> tuple[str, str, int]:
        return trial.version, trial.kind, EVENTS.index(trial.event) if trial.event in EVENTS else len(EVENTS)

    for (version, kind, _number), group in itertools.groupby(sorted(trials, key=place), key=place):
        rows = list(group)
        yield f"| {version} | {kind} | {rows[0].event} | {_counts(rows)}"
    yield f"| all | | | {_counts(trials)}"


def _counts(rows: list[Trial]) -> str:
    lost, acknowledged = (sum(getattr(row, what) for row in rows) for what in ("lost", "acknowledged"))
    gap_s, failed = max((row.longest_gap_ms for row in rows), default=0.0) / 1000, sum(bool(row.failures) for row in rows)
    return f"{len(rows)} | {lost:,} / {acknowledged:,} | {gap_s:.1f} s | {failed} |"


def read(path: Path) -> list[Trial]:
    if not path.exists():
        return []
    return [Trial(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def note(path: Path, trial: Trial) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as results:
        results.write(json.dumps(trial.as_dict()) + "\n")


def keep_logs(deployment: LabDeployment, trial: Trial) -> Path:
    """Copy the instances' logs and configuration files, for whoever wants to know why it failed."""
    kept = next(path for number in itertools.count(1) if not (path := FAILED / str(number)).exists())
    for name in deployment.ports:
        with contextlib.suppress(OSError):
            (kept / name).mkdir(parents=True)
            shutil.copy2(deployment.folder / name / "log", kept / name)
            shutil.copy2(deployment.config(name), kept / name)
    (kept / "trial.json").write_text(json.dumps(trial.as_dict(), indent=1), encoding="utf-8")
    return kept


class Place:
    """The deployment, which is the same for all trials of a version until one of them spoils it."""

    def __init__(self) -> None:
        self._built: LabDeployment | None = None
        self._for: object = None

    def get(self, version: str, kind: str) -> LabDeployment:
        wanted = version, ALL_KINDS[kind].faketime
        if self._built is None or self._for != wanted:
            self.clear()
            self._built = build(kind, Path(tempfile.mkdtemp(prefix="sweep-")) / "deployment", version, PORT)
            self._for = wanted
        return self._built

    def clear(self) -> None:
        if self._built is not None:
            self._built.remove()
            shutil.rmtree(self._built.folder.parent, ignore_errors=True)
            self._built = None


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--event", default=",".join(EVENTS))
    parser.add_argument("--kind", default=",".join(KINDS), help=f"also: {', '.join(MORE_KINDS)}")
    parser.add_argument("--version", default="7.0.15")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--lasts", type=float, default=LASTS_S)
    parser.add_argument("--results", type=Path, default=RESULTS)
    found = parser.parse_args()
    known = {"event": EVENTS, "kind": tuple(ALL_KINDS)}
    for what, values in known.items():
        wrong = set(getattr(found, what).split(",")) - set(values)
        if wrong:
            parser.error(f"no {what}: {', '.join(sorted(wrong))}; there are {', '.join(values)}")
    return found


def main() -> int:
    asked = arguments()
    reenter()
    signal.signal(signal.SIGTERM, lambda *_signal: sys.exit(1))
    place, failed, done = Place(), 0, 0
    chosen = itertools.product(asked.version.split(","), range(asked.count), asked.kind.split(","), asked.event.split(","))
    try:
        for version, _number, kind, event in chosen:
            deployment = place.get(version, kind)
            trial = run(deployment, event, kind, asked.lasts)
            done += 1
            print(
                f"{version:12} {kind:20} {event:17} {trial.took_s:5.1f} s, {trial.lost} lost of {trial.acknowledged}, "
                f"longest gap {trial.longest_gap_ms / 1000:.1f} s; {trial.came}; then {trial.then}",
                flush=True,
            )
            if trial.failures:
                failed += 1
                print(
                    "\n".join(f"    FAILED: {text}" for text in trial.failures), f"\n    kept in {keep_logs(deployment, trial)}", flush=True
                )
            if trial.failures or ALL_KINDS[kind].spoils:
                place.clear()
            note(asked.results, trial)
    finally:
        place.clear()
    print("\n" + "\n".join(table(read(asked.results))))
    print(f"\n{done} trials of this run, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
