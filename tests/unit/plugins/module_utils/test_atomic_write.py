"""Atomic replacement of files: whole or not at all, durable, with the right owner and mode."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._atomic_write import (
    FileIdentity,
    replacing,
    write_atomically,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "redis.conf"


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
@pytest.mark.parametrize("wanted", [0o600, 0o640, 0o644])
def test_the_mode_does_not_depend_on_the_umask(path: Path, umask: int, wanted: int) -> None:
    before = os.umask(umask)
    try:
        write_atomically(str(path), "text", mode=wanted)
    finally:
        os.umask(before)
    assert (path.read_text(), mode(path), names(path)) == ("text", wanted, ["redis.conf"])


def test_by_default_only_its_owner_reads_it(path: Path) -> None:
    write_atomically(str(path), "s3cret")
    assert mode(path) == 0o600


def test_a_file_in_the_current_folder(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    write_atomically(path.name, "text")
    assert path.read_text() == "text"


def test_text_that_is_no_utf_8_is_written_as_it_was_read(path: Path) -> None:
    write_atomically(str(path), b"requirepass \xff\xfe\r\n".decode("utf-8", "surrogateescape"))
    assert path.read_bytes() == b"requirepass \xff\xfe\r\n"


def test_an_identity_wins_over_the_mode(path: Path) -> None:
    write_atomically(str(path), "text", FileIdentity(os.geteuid(), os.getegid(), 0o640))
    assert FileIdentity.of(str(path)) == FileIdentity(os.geteuid(), os.getegid(), 0o640)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_is_given_before_the_file_is_in_its_place(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[FileIdentity] = []
    replace = os.replace

    def spy(source: str, target: str, **folders: int | None) -> None:
        seen.append(FileIdentity.of(str(path) + ".partial"))
        replace(source, target, **folders)

    monkeypatch.setattr(os, "replace", spy)
    wanted = FileIdentity(1, 2, 0o640)
    write_atomically(str(path), "text", wanted)
    assert seen == [wanted]
    assert FileIdentity.of(str(path)) == wanted


def fail_while_replacing(path: Path) -> None:
    with replacing(str(path)) as file:
        file.write(b"new")
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("exists", [True, False])
def test_an_error_leaves_the_old_content_and_nothing_else(path: Path, exists: bool) -> None:
    if exists:
        path.write_text("old")
    with pytest.raises(OSError, match="No space left"):
        fail_while_replacing(path)
    assert names(path) == (["redis.conf"] if exists else [])
    assert not exists or path.read_text() == "old"


def test_what_a_killed_process_left_is_replaced_and_not_followed(path: Path) -> None:
    precious = path.with_name("precious")
    precious.write_text("precious")
    path.with_name("redis.conf.partial").symlink_to(precious)
    write_atomically(str(path), "new")
    assert (path.read_text(), precious.read_text()) == ("new", "precious")
    assert names(path) == ["precious", "redis.conf"]


def test_content_and_mode_are_synced_before_the_rename_and_the_folder_after(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def spy_on_fsync(descriptor: int) -> None:
        found = os.fstat(descriptor)
        is_folder = stat.S_ISDIR(found.st_mode)
        done.append("folder" if is_folder else f"{found.st_size} bytes, mode {stat.S_IMODE(found.st_mode):o}")
        fsync(descriptor)

    def spy_on_replace(source: str, target: str, **folders: int | None) -> None:
        done.append("rename")
        replace(source, target, **folders)

    monkeypatch.setattr(os, "fsync", spy_on_fsync)
    monkeypatch.setattr(os, "replace", spy_on_replace)
    write_atomically(str(path), "text", mode=0o644)
    assert done == ["4 bytes, mode 644", "rename", "folder"]


def test_a_folder_that_cannot_be_synced_is_no_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync = os.fsync

    def refuse_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(22, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    write_atomically(str(path), "text")
    assert path.read_text() == "text"


def test_identity_is_given_back(tmp_path: Path) -> None:
    file = tmp_path / "redis.conf"
    file.touch()
    file.chmod(0o600)
    identity = FileIdentity.of(str(file))
    assert identity.mode == 0o600
    assert identity.apply_to(str(file)) is False
    file.chmod(0o644)  # what a server does when it rewrites its file
    assert identity.apply_to(str(file)) is True
    assert FileIdentity.of(str(file)) == identity
