"""Restoring a backup on a master; a script is the server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import OperationFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.restore import restore
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.switch_version import Reverted
from ansible_collections.sentinelops.redis.tests.unit.support.instance import CLOCK, MASTER, WAIT_S, Instance
from ansible_collections.sentinelops.redis.tests.unit.support.version_folder import FAILS, place

OLD = "6.2.14"


@pytest.fixture
def master(instance: Instance, tmp_path: Path) -> Instance:
    """A master that was a replica when it was switched from 6.2.14 to 7.0.15."""
    place(instance.active, OLD)
    instance.config.write_text(f"port 6379\ndir {tmp_path}/data\nlogfile {instance.log}\nreplicaof 10.0.0.1 6379\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "dump.rdb").write_bytes(b"REDIS0010 newer")
    instance.server.info.update(MASTER)
    instance.start()
    instance.switch()
    instance.server.info.update(role="master", master_host="", master_port="", db0="keys=10,expires=2")
    instance.server.refuses["CONFIG"] = "NOPERM"
    return instance


def backup(folder: Path, **changes: Any) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    (folder / "dump.rdb").write_bytes(b"REDIS0009 older")
    return {"version": OLD, "folder": str(folder), "data": {"keys": 10, "expiring": 2}, **changes}


def restored(master: Instance, folder: Path, **changes: Any) -> Reverted:
    return restore(master.server, master.files, master.folders, backup(folder, **changes), WAIT_S, CLOCK)


@pytest.fixture(autouse=True)
def _saves(monkeypatch: pytest.MonkeyPatch) -> None:
    where = "ansible_collections.sentinelops.redis.plugins.module_utils._instance.restore.config_values"
    monkeypatch.setattr(where, lambda _server, *_names: {"save": "3600 1", "appendonly": "no"})


def test_the_old_version_serves_the_data_of_the_backup_and_follows_nobody(master: Instance, tmp_path: Path) -> None:
    done = restored(master, tmp_path / "backup")
    data = tmp_path / "data"
    assert (done.node.version, master.running()) == (OLD, OLD)
    assert done.set_aside == (str(data / "dump.rdb.set-aside"),)
    assert {path.name: path.read_bytes() for path in data.iterdir()} == {
        "dump.rdb": b"REDIS0009 older",
        "dump.rdb.set-aside": b"REDIS0010 newer",
    }
    assert "replicaof" not in master.config.read_text()


def test_an_append_only_file_is_an_rdb_file(master: Instance, tmp_path: Path) -> None:
    kept = Path(master.folders.kept) / "redis.conf"
    kept.write_text(kept.read_text() + "appendonly yes\n")
    (tmp_path / "data" / "appendonly.aof").write_bytes(b"newer")
    (tmp_path / "data" / "appendonlydir").mkdir()
    restored(master, tmp_path / "backup")
    found = sorted(path.name for path in (tmp_path / "data").iterdir())
    assert found == ["appendonly.aof", "appendonly.aof.set-aside", "appendonlydir.set-aside", "dump.rdb.set-aside"]
    assert (tmp_path / "data" / "appendonly.aof").read_bytes() == b"REDIS0009 older"


def test_where_nothing_serves_any_more(master: Instance, tmp_path: Path) -> None:
    """An interrupted restore has stopped the master."""
    master.server.end_all()
    assert restored(master, tmp_path / "backup").node.version == OLD


@pytest.mark.parametrize("keys", ["keys=7,expires=0", "keys=11,expires=2"])
def test_another_number_of_keys_is_no_success(master: Instance, tmp_path: Path, keys: str) -> None:
    master.server.info["db0"] = keys
    with pytest.raises(OperationFailed, match=r"the backup could not be restored: it runs 6\.2\.14 with") as caught:
        restored(master, tmp_path / "backup")
    as_before(master, tmp_path, caught.value)


def test_an_old_version_that_does_not_start(master: Instance, tmp_path: Path) -> None:
    place(Path(master.folders.kept), OLD, FAILS)
    with pytest.raises(OperationFailed, match="FATAL CONFIG FILE ERROR") as caught:
        restored(master, tmp_path / "backup")
    as_before(master, tmp_path, caught.value)


def as_before(master: Instance, tmp_path: Path, error: OperationFailed) -> None:
    """Check that the newer data is in place again, for the newer version to start with."""
    assert error.state == "The instance is down; its newer data is in place again"
    assert {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()} == {"dump.rdb": b"REDIS0010 newer"}
    assert master.running() == ""
