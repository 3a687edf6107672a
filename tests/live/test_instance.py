"""redis_instance refuses to stop a master, and a Sentinel that a failover needs."""

from __future__ import annotations

import time

from deployment import MASTER, Deployment, run_module
from states import wait_until


def test_a_master_is_not_stopped(deployment: Deployment) -> None:
    before = deployment.pids()
    result = run_module("redis_instance", state="stopped", login_port=deployment.ports["redis-1"])
    assert "it is a master, followed by" in result["msg"]
    assert deployment.pids() == before


def test_a_sentinel_that_is_needed_is_not_stopped(deployment: Deployment) -> None:
    deployment.processes["sentinel-3"].kill()
    deadline = time.monotonic() + 20
    while "s_down" not in str(deployment.command("sentinel-1", "SENTINEL", "SENTINELS", MASTER)):
        assert time.monotonic() < deadline, "the dead Sentinel was not noticed"
        time.sleep(0.2)
    pid = deployment.info("sentinel-1")["process_id"]
    result = run_module("redis_instance", state="stopped", sentinel=True, login_port=deployment.ports["sentinel-1"])
    assert "it reaches 1 of the 2 other Sentinels of mymaster, and 2 are needed for a failover" in result["msg"]
    assert deployment.info("sentinel-1")["process_id"] == pid


def test_a_master_that_nobody_follows_is_not_stopped(deployment: Deployment) -> None:
    """The master may be the only node that is left."""
    for name in ("redis-2", "redis-3"):
        deployment.processes[name].kill()
    wait_until(lambda: deployment.info("redis-1")["connected_slaves"] == "0", 20)
    pid = deployment.info("redis-1")["process_id"]
    result = run_module("redis_instance", state="stopped", login_port=deployment.ports["redis-1"])
    assert "it is a master, followed by nobody, and will not be stopped" in result["msg"]
    assert deployment.info("redis-1")["process_id"] == pid
