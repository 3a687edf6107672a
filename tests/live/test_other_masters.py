"""Masters that the Sentinels also monitor, and that a run leaves alone: gone ones, healthy ones."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import CommandRefused
from deployment import MASTER, SERVERS, Deployment
from preflights import Circumstances, preflight
from states import wait_until

from playbooks import run, words

pytestmark = pytest.mark.extended

VERSION = "6.2.9"


@pytest.fixture(scope="module")
def healthy(deployment: Deployment) -> Iterator[int]:
    """Yield the port of a master outside of the inventory."""
    port = max(deployment.nodes.values()) + 5
    server = subprocess.Popen(
        [SERVERS / VERSION / "redis-server", "--port", str(port), "--save", "", "--dir", str(deployment.folder)], stdout=subprocess.DEVNULL
    )
    yield port
    server.terminate()
    server.wait()


def monitor(deployment: Deployment, names: list[str], master: str, port: int, quorum: int) -> None:
    for name in names:
        deployment.command(name, "SENTINEL", "MONITOR", master, "127.0.0.1", port, quorum)
        deployment.command(name, "SENTINEL", "SET", master, "down-after-milliseconds", 1000)


def view(deployment: Deployment, name: str, master: str) -> dict[str, str]:
    reply = deployment.command(name, "SENTINEL", "MASTER", master)
    return dict(zip(reply[::2], reply[1::2], strict=True))


def findings(deployment: Deployment, master: str) -> list[dict[str, Any]]:
    return [
        one
        for one in preflight(deployment, Circumstances(settings={"version": "6.2.14"}))["findings"]
        if f"the master {master} " in one["seen"]
    ]


def test_a_healthy_master_that_too_few_sentinels_monitor_is_protected(deployment: Deployment, healthy: int) -> None:
    two = ["sentinel-1", "sentinel-2"]
    monitor(deployment, two, "second", healthy, 2)
    try:
        wait_until(lambda: {view(deployment, name, "second")["num-other-sentinels"] for name in two} == {"1"}, 20)
        (finding,) = findings(deployment, "second")
        assert (finding["check"], finding["severity"], len(finding["nodes"])) == ("spare-sentinel", "refusal", 2)
        monitor(deployment, ["sentinel-3"], "second", healthy, 2)  # the remedy
        wait_until(lambda: {view(deployment, name, "second")["num-other-sentinels"] for name in deployment.sentinels} == {"2"}, 20)
        assert findings(deployment, "second") == []
    finally:
        for name in deployment.sentinels:
            with contextlib.suppress(CommandRefused):  # it does not monitor it
                deployment.command(name, "SENTINEL", "REMOVE", "second")


def test_masters_without_a_possible_failover_hold_no_sentinel_back(deployment: Deployment, healthy: int) -> None:
    """One Sentinel, two, or all monitor a master that is gone; a healthy one has a quorum of 5."""
    every, gone = list(deployment.sentinels), healthy + 1
    monitor(deployment, ["sentinel-1"], "gone-1", gone, 2)
    monitor(deployment, ["sentinel-2"], "gone-2", gone + 1, 1)
    monitor(deployment, every, "gone-3", gone + 2, 2)
    monitor(deployment, every, "greedy", healthy, 5)
    wait_until(lambda: "s_down" in view(deployment, "sentinel-3", "gone-3")["flags"], 20)
    wait_until(lambda: view(deployment, "sentinel-3", "greedy")["num-other-sentinels"] == "2", 20)
    result = preflight(deployment, Circumstances(settings={"version": "6.2.14"}))
    assert result["ready"], result["findings"]
    assert [len(one["nodes"]) for name in ("gone-1", "gone-2", "gone-3", "greedy") for one in findings(deployment, name)] == [1, 1, 3, 3]
    (finding,) = findings(deployment, "gone-1")
    assert (finding["check"], finding["severity"]) == ("other-masters", "warning")
    assert "SENTINEL REMOVE gone-1" in finding["do"]

    done = run(deployment, "upgrade")
    assert done.returncode == 0, words(done.stdout)[-3000:]
    assert {deployment.info(name)["redis_version"] for name in deployment.ports} == {"6.2.14"}
    assert "s_down" in view(deployment, "sentinel-1", "gone-1")["flags"], "it is still monitored"


def test_without_names_a_gone_master_is_refused_with_its_remedy(deployment: Deployment) -> None:
    """It runs after the upgrade: the masters without a failover are still monitored."""
    found = preflight(deployment, Circumstances(settings={"master_name": "", "version": "7.0.15"}))
    texts = [one["text"] for one in found["findings"] if one["check"] == "inventory"]
    assert any(text.startswith("shard gone-1: its master") and "SENTINEL REMOVE gone-1 on each Sentinel" in text for text in texts), texts
    assert MASTER not in " ".join(texts)
