"""The tasks of a handover give the module what the plan says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PLAY = """
- hosts: redis-2
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: sentinelops.redis.redis_upgrade
        tasks_from: internal/run_handover
        rolespec_validate: false
"""
PLAN = {
    "shards": {"one": {"handover_host": "sentinel-2"}},
    "steps": {"redis-2/redis": {"shard": "one", "address": "127.0.0.1:1", "wanted": "7.0.15"}},
    "restore_hosts": [],
}


def leader_given(folder: Path, **variables: Any) -> str:
    """Return the ``leader`` that the module is given; nothing answers here, so it fails."""
    hosts = {name: {"redis_upgrade_sentinel_port": port} for name, port in (("sentinel-1", 2), ("sentinel-2", 3))}
    inventory = {"redis": {"hosts": {"redis-2": {}}}, "sentinel": {"hosts": hosts}, "all": {"vars": {"ansible_connection": "local"}}}
    given = {"ansible_python_interpreter": sys.executable, "redis_upgrade_version": "7.0.15", "__redis_upgrade_plan": PLAN, **variables}
    for name, content in (("inventory.json", inventory), ("variables.json", given)):
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    (folder / "play.yml").write_text(PLAY, encoding="utf-8")
    words = [
        "ansible-playbook",
        "-vvv",
        "-i",
        str(folder / "inventory.json"),
        "-e",
        f"@{folder / 'variables.json'}",
        str(folder / "play.yml"),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    found = re.findall(r'"?leader"?: "?([^",\n]*)', done.stdout.partition("module_args")[2])
    assert found, done.stdout[-3000:]
    return str(found[0]).strip("'")


@pytest.mark.parametrize(("leads", "leader"), [(True, "127.0.0.1:3"), (False, "")], ids=["plan", "chosen by the module"])
def test_the_sentinel_of_the_plan_leads(tmp_path: Path, leads: bool, leader: str) -> None:
    """Several shards take the Sentinels in turn: each leads one handover in a second."""
    assert leader_given(tmp_path, **({} if leads else {"__redis_upgrade_handover_host_leads": False})) == leader
