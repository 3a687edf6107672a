"""Running the playbooks of the collection on a deployment of processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import Any

from deployment import SERVERS, Deployment

WANTED = "6.2.14"


def command(deployment: Deployment, playbook: str, *arguments: str, **variables: Any) -> list[str]:
    settings = {
        "redis_upgrade_version": WANTED,
        "redis_binaries_source": str(SERVERS / WANTED),
        "redis_binaries_remote_src": True,
        **variables,
    }
    return ["ansible-playbook", "-i", str(deployment.inventory), f"sentinelops.redis.{playbook}", "-e", json.dumps(settings), *arguments]


def run(deployment: Deployment, playbook: str, *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(deployment, playbook, *arguments, **variables), capture_output=True, text=True, check=False)


def interrupt_when(deployment: Deployment, text: str) -> str:
    """Run the upgrade and press Ctrl-C, again and again, from the moment that a line has the text; returns the output."""
    process = subprocess.Popen(
        command(deployment, "upgrade"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    assert process.stdout is not None
    output = []
    for line in process.stdout:
        output.append(line)
        if text in line:
            break
    while process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the whole group
        time.sleep(0.5)
    return "".join(output) + process.stdout.read()
