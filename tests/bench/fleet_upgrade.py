"""Upgrade fleets under light writes, and print what each run cost.

usage: fleet_upgrade.py [--shards 1,20] [--replicas 2] [--deployments 20] [--direct] [--base COMMIT]
                        [--rounds 1] [--from 6.2.9] [--to 6.2.14] [--data 0] [--table FILE]
                        [--plot FILE]
                        [--option redis_upgrade_handovers_at_once=1]

Each number of shards is a fleet of its own, on loopback, with one writer in each shard. With
``--deployments`` there is one more fleet: so many deployments of one shard (1 + 1) and three
Sentinels, all in one inventory. ``--data`` writes so many MiB to each shard first. The playbook
upgrades each fleet, and then runs once more, with nothing left to do. ``--direct`` upgrades one
shard without Ansible (direct.py), ``--base`` with the collection as of a commit. All take turns in
each round, but a run of more than two minutes is made once; the medians count.

For each it prints the wall clock of every play, the CPU seconds of the modules and of the
controller (all of ansible-playbook but the modules), the calls of modules for each host, the
longest write gaps, and how many acknowledged writes were lost. It also prints the estimate of the
plan, and how long the run took from there; for several deployments those of each. ``--table``
appends that to a file, ``--plot`` draws wall and CPU of the fleets of shards by their hosts.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from deployment import ROOT, SERVERS
from deployments import Deployments
from fleet import Fleet
from growth_plot import growth_plot
from handover import three

from playbooks import command

Fleets = Fleet | Deployments

LONG_S = 120.0
# With this Python reads a module, which comes on its standard input, byte by byte.
UNBUFFERED = "PYTHONUNBUFFERED"

# Appends the CPU seconds of the interpreter, by which modules run, to a file.
INTERPRETER = """#!/bin/sh
"{python}" "$@"
code=$?
times >> "{file}"
exit $code
"""


@dataclass
class Cost:
    """The cost of one upgrade.

    ``plays``: wall seconds. ``calls``: of modules, by host. ``estimates``: the seconds that each
    run has estimated, and has taken.
    """

    what: str
    hosts: int
    wall_s: float
    modules_s: float
    controller_s: float
    plays: dict[str, float] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    gaps_ms: list[float] = field(default_factory=list)
    acknowledged: int = 0
    lost: int = 0
    again_s: float = 0.0
    estimates: list[tuple[float, float]] = field(default_factory=list)

    @property
    def cpu_of_host_s(self) -> float:
        return (self.modules_s + self.controller_s) / self.hosts

    def lines(self) -> Sequence[str]:
        calls = list(self.calls.values()) or [0]
        again = f"; again, with nothing left to do: {self.again_s:.1f} s" if self.again_s else ""
        return [
            f"{self.what}, {self.hosts} hosts: {self.wall_s:.1f} s{again}",
            f"  CPU: modules {self.modules_s:.1f} s, controller {self.controller_s:.1f} s, {self.cpu_of_host_s:.2f} s for each host",
            f"  calls of modules: {sum(calls)}; for each host {min(calls)} to {max(calls)}, on average {sum(calls) / self.hosts:.1f}",
            f"  longest write gap of each shard: {three(self.gaps_ms)} ms (median / 95th percentile / maximum)",
            f"  {self.lost} lost of {self.acknowledged:,} acknowledged writes",
            *(f"  estimated {said:.1f} s, taken {took:.1f} s: {took / said:.2f} times the estimate" for said, took in self.estimates),
            *(f"  {seconds:7.1f} s  {name}" for name, seconds in self.plays.items() if seconds >= 0.05),
        ]

    @property
    def ratio(self) -> str:
        """Return the time taken, divided by the estimate; the extremes of several runs."""
        ratios = sorted(took / said for said, took in self.estimates)
        if len(ratios) < 2:
            return f"{ratios[0]:.2f}" if ratios else "-"
        return f"{ratios[0]:.2f} to {ratios[-1]:.2f}"

    def row(self, versions: str, rounds: int) -> str:
        """Return the cost as a row of a table in Markdown."""
        calls = f"{sum(self.calls.values()) / self.hosts:.1f}" if self.calls else "-"
        again = f"{self.again_s:.1f} s" if self.again_s else "-"
        cpu = f"{self.modules_s / self.hosts:.2f} + {self.controller_s / self.hosts:.2f} s"
        costs = [f"{self.wall_s:.1f} s", cpu, calls, three(self.gaps_ms), self.lost, again, self.ratio]
        return f"| {' | '.join(str(one) for one in [versions, self.what, self.hosts, rounds, *costs])} |"


def interpreter(folder: Path) -> tuple[str, Path]:
    """Return the path of the measuring interpreter, and the file that it writes."""
    path, file = folder / "python", folder / "times"
    path.write_text(INTERPRETER.format(python=sys.executable, file=file), encoding="utf-8")
    path.chmod(0o755)
    file.touch()
    return str(path), file


def seconds_of(file: Path) -> float:
    """Return the sum of the times in a file, as ``0m0.230000s 0m0.040000s`` in each line."""
    words = file.read_text(encoding="utf-8").split()
    return sum(60 * float(minutes) + float(rest.rstrip("s")) for minutes, _m, rest in (word.partition("m") for word in words))


def timed(words: Sequence[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """Run a command to its end; return wall and CPU seconds. Raises RuntimeError if it fails."""
    before, begun_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the upgrade failed:\n{done.stdout[-6000:]}\n{done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic() - begun_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def by_playbook(fleet: Fleets, what: str, new: str, folder: Path, options: Mapping[str, Any], base: str = "") -> Cost:
    """Upgrade a fleet by the playbook, and once more; ``base``: with the collection of a commit."""
    python, times = interpreter(folder)
    run_times, runs, report = folder / "run-times.json", folder / "runs", folder / "report.json"
    environment = {
        **{name: value for name, value in os.environ.items() if name != UNBUFFERED},
        "SENTINELOPS_RUN_TIMES_FILE": str(run_times),
        "ANSIBLE_CALLBACKS_ENABLED": "sentinelops.redis.run_times",
        "ANSIBLE_FORKS": "40",
        **({"ANSIBLE_COLLECTIONS_PATH": collection_of(base, folder)} if base else {}),
    }
    fixed: dict[str, Any] = {
        "redis_upgrade_backup": False,
        "redis_upgrade_accept_no_way_back": True,
        "redis_upgrade_deployments_folder": str(runs),
        "redis_upgrade_report_file": str(report),
        "redis_upgrade_wait_s": 300,
    }
    words = command(fleet.inventory, "upgrade", wanted=new, ansible_python_interpreter=python, **{**fixed, **options})
    wall_s, cpu_s = timed(words, environment)
    modules_s, files = seconds_of(times), [run_times, *sorted(runs.glob("*/*.run-times.json"))]
    measured = [json.loads(path.read_text(encoding="utf-8")) for path in files if path.exists()]
    again_s = 0.0 if base else timed(words, environment)[0]
    calls: dict[str, int] = {}
    for one in measured:
        calls |= {host: calls.get(host, 0) + count for host, count in one["calls"].items()}
    plays = {play["name"]: play["seconds"] for play in measured[0]["plays"]} if measured else {}
    reports = [Path(options.get("redis_upgrade_report_file", report)), *sorted(runs.glob("*/*.report.json"))]
    return Cost(what, 0, wall_s, modules_s, cpu_s - modules_s, plays, calls, again_s=again_s, estimates=list(estimates_in(reports)))


def estimates_in(reports: Sequence[Path]) -> Iterator[tuple[float, float]]:
    """Yield the seconds that each run has estimated, and has taken, by its report."""
    for path in reports:
        estimate = json.loads(path.read_text(encoding="utf-8")).get("estimate") if path.exists() else None
        if estimate:
            yield estimate["seconds"], estimate["took_s"]


def collection_of(commit: str, folder: Path) -> str:
    """Return a folder with the collection as of a commit."""
    place = folder / "collections" / "ansible_collections" / "sentinelops" / "redis"
    place.mkdir(parents=True)
    packed = subprocess.run(["git", "-C", ROOT, "archive", commit], stdout=subprocess.PIPE, check=True).stdout
    subprocess.run(["tar", "--extract", "--directory", place], input=packed, check=True)
    return str(folder / "collections")


def directly(fleet: Fleets, what: str, new: str, _folder: Path) -> Cost:
    """Upgrade a fleet without Ansible."""
    words = [sys.executable, Path(__file__).with_name("direct.py"), fleet.inventory, new.removeprefix("valkey-"), SERVERS / new]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the upgrade failed:\n{done.stderr[-4000:]}")
    spent = json.loads(done.stdout.splitlines()[-1])
    return Cost(what, 0, spent["wall_s"], spent["cpu_s"], 0.0)


def measured_once(make: Callable[[Path], Fleets], upgrade: Callable[[Fleets, Path], Cost], new: str, data_mib: int) -> Cost:
    """Build a fleet, upgrade it under writes, and return the cost."""
    with tempfile.TemporaryDirectory(prefix="fleet-") as made:
        fleet = make(Path(made) / "fleet")
        try:
            fleet.build()
            for one in fleets_of(fleet):
                one.fill(data_mib)
            with fleet.writing() as verdicts_of:
                cost = upgrade(fleet, Path(made))
                verdicts = verdicts_of().values()
            require_done(fleet, new)
        finally:
            fleet.remove()
    cost.hosts = sum(len(one.ports) for one in fleets_of(fleet))
    cost.gaps_ms = [verdict["longest_gap_all_ms"] for verdict in verdicts]
    cost.acknowledged, cost.lost = (sum(verdict[name] for verdict in verdicts) for name in ("acknowledged", "lost"))
    return cost


def fleets_of(fleet: Fleets) -> list[Fleet]:
    return list(fleet.all.values()) if isinstance(fleet, Deployments) else [fleet]


def require_done(fleet: Fleets, new: str) -> None:
    """Raise RuntimeError unless all instances run the new version, with all masters at home."""
    for one in fleets_of(fleet):
        versions = {one.info(name).get("valkey_version") or one.info(name)["redis_version"] for name in one.ports}
        if versions != {new.removeprefix("valkey-")} or len(one.masters_at_home()) != len(one.shards):
            raise RuntimeError(f"versions {versions}, masters at home: {one.masters_at_home()}")


def median_of(costs: Sequence[Cost]) -> Cost:
    """Return the run with the median wall clock, with all gaps and losses."""
    chosen = sorted(costs, key=lambda cost: cost.wall_s)[len(costs) // 2]
    chosen.gaps_ms = [gap for cost in costs for gap in cost.gaps_ms]
    chosen.acknowledged, chosen.lost = sum(cost.acknowledged for cost in costs), sum(cost.lost for cost in costs)
    chosen.estimates = [one for cost in costs for one in cost.estimates]
    chosen.again_s = statistics.median(cost.again_s for cost in costs)
    return chosen


def contenders(arguments: argparse.Namespace) -> dict[str, Callable[[], Cost]]:
    """Return what is measured, by name, in the order of a round."""
    options = {name: json.loads(value) for name, _equals, value in (option.partition("=") for option in arguments.option)}
    found: dict[str, Callable[[], Cost]] = {}

    def add(what: str, make: Callable[[Path], Fleets], upgrade: Callable[..., Cost], **more: Any) -> None:
        def of_fleet(fleet: Fleets, folder: Path) -> Cost:
            return upgrade(fleet, what, arguments.new, folder, **more)

        found[what] = partial(measured_once, make, of_fleet, arguments.new, arguments.data)

    def shards(number: int) -> Callable[[Path], Fleets]:
        return lambda made: Fleet(made, arguments.old, arguments.port, number, arguments.replicas)

    if arguments.base:
        add(f"one shard, as of {arguments.base}", shards(1), by_playbook, options={}, base=arguments.base)
    if arguments.direct:
        add("one shard, without Ansible", shards(1), directly)
    for number in map(int, arguments.shards.split(",") if arguments.shards else []):
        add("one shard" if number == 1 else f"{number} shards", shards(number), by_playbook, options=options)
    if arguments.deployments:
        names = [f"d{number}" for number in range(arguments.deployments)]
        several = partial(Deployments, version=arguments.old, port=arguments.port, names=names, named=True)
        add(f"{len(names)} deployments", several, by_playbook, options=options)
    return found


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", default="1,20")
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--deployments", type=int, default=0)
    parser.add_argument("--direct", action="store_true")
    parser.add_argument("--base", default="", help="a commit")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--from", dest="old", default="6.2.9")
    parser.add_argument("--to", dest="new", default="6.2.14")
    parser.add_argument("--port", type=int, default=22001)
    parser.add_argument("--data", type=int, default=0, help="MiB in each shard")
    parser.add_argument("--table", type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--option", action="append", default=[], help="a variable of the role, as name=JSON")
    return parser.parse_args()


def main() -> int:
    arguments = parsed()
    found: dict[str, list[Cost]] = {}
    for _round in range(arguments.rounds):
        for what, measure in contenders(arguments).items():
            if any(cost.wall_s > LONG_S for cost in found.get(what, [])):
                continue
            cost = measure()
            print("\n".join(cost.lines()), flush=True)
            found.setdefault(what, []).append(cost)
    costs = [median_of(of_one) for of_one in found.values()]
    for cost in costs:
        print(f"{cost.what}: {cost.wall_s:.1f} s, {cost.wall_s / costs[0].wall_s:.2f} times {costs[0].what}")
    if arguments.table:
        versions = f"{arguments.old} to {arguments.new.replace('valkey-', 'Valkey ')}"
        rows = [cost.row(versions, len(found[cost.what])) for cost in costs]
        with arguments.table.open("a", encoding="utf-8") as file:
            file.write("\n".join(rows) + "\n")
    if arguments.plot:
        sizes = [cost for cost in costs if cost.what.endswith(("shard", "shards"))]
        wall, cpu = ([(cost.hosts, value) for cost, value in zip(sizes, values, strict=True)] for values in series(sizes))
        arguments.plot.write_text(growth_plot("hosts", {"wall clock": wall, "CPU of the controller": cpu}), encoding="utf-8")
    return int(any(cost.lost for cost in costs))


def series(costs: Sequence[Cost]) -> tuple[list[float], list[float]]:
    """Return wall and controller seconds of each run."""
    return [cost.wall_s for cost in costs], [cost.controller_s for cost in costs]


if __name__ == "__main__":
    sys.exit(main())
