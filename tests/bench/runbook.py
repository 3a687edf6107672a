"""Measure the usual runbook for an upgrade under Sentinel: the writes that a script of it loses.

usage: runbook.py [--version 6.2.9] [--wanted 6.2.14]

The runbook: stop all Sentinels and start them with the new version, restart the replicas one by
one, run SENTINEL FAILOVER, restart the old master, which is a replica now, and fail back with
another SENTINEL FAILOVER. Each step waits until the one before has succeeded. After a restart the
script also waits for 10 s, since a Sentinel asks each node for INFO that often. Three data nodes,
three Sentinels, loopback; four writers attempt 250 writes per second each.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from deployment import MASTER, SERVERS, Deployment, Writers
from states import settled, wait_until

# The INFO period of a Sentinel, which does not promote a restarted replica before the next INFO.
INFO_PERIOD_S = 10


class Runbook:
    """The steps of the runbook on one deployment."""

    def __init__(self, deployment: Deployment, wanted: str) -> None:
        self.deployment, self.wanted = deployment, wanted

    def run(self) -> None:
        """Carry out all steps; print each with the time since the start."""
        self.begun_s = time.monotonic()
        self.upgrade_sentinels()
        (master,) = self.deployment.masters()
        for name in self.deployment.nodes:
            if name != master:
                self.upgrade_replica(name)
        self.fail_over(master)
        self.upgrade_replica(master)
        (current,) = self.deployment.masters()
        self.fail_over(current)
        wait_until(lambda: settled(self.deployment), 60)
        self.say("done")

    def upgrade_sentinels(self) -> None:
        for name in self.deployment.sentinels:
            self.deployment.stop(name)
        for name in self.deployment.sentinels:
            self.replace(name)
            self.deployment.start(name)
        time.sleep(INFO_PERIOD_S)
        self.deployment.wait_until_known()
        self.say("the Sentinels run the new version")

    def upgrade_replica(self, name: str) -> None:
        self.deployment.command(name, "CONFIG", "REWRITE")
        self.deployment.stop(name)
        self.replace(name)
        self.deployment.start(name)
        time.sleep(INFO_PERIOD_S)
        wait_until(lambda: settled(self.deployment), 60)
        self.say(f"{name} runs the new version")

    def replace(self, name: str) -> None:
        """Put the new version in the place of the old one, with the old configuration file."""
        folder = self.deployment.folder / name / "redis"
        folder.rename(folder.with_name("redis.old"))
        shutil.copytree(SERVERS / self.wanted, folder)
        shutil.copy(folder.with_name("redis.old") / self.deployment.config(name).name, folder)

    def fail_over(self, master: str) -> None:
        """Ask a Sentinel for a failover; wait until INFO of the old master says role:slave."""
        self.deployment.command(next(iter(self.deployment.sentinels)), "SENTINEL", "FAILOVER", MASTER)
        wait_until(lambda: self.deployment.info(master)["role"] == "slave", 60)
        self.say(f"{master} is a replica")

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.begun_s:6.1f} s  {text}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", default="6.2.9")
    parser.add_argument("--wanted", default="6.2.14")
    parser.add_argument("--port", type=int, default=31001)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="runbook-bench-") as folder:
        deployment = Deployment(Path(folder) / "deployment", arguments.version, arguments.port)
        try:
            deployment.build()
            with Writers(deployment) as writers:
                Runbook(deployment, arguments.wanted).run()
                verdict = writers.verdict()
        finally:
            deployment.remove()
    lost, acknowledged = verdict["lost"], verdict["acknowledged"]
    print(f"{arguments.version} to {arguments.wanted}: {lost:,} of {acknowledged:,} acknowledged writes lost ({lost / acknowledged:.0%})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
