"""An upgrade that is given the wrong binaries ends before anything is stopped: all servers keep
their process ids.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from binaries import AARCH64, bare_compiler, pack, served, small_disk
from deployment import ROOT, SERVERS, Deployment

pytestmark = pytest.mark.extended

VERSION = "6.2.9"
WANTED = "6.2.14"
NOTHING = "Nothing was placed and no server was touched"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a test makes its archives."""
    return tmp_path


def upgrade(deployment: Deployment, environment: dict[str, str] | None = None, **variables: Any) -> str:
    """Run it, and return what it said without line breaks; it must fail, and nothing may be stopped
    or left behind.
    """
    before = deployment.pids()
    settings = {"redis_upgrade_version": WANTED, "redis_binaries_cache": str(deployment.folder / "cache"), **variables}
    words = ["ansible-playbook", "-i", str(deployment.inventory), "sentinelops.redis.upgrade", "-e", json.dumps(settings)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode != 0, done.stdout
    assert "PLAY [(3/8) Stage the new version]" in done.stdout, done.stdout
    assert "PLAY [(4/8)" not in done.stdout
    assert deployment.pids() == before
    return " ".join(done.stdout.split())


def left_behind(deployment: Deployment) -> list[Path]:
    return sorted(path for name in deployment.ports for path in (deployment.folder / name).glob("redis.*"))


def archive(path: Path | str, checksum: str) -> dict[str, Any]:
    return {"redis_binaries_method": "archive", "redis_binaries_source": str(path), "redis_binaries_checksum": checksum}


def test_a_wrong_checksum(deployment: Deployment, folder: Path) -> None:
    given = pack(SERVERS / WANTED, folder)
    said = upgrade(deployment, **archive(given.path, "0" * 64))
    assert f"{given.path} has the checksum {given.checksum}, expected was {'0' * 64}. {NOTHING}" in said
    assert left_behind(deployment) == []


def test_no_checksum(deployment: Deployment, folder: Path) -> None:
    assert f"no checksum was given for {folder}/redis-{WANTED}.tar.gz. {NOTHING}" in upgrade(
        deployment, **archive(pack(SERVERS / WANTED, folder).path, "")
    )
    assert left_behind(deployment) == []


def test_a_truncated_archive(deployment: Deployment, folder: Path) -> None:
    """With the checksum of what there is of it, as after a download that broke off unnoticed."""
    given = pack(SERVERS / WANTED, folder).truncated()
    said = upgrade(deployment, **archive(given.path, given.checksum))
    assert f"{given.path} is truncated, damaged, or no tar archive" in said
    assert NOTHING in said
    assert left_behind(deployment) == []


def test_another_architecture(deployment: Deployment, folder: Path) -> None:
    given = pack(SERVERS / WANTED, folder, AARCH64)
    said = upgrade(deployment, **archive(given.path, given.checksum))
    assert f"The new version is built for aarch64, this host is x86_64. {NOTHING}" in said
    assert left_behind(deployment) == []


def test_another_version(deployment: Deployment, folder: Path) -> None:
    given = pack(SERVERS / "6.2.7", folder)
    assert "is version 6.2.7, announced was 6.2.14. No server was touched" in upgrade(deployment, **archive(given.path, given.checksum))
    assert left_behind(deployment) == []


def test_no_room(deployment: Deployment, folder: Path) -> None:
    """On one host of six; where we may not mount a small file system, more must stay free than any
    disk has.
    """
    given = pack(SERVERS / WANTED, folder)
    with small_disk(deployment.folder / "redis-2" / "redis.new") as small:
        spare = {} if small else {"redis_binaries_spare_mb": 1 << 40}
        said = upgrade(deployment, **archive(given.path, given.checksum), **spare)
    assert f"{deployment.folder}/redis-2/redis.new needs " in said
    assert f"iB free. {NOTHING}" in said
    for path in left_behind(deployment):  # where there is room it is staged, whole
        assert subprocess.run([path / "redis-server", "--version"], capture_output=True, check=False).returncode == 0
        shutil.rmtree(path)


def test_an_unreachable_url(deployment: Deployment) -> None:
    said = upgrade(deployment, **archive("http://127.0.0.1:9/redis.tar.gz", "0" * 64))
    assert (
        f"http://127.0.0.1:9/redis.tar.gz cannot be downloaded: Request failed: <urlopen error [Errno 111] Connection refused>. {NOTHING}"
        in said
    )
    assert left_behind(deployment) == []


def test_a_url_with_something_else(deployment: Deployment, folder: Path) -> None:
    given = pack(SERVERS / WANTED, folder)
    with served(folder) as server:
        said = upgrade(deployment, **archive(server.url(given.path), "0" * 64))
    assert "did not match" in said
    assert NOTHING in said
    assert list((deployment.folder / "cache" / "downloads").iterdir()) == []
    assert left_behind(deployment) == []


def test_a_build_host_without_headers(deployment: Deployment, folder: Path) -> None:
    given = {
        "redis_binaries_method": "source",
        "redis_binaries_source": str(ROOT / ".cache" / "sources" / "redis_6.0.16.orig.tar.gz"),
        "redis_binaries_checksum": "8bea58a468bb67bedc92d8c2e44c170e42e6ea02527cbc5d233e92e8d78d1b99",
    }
    said = upgrade(deployment, bare_compiler(folder / "path"), **given)
    assert "missing there: openssl/ssl.h" in said
    assert NOTHING in said
    assert left_behind(deployment) == []


def test_what_should_be_there_already_is_not(deployment: Deployment) -> None:
    assert "redis.new holds no redis-server or valkey-server" in upgrade(deployment, redis_binaries_method="present")
    assert left_behind(deployment) == []
