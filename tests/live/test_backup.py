"""A backup before a format barrier is crossed, and its restore: the data of the recorded offset."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import SentinelOpsError
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address
from ansible_collections.sentinelops.redis.plugins.module_utils._server.commands import Server
from ansible_collections.sentinelops.redis.plugins.module_utils._server.connection import connect
from ansible_collections.sentinelops.redis.plugins.module_utils._server.login import Login
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.steps import ROLLBACK, UPGRADE
from application import AllKinds, all_data, same_everywhere
from deployment import MASTER, SERVERS, Deployment
from killed_at_plays import chain
from states import journals_left, settled, wait_until

from playbooks import require_unchanged, run, words

pytestmark = pytest.mark.extended

Load = Callable[[str, Path], dict[str, Any]]
PAIRS = [("6.2.14", "7.0.15"), ("7.0.15", "valkey-8.0.1")]


def backups(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """Return the facts of all complete backups, by their folders."""
    files = sorted((deployment.folder / "journal" / "backup").glob("*/backup.json"))
    return {str(file.parent): json.loads(file.read_text(encoding="utf-8")) for file in files}


def data_backup(deployment: Deployment) -> tuple[Path, dict[str, Any]]:
    (found,) = [(Path(folder), facts) for folder, facts in backups(deployment).items() if "data" in facts]
    return found


def restored(deployment: Deployment, wanted: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    return run(deployment, "restore", wanted=wanted, **variables)


@pytest.mark.parametrize("source", ["replica", "master"])
@pytest.mark.parametrize(("old", "new"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
def test_backed_up_and_restored(build: Callable[..., Deployment], data_of: Load, old: str, new: str, source: str) -> None:
    deployment = build(old)
    original = deployment.whole_state()
    with AllKinds(deployment) as application:
        done = run(deployment, "upgrade", wanted=new, redis_upgrade_backup_from=source)
    output = words(done.stdout)
    assert done.returncode == 0, output[-4000:]
    folder, facts = data_backup(deployment)
    made_on = "redis-1" if source == "master" else "redis-3"
    assert f"{made_on} is backed up on {old.removeprefix('valkey-')}" in output
    assert "the only way back from" in output
    assert facts["data"]["offset"] > 0
    assert len(backups(deployment)) == len(deployment.ports)
    expected = data_of(old, folder)
    assert len(expected) == facts["data"]["keys"]
    assert kept(application.acknowledged, expected)

    refused = restored(deployment, new)
    said = words(refused.stdout)
    assert refused.returncode != 0
    assert "a restore loses all writes since the backup" in said
    assert f"redis_upgrade_restore_accept_loss: [{MASTER}]" in said
    assert "Nothing was touched" in said
    newer = same_everywhere(deployment)

    back = restored(deployment, new, redis_upgrade_restore_accept_loss=[MASTER])
    assert back.returncode == 0, words(back.stdout)[-4000:]
    wait_until(lambda: settled(deployment), 60)
    assert same_everywhere(deployment) == expected
    assert set(deployment.versions().values()) == {old.removeprefix("valkey-")}
    assert deployment.masters() == ["redis-1"]
    require_unchanged(deployment, original)
    assert journals_left(deployment) == []
    assert not any(deployment.reserve_record(name) for name in deployment.nodes)
    (aside,) = (deployment.folder / made_on).rglob("*.set-aside")
    assert data_of(new, aside) == newer
    assert "Nothing to do" in words(restored(deployment, new).stdout)


def test_a_restore_that_is_killed_at_each_play(build: Callable[..., Deployment], data_of: Load, tmp_path: Path) -> None:
    old, new = PAIRS[0]
    deployment = build(old)
    with AllKinds(deployment):
        chain(deployment, "upgrade", UPGRADE, tmp_path / "log", new)
    folder, _facts = data_backup(deployment)
    accepted = {"redis_upgrade_restore_accept_loss": [MASTER]}
    reached = chain(deployment, "restore", ROLLBACK, tmp_path / "log", new, **accepted)
    assert {"(5/8) Handover", "(6/8) Keep the other nodes from the master role", "(6/8) Restore the backup"} <= set(reached)
    assert {"(6/8) Let the other nodes become master again", "(6/8) Old masters", "(7/8) Fail back"} <= set(reached)
    wait_until(lambda: settled(deployment), 60)
    assert same_everywhere(deployment) == data_of(old, folder)
    assert set(deployment.versions().values()) == {old}
    assert deployment.masters() == ["redis-1"]
    assert journals_left(deployment) == []
    assert not any(deployment.reserve_record(name) for name in deployment.nodes)


def test_a_damaged_backup_is_refused_before_anything_is_stopped(build: Callable[..., Deployment]) -> None:
    old, new = PAIRS[0]
    deployment = build(old)
    assert run(deployment, "upgrade", wanted=new).returncode == 0
    folder, _facts = data_backup(deployment)
    os.truncate(folder / "dump.rdb", 30)
    pids = deployment.pids()
    done = restored(deployment, new, redis_upgrade_restore_accept_loss=[MASTER])
    assert done.returncode != 0
    assert "is damaged: it has 30 bytes" in words(done.stdout)
    assert "Nothing was touched" in words(done.stdout)
    assert (deployment.pids(), deployment.masters()) == (pids, ["redis-1"])


def test_a_copy_on_the_controller_brings_a_lost_backup_back(build: Callable[..., Deployment], data_of: Load, tmp_path: Path) -> None:
    old, new = PAIRS[0]
    deployment = build(old)
    copies = {
        "redis_upgrade_backup_controller_folder": str(tmp_path / "copies"),
        "redis_upgrade_backup_controller_check": str(SERVERS / old / "redis-server"),
    }
    with AllKinds(deployment):
        done = run(deployment, "upgrade", wanted=new, **copies)
    assert done.returncode == 0, words(done.stdout)[-4000:]
    folder, facts = data_backup(deployment)
    found = {path.parent.name: path for path in (tmp_path / "copies").glob("*/*")}
    assert set(found) == set(deployment.ports)
    assert sorted(path.name for path in found.values()) == sorted(Path(made).name for made in backups(deployment))
    expected = data_of(old, folder)
    assert len(expected) == facts["data"]["keys"] > 1000

    shutil.rmtree(folder)
    lost = restored(deployment, new, redis_upgrade_restore_accept_loss=[MASTER])
    assert lost.returncode != 0
    assert "there is no backup of data in" in words(lost.stdout)
    shutil.copytree(found["redis-3"], folder)
    back = restored(deployment, new, redis_upgrade_restore_accept_loss=[MASTER])
    assert back.returncode == 0, words(back.stdout)[-4000:]
    assert same_everywhere(deployment) == expected


def test_a_copy_that_fails_stops_the_run_before_that_server(build: Callable[..., Deployment], tmp_path: Path) -> None:
    old, new = PAIRS[0]
    deployment = build(old)
    folder = str(tmp_path / "copies")
    wrong = {"redis_upgrade_backup_controller_folder": folder, "redis_upgrade_backup_controller_check": "/bin/false"}
    early = run(deployment, "upgrade", wanted=new, **{**wrong, "redis_upgrade_backup_controller_check": "/none"})
    assert early.returncode != 0
    assert "/none is no program on the controller" in words(early.stdout)
    pids = deployment.pids()
    late = run(deployment, "upgrade", wanted=new, **wrong)
    assert late.returncode != 0
    said = words(late.stdout)
    assert "The backup was not copied to the controller: the data file" in said
    assert f"{deployment.folder}/journal/backup/redis-" in said
    assert [name for name in deployment.nodes if deployment.pids()[name] != pids[name]] == ["redis-2"]
    assert list(Path(folder, "redis-3").glob("*/dump.rdb")) == []
    done = run(deployment, "upgrade", wanted=new, redis_upgrade_backup_controller_folder=folder)
    assert done.returncode == 0, words(done.stdout)[-4000:]
    assert len(list(Path(folder, "redis-3").glob("*/dump.rdb"))) == 1


def kept(acknowledged: list[int], data: dict[str, Any]) -> bool:
    """Return whether the data has the writes up to some round, and no later ones."""
    there = [f"k-lua-{number}" in data for number in acknowledged]
    return any(there) and there == sorted(there, reverse=True)


@pytest.fixture
def data_of(tmp_path: Path, next_port: Callable[[], int]) -> Callable[[str, Path], dict[str, Any]]:
    """Return a function: the data of a backup, or of an RDB file, as a version loads it."""

    def load(version: str, source: Path) -> dict[str, Any]:
        folder, port = Path(tempfile.mkdtemp(dir=tmp_path)), next_port()
        shutil.copy(source / "dump.rdb" if source.is_dir() else source, folder / "dump.rdb")
        (program,) = (SERVERS / version).glob("*-server")
        with subprocess.Popen([program, "--port", str(port), "--dir", folder, "--save", ""], stdout=subprocess.DEVNULL) as process:
            server = connect(Address("127.0.0.1", port), Login(timeout_ms=5000))
            try:
                wait_until(lambda: answers(server), 30)
                return all_data(server)
            finally:
                server.close()
                process.kill()

    return load


def answers(server: Server) -> bool:
    with contextlib.suppress(SentinelOpsError):
        return bool(server.command("PING"))
    return False
