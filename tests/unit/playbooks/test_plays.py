"""Settings that each play of the collection makes itself, whatever ansible.cfg says."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOKS = sorted((ROOT / "playbooks").rglob("*.yml"))


def plays(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [play for play in found if "hosts" in play]


def test_there_are_plays() -> None:
    assert sum(len(plays(path)) for path in PLAYBOOKS) > 8


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.name)
def test_it_names_its_strategy(path: Path) -> None:
    """With ``strategy = free`` in ansible.cfg a failed host would not stop the others."""
    assert [play["name"] for play in plays(path) if play.get("strategy") != "linear"] == []


INVENTORY = """
[redis]
redis-1 redis_upgrade_redis_port=1
redis-2 redis_upgrade_redis_port=2
[sentinel]
sentinel-1 redis_upgrade_sentinel_port=3
[all:vars]
ansible_connection=local
redis_upgrade_version=7.0.15
"""


@pytest.mark.parametrize("playbook", ["plan", "upgrade", "rollback"])
def test_a_limit_is_refused(tmp_path: Path, playbook: str) -> None:
    inventory = tmp_path / "inventory.ini"
    inventory.write_text(INVENTORY, encoding="utf-8")
    words = ["ansible-playbook", "-i", str(inventory), f"sentinelops.redis.{playbook}", "--limit", "redis-2"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "--limit redis-2 keeps this run from a part of the deployment: redis-1, sentinel-1." in " ".join(done.stdout.split())
