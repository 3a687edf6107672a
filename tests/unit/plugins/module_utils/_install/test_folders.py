"""Swaps of version folders, also by a run that is killed in the middle. The folders are real, with
a script as the server.
"""

from __future__ import annotations

import itertools
import os
import shutil
import stat
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._atomic_write import FileIdentity
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import OperationFailed, PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._install.folders import (
    Folders,
    copy_version,
    outdated_files,
    server_in,
    version_in,
)
from ansible_collections.sentinelops.redis.plugins.module_utils._install.instance_files import InstanceFiles
from ansible_collections.sentinelops.redis.tests.unit.support.killed import kill_at
from ansible_collections.sentinelops.redis.tests.unit.support.version_folder import place

OLDEST, OLD, NEW = "7.0.1", "7.0.5", "7.0.15"
CONFIG = "port 6379\nrequirepass s3cret\n"


class Base:
    """One instance's folders: the old version and its configuration in use, the new one staged."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.active = place(path / "redis", OLD)
        self.staged = place(path / "redis.new", NEW)
        self.kept = path / "redis.old"
        self.config = self.active / "redis.conf"
        self.config.write_text(CONFIG)
        self.config.chmod(0o640)
        self.folders = Folders(str(self.active))

    def activate(self, identity: FileIdentity | None = None) -> None:
        self.folders.activate(InstanceFiles(f"{self.active}/redis-server", str(self.config), False, ""), identity)

    def upgrade(self) -> None:
        """Do what a (second) run does: nothing if the folders are swapped already."""
        if not self.folders.activated(NEW):
            self.folders.require_staged(NEW)
            self.activate()

    def roll_back(self) -> None:
        """Do what an aborted run does."""
        if version_in(str(self.active)) != OLD:
            self.folders.restore_kept()

    def versions(self) -> dict[str, str]:
        return {entry.name: version_in(str(entry)) for entry in self.path.iterdir()}


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return Base(tmp_path)


@pytest.mark.parametrize("sub", ["", "bin", "src"])
@pytest.mark.parametrize("name", ["redis-server", "valkey-server"])
def test_the_server_in_a_folder(tmp_path: Path, sub: str, name: str) -> None:
    place(tmp_path / sub, NEW, name=name)
    assert server_in(str(tmp_path)) == str(tmp_path / sub / name)
    assert version_in(str(tmp_path)) == NEW


def test_no_server_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "redis-server").mkdir()
    place(tmp_path / "src", NEW)
    (tmp_path / "src" / "redis-server").chmod(0o644)
    assert server_in(str(tmp_path)) is None
    assert version_in(str(tmp_path)) == ""
    assert version_in(str(tmp_path / "missing")) == ""


def test_a_server_that_does_not_run_has_no_version(tmp_path: Path) -> None:
    place(tmp_path, NEW)
    (tmp_path / "redis-server").write_text("#!/bin/sh\nexit 1\n")
    assert version_in(str(tmp_path)) == ""


def test_activation(base: Base) -> None:
    base.activate()
    assert base.versions() == {"redis": NEW, "redis.old": OLD}
    assert base.config.read_text() == CONFIG
    assert stat.S_IMODE(base.config.stat().st_mode) == 0o640
    assert (base.kept / "redis.conf").read_text() == CONFIG, "the old version can be started as it was"
    assert base.folders.activated(NEW)
    assert not base.folders.interrupted()


def test_the_configuration_gets_back_the_mode_that_it_had(base: Base) -> None:
    """The server has changed the mode to 0644 since."""
    identity = FileIdentity.of(str(base.config))
    base.config.chmod(0o644)
    base.activate(identity)
    assert FileIdentity.of(str(base.config)) == identity


def test_reverted(base: Base) -> None:
    base.activate()
    base.config.write_text("changed by the new version\n")
    base.folders.restore_kept()
    assert base.versions() == {"redis": OLD, "redis.new": NEW}
    assert base.config.read_text() == CONFIG


def test_activated_again_after_a_revert(base: Base) -> None:
    base.activate()
    base.folders.restore_kept()
    base.activate()
    assert base.versions() == {"redis": NEW, "redis.old": OLD}


def test_the_kept_version_of_an_earlier_upgrade_is_set_aside(base: Base) -> None:
    place(base.kept, OLDEST)
    base.activate()
    assert base.versions() == {"redis": NEW, "redis.old": OLD, f"redis.old.{OLDEST}": OLDEST}


def test_nothing_that_was_set_aside_is_overwritten(base: Base) -> None:
    place(base.kept, OLDEST)
    place(base.path / f"redis.old.{OLDEST}", OLDEST)
    (base.path / f"redis.old.{OLDEST}" / "mine").touch()
    base.activate()
    assert (base.path / f"redis.old.{OLDEST}" / "mine").exists()
    assert base.versions()[f"redis.old.{OLDEST}-2"] == OLDEST


def test_a_kept_folder_without_a_server(base: Base) -> None:
    base.kept.mkdir()
    (base.kept / "mine").touch()
    base.activate()
    assert (base.path / "redis.old.unknown" / "mine").exists()


@pytest.mark.parametrize("version", [OLD, ""])
def test_what_is_not_staged_is_not_activated(base: Base, version: str) -> None:
    shutil.rmtree(base.staged)
    if version:
        place(base.staged, version)
    with pytest.raises(PreconditionFailed, match=f"should hold version {NEW} and holds {version or 'no server that runs'}"):
        base.folders.require_staged(NEW)
    assert base.versions()["redis"] == OLD


def test_there_is_nothing_to_restore(base: Base) -> None:
    with pytest.raises(OperationFailed, match=r"there is no .*redis.old to restore"):
        base.folders.restore_kept()
    assert base.versions() == {"redis": OLD, "redis.new": NEW}


def test_a_staged_folder_in_the_way(base: Base) -> None:
    base.activate()
    place(base.staged, "7.2.6")
    with pytest.raises(OperationFailed, match=r"redis.new is in the way"):
        base.folders.restore_kept()
    assert base.versions() == {"redis": NEW, "redis.old": OLD, "redis.new": "7.2.6"}


# -- which files belong to the configuration


def test_files_that_the_configuration_names(base: Base) -> None:
    (base.active / "tls").mkdir()
    for name in ("users.acl", "tls/redis.key", "not-named.txt"):
        (base.active / name).write_text(name)
    base.config.write_text(f"{CONFIG}aclfile {base.active}/users.acl\ntls-key-file {base.active}/tls/redis.key\ninclude /etc/other.conf\n")
    assert base.folders.copier.files(str(base.config)) == ["redis.conf", "tls/redis.key", "users.acl"]
    base.activate()
    assert (base.active / "tls" / "redis.key").read_text() == "tls/redis.key"
    assert not (base.active / "not-named.txt").exists()


def test_the_server_itself_is_not_copied(base: Base) -> None:
    base.config.write_text(f"{CONFIG}# and some option that names it\npidfile {base.active}/redis-server\n")
    assert base.folders.copier.files(str(base.config)) == ["redis.conf"]


def test_a_configuration_elsewhere_stays_where_it_is(base: Base, tmp_path: Path) -> None:
    config = tmp_path / "redis.conf"
    config.write_text(CONFIG)
    assert base.folders.copier.files(str(config)) == []
    base.folders.activate(InstanceFiles(f"{base.active}/redis-server", str(config), False, ""), None)
    assert config.read_text() == CONFIG
    assert not (base.active / "redis.conf").exists()


def test_a_name_that_begins_like_the_folder_is_not_inside(base: Base) -> None:
    other = base.path / "redis-data"
    other.mkdir()
    (other / "users.acl").touch()
    base.config.write_text(f"aclfile {other}/users.acl\n")
    assert base.folders.copier.files(str(base.config)) == ["redis.conf"]


def test_a_configuration_file_that_is_executable(base: Base) -> None:
    base.config.chmod(0o755)
    assert base.folders.copier.files(str(base.config)) == ["redis.conf"]


def test_a_file_that_is_included_by_its_relative_name(base: Base) -> None:
    """The server is started in the folder of its configuration file."""
    (base.active / "local.conf").write_text("maxmemory 1gb\n")
    base.config.write_text("include local.conf\n")
    assert "local.conf" in base.folders.copier.files(str(base.config))


def test_a_file_in_the_version_folder_that_a_configuration_elsewhere_names(base: Base, tmp_path: Path) -> None:
    config = tmp_path / "redis.conf"
    config.write_text(f"aclfile {base.active}/users.acl\n")
    (base.active / "users.acl").write_text("user default on nopass\n")
    base.folders.activate(InstanceFiles(f"{base.active}/redis-server", str(config), False, ""), None)
    assert (base.active / "users.acl").exists()


def test_a_private_key_stays_private(base: Base) -> None:
    key = base.active / "redis.key"
    key.write_text("private")
    key.chmod(0o600)
    base.config.write_text(f"tls-key-file {key}\n")
    base.activate(FileIdentity.of(str(base.config)))
    assert stat.S_IMODE((base.active / "redis.key").stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_new_version_belongs_to_whom_the_old_one_belongs(base: Base) -> None:
    (base.staged / "modules").mkdir()
    (base.staged / "modules" / "new.so").touch()
    for path in (base.active, base.active / "redis-server", base.config):
        os.chown(path, 54321, 54322)
    base.activate()
    owned = [base.active, base.active / "redis-server", base.config, base.active / "modules", base.active / "modules" / "new.so"]
    assert {(path.stat().st_uid, path.stat().st_gid) for path in owned} == {(54321, 54322)}


def test_a_module_that_the_new_version_brings_itself(base: Base) -> None:
    for folder, content in ((base.active, "old"), (base.staged, "new")):
        (folder / "modules").mkdir()
        (folder / "modules" / "bloom.so").write_text(content)
    base.config.write_text(f"loadmodule {base.active}/modules/bloom.so\n")
    base.activate()
    assert (base.active / "modules" / "bloom.so").read_text() == "new"


def test_a_folder_with_a_slash_at_its_end() -> None:
    folders = Folders("/opt/redis-6379/redis/")
    assert (folders.staged, folders.kept) == ("/opt/redis-6379/redis.new", "/opt/redis-6379/redis.old")


# -- placing a version


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A version in the form of a build."""
    place(tmp_path / "built" / "src", NEW)
    (tmp_path / "built" / "README.md").write_text("read me")
    return tmp_path / "built"


def test_a_version_is_placed(built: Path, tmp_path: Path) -> None:
    placed = tmp_path / "redis.new"
    names = outdated_files(str(built), str(placed))
    assert names == ["README.md", "src/redis-server"]
    copy_version(str(built), str(placed), names)
    assert version_in(str(placed)) == NEW
    assert outdated_files(str(built), str(placed)) == []


@pytest.mark.parametrize("change", ["content", "mode", "missing", "folder in the way"])
def test_what_differs_is_placed_again(built: Path, tmp_path: Path, change: str) -> None:
    placed = tmp_path / "redis.new"
    copy_version(str(built), str(placed), outdated_files(str(built), str(placed)))
    file = placed / "README.md"
    if change == "content":
        file.write_text("READ ME")
    elif change == "mode":
        file.chmod(0o600)
    else:
        file.unlink()
        if change == "folder in the way":
            file.mkdir()
    assert outdated_files(str(built), str(placed)) == ["README.md"]


def test_what_is_only_there_stays(built: Path, tmp_path: Path) -> None:
    placed = tmp_path / "redis.new"
    placed.mkdir()
    (placed / "redis.conf").write_text(CONFIG)
    copy_version(str(built), str(placed), outdated_files(str(built), str(placed)))
    assert (placed / "redis.conf").read_text() == CONFIG


def test_a_half_copied_version_is_completed(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    placed = tmp_path / "redis.new"
    assert kill_at(monkeypatch, 3, lambda: copy_version(str(built), str(placed), outdated_files(str(built), str(placed))))
    copy_version(str(built), str(placed), outdated_files(str(built), str(placed)))
    assert version_in(str(placed)) == NEW
    assert outdated_files(str(built), str(placed)) == []


# -- a run is killed


@pytest.mark.parametrize("earlier", [False, True], ids=["first upgrade", "after an earlier one"])
@pytest.mark.parametrize("afterwards", ["upgrade", "roll_back"])
def test_killed_at_every_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier: bool, afterwards: str) -> None:
    for number in itertools.count():
        base = Base(tmp_path / str(number))
        if earlier:
            place(base.kept, OLDEST)
        killed = kill_at(monkeypatch, number, base.activate)
        getattr(base, afterwards)()
        versions = base.versions()
        assert versions["redis"] == (NEW if afterwards == "upgrade" else OLD), number
        assert base.config.read_text() == CONFIG, number
        assert sorted(versions.values()) == sorted([OLD, NEW, *([OLDEST] if earlier else [])]), f"{number}: no version is lost"
        assert not base.folders.interrupted()
        if not killed:
            break
    assert number >= 5, "it was killed at many points"


def test_a_killed_run_leaves_no_secret_for_others_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    umask = os.umask(0o022)
    try:
        for number in range(6):
            base = Base(tmp_path / str(number))
            kill_at(monkeypatch, number, base.activate)
            copies = [path for path in base.path.rglob("redis.conf*") if "s3cret" in path.read_text()]
            assert {stat.S_IMODE(path.stat().st_mode) & 0o007 for path in copies} == {0}, number
    finally:
        os.umask(umask)


def test_killed_between_the_renames(base: Base) -> None:
    base.active.rename(base.kept)
    assert (base.folders.interrupted(), base.folders.in_use()) == (True, str(base.kept))
    assert not base.folders.activated(NEW)
    assert base.folders.copier.files(str(base.config)) == ["redis.conf"], "found in the kept folder"


@pytest.mark.parametrize("present", ["redis", "redis.old", "both", "none"])
def test_interrupted(base: Base, present: str) -> None:
    if present in ("redis.old", "both"):
        place(base.kept, OLD)
    if present in ("redis.old", "none"):
        shutil.rmtree(base.active)
    assert base.folders.interrupted() is (present == "redis.old")
    assert base.folders.in_use() == str(base.kept if present == "redis.old" else base.active)
