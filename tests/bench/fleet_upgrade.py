"""Upgrade a fleet under light writes, and print what the run cost.

usage: fleet_upgrade.py [--shards 1,20] [--replicas 2] [--from 6.2.9] [--to 6.2.14]
                        [--option redis_upgrade_handovers_at_once=1]

Each number of shards is a fleet of its own, on loopback, with one writer in each shard. The fleets
are upgraded one after the other. For each it prints the wall clock of every play, the CPU seconds
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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

    shards: int
    hosts: int
    wall_s: float
    modules_s: float
    controller_s: float
    plays: dict[str, float]
    calls: dict[str, int]
    gaps_ms: list[float]
    acknowledged: int
    lost: int

    def lines(self) -> Sequence[str]:
        calls = list(self.calls.values())
        cpu = self.modules_s + self.controller_s
        return [
            f"{self.shards} shards, {self.hosts} hosts: {self.wall_s:.1f} s",
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


def upgrade(fleet: Fleet, new: str, folder: Path, options: dict[str, Any]) -> Cost:
    """Upgrade a fleet under writes; raise RuntimeError if that fails."""
    python, times = interpreter(folder)
    run_times = folder / "run-times.json"
    environment = {
        **os.environ,
        "SENTINELOPS_RUN_TIMES_FILE": str(run_times),
        "ANSIBLE_CALLBACKS_ENABLED": "sentinelops.redis.run_times",
        "ANSIBLE_FORKS": "40",
    }
    variables = {"ansible_python_interpreter": python, "redis_upgrade_backup": False, "redis_upgrade_accept_no_way_back": True, **options}
    with fleet.writing() as verdicts_of:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun_s = time.monotonic()
        done = subprocess.run(
            command(fleet, "upgrade", wanted=new, **variables), env=environment, capture_output=True, text=True, check=False
        )
        wall_s = time.monotonic() - begun_s
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            raise RuntimeError(f"the upgrade failed:\n{done.stdout[-6000:]}\n{done.stderr[-2000:]}")
        verdicts = verdicts_of().values()
    require_done(fleet, new)
    measured = json.loads(run_times.read_text(encoding="utf-8"))
    modules_s = seconds_of(times)
    return Cost(
        len(fleet.shards),
        len(fleet.ports),
        wall_s,
        modules_s,
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime - modules_s,
        {play["name"]: play["seconds"] for play in measured["plays"]},
        measured["calls"],
        [verdict["longest_gap_all_ms"] for verdict in verdicts],
        sum(verdict["acknowledged"] for verdict in verdicts),
        sum(verdict["lost"] for verdict in verdicts),
    )


def require_done(fleet: Fleet, new: str) -> None:
    """Raise RuntimeError unless all instances run the new version, with all masters at home."""
    versions = {fleet.info(name).get("valkey_version") or fleet.info(name)["redis_version"] for name in fleet.ports}
    if versions != {new.removeprefix("valkey-")} or len(fleet.masters_at_home()) != len(fleet.shards):
        raise RuntimeError(f"versions {versions}, masters at home: {fleet.masters_at_home()}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", default="1,20")
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--from", dest="old", default="6.2.9")
    parser.add_argument("--to", dest="new", default="6.2.14")
    parser.add_argument("--port", type=int, default=22001)
    parser.add_argument("--option", action="append", default=[], help="a variable of the role, as name=JSON")
    arguments = parser.parse_args()
    options = {name: json.loads(value) for name, _equals, value in (option.partition("=") for option in arguments.option)}
    lost = 0
    for shards in map(int, arguments.shards.split(",")):
        with tempfile.TemporaryDirectory(prefix="fleet-") as made:
            fleet = Fleet(Path(made) / "fleet", arguments.old, arguments.port, shards, arguments.replicas)
            try:
                fleet.build()
                cost = upgrade(fleet, arguments.new, Path(made), options)
            finally:
                fleet.remove()
        print("\n".join(cost.lines()), flush=True)
        lost += cost.lost
    return int(bool(lost))


if __name__ == "__main__":
    sys.exit(main())
