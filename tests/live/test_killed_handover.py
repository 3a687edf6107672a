"""The handover killed with SIGKILL at random moments: its standby finishes it or takes it back, and nothing is lost.

KILLS says how often (default 6); the moments are spread over the whole handover.
"""

from __future__ import annotations

import os
import random
import time
from typing import Any

from deployment import MASTER, Deployment, Writers, run_module, start_module

VERSION = "7.0.15"  # it asks for INFO every second, so a handover takes about three seconds
KILLS = int(os.environ.get("KILLS", "6"))


def settings(deployment: Deployment) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in deployment.nodes:
        for parameter in ("replica-priority", "min-replicas-to-write", "min-replicas-max-lag"):
            found[f"{name} {parameter}"] = deployment.command(name, "CONFIG", "GET", parameter)[1]
    for name in deployment.sentinels:
        reply = deployment.command(name, "SENTINEL", "DEBUG")
        found[f"{name} INFO-PERIOD"] = dict(zip(reply[::2], reply[1::2], strict=True))["INFO-PERIOD"]
    return found


def settled(deployment: Deployment) -> bool:
    replicas = [deployment.info(name) for name in deployment.nodes]
    return sorted(info["role"] for info in replicas) == ["master", "slave", "slave"] and all(
        info.get("master_link_status", "up") == "up" for info in replicas
    )


def wait_until(what: Any, seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def test_killed_at_any_moment_and_run_again(deployment: Deployment) -> None:
    before = settings(deployment)
    moment = random.Random(os.environ.get("SEED", "7"))
    with Writers(deployment) as writers:
        for _number in range(KILLS):
            target = "redis-2" if deployment.masters() == ["redis-1"] else "redis-1"
            arguments = {
                "login_port": next(iter(deployment.sentinels.values())),
                "master_name": MASTER,
                "target": deployment.address(target),
            }
            module = start_module("redis_sentinel_failover", **arguments)
            time.sleep(moment.uniform(0.3, 3.5))
            module.kill()
            module.wait()
            wait_until(lambda: not deployment.standbys(), 60)
            wait_until(lambda: settled(deployment))
            assert settings(deployment) == before
            result = run_module("redis_sentinel_failover", **arguments)
            assert not result.get("failed"), result["msg"]
            assert deployment.masters() == [target]
        verdict = writers.verdict()
    assert settings(deployment) == before
    assert verdict["acknowledged"] > 500 * KILLS
    assert (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0)
