"""A step that lasts: what it waits for is said every ten seconds, and short steps say nothing."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis
from ansible_collections.sentinelops.redis.tests.unit.support.terminal import run_in_terminal
from deployment import Deployment
from ssh import over_ssh

from playbooks import command

pytestmark = pytest.mark.extended

VERSION = "6.2.9"
KEYS, KEY_BYTES, DELAY_US = 3500, 10000, 10000  # 35 s to load; INFO is answered every 2 MB
ENVIRONMENT = {**os.environ, "ANSIBLE_STDOUT_CALLBACK": "sentinelops.redis.upgrade"}
SLOW = "redis-3"


def slow_to_load(deployment: Deployment) -> None:
    """Give the deployment data that one replica loads slowly."""
    if not deployment.administer("redis-1", "EXISTS", "large:0"):
        for number in range(KEYS):
            deployment.administer("redis-1", "SET", f"large:{number}", secrets.token_hex(KEY_BYTES // 2))
    deployment.administer(SLOW, "CONFIG", "SET", "key-load-delay", str(DELAY_US))


def lines(text: str) -> list[str]:
    """Return the lines that begin with a time, each with the rows that continue it."""
    return re.sub(r"\n +", " ", text).splitlines()


def left_files() -> list[Path]:
    return list(Path("/dev/shm").glob("sentinelops-*"))


def test_an_upgrade_over_ssh_without_a_terminal(deployment: Deployment) -> None:
    slow_to_load(deployment)
    with over_ssh(deployment):
        words = command(deployment, "upgrade")
        done = subprocess.run(words, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    print(done.stdout + done.stderr)
    assert done.returncode == 0
    loading = [line for line in lines(done.stdout) if "loading" in line]
    step = rf"\d\d:\d\d:\d\d  \.\.\. \(5/8\) replica    {SLOW}: 6\.2\.9 -> 6\.2\.14, for (9|\d\d) s: loading, \d+ %(, \d+ s to go)?"
    assert all(re.fullmatch(step, line) for line in loading), loading
    percentages = [int(found) for found in re.findall(r"loading, (\d+) %", "\n".join(loading))]
    assert len(percentages) >= 2
    assert percentages == sorted(percentages), "it grows"
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    assert done.stderr == ""
    assert left_files() == []


def test_a_rollback_in_a_terminal(deployment: Deployment) -> None:
    """The line at the bottom says it, and nothing of it is left."""
    slow_to_load(deployment)
    code, terminal = run_in_terminal(command(deployment, "rollback"), ENVIRONMENT, seconds=300)
    assert code == 0, terminal.text
    step = rf"\d\d:\d\d:\d\d  \(\d/8\) [a-z ]+ {SLOW}: 6\.2\.14 -> 6\.2\.9, for \d+ s: loading, (\d+) %"
    seen = [int(found[1]) for found in (re.match(step, line) for line in terminal.seen) if found]
    assert len(set(seen)) >= 2, terminal.seen
    assert seen == sorted(seen), "it grows"
    assert max(map(len, terminal.seen)) <= 80
    assert "loading" not in terminal.text
    assert left_files() == []


PYTHON, LIBRARIES = "/usr/bin/python3", str(Path(redis.__file__).parent.parent)
# Waits for 12 s for what never comes, and then fails.
WAIT = {
    "fields": {"connected_clients": ">= 100000"},
    "wait_s": 12,
}
# as Ansible, and then only reading what the module waits for fails
BROKEN_SSH = """#!/bin/sh
for word; do :; done
case $word in *"head -c"*) echo "no second session" >&2; exit 255;; esac
exec sh -c "$word"
"""


def others_can_run() -> bool:
    """Return whether another user can run a module of this host."""
    words = ["su", "-s", "/bin/sh", "nobody", "-c", f"PYTHONPATH={LIBRARIES} {PYTHON} -c 'import redis'"]
    return os.geteuid() == 0 and subprocess.run(words, capture_output=True, check=False).returncode == 0


def inventory(deployment: Deployment, folder: Path) -> Path:
    """Write an inventory with a host for each kind of connection; return its path."""
    broken = folder / "broken"
    broken.write_text(BROKEN_SSH, encoding="utf-8")
    broken.chmod(0o755)
    ssh = {"ansible_connection": "ssh", "ansible_ssh_transfer_method": "piped", "ansible_ssh_control_path_dir": str(folder)}
    hosts: dict[str, dict[str, Any]] = {
        "local": {},
        "ssh": {**ssh, "ansible_ssh_executable": str(deployment.folder / "ssh")},
        "delegated": {"aim": "ssh"},
        "hidden": {"hide": True},
        "broken": {**ssh, "ansible_ssh_executable": str(broken)},
    }
    if others_can_run():
        become = {
            "become": True,
            "become_method": "su",
            "become_user": "nobody",
            "become_flags": "-s /bin/sh",
            "python_interpreter": PYTHON,
        }
        hosts["become"] = {f"ansible_{name}": value for name, value in become.items()}
    common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_pipelining": True}
    path = folder / "inventory.yml"
    path.write_text(json.dumps({"all": {"hosts": hosts, "vars": common}}), encoding="utf-8")
    return path


def test_each_kind_of_connection_below_the_callback_of_ansible(deployment: Deployment, tmp_path: Path) -> None:
    """Nothing is added to standard output, where it would break callbacks that print JSON."""
    task = {
        "sentinelops.redis.redis_info_check": {"login_port": deployment.ports["redis-1"], **WAIT},
        "delegate_to": "{{ aim | default(inventory_hostname) }}",
        "environment": {"PYTHONPATH": LIBRARIES},
        "no_log": "{{ hide | default(false) }}",
    }
    play = tmp_path / "play.yml"
    play.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [task]}]), encoding="utf-8")
    with over_ssh(deployment):
        words = ["ansible-playbook", "-i", str(inventory(deployment, tmp_path)), "--forks", "6", "-vvv", str(play)]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stdout
    told = sorted(re.findall(r"^\.\.\. (.*), for \d+ s: connected_clients: \d+, wanted >= 100000$", done.stderr, re.MULTILINE))
    assert told == [*(["become"] if others_can_run() else []), "delegated", "local", "ssh"], done.stdout + done.stderr
    assert "<broken> What this step waits for cannot be read: AnsibleConnectionFailure" in done.stdout
    assert not re.search(r"^\.\.\.", done.stdout, re.MULTILINE)
    assert done.stdout.count("not met within 12 s: connected_clients") >= 5, "no step is disturbed"
    assert left_files() == []
