"""Measure handovers: write gaps of each kind of client, the length of pauses, and lost writes.

usage: handover.py [--version 6.2.14] [--count 30] [--table FILE]
                   [--methods aligned,asked-leader,unaligned,pause-then-plain,plain]

One deployment (three data nodes, three Sentinels, loopback) has the same load for every method:
four writers that ask GET-MASTER-ADDR-BY-NAME, and four that use redis-py's own Sentinel client
(SENTINEL MASTERS). The methods take turns, so that other work on the machine affects all of them
alike.
"""

from __future__ import annotations

import argparse
import datetime
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deployment import MASTER, Deployment, Writers
from states import settled, wait_until

CLIENTS = {"get-master-addr-by-name": "addr", "masters": "masters"}
REMARKABLE_MS = 700  # an aligned handover that pauses for longer is printed with its timeline
# The pause of typical charts: long enough for Sentinel to switch in any case.
PAUSE_MS = 22000


def ours(**options: Any) -> Callable[[Deployment, str], dict[str, Any]]:
    return lambda deployment, target: deployment.hand_over(target, **options)


def pause_then_plain(deployment: Deployment, target: str) -> dict[str, Any]:
    """Do what a chart does: pause writes, fail over, wait for the switch, restart the old master.

    Sentinel chooses the replica that becomes the master.
    """
    begun_at = datetime.datetime.now(datetime.UTC).isoformat()
    (old,) = deployment.masters()
    sentinel = next(iter(deployment.sentinels))
    full_before = {name: int(deployment.info(name)["sync_full"]) for name in deployment.nodes}
    begun_s = time.monotonic()
    deployment.command(old, "CLIENT", "PAUSE", PAUSE_MS, "WRITE")
    deployment.command(sentinel, "SENTINEL", "FAILOVER", MASTER)
    wait_until(lambda: named(deployment, sentinel) != deployment.ports[old])
    deployment.stop(old)
    pause_ms = (time.monotonic() - begun_s) * 1000
    deployment.start(old)
    wait_until(lambda: settled(deployment), 60)
    full = sum(max(0, int(deployment.info(name)["sync_full"]) - before * (name != old)) for name, before in full_before.items())
    return {"begun_at": begun_at, "pause_ms": pause_ms, "full_resyncs": full}


def named(deployment: Deployment, sentinel: str) -> int:
    """Return the port of the master that SENTINEL MASTER names.

    SENTINEL MASTER names the new master only after +switch-master.
    """
    reply = deployment.command(sentinel, "SENTINEL", "MASTER", MASTER)
    return int(dict(zip(reply[::2], reply[1::2], strict=True))["port"])


def plain(deployment: Deployment, target: str) -> dict[str, Any]:
    """Run SENTINEL FAILOVER alone, and wait until Sentinel has demoted the old master."""
    result = deployment.hand_over(target, mode="plain")
    wait_until(lambda: settled(deployment), 60)
    return result


def asked_leader(deployment: Deployment, target: str) -> dict[str, Any]:
    """Have the Sentinel lead that clients ask first."""
    return deployment.hand_over(target, mode="auto", leader=deployment.address(next(iter(deployment.sentinels))))


METHODS: dict[str, Callable[[Deployment, str], dict[str, Any]]] = {
    "aligned": ours(mode="auto"),
    "asked-leader": asked_leader,
    "unaligned": ours(mode="auto", align=False),
    "pause-then-plain": pause_then_plain,
    "plain": plain,
}


@dataclass
class Measured:
    """The measurements of one method: gaps and pauses in milliseconds, one per handover."""

    method: str
    pauses_ms: list[float] = field(default_factory=list)
    gaps_ms: dict[str, list[float]] = field(default_factory=lambda: {client: [] for client in CLIENTS})
    acknowledged: int = 0
    lost: int = 0
    unexpected: int = 0
    full_resyncs: int = 0
    failed: int = 0


def epoch_s(utc: str) -> float:
    return datetime.datetime.fromisoformat(utc.replace("Z", "+00:00")).timestamp()


def worst_gap_ms(verdict: dict[str, Any], begin_s: float, end_s: float) -> float:
    """Return the longest gap of any writer that began in a window of time.

    The result is 0 if all gaps were shorter than 100 ms.
    """
    gaps = [gap["gap_ms"] for writer in verdict["writers"] for gap in writer["gaps"] if begin_s <= gap["at_s"] <= end_s]
    return max(gaps, default=0.0)


def measure(deployment: Deployment, method: str, count: int, measured: Measured) -> None:
    """Run ``count`` handovers under load and record the measurements."""
    windows: list[tuple[float, float]] = []
    pauses: list[float] = []
    with (
        Writers(deployment, key_prefix="bench:addr") as by_address,
        Writers(deployment, key_prefix="bench:masters", discovery="masters", stop="stop-masters") as by_masters,
    ):
        for _number in range(count):
            result = METHODS[method](deployment, deployment.other_than_master())
            if result.get("failed"):
                measured.failed += 1
                print(f"  {method}: FAILED: {result['msg']}", flush=True)
                continue
            time.sleep(0.5)
            windows.append((epoch_s(result["begun_at"]), time.time()))
            pauses.append(result["pause_ms"])
            if result["pause_ms"] > REMARKABLE_MS and method == "aligned":
                print("\n".join(f"    {entry['at_ms']:>9.1f} ms  {entry['event']}" for entry in result["timeline"]), flush=True)
            measured.full_resyncs += result["full_resyncs"]
        verdicts = {"get-master-addr-by-name": by_address.verdict(), "masters": by_masters.verdict()}
    for client, verdict in verdicts.items():
        measured.acknowledged += verdict["acknowledged"]
        measured.lost += verdict["lost"]
        measured.unexpected += verdict["unexpected"]
        measured.gaps_ms[client] += [worst_gap_ms(verdict, *window) for window in windows]
    measured.pauses_ms += pauses
    for number in range(len(pauses), 0, -1):
        gaps = ", ".join(f"{client} {measured.gaps_ms[client][-number]:.0f} ms" for client in CLIENTS)
        print(
            f"  {method} {len(measured.pauses_ms) - number + 1}: pause {measured.pauses_ms[-number]:.0f} ms, write gap {gaps}", flush=True
        )


def three(values: list[float]) -> str:
    """Return the median, the 95th percentile and the maximum."""
    if not values:
        return "-"
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
    return f"{statistics.median(ordered):.0f} / {p95:.0f} / {ordered[-1]:.0f}"


def table(version: str, rows: list[Measured]) -> list[str]:
    lines = [
        f"{version}; milliseconds as median / 95th percentile / maximum, writers' gaps the longest of any writer in each handover",
        "",
        "| method | handovers | lost / acknowledged | unexpected | writes stopped | gap, get-master-addr-by-name | gap, SENTINEL MASTERS "
        "| full resyncs |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        gaps = " | ".join(three(row.gaps_ms[client]) for client in CLIENTS)
        stopped = "never" if row.method == "plain" else three(row.pauses_ms)
        lines.append(
            f"| {row.method} | {len(row.pauses_ms)} | {row.lost:,} / {row.acknowledged:,} | {row.unexpected} | {stopped} | {gaps} "
            f"| {row.full_resyncs} |"
        )
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", default="6.2.14")
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--table", type=Path, help="also write the table into this file")
    parser.add_argument("--port", type=int, default=34001)
    arguments = parser.parse_args()
    rows = {method: Measured(method) for method in arguments.methods.split(",")}
    rounds = [min(5, arguments.count - done) for done in range(0, arguments.count, 5)]
    with tempfile.TemporaryDirectory(prefix="handover-bench-") as folder:
        deployment = Deployment(Path(folder) / "deployment", arguments.version, arguments.port)
        try:
            deployment.build()
            for number, size in enumerate(rounds, 1):
                for method, measured in rows.items():
                    print(f"round {number} of {len(rounds)}: {size} handovers, {method}", flush=True)
                    measure(deployment, method, size, measured)
        finally:
            deployment.remove()
    lines = table(arguments.version, list(rows.values()))
    print("\n".join(["", *lines]))
    if arguments.table:
        arguments.table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 1 if any(row.failed for row in rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
