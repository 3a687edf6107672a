"""Measures handovers: how long each kind of client cannot write, for how long writes are paused, and what is lost.

usage: handover.py [--version 6.2.14] [--count 10] [--methods aligned,unaligned,...]

One deployment (three data nodes, three Sentinels, loopback), the same load for every method: four writers that ask
GET-MASTER-ADDR-BY-NAME and four that use redis-py's own Sentinel client (SENTINEL MASTERS).
"""

from __future__ import annotations

import argparse
import datetime
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deployment import MASTER, Deployment, Writers, run_module

METHODS: dict[str, dict[str, Any]] = {
    "aligned": {},
    "unaligned": {"align": False},
    "plain": {"mode": "plain"},
}
CLIENTS = {"get-master-addr-by-name": "addr", "masters": "masters"}


@dataclass
class Measured:
    """What was seen of one method; gaps and pauses in milliseconds, one per handover."""

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
    """The longest gap of any writer that began in a window of time; 0 if all were shorter than 100 ms."""
    gaps = [gap["gap_ms"] for writer in verdict["writers"] for gap in writer["gaps"] if begin_s <= gap["at_s"] <= end_s]
    return max(gaps, default=0.0)


def measure(deployment: Deployment, method: str, count: int) -> Measured:
    measured = Measured(method)
    windows: list[tuple[float, float]] = []
    with (
        Writers(deployment, key_prefix="bench:addr") as by_address,
        Writers(deployment, key_prefix="bench:masters", discovery="masters", stop="stop-masters") as by_masters,
    ):
        for number in range(count):
            target = "redis-2" if deployment.masters()[0] == "redis-1" else "redis-1"
            port = next(iter(deployment.sentinels.values()))
            result = run_module(
                "redis_sentinel_failover",
                login_port=port,
                master_name=MASTER,
                target=deployment.address(target),
                **METHODS[method],
            )
            if result.get("failed"):
                measured.failed += 1
                print(f"  {method} {number + 1}: FAILED: {result['msg']}", flush=True)
                continue
            time.sleep(0.5)
            windows.append((epoch_s(result["begun_at"]), time.time()))
            measured.pauses_ms.append(result["pause_ms"])
            measured.full_resyncs += result["full_resyncs"]
        verdicts = {"get-master-addr-by-name": by_address.verdict(), "masters": by_masters.verdict()}
    for client, verdict in verdicts.items():
        measured.acknowledged += verdict["acknowledged"]
        measured.lost += verdict["lost"]
        measured.unexpected += verdict["unexpected"]
        measured.gaps_ms[client] = [worst_gap_ms(verdict, *window) for window in windows]
    for number, pause in enumerate(measured.pauses_ms):
        gaps = ", ".join(f"{client} {measured.gaps_ms[client][number]:.0f} ms" for client in CLIENTS)
        print(f"  {method} {number + 1}: pause {pause:.0f} ms, write gap {gaps}", flush=True)
    return measured


def three(values: list[float]) -> str:
    """Median, 95th percentile and maximum."""
    if not values:
        return "-"
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
    return f"{statistics.median(ordered):.0f} / {p95:.0f} / {ordered[-1]:.0f}"


def table(version: str, rows: list[Measured]) -> list[str]:
    lines = [
        f"Redis {version}; milliseconds as median / 95th percentile / maximum",
        "",
        "| method | handovers | lost / acknowledged | pause | gap, get-master-addr-by-name | gap, SENTINEL MASTERS | full resyncs |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        gaps = " | ".join(three(row.gaps_ms[client]) for client in CLIENTS)
        lines.append(
            f"| {row.method} | {len(row.pauses_ms)} | {row.lost:,} / {row.acknowledged:,} | {three(row.pauses_ms)} | {gaps} "
            f"| {row.full_resyncs} |"
        )
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", default="6.2.14")
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--methods", default="aligned")
    parser.add_argument("--port", type=int, default=24001)
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="handover-bench-") as folder:
        deployment = Deployment(Path(folder) / "deployment", arguments.version, arguments.port)
        try:
            deployment.build()
            for method in arguments.methods.split(","):
                print(f"{method}: {arguments.count} handovers ...", flush=True)
                rows.append(measure(deployment, method, arguments.count))
        finally:
            deployment.remove()
    print("\n".join(["", *table(arguments.version, rows)]))
    return 1 if any(row.failed for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
