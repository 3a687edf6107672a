"""The current state of a deployment, for comparisons before and after."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.sentinelops.redis.plugins.module_utils._errors import SentinelOpsError
from deployment import MASTER, Deployment

SETTINGS = ("replica-priority", "min-replicas-to-write", "min-replicas-max-lag", "repl-ping-replica-period")


def settings(deployment: Deployment) -> dict[str, Any]:
    """Return all settings that a handover overrides and restores, of all nodes and Sentinels."""
    found: dict[str, Any] = {}
    for name in deployment.nodes:
        for parameter in SETTINGS:
            found[f"{name} {parameter}"] = deployment.administer(name, "CONFIG", "GET", parameter)[1]
    for name in deployment.sentinels:
        reply = deployment.administer(name, "SENTINEL", "MASTER", MASTER)
        fields = dict(zip(reply[::2], reply[1::2], strict=True))
        for parameter in ("failover-timeout", "parallel-syncs"):
            found[f"{name} {parameter}"] = fields[parameter]
        if not deployment.version.startswith(("5.", "6.")):
            reply = deployment.administer(name, "SENTINEL", "DEBUG")
            found[f"{name} INFO-PERIOD"] = dict(zip(reply[::2], reply[1::2], strict=True))["INFO-PERIOD"]
    return found


def snapshot(deployment: Deployment) -> dict[str, Any]:
    """Return settings, PIDs, lines of the data nodes' configuration files, roles and the master."""
    found: dict[str, Any] = {"settings": settings(deployment)}
    found["pids"] = {name: process.pid for name, process in deployment.processes.items()}
    found["files"] = {
        name: [line for line in deployment.config(name).read_text(encoding="utf-8").splitlines() if line.partition(" ")[0] in SETTINGS]
        for name in deployment.nodes
        if deployment.config(name).exists()
    }
    found["roles"] = {name: deployment.administer(name, "ROLE")[0] for name in deployment.nodes}
    found["named"] = [deployment.administer(name, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER) for name in deployment.sentinels]
    return found


def settled(deployment: Deployment) -> bool:
    """Return whether the deployment is in order.

    There is one master, all others follow it, no failover is in progress, and all Sentinels agree.
    """
    try:
        infos = [deployment.administered_info(name) for name in deployment.nodes]
        views = [deployment.administer(name, "SENTINEL", "MASTER", MASTER) for name in deployment.sentinels]
    except SentinelOpsError:
        return False  # an instance has only just been started
    fields = [dict(zip(view[::2], view[1::2], strict=True)) for view in views]
    return (
        sorted(info["role"] for info in infos) == ["master", *["slave"] * (len(infos) - 1)]
        and all(info.get("master_link_status", "up") == "up" for info in infos)
        and len({view["port"] for view in fields}) == 1
        and not any("failover_in_progress" in view["flags"] or "down" in view["flags"] for view in fields)
    )


def answers(deployment: Deployment, name: str) -> bool:
    """Return whether a data node serves: it answers, and has loaded its data."""
    with contextlib.suppress(SentinelOpsError):
        return deployment.administered_info(name).get("loading", "0") == "0"
    return False


def calm(deployment: Deployment) -> bool:
    """Return whether no Sentinel that answers is in TILT."""
    for name in deployment.sentinels:
        with contextlib.suppress(SentinelOpsError):
            if deployment.in_tilt(name):
                return False
    return True


def journals_left(deployment: Deployment) -> list[str]:
    """Return the files in the journal folder, except backups and records of previous versions."""
    found = [path.name for path in (deployment.folder / "journal").glob("*")]
    return sorted(name for name in found if name != "backup" and not name.endswith(".before.json"))


def locks_left(deployment: Deployment) -> list[Path]:
    """Return the files of locks of runs."""
    return sorted((deployment.folder / "journal").glob("*.lock.json"))


def left_of_trials(folder: Path | str) -> list[Path]:
    """Return the folders of trials whose configuration names this folder."""
    found = []
    for file in Path("/tmp").glob("redis-trial-*/*.conf"):
        with contextlib.suppress(OSError):
            found += [file.parent] * (str(folder) in file.read_text(encoding="utf-8"))
    return found


def wait_until(what: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
