"""One judge for all faults: the checks that a deployment is whole."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from ansible_collections.sentinelops.redis.plugins.module_utils._errors import SentinelOpsError
from ansible_collections.sentinelops.redis.plugins.module_utils._server.config_file import quote_sentinel_secrets
from deployment import Deployment, server_in
from states import journals_left, left_of_trials, settings, settled

PROBE = "sentinelops:probe"


def problems(deployment: Deployment, versions: Collection[str]) -> Iterator[str]:
    """Yield the problems: no answer, a wrong version, writes besides the master, disorder."""
    found = []
    for name in deployment.ports:
        try:
            info = deployment.administered_info(name)
        except SentinelOpsError as error:
            found.append(f"{name} does not answer: {error.message}")
            continue
        if (version := info.get("valkey_version") or info["redis_version"]) not in versions:
            found.append(f"{name} runs {version}")
    yield from found
    if found:
        return
    yield from _not_served(deployment)
    if not settled(deployment):
        yield "roles, links or Sentinels are not in order"


def _not_served(deployment: Deployment) -> Iterator[str]:
    writable = [name for name in deployment.nodes if takes_writes(deployment, name)]
    if len(writable) != 1:
        yield f"writes are taken by {' and '.join(writable) or 'nobody'}"


def takes_writes(deployment: Deployment, name: str) -> bool:
    with contextlib.suppress(SentinelOpsError):
        deployment.administer(name, "SET", PROBE, name, "PX", 1000)
        return True
    return False


def _await_none(look: Callable[[], Iterator[str]], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while found := list(look()):
        assert time.monotonic() < deadline, found
        time.sleep(0.3)


def await_whole(deployment: Deployment, versions: Collection[str], seconds: float = 90) -> None:
    """Wait until a deployment is whole; Sentinels take time, for example to see a node return."""
    _await_none(lambda: problems(deployment, versions), seconds)


def await_served(deployment: Deployment, seconds: float = 90) -> None:
    """Wait until exactly one node takes writes, whatever the state of the others."""
    _await_none(lambda: _not_served(deployment), seconds)


def kept(deployment: Deployment) -> dict[str, Any]:
    """Return the state that an upgrade must keep: the master, and all settings that it
    overrides.
    """
    return {"master": [name for name in deployment.nodes if deployment.administer(name, "ROLE")[0] == "master"], **settings(deployment)}


def installed(deployment: Deployment, name: str) -> dict[str, Any]:
    """Return the properties of an instance that a revert must restore.

    These are the program, and the configuration with owner and mode. Lines that a Sentinel writes
    by itself may have another order, other epochs and other quotes.
    """
    file = deployment.config(name)
    text, found = file.read_text(encoding="utf-8"), file.stat()
    lines = sorted(line for line in quote_sentinel_secrets(text).splitlines() if "epoch" not in line)
    program = server_in(deployment.folder / name / "redis")
    return {
        "executable": Path(f"/proc/{deployment.administered_info(name)['process_id']}/exe").resolve() == program.resolve(),
        "program": hashlib.sha256(program.read_bytes()).hexdigest(),
        "configuration": lines if name in deployment.sentinels else text,
        "mode": oct(found.st_mode),
        "owner": (found.st_uid, found.st_gid),
    }


def left_behind(deployment: Deployment) -> list[str]:
    """Return leftovers of a finished upgrade: journals, undo files, locks, trials, staged
    versions.
    """
    found = [*left_of_trials(deployment.folder), *deployment.folder.glob("*/redis.new")]
    return sorted([*journals_left(deployment), *map(str, found)])


def lost(verdict: dict[str, Any], may_lose: int) -> int:
    """Return the number of acknowledged writes that are lost; assert that they are not too many."""
    assert verdict["acknowledged"] > 100, verdict
    assert verdict["lost"] <= may_lose, f"{verdict['lost']} of {verdict['acknowledged']} acknowledged writes are lost"
    assert (verdict["unexpected"], verdict["duplicates"]) == (0, 0), verdict
    return int(verdict["lost"])
