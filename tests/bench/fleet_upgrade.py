"""Upgrade a fleet under light writes, and print what the run cost.

usage: fleet_upgrade.py [--shards 1,20] [--replicas 2] [--deployments 20]
                        [--from 6.2.9] [--to 6.2.14] [--option redis_upgrade_handovers_at_once=1]

Each number of shards is a fleet of its own, on loopback, with one writer in each shard. With
``--deployments`` there is one more fleet: so many deployments of one shard (1 + 1) and three
Sentinels, all in one inventory. The fleets are upgraded one after the other, and then once more,
with nothing left to do. For each it prints the wall clock of every play, the CPU seconds
of the modules and of the controller (all of ansible-playbook but the modules), the calls of modules
for each host, the longest write gaps, and how many acknowledged writes were lost.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments import Deployments
from fleet import Fleet
from handover import three

from playbooks import command

# Appends the CPU seconds of the interpreter, by which modules run, to a file.
INTERPRETER = """#!/bin/sh
"{python}" "$@"
code=$?
times >> "{file}"
exit $code
"""


@dataclass
class Cost:
    """The cost of one upgrade. ``plays``: wall seconds. ``calls``: of modules, by host."""

    what: str
    hosts: int
    wall_s: float
    modules_s: float
    controller_s: float
    plays: dict[str, float]
    calls: dict[str, int]
    gaps_ms: list[float]
    acknowledged: int
    lost: int
    again_s: float = 0.0

    def lines(self) -> Sequence[str]:
        calls = list(self.calls.values())
        cpu = self.modules_s + self.controller_s
        return [
            f"{self.what}, {self.hosts} hosts: {self.wall_s:.1f} s; again, with nothing left to do: {self.again_s:.1f} s",
            f"  CPU: modules {self.modules_s:.1f} s, controller {self.controller_s:.1f} s, {cpu / self.hosts:.2f} s for each host",
            f"  calls of modules: {sum(calls)}; for each host {min(calls)} to {max(calls)}, median {statistics.median(calls):g}",
            f"  longest write gap of each shard: {three(self.gaps_ms)} ms (median / 95th percentile / maximum)",
            f"  {self.lost} lost of {self.acknowledged:,} acknowledged writes",
            *(f"  {seconds:7.1f} s  {name}" for name, seconds in self.plays.items() if seconds >= 0.05),
        ]


def interpreter(folder: Path) -> tuple[str, Path]:
    """Return the path of the measuring interpreter, and the file that it writes."""
    path, file = folder / "python", folder / "times"
    path.write_text(INTERPRETER.format(python=sys.executable, file=file), encoding="utf-8")
    path.chmod(0o755)
    return str(path), file


def seconds_of(file: Path) -> float:
    """Return the sum of the times in a file, as ``0m0.230000s 0m0.040000s`` in each line."""
    words = file.read_text(encoding="utf-8").split()
    return sum(60 * float(minutes) + float(rest.rstrip("s")) for minutes, _m, rest in (word.partition("m") for word in words))


def upgrade(fleet: Fleet | Deployments, what: str, new: str, folder: Path, options: dict[str, Any]) -> Cost:
    """Upgrade a fleet under writes, and once more; raise RuntimeError if that fails."""
    python, times = interpreter(folder)
    run_times, runs = folder / "run-times.json", folder / "runs"
    environment = {
        **os.environ,
        "SENTINELOPS_RUN_TIMES_FILE": str(run_times),
        "ANSIBLE_CALLBACKS_ENABLED": "sentinelops.redis.run_times",
        "ANSIBLE_FORKS": "40",
    }
    fixed = {"redis_upgrade_backup": False, "redis_upgrade_accept_no_way_back": True, "redis_upgrade_deployments_folder": str(runs)}
    words = command(fleet.inventory, "upgrade", wanted=new, ansible_python_interpreter=python, **fixed, **options)
    with fleet.writing() as verdicts_of:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        wall_s = timed(words, environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        modules_s = seconds_of(times)
        measured = [json.loads(path.read_text(encoding="utf-8")) for path in [run_times, *sorted(runs.glob("*/*.run-times.json"))]]
        again_s = timed(words, environment)
        verdicts = verdicts_of().values()
    require_done(fleet, new)
    calls: dict[str, int] = {}
    for one in measured:
        calls |= {host: calls.get(host, 0) + count for host, count in one["calls"].items()}
    return Cost(
        what,
        sum(len(one.ports) for one in fleets_of(fleet)),
        wall_s,
        modules_s,
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime - modules_s,
        {play["name"]: play["seconds"] for play in measured[0]["plays"]},
        calls,
        [verdict["longest_gap_all_ms"] for verdict in verdicts],
        sum(verdict["acknowledged"] for verdict in verdicts),
        sum(verdict["lost"] for verdict in verdicts),
        again_s,
    )


def timed(words: Sequence[str], environment: dict[str, str]) -> float:
    """Run a command to its end; return the wall seconds. Raises RuntimeError if it fails."""
    begun_s = time.monotonic()
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the upgrade failed:\n{done.stdout[-6000:]}\n{done.stderr[-2000:]}")
    return time.monotonic() - begun_s


def fleets_of(fleet: Fleet | Deployments) -> list[Fleet]:
    return list(fleet.all.values()) if isinstance(fleet, Deployments) else [fleet]


def require_done(fleet: Fleet | Deployments, new: str) -> None:
    """Raise RuntimeError unless all instances run the new version, with all masters at home."""
    for one in fleets_of(fleet):
        versions = {one.info(name).get("valkey_version") or one.info(name)["redis_version"] for name in one.ports}
        if versions != {new.removeprefix("valkey-")} or len(one.masters_at_home()) != len(one.shards):
            raise RuntimeError(f"versions {versions}, masters at home: {one.masters_at_home()}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", default="1,20")
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--deployments", type=int, default=0)
    parser.add_argument("--from", dest="old", default="6.2.9")
    parser.add_argument("--to", dest="new", default="6.2.14")
    parser.add_argument("--port", type=int, default=22001)
    parser.add_argument("--option", action="append", default=[], help="a variable of the role, as name=JSON")
    arguments = parser.parse_args()
    options = {name: json.loads(value) for name, _equals, value in (option.partition("=") for option in arguments.option)}
    wanted: list[tuple[str, Callable[[Path], Fleet | Deployments]]] = [
        (f"{shards} shards", lambda made, shards=shards: Fleet(made, arguments.old, arguments.port, shards, arguments.replicas))
        for shards in map(int, arguments.shards.split(",") if arguments.shards else [])
    ]
    if arguments.deployments:
        names = [f"d{number}" for number in range(arguments.deployments)]
        wanted.append((f"{len(names)} deployments", lambda made: Deployments(made, arguments.old, arguments.port, names, named=True)))
    lost = 0
    for what, make in wanted:
        with tempfile.TemporaryDirectory(prefix="fleet-") as made:
            fleet = make(Path(made) / "fleet")
            try:
                fleet.build()
                cost = upgrade(fleet, what, arguments.new, Path(made), options)
            finally:
                fleet.remove()
        print("\n".join(cost.lines()), flush=True)
        lost += cost.lost
    return int(bool(lost))


if __name__ == "__main__":
    sys.exit(main())
