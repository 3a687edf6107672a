"""Move the master role back and forth under load, many times, and print the totals.

usage: soak.py [--version 7.0.15] [--count 1000]

The deployment and the writers are those of handover.py. The writers are read and restarted every 50
handovers.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from deployment import Deployment
from handover import CLIENTS, Measured, measure, three
from states import settings

CHUNK = 50


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", default="7.0.15")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--port", type=int, default=35001)
    arguments = parser.parse_args()
    measured = Measured("aligned")
    with tempfile.TemporaryDirectory(prefix="handover-soak-") as folder:
        deployment = Deployment(Path(folder) / "deployment", arguments.version, arguments.port)
        try:
            deployment.build()
            before = settings(deployment)
            for done in range(0, arguments.count, CHUNK):
                measure(deployment, "aligned", min(CHUNK, arguments.count - done), measured)
                print(f"{len(measured.pauses_ms)} handovers, {measured.lost} lost of {measured.acknowledged:,}", flush=True)
            restored = settings(deployment) == before
        finally:
            deployment.remove()
    print(f"\n{arguments.version}: {len(measured.pauses_ms)} handovers, {measured.failed} failed")
    print(f"{measured.lost} lost and {measured.unexpected} unexpected of {measured.acknowledged:,} acknowledged writes")
    print(f"writes paused {three(measured.pauses_ms)} ms (median / 95th percentile / maximum)")
    for client in CLIENTS:
        print(f"gap, {client}: {three(measured.gaps_ms[client])} ms")
    print(f"{measured.full_resyncs} full resyncs; settings {'as before' if restored else 'NOT as before'}")
    return int(bool(measured.lost or measured.unexpected or measured.failed or not restored))


if __name__ == "__main__":
    sys.exit(main())
