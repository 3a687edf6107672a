"""The copy of a backup on the controller: complete, or not there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run import backup_copy
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.backup_copy import copy_backup, copy_findings, copy_of

CONTENT = b"REDIS0009" + bytes(range(256)) * 40


@pytest.fixture
def backup(tmp_path: Path) -> dict[str, Any]:
    """Return the facts of a backup with data and two more files."""
    folder = tmp_path / "host" / "redis-1-6.2.14-now"
    folder.mkdir(parents=True)
    (folder / "dump.rdb").write_bytes(CONTENT)
    (folder / "redis.conf").write_text("port 1\n")
    (folder / "users.acl").write_text("")
    data = {"bytes": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest(), "keys": 3}
    facts = {"schema": 1, "version": "6.2.14", "files": ["/etc/redis/redis.conf", "/etc/redis/users.acl"], "data": data}
    (folder / "backup.json").write_text(json.dumps(facts))
    return {**facts, "folder": str(folder)}


def parts(path: str, offset: int) -> bytes:
    return Path(path).read_bytes()[offset : offset + 1000]


def test_all_files_are_copied(backup: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "copies" / "redis-1"
    path, changed = copy_backup(backup, str(folder), "", parts)
    assert (path, changed) == (copy_of(backup, str(folder)), True)
    original = {file.name: file.read_bytes() for file in Path(backup["folder"]).iterdir()}
    assert {file.name: file.read_bytes() for file in Path(path).iterdir()} == original
    assert {file.stat().st_mode & 0o777 for file in Path(path).iterdir()} == {0o600}
    assert Path(path).stat().st_mode & 0o777 == 0o700
    assert copy_backup(backup, str(folder), "", lambda path, offset: pytest.fail("read again")) == (path, False)


def test_a_copy_of_a_configuration(backup: dict[str, Any], tmp_path: Path) -> None:
    del backup["data"]
    path, _changed = copy_backup(backup, str(tmp_path), "", parts)
    assert sorted(file.name for file in Path(path).iterdir()) == ["backup.json", "redis.conf", "users.acl"]


def cut(path: str, offset: int) -> bytes:
    return parts(path, offset) if offset < 2000 else b""


def changed_byte(path: str, offset: int) -> bytes:
    return parts(path, offset).replace(b"\x07", b"\x08") if path.endswith("rdb") else parts(path, offset)


def dropped(path: str, offset: int) -> bytes:
    if offset >= 2000:
        raise OSError("the connection is gone")
    return parts(path, offset)


@pytest.mark.parametrize(("read", "error"), [(cut, "is damaged"), (changed_byte, "is damaged"), (dropped, "connection is gone")])
def test_what_is_not_the_backup_is_not_kept(backup: dict[str, Any], tmp_path: Path, read: Callable[[str, int], bytes], error: str) -> None:
    folder = tmp_path / "copies"
    with pytest.raises((PreconditionFailed, OSError), match=error):
        copy_backup(backup, str(folder), "", read)
    assert list(folder.iterdir()) == []
    copy_backup(backup, str(folder), "", parts)


@pytest.mark.parametrize("name", ["dump.rdb", "redis.conf", "backup.json"])
def test_a_torn_copy_is_told_and_kept(backup: dict[str, Any], tmp_path: Path, name: str) -> None:
    path, _changed = copy_backup(backup, str(tmp_path), "", parts)
    (Path(path) / name).unlink()
    with pytest.raises(PreconditionFailed, match=rf"lacks {name}.*Move that folder out of the way"):
        copy_backup(backup, str(tmp_path), "", parts)
    assert Path(path).is_dir()


def test_what_a_killed_run_left_is_replaced(backup: dict[str, Any], tmp_path: Path) -> None:
    partial = Path(copy_of(backup, str(tmp_path)) + ".partial")
    partial.mkdir()
    (partial / "dump.rdb").write_text("REDIS")
    path, changed = copy_backup(backup, str(tmp_path), "", parts)
    assert (changed, partial.exists(), (Path(path) / "dump.rdb").read_bytes()) == (True, False, CONTENT)


def test_another_backup_of_that_name(backup: dict[str, Any], tmp_path: Path) -> None:
    copy_backup(backup, str(tmp_path), "", parts)
    backup["data"]["keys"] = 4
    with pytest.raises(PreconditionFailed, match="is another backup"):
        copy_backup(backup, str(tmp_path), "", parts)


def test_no_room(backup: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_copy, "free_bytes", lambda path: 5000)
    with pytest.raises(PreconditionFailed, match=r"has 4\.9 KiB free, and the data file has"):
        copy_backup(backup, str(tmp_path / "copies"), "", parts)
    assert not (tmp_path / "copies").exists()


@pytest.mark.parametrize(
    ("folder", "program", "needed", "seen"),
    [
        ("copies", "", 0, ["copies is not an absolute path"]),
        ("/proc/copies", "", 0, ["this user may not write /proc"]),
        ("{}/copies", "", 1 << 60, ["free on the controller"]),
        ("{}/copies", "{}/none", 0, ["none is no program"]),
        ("copies", "/none", 0, ["copies is not an absolute path", "/none is no program"]),
        ("{}/copies", "/bin/true", 1000, []),
    ],
)
def test_the_preflight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, program: str, needed: int, seen: list[str]) -> None:
    access = backup_copy.os.access
    monkeypatch.setattr(backup_copy.os, "access", lambda path, mode: not path.startswith("/proc") and access(path, mode))
    findings = copy_findings(folder.format(tmp_path), program.format(tmp_path), needed)
    assert len(findings) == len(seen)
    assert all(text in finding.seen for text, finding in zip(seen, findings, strict=True))
    assert {finding.check for finding in findings} <= {"operator"}
