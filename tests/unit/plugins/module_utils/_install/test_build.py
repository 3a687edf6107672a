"""The contents of a folder or archive with a built version."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._install.build import (
    Contents,
    archive_contents,
    folder_contents,
    verify_checksum,
)
from ansible_collections.sentinelops.redis.tests.unit.support.archives import AARCH64_SERVER, write

SERVER = AARCH64_SERVER
ALLOTTED = -(-len(SERVER) // 4096) * 4096


@pytest.mark.parametrize("compression", ["", "gz", "bz2", "xz"])
@pytest.mark.parametrize("place", ["redis-server", "bin/redis-server", "src/valkey-server"])
def test_an_archive(tmp_path: Path, compression: str, place: str) -> None:
    path = write(tmp_path / "a", {f"redis-8.0.2/{place}": SERVER, "redis-8.0.2/redis.conf": b"port 6379\n"}, compression)
    assert archive_contents(str(path)) == Contents(ALLOTTED + 4096, place, "aarch64")


@pytest.mark.parametrize(
    ("files", "server"),
    [
        ({"r/redis-check-rdb": SERVER, "r/redis-server": "redis-check-rdb"}, "redis-check-rdb"),
        ({"r/bin/valkey-server": SERVER, "r/redis-server": "bin/valkey-server"}, "bin/valkey-server"),
        ({"r/redis-server": "redis-server"}, ""),
        ({"r/redis-server": "/usr/bin/redis-server"}, ""),
        ({"r/README": b"nothing else"}, ""),
        ({"r/lib/redis-server": SERVER}, ""),
    ],
)
def test_where_the_server_is(tmp_path: Path, files: dict[str, bytes | str], server: str) -> None:
    found = archive_contents(str(write(tmp_path / "a", files)))
    assert (found.server, found.machine) == (server, "aarch64" if server else "")


def test_a_file_that_may_not_be_run_is_no_server(tmp_path: Path) -> None:
    assert archive_contents(str(write(tmp_path / "a", {"r/redis-server": SERVER}, mode=0o644))).server == ""


@pytest.mark.parametrize("compression", ["", "gz", "bz2", "xz"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.98])
def test_a_truncated_archive(tmp_path: Path, compression: str, part: float) -> None:
    content = write(tmp_path / "a", {"r/redis-server": SERVER, "r/redis-cli": SERVER * 3}, compression).read_bytes()
    (tmp_path / "half").write_bytes(content[: int(len(content) * part) if compression else int(len(SERVER) * 4 * part)])
    with pytest.raises(PreconditionFailed, match="is truncated, damaged, or no tar archive") as caught:
        archive_contents(str(tmp_path / "half"))
    assert "Nothing was placed and no server was touched" in str(caught.value)


def test_a_damaged_archive(tmp_path: Path) -> None:
    content = bytearray(write(tmp_path / "a", {"r/redis-server": SERVER, "r/redis-cli": SERVER * 3}).read_bytes())
    content[-6] ^= 1  # in the checksum at the end of what is compressed
    (tmp_path / "damaged").write_bytes(content)
    with pytest.raises(PreconditionFailed, match="damaged"):
        archive_contents(str(tmp_path / "damaged"))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"redis-server": SERVER, "redis-cli": SERVER}, "has redis-cli, redis-server at its top"),
        ({"redis-server": SERVER}, "has redis-server at its top"),
        ({"one/redis-server": SERVER, "two/redis-cli": SERVER}, "has one, two at its top"),
        ({"./redis-8.0.2/redis-server": SERVER}, r"has \. at its top"),
        ({}, "has nothing at its top"),
        ({"r/redis-server": SERVER, "r/../../etc/passwd": b""}, "would be written elsewhere"),
        ({"/opt/redis-server": SERVER}, "would be written elsewhere"),
    ],
)
def test_an_archive_of_another_form(tmp_path: Path, files: dict[str, bytes | str], message: str) -> None:
    with pytest.raises(PreconditionFailed, match=message):
        archive_contents(str(write(tmp_path / "a", files)))


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "redis-server").write_bytes(SERVER)
    (tmp_path / "bin" / "redis-server").chmod(0o755)
    (tmp_path / "redis.conf").write_text("port 6379\n")
    assert folder_contents(str(tmp_path)) == Contents(ALLOTTED + 3 * 4096, "bin/redis-server", "aarch64")
    (tmp_path / "bin" / "redis-server").unlink()
    assert folder_contents(str(tmp_path)) == Contents(3 * 4096, "", "")


@pytest.mark.parametrize("prefix", ["", "sha256:"])
def test_the_right_checksum(tmp_path: Path, prefix: str) -> None:
    (tmp_path / "a").write_bytes(SERVER)
    sum_ = hashlib.sha256(SERVER).hexdigest()
    assert verify_checksum(str(tmp_path / "a"), prefix + sum_) == sum_ == verify_checksum(str(tmp_path / "a"), prefix + sum_.upper())


@pytest.mark.parametrize(
    ("wanted", "message"), [("", "no checksum was given for"), ("0" * 64, "expected was 000"), ("md5:1", "expected was md5:1")]
)
def test_another_checksum_or_none(tmp_path: Path, wanted: str, message: str) -> None:
    (tmp_path / "a").write_bytes(SERVER)
    with pytest.raises(PreconditionFailed, match=message):
        verify_checksum(str(tmp_path / "a"), wanted)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PreconditionFailed, match=r"cannot be read: .*No such file"):
        verify_checksum(str(tmp_path / "a"), "0" * 64)
