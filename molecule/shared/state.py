"""Print the state of a host's instances as JSON, as root on the host: state.py LAYOUT PASSWORD.

LAYOUT is the JSON of the scenario's inventory. An instance that does not answer has no entry.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import redis

DROP_IN = "/etc/systemd/system/{}.service.d/zz-sentinelops-redis.conf"
PROPERTIES = "MainPID,ActiveState,NRestarts,UnitFileState,NeedDaemonReload"


def text_of(path: str) -> str:
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as file:
        return file.read()


def listener(port: int) -> int:
    """Return the process that listens on a port, by its id on this host."""
    output = subprocess.run(["ss", "-Hltnp", f"sport = :{port}"], capture_output=True, text=True, check=True).stdout
    return int(re.findall(r"pid=(\d+)", output)[0])


def status_of(pid: int) -> dict[str, str]:
    return dict(line.split(":", 1) for line in text_of(f"/proc/{pid}/status").splitlines())


def process(pid: int) -> dict[str, Any]:
    """Return what a process was started with, and may not lose."""
    status = status_of(pid)
    limits = re.sub(r" +", " ", text_of(f"/proc/{pid}/limits"))
    # the kernel computes these two from the memory, and systemd changes the second
    kept = [line for line in limits.splitlines() if not line.startswith(("Limit", "Max pending", "Max processes"))]
    return {
        "user": status["Uid"].split(),
        "groups": [status["Gid"].split(), status["Groups"].split()],
        "umask": status["Umask"].strip(),
        "limits": kept,
    }


def unit(name: str) -> dict[str, str]:
    output = subprocess.run(["systemctl", "show", f"--property={PROPERTIES}", name], capture_output=True, text=True, check=True).stdout
    return dict(line.split("=", 1) for line in output.splitlines())


def instance(found: dict[str, Any], password: str) -> dict[str, Any] | None:
    try:
        info = redis.Redis(port=found["port"], username="ops", password=password, socket_timeout=5).info()
    except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError):
        return None
    pid, config = listener(found["port"]), os.stat(found["config"])
    return {
        "version": info["redis_version"],
        "pid": pid,
        # that of its unit: a server that has another id in its own pid namespace has a wrapper
        "main": pid if info["process_id"] == pid else int(status_of(pid)["PPid"]),
        "runs": os.readlink(f"/proc/{pid}/exe"),
        "as": process(pid),
        "directory": os.readlink(f"/proc/{pid}/cwd"),
        "configuration": [found["config"], info["config_file"], config.st_uid, config.st_gid, oct(config.st_mode)],
        "role": info.get("role", "sentinel"),
        "link": info.get("master_link_status", ""),
        "unit": unit(found["name"]) if found["type"] else {},
        "drop_in": text_of(DROP_IN.format(found["name"])),
    }


def main() -> None:
    layout, password = json.loads(sys.argv[1]), sys.argv[2]
    states = {found["name"]: instance(found, password) for found in layout["instances"]}
    print(json.dumps({name: state for name, state in states.items() if state}))


if __name__ == "__main__":
    main()
