"""Running the collection's playbooks on what an inventory describes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from deployment import SERVERS


def command(inventory: Path, playbook: str, wanted: str, *arguments: str, **variables: Any) -> list[str]:
    """``wanted`` is a version that scripts/servers.py knows; for an own folder with it, set redis_binaries_source."""
    settings = {
        "redis_upgrade_version": wanted.removeprefix("valkey-"),
        "redis_binaries_source": str(SERVERS / wanted),
        "redis_binaries_remote_src": True,
        **variables,
    }
    return ["ansible-playbook", "-i", str(inventory), f"sentinelops.redis.{playbook}", "-e", json.dumps(settings), *arguments]


def run(inventory: Path, playbook: str, wanted: str, *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(inventory, playbook, wanted, *arguments, **variables), capture_output=True, text=True, check=False)
