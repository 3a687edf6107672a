"""Upgrade of the documented two shards that share hosts and one Sentinel set, under load.

Each host's servers listen on its own address only, in protected mode, and run as another user.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import layout
import pytest
from deployment import Writers
from layout import SHARDS, Shop

import playbooks

pytestmark = pytest.mark.extended

VERSION, WANTED = "6.2.9", "6.2.14"


def like(shop: Shop) -> dict[str, Any]:
    """Return the owner of the process and the files of each instance, and its addresses."""
    found = {}
    for name, pid in shop.pids().items():
        process, config, folder = Path(f"/proc/{pid}").stat(), shop.config(name).stat(), shop.config(name).parent.stat()
        words = [line for line in shop.config(name).read_text().splitlines() if line.startswith(("bind", "protected-mode"))]
        found[name] = {
            "process": (process.st_uid, process.st_gid),
            "config": (config.st_uid, config.st_gid, oct(config.st_mode)),
            "folder": (folder.st_uid, folder.st_gid),
            "listens": sorted(listening(pid)),
            "settings": words,
        }
    return found


def listening(pid: int) -> list[str]:
    """Return the addresses at which a process listens, from /proc."""
    sockets = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    found = []
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[3] == "0A" and f"socket:[{words[9]}]" in sockets:
            address, port = words[1].split(":")
            found.append(".".join(str(byte) for byte in reversed(bytes.fromhex(address))) + f":{int(port, 16)}")
    return found


@dataclass(frozen=True)
class Upgraded:
    """The state before the upgrade, the writers' verdicts, and the output of two upgrades."""

    shop: Shop
    before: dict[str, Any]
    verdicts: dict[str, dict[str, Any]]
    first: subprocess.CompletedProcess[str]
    again: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def upgraded(next_port: Callable[[], int]) -> Iterator[Upgraded]:
    with layout.shop(VERSION, next_port()) as shop:
        before = like(shop)
        with Writers(shop, stop="stop-1", master_name="cache") as one, Writers(shop, stop="stop-2", master_name="sessions") as two:
            first = playbooks.run(shop.inventory, "upgrade", wanted=WANTED)
            verdicts = {"cache": one.verdict(), "sessions": two.verdict()}
        yield Upgraded(shop, before, verdicts, first, playbooks.run(shop.inventory, "upgrade", wanted=WANTED))


def test_both_shards_are_upgraded_by_the_documented_inventory(upgraded: Upgraded) -> None:
    assert upgraded.first.returncode == 0, upgraded.first.stdout
    assert set(upgraded.shop.versions().values()) == {WANTED}


def test_nothing_is_lost_in_either_shard(upgraded: Upgraded) -> None:
    assert [(shard, verdict["lost"], verdict["unexpected"]) for shard, verdict in upgraded.verdicts.items()] == [
        ("cache", 0, 0),
        ("sessions", 0, 0),
    ]
    assert all(verdict["acknowledged"] > 500 for verdict in upgraded.verdicts.values())


def test_each_shard_has_its_master_again(upgraded: Upgraded) -> None:
    assert upgraded.shop.masters() == ["cache-1", "sessions-2"]
    port = min(upgraded.shop.nodes.values())
    for sentinel in upgraded.shop.sentinels:
        named = {shard: upgraded.shop.command(sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", shard) for shard in SHARDS}
        assert named == {shard: [host, str(port + number)] for shard, (host, number) in SHARDS.items()}


def test_users_owners_modes_addresses_and_protected_mode_are_as_before(upgraded: Upgraded) -> None:
    after = like(upgraded.shop)
    assert after == upgraded.before
    assert {instance["process"] for instance in after.values()} == {upgraded.shop.owner}
    assert {name: instance["listens"] for name, instance in after.items()} == {
        name: [upgraded.shop.address(name)] for name in upgraded.shop.ports
    }
    assert all("protected-mode yes" in instance["settings"] for instance in after.values())


def test_it_was_shard_by_shard_where_it_must_be(upgraded: Upgraded) -> None:
    output = upgraded.first.stdout
    for line in ("cache: node-1 (127.0.0.2:", "sessions: node-2-sessions (127.0.0.3:"):
        assert f"(6/8) handover  {line}" in output
    assert output.count("(4/8) Sentinel  node-") == 3


def test_again_there_is_nothing_to_do(upgraded: Upgraded) -> None:
    assert upgraded.again.returncode == 0
    assert "Nothing to do" in upgraded.again.stdout
    assert "changed=1" not in upgraded.again.stdout


def test_no_secret_was_shown(upgraded: Upgraded) -> None:
    shown = upgraded.first.stdout + upgraded.first.stderr + json.dumps(upgraded.verdicts)
    assert [secret for secret in upgraded.shop.access.secrets if secret in shown] == []
