"""Kill the controller of upgrades at random moments, run each upgrade again, and count.

usage: random_kills.py [--count N] [--seed SEED]

Each run upgrades a deployment under load, and is killed with SIGKILL at a moment that is chosen
from the whole length of an upgrade. Victims are ansible-playbook alone, ansible-playbook with its
workers, or also the modules that run on the hosts. One more run must complete the upgrade, without
the loss of an acknowledged write. A run that had ended before the kill counts as killed.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import judge
from deployment import Deployment, Writers
from fault import PASSWORDS
from killing import VICTIMS, kill_controller
from pool import FIRST_PORT
from runner import WRITERS, WRITES_PER_SECOND, build, log, plain, upgrade
from states import calm, wait_until

import playbooks


@dataclass
class Total:
    """The totals of all runs.

    ``resumed``: upgrades that a single run completed. ``served``: upgrades with exactly one
    writable node between the two runs.
    """

    runs: int = 0
    served: int = 0
    resumed: int = 0
    acknowledged: int = 0
    lost: int = 0

    def __str__(self) -> str:
        return (
            f"{self.runs} runs killed, one writable master in between {self.served}, resumed by a single run {self.resumed}, "
            f"lost {self.lost} of {self.acknowledged} acknowledged writes"
        )


def one(deployment: Deployment, moment: random.Random, length_s: float, total: Total) -> tuple[str, float]:
    """Build a deployment, kill its upgrade, run it again, and judge.

    Returns the victim and the moment, and the duration of the second run.
    """
    victims, after_s = moment.choice(VICTIMS), moment.uniform(0, length_s)
    what = f"{victims} killed after {after_s:.1f} s"
    before = judge.kept(deployment)
    with Writers(deployment, writers=WRITERS, writes_per_second=WRITES_PER_SECOND, duration_s=3600) as writers:
        with playbooks.started(upgrade(deployment, PASSWORDS), log(deployment), deployment.mark) as running:
            begun = time.monotonic()
            while running.process.poll() is None and time.monotonic() < begun + after_s:
                time.sleep(0.02)
            play = running.output.rpartition("PLAY [")[2].partition("]")[0]
            kill_controller(deployment, victims)
            running.end()
        wait_until(lambda: not deployment.handing_over(), 600)
        judge.await_served(deployment)
        total.served += 1
        wait_until(lambda: calm(deployment), 120)
        with playbooks.started(upgrade(deployment, PASSWORDS), log(deployment), deployment.mark) as running:
            begun = time.monotonic()
            assert running.end() == 0, playbooks.words(running.output)
            took_s = time.monotonic() - begun
        judge.await_whole(deployment, [plain(PASSWORDS.wanted)])
        assert judge.kept(deployment) == before
        assert judge.left_behind(deployment) == []
        total.resumed += 1
        verdict = writers.verdict()
    total.acknowledged += verdict["acknowledged"]
    total.lost += verdict["lost"]
    judge.lost(verdict, 0)
    return f"{what}, in play {play or 'none'}", took_s


def built(folder: Path, attempts: int = 3) -> Deployment:
    """Return a deployment; on a busy machine, Sentinels may need several attempts to discover
    it.
    """
    for _attempt in range(attempts - 1):
        try:
            return build(PASSWORDS, folder, FIRST_PORT)  # removes a deployment that fails
        except TimeoutError as error:
            print(f"      not built, tried again: {error}", flush=True)
    return build(PASSWORDS, folder, FIRST_PORT)


def measured(folder: Path) -> float:
    """Return the duration of an undisturbed upgrade in seconds."""
    deployment = built(folder)
    try:
        begun = time.monotonic()
        with playbooks.started(upgrade(deployment, PASSWORDS), log(deployment)) as running:
            assert running.end() == 0, running.output
        return time.monotonic() - begun
    finally:
        deployment.remove()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", default=str(random.SystemRandom().randrange(10**6)))
    arguments = parser.parse_args()
    moment, total, failures = random.Random(arguments.seed), Total(), []
    print(f"{arguments.count} runs, SEED={arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="random-kills-") as above:
        length_s = measured(Path(above) / "measured")
        print(f"an upgrade takes {length_s:.0f} s", flush=True)
        for number in range(1, arguments.count + 1):
            deployment = built(Path(above) / f"run-{number}")
            total.runs += 1
            try:
                what, took_s = one(deployment, moment, length_s, total)
                print(f"{number:4}: {what}; completed by one run in {took_s:.0f} s", flush=True)
            except (AssertionError, TimeoutError) as error:
                failures.append(number)
                # the end of the output has the reason
                print(f"{number:4}: FAILED: ... {str(error)[-1500:]}", flush=True)
            finally:
                deployment.remove()
    print(f"{total}; SEED={arguments.seed}{f'; failed: {failures}' if failures else ''}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
