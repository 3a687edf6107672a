"""Questions to an upgraded host: commands as root, INFO, journals, and the writers' verdicts."""

from __future__ import annotations

import json
import shlex
import subprocess
from typing import Any

from access import OPS_PASSWORD

JOURNALS = "/var/lib/sentinelops-redis"


def as_root(ssh_config: str, machine: str, *command: str, text: str = "", check: bool = True) -> str:
    """Run a command as root on a machine, over SSH, with ``text`` as input; return its output."""
    alone = ["ssh", "-F", ssh_config, "-o", "ControlPath=none", machine, shlex.join(["sudo", *command])]
    done = subprocess.run(alone, input=text, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"{machine}: {command}: {text} {done.stdout} {done.stderr}"
    return done.stdout


def name_of(host: Any) -> str:
    return str(host.backend.host)


def command(host: Any, port: int, words: str, client: str = "redis-cli") -> list[str]:
    """Return the lines that the client program of the server prints."""
    output = host.check_output(f"REDISCLI_AUTH={OPS_PASSWORD} {client} --user ops -p {port} {words}")
    return [line.strip() for line in output.splitlines()]


def info(host: Any, port: int, client: str = "redis-cli") -> dict[str, str]:
    lines = (line.partition(":") for line in command(host, port, "info", client))
    return {name: value for name, colon, value in lines if colon}


def journals(host: Any) -> list[str]:
    """Return the journals that are left, without backups and records of the previous versions."""
    return [file for file in host.file(JOURNALS).listdir() if file != "backup" and not file.endswith(".before.json")]


def verdicts(host: Any, shard: str = "*") -> list[dict[str, Any]]:
    """Return the verdicts of the writers that ran on this host, the first one first."""
    files = host.run(f"ls /var/tmp/audit-{shard}-*.json").stdout.split()
    return [json.loads(host.file(path).content_string) for path in files]


def require_nothing_lost(found: list[dict[str, Any]], acknowledged: int) -> None:
    """Check the verdicts; each is of more than this number of acknowledged writes."""
    for verdict in found:
        assert (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0), verdict
        assert verdict["acknowledged"] > acknowledged, verdict
