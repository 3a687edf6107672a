"""Put real client libraries through handovers, and print what each of them saw.

usage: run.py [--version 7.0.15] [--count 6] [--clients PATTERNS] [--mode auto]
    [--table FILE] [--allow-stuck]

A deployment of three data nodes and three Sentinels on loopback. The clients of one library work
at a time, each in a process of its own, with one of the three Sentinels as its first. Fails if a
write was lost, doubled or torn, or if a client was not back on the master 10 s after a handover.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

from catalogue import Kind, chosen
from deployment import Deployment
from measurement import Group, Measurement
from table import lines


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", default="7.0.15", help="the servers' version")
    parser.add_argument("--count", type=int, default=6, help="handovers for each library")
    parser.add_argument("--clients", default="", help="beginnings of names, shell patterns, with commas: ioredis,*/watch")
    parser.add_argument("--mode", default="auto", help="the module's mode; with plain, writes must be lost")
    parser.add_argument("--table", type=Path, help="also write the table into this file")
    parser.add_argument("--allow-stuck", action="store_true", help="do not fail because clients are not back on the master")
    parser.add_argument("--port", type=int, default=int(os.environ.get("LIVE_PORT", "24001")))
    return parser.parse_args()


def installed(patterns: list[str]) -> list[list[Kind]]:
    """Return the chosen kinds by library, without the libraries that are not installed."""
    groups = chosen(patterns)
    for group in groups:
        if not group[0].library.is_installed:
            print(f"not run: {group[0].library.name} is not installed", flush=True)
    return [group for group in groups if group[0].library.is_installed]


def measure(arguments: argparse.Namespace, groups: list[list[Kind]]) -> list[Group]:
    measured = []
    with tempfile.TemporaryDirectory(prefix="clients-") as folder:
        deployment = Deployment(Path(folder) / "deployment", arguments.version, arguments.port)
        try:
            deployment.build()
            for number, kinds in enumerate(groups):
                print(f"{kinds[0].library.name}: {len(kinds)} clients, {arguments.count} handovers", flush=True)
                measurement = Measurement(deployment, kinds, arguments.mode, 100 * number, lambda text: print(text, flush=True))
                measured.append(measurement.run(arguments.count))
        finally:
            deployment.remove()
    return measured


def verdict(groups: list[Group], allow_stuck: bool) -> list[str]:
    """Return what makes the run fail, a sentence each."""
    seen = [client for group in groups for client in group.seen]
    found = [f"a handover failed: {failure}" for group in groups for failure in group.failures]
    found += [f"{client.kind.name} has lost, doubled or torn writes" for client in seen if not client.is_clean]
    if not allow_stuck:
        found += [f"{client.kind.name} was not back on the master {client.stuck} times" for client in seen if client.stuck]
    return found


def main() -> int:
    # an ordinary end, so that the servers and the clients are ended, too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments = parsed()
    groups = installed([pattern for pattern in arguments.clients.split(",") if pattern])
    if not groups:
        print("no client to measure")
        return 1
    measured = measure(arguments, groups)
    table = lines(arguments.version, measured)
    print("\n".join(["", *table]))
    if arguments.table:
        arguments.table.write_text("\n".join(table) + "\n", encoding="utf-8")
    problems = verdict(measured, arguments.allow_stuck)
    print("\n".join(["", *problems]) if problems else "\nno write lost, doubled or torn")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
