"""The programs of a version beside the packages: staged from downloads, kept from what runs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import OperationFailed, PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._host.process import binary_version
from ansible_collections.sentinelops.redis.plugins.module_utils._install.folders import version_in
from ansible_collections.sentinelops.redis.plugins.module_utils._install.package_apt import Apt
from ansible_collections.sentinelops.redis.plugins.module_utils._install.package_folder import programs_folder
from ansible_collections.sentinelops.redis.plugins.module_utils._install.package_programs import (
    keep_programs,
    origin_of_programs,
    program_in,
    programs_version,
    stage_programs,
)
from ansible_collections.sentinelops.redis.tests.unit.support.killed import kill_at
from ansible_collections.sentinelops.redis.tests.unit.support.packages import PACKAGES, DebianHost
from ansible_collections.sentinelops.redis.tests.unit.support.version_folder import place

WANTED = dict.fromkeys(PACKAGES, "5:8.0.6-1")


@pytest.fixture
def host(tmp_path: Path) -> DebianHost:
    return DebianHost(tmp_path)


def stage(host: DebianHost, root: Path, version: str = "8.0.6", **wanted: str) -> bool:
    target = str(root / "programs" / f"redis-{version}")
    return stage_programs(Apt(host), wanted or WANTED, str(host.bin), version, target, str(root / "cache"))


def test_folders_are_named_after_product_and_version() -> None:
    assert programs_folder("valkey", "8.0.1") == "/usr/lib/sentinelops-redis/valkey-8.0.1"
    assert programs_folder("redis", "") == ""


def test_a_download_is_staged_once(host: DebianHost, tmp_path: Path) -> None:
    assert stage(host, tmp_path)
    folder = tmp_path / "programs" / "redis-8.0.6"
    assert version_in(str(folder)) == "8.0.6"
    assert os.readlink(folder / "redis-server") == os.readlink(folder / "redis-sentinel") == "redis-check-rdb"
    assert origin_of_programs(str(folder)) == {"manager": "apt", "folder": str(host.bin), "packages": WANTED}
    assert sorted(path.name for path in folder.iterdir()) == ["packages.json", "redis-check-rdb", "redis-sentinel", "redis-server"]
    assert [path.name for path in folder.parent.iterdir()] == ["redis-8.0.6"]
    assert programs_version(str(host.bin), "redis") == "8.0.2", "nothing is installed"
    before = len(host.commands)
    assert not stage(host, tmp_path)
    assert host.commands[before:] == []


def test_a_host_with_a_sentinel_only_gets_both_names(host: DebianHost, tmp_path: Path) -> None:
    assert stage(host, tmp_path, **{name: WANTED[name] for name in ("redis-sentinel", "redis-tools")})
    folder = tmp_path / "programs" / "redis-8.0.6"
    assert os.readlink(folder / "redis-server") == "redis-sentinel"
    (host.bin / "redis-server").unlink()
    assert program_in(str(host.bin), "redis") == str(host.bin / "redis-sentinel")


def test_packages_with_another_server_are_refused(host: DebianHost, tmp_path: Path) -> None:
    with pytest.raises(PreconditionFailed, match=r"should hold version 8\.0\.7 and holds 8\.0\.6"):
        stage(host, tmp_path, "8.0.7")
    assert not (tmp_path / "programs" / "redis-8.0.7").exists()


def test_a_killed_staging_leaves_no_part_of_a_version(host: DebianHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    number = 0
    while kill_at(monkeypatch, number, lambda: stage(host, tmp_path)):
        folder = tmp_path / "programs" / "redis-8.0.6"
        assert not folder.exists() or origin_of_programs(str(folder))["packages"] == WANTED
        number += 1
    assert number > 5
    assert version_in(str(tmp_path / "programs" / "redis-8.0.6")) == "8.0.6"


# -- the version in use


def keep(host: DebianHost, root: Path, packages: dict[str, str], pid: int = 0) -> bool:
    return keep_programs("apt", packages, str(host.bin / "redis-sentinel"), pid, "8.0.2", str(root / "programs" / "redis-8.0.2"))


def test_the_version_in_use_is_kept_once(host: DebianHost, tmp_path: Path) -> None:
    packages = dict.fromkeys(PACKAGES, "5:8.0.2-1")
    assert keep(host, tmp_path, packages)
    folder = tmp_path / "programs" / "redis-8.0.2"
    assert not (folder / "redis-server").is_symlink()
    assert os.readlink(folder / "redis-sentinel") == "redis-server"
    assert binary_version(str(folder / "redis-sentinel")) == "8.0.2"
    assert origin_of_programs(str(folder)) == {"manager": "apt", "folder": str(host.bin), "packages": packages}
    assert not keep(host, tmp_path, packages)
    assert not keep(host, tmp_path, {}), "the packages are replaced meanwhile"
    assert origin_of_programs(str(folder))["packages"] == packages
    assert keep(host, tmp_path, dict.fromkeys(PACKAGES, "5:8.0.2-2")), "a new revision"


def test_a_file_that_was_replaced_is_read_from_the_process(host: DebianHost, tmp_path: Path) -> None:
    running = tmp_path / "running"
    running.write_bytes(Path("/bin/sleep").read_bytes())
    running.chmod(0o755)
    host.version = "5:8.0.6-1"
    host._place()
    with subprocess.Popen([str(running), "60"]) as process:
        running.unlink()
        try:
            with pytest.raises((PreconditionFailed, OperationFailed)):  # what runs is no server
                keep(host, tmp_path, {}, process.pid)
            copied = tmp_path / "programs" / "redis-8.0.2.partial" / "redis-server"
            assert copied.read_bytes() == Path("/bin/sleep").read_bytes()
        finally:
            process.kill()
    assert not (tmp_path / "programs" / "redis-8.0.2").exists()


def test_a_folder_without_a_record(tmp_path: Path) -> None:
    assert origin_of_programs(str(tmp_path)) == {}
    (tmp_path / "packages.json").write_text("[")
    assert origin_of_programs(str(tmp_path)) == {}
    assert programs_version(str(tmp_path), "redis") == ""
    place(tmp_path, "8.0.1", "exit 1", name="redis-sentinel")
    assert programs_version(str(tmp_path), "redis") == "8.0.1"
