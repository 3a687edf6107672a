"""Handovers killed with SIGKILL at random moments: nothing is lost, and a rerun completes them.

The standby finishes or reverts a handover whose module was killed. KILLS is the number of kills
(default 6); their moments are spread over the whole handover. The victims are, in turn, the module,
the ansible-playbook that runs it, and both.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from deployment import Deployment, Writers
from states import settings, settled, wait_until

VERSION = "7.0.15"  # Sentinels ask for INFO every second, so a handover takes about three seconds.
KILLS = int(os.environ.get("KILLS", "6"))


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def kill_the_module(deployment: Deployment, target: str, after_s: float) -> None:
    module = deployment.start_handover(target)
    time.sleep(after_s)
    kill(module.pid)
    module.wait()


def controller_killed(deployment: Deployment, target: str, after_s: float, module_too: bool) -> None:
    """Kill ansible-playbook and its workers at once, as if the controller's machine had died."""
    words = ["ansible-playbook", "-i", str(deployment.inventory), "sentinelops.redis.handover", "-e", f"redis_upgrade_handover_to={target}"]
    controller = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True, env=deployment.mark, text=True
    )
    assert controller.stdout is not None
    assert any("Hand the master role to" in line for line in controller.stdout), "the module was not started"
    time.sleep(after_s)
    for pid in deployment.handing_over():
        is_controller = b"ansible-playbook" in Path(f"/proc/{pid}/cmdline").read_bytes()
        is_standby = os.getsid(pid) == pid and pid != controller.pid and not is_controller
        if is_controller or (module_too and not is_standby):
            kill(pid)
    controller.communicate()


def kill_the_controller(deployment: Deployment, target: str, after_s: float) -> None:
    controller_killed(deployment, target, after_s, module_too=False)


def kill_both(deployment: Deployment, target: str, after_s: float) -> None:
    controller_killed(deployment, target, after_s, module_too=True)


VICTIMS: list[Callable[[Deployment, str, float], None]] = [kill_the_module, kill_the_controller, kill_both]


def test_killed_at_any_moment_and_run_again(deployment: Deployment) -> None:
    before = settings(deployment)
    moment = random.Random(os.environ.get("SEED", "7"))
    with Writers(deployment, duration_s=3600) as writers:
        for number in range(KILLS):
            print(f"kill {number + 1}", flush=True)
            target = deployment.other_than_master()
            VICTIMS[number % len(VICTIMS)](deployment, target, moment.uniform(0.3, 3.5))
            wait_until(lambda: not deployment.handing_over(), 60)
            wait_until(lambda: settled(deployment))
            assert settings(deployment) == before
            result = deployment.hand_over(target)
            assert not result.get("failed"), result["msg"]
            assert deployment.masters() == [target]
            left = [name for name in os.listdir(deployment.folder / "journal") if name.startswith("handover-")]
            assert left == [], "no note and no lock of a handover is left"
        verdict = writers.verdict()
    print(f"{KILLS} kills: {verdict['acknowledged']} acknowledged, {verdict['lost']} lost, longest gap {verdict['longest_gap_ms']} ms")
    assert settings(deployment) == before
    assert verdict["acknowledged"] > 500 * KILLS
    assert (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0)
