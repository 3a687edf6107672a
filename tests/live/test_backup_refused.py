"""A backup that cannot be made, or is damaged: refused, with nothing stopped and nothing left."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deployment import Deployment, run_module

VERSION = "6.2.14"
ALL = 1 << 60


@pytest.fixture
def made(deployment: Deployment, tmp_path: Path) -> Path:
    """Return the folder of a backup of redis-2 with 100 keys."""
    for number in range(100):
        deployment.command("redis-1", "SET", f"key-{number}", number)
    deployment.command("redis-1", "WAIT", 2, 1000)
    return Path(back_up(deployment, tmp_path)["backup"]["folder"])


def back_up(deployment: Deployment, folder: Path, name: str = "redis-2", **params: Any) -> dict[str, Any]:
    return run_module(
        "redis_backup",
        login_port=deployment.ports[name],
        folder=str(folder / "backup"),
        journal=str(folder / "redis.json"),
        instance=record(deployment, name),
        new_version="7.0.15",
        **params,
    )


def record(deployment: Deployment, name: str) -> dict[str, Any]:
    kind = "sentinel" if name in deployment.sentinels else "redis"
    config = deployment.config(name)
    return {
        "kind": kind,
        "server": "redis",
        "version": VERSION,
        "config_file": str(config),
        "executable": str(config.parent / "redis-server"),
        "dir": str(deployment.folder / name),
    }


def checked(deployment: Deployment, path: Path, version: str = VERSION) -> dict[str, Any]:
    instance = {"dir": str(deployment.folder)}
    return run_module(
        "redis_backup", login_port=deployment.ports["redis-2"], state="checked", path=str(path), version=version, instance=instance
    )


def test_what_is_in_a_backup(deployment: Deployment, made: Path) -> None:
    info = deployment.info("redis-2")
    facts = json.loads((made / "backup.json").read_text(encoding="utf-8"))
    assert sorted(path.name for path in made.iterdir()) == ["backup.json", "dump.rdb", "redis.conf"]
    assert (facts["version"], facts["new_version"], facts["data"]["version"]) == (VERSION, "7.0.15", VERSION)
    assert (facts["data"]["keys"], facts["data"]["replication_id"]) == (100, info["master_replid"])
    assert 0 < facts["data"]["offset"] <= int(info["slave_repl_offset"])
    assert (made / "redis.conf").read_text() == deployment.config("redis-2").read_text()
    assert (made.parent.stat().st_mode & 0o777, made.stat().st_mode & 0o777) == (0o700, 0o700)
    assert checked(deployment, made)["backup"]["data"] == facts["data"]


def test_the_configuration_of_a_sentinel_alone(deployment: Deployment, tmp_path: Path) -> None:
    folder = Path(back_up(deployment, tmp_path, "sentinel-1", data=False)["backup"]["folder"])
    assert sorted(path.name for path in folder.iterdir()) == ["backup.json", "sentinel.conf"]
    assert (folder / "sentinel.conf").read_text() == deployment.config("sentinel-1").read_text()
    assert "there is no backup of data" in checked(deployment, folder)["msg"]


def test_it_is_made_once(deployment: Deployment, tmp_path: Path) -> None:
    journal = tmp_path / "redis.json"
    journal.write_text(json.dumps({"schema": 1, "version": VERSION}), encoding="utf-8")
    first = back_up(deployment, tmp_path)
    again = back_up(deployment, tmp_path)
    assert (first["changed"], again["changed"], again["backup"]) == (True, False, first["backup"])
    assert json.loads(journal.read_text())["backup"] == first["backup"]


def test_an_old_one_is_made_again_with_the_data_of_now(deployment: Deployment, tmp_path: Path) -> None:
    """Its run has stopped before the restart, and the node has written on."""
    journal = tmp_path / "redis.json"
    journal.write_text(json.dumps({"schema": 1, "version": VERSION}), encoding="utf-8")
    first = back_up(deployment, tmp_path)["backup"]
    old = {**first, "made_s": first["made_s"] - 700}
    journal.write_text(json.dumps({"schema": 1, "version": VERSION, "backup": old}), encoding="utf-8")
    deployment.command("redis-1", "SET", "later", "1")
    deployment.command("redis-1", "WAIT", 2, 1000)
    time.sleep(1.1)  # a folder is named after its second
    again = back_up(deployment, tmp_path)
    assert (again["changed"], again["backup"]["data"]["keys"]) == (True, first["data"]["keys"] + 1)
    assert again["backup"]["folder"] != first["folder"]
    assert Path(first["folder"], "dump.rdb").exists()
    assert json.loads(journal.read_text())["backup"] == again["backup"]
    deployment.command("redis-1", "DEL", "later")


def shortened(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 20)


def other_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [shortened, other_byte, Path.unlink], ids=["torn", "another byte", "gone"])
def test_a_damaged_backup_is_not_restored(deployment: Deployment, made: Path, harm: Callable[[Path], None]) -> None:
    harm(made / "dump.rdb")
    found = checked(deployment, made)
    assert found["failed"]
    assert "Nothing was touched" in found["msg"]


def test_another_version_and_too_little_room(deployment: Deployment, made: Path) -> None:
    assert "is of version 6.2.14, and 5.0.6 is to run" in checked(deployment, made, "5.0.6")["msg"]
    assert "there is no backup of data" in checked(deployment, made.parent)["msg"]


@pytest.fixture
def no_data_folder(deployment: Deployment) -> Iterator[None]:
    """Let redis-2 have a data folder in which it cannot save."""
    deployment.command("redis-2", "CONFIG", "SET", "dbfilename", "x" * 300)
    yield
    deployment.command("redis-2", "CONFIG", "SET", "dbfilename", "dump.rdb")


def test_a_server_that_cannot_save(deployment: Deployment, tmp_path: Path, no_data_folder: None) -> None:
    found = back_up(deployment, tmp_path)
    refused(deployment, tmp_path, found, "cannot save its data (BGSAVE)")
    assert "no server was stopped" in found["msg"]


def test_a_server_that_takes_too_long(deployment: Deployment, tmp_path: Path) -> None:
    deployment.command("redis-2", "CONFIG", "SET", "rdb-key-save-delay", 200000)
    try:
        refused(deployment, tmp_path, back_up(deployment, tmp_path, wait_s=1), "not ready after 1 s")
    finally:
        deployment.command("redis-2", "CONFIG", "SET", "rdb-key-save-delay", 0)


def test_too_little_room(deployment: Deployment, tmp_path: Path) -> None:
    refused(deployment, tmp_path, back_up(deployment, tmp_path, spare_bytes=ALL), "must stay free")


def refused(deployment: Deployment, folder: Path, found: dict[str, Any], reason: str) -> None:
    assert found["failed"]
    assert reason in found["msg"]
    assert list((folder / "backup").iterdir()) == []
    assert deployment.info("redis-2")["master_link_status"] == "up"
