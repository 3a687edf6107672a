"""Runs of a playbook that are killed at each of its plays, one after the other."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.steps import Play
from deployment import Deployment
from killing import VICTIMS, kill_controller
from states import calm, wait_until

from playbooks import command, run, started, words

_victims = itertools.cycle(VICTIMS)


def chain(deployment: Deployment, playbook: str, plays: tuple[Play, ...], log: Path, wanted: str, **variables: Any) -> list[str]:
    """Kill a playbook at each play that it reaches, then run it to its end; return these plays.

    Each run is killed as soon as it has begun the next play, and the run after it goes on.
    """
    titles = [play.full_title for play in plays if play.hosts]
    reached = [title for title in titles if _killed_at(deployment, playbook, title, log, wanted, variables)]
    done = run(deployment, playbook, wanted=wanted, **variables)
    assert done.returncode == 0, words(done.stdout)[-4000:]
    return reached


def _killed_at(deployment: Deployment, playbook: str, title: str, log: Path, wanted: str, variables: dict[str, Any]) -> bool:
    """Run a playbook; kill it in this play; return whether it came so far."""
    with started(command(deployment, playbook, wanted=wanted, **variables), log, deployment.mark) as running:
        while running.process.poll() is None and f"PLAY [{title}]" not in running.output:
            time.sleep(0.02)
        reached = f"PLAY [{title}]" in running.output
        time.sleep(1.5)  # the play has begun its work
        kill_controller(deployment, next(_victims))
        running.end()
    wait_until(lambda: not deployment.handing_over(), 120)
    wait_until(lambda: calm(deployment), 120)
    return reached
