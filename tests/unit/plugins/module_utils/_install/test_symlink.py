"""Releases behind a symbolic link. Real folders and links, with a script as the server."""

from __future__ import annotations

import itertools
import os
import shutil
import stat
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._atomic_write import FileIdentity
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import OperationFailed, PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._install.folders import version_in
from ansible_collections.sentinelops.redis.plugins.module_utils._install.instance_files import InstanceFiles
from ansible_collections.sentinelops.redis.plugins.module_utils._install.symlink import Symlink, link_target, release_name
from ansible_collections.sentinelops.redis.tests.unit.support.killed import kill_at
from ansible_collections.sentinelops.redis.tests.unit.support.version_folder import place

OLDEST, OLD, NEW = "7.0.1", "7.0.7", "7.0.15"
CONFIG = "# ours\nport 6379\nrequirepass s3cret\n"


class Base:
    """One instance: a link to the release in use, its configuration, and the new release."""

    def __init__(self, path: Path, relative: bool = True) -> None:
        self.path, self.link = path, path / "current"
        self.old, self.new = place(path / "releases" / OLD, OLD), place(path / "releases" / NEW, NEW)
        self.link.symlink_to(f"releases/{OLD}" if relative else self.old)
        self.config = self.link / "redis.conf"
        self.config.write_text(CONFIG)
        self.config.chmod(0o640)
        self.symlink = Symlink(str(self.link), str(self.new), str(self.old))
        self.files = InstanceFiles(str(self.link / "redis-server"), str(self.config), False, "")

    def activate(self, identity: FileIdentity | None = None) -> None:
        self.symlink.activate(self.files, identity)

    def upgrade(self) -> None:
        """Do what a (second) run does: nothing if the link points to the new release already."""
        if not self.symlink.activated(NEW):
            self.symlink.require_staged(NEW)
            self.activate()

    def roll_back(self) -> None:
        """Do what an aborted run does."""
        self.symlink.revert(self.files, OLD)

    def releases(self) -> dict[str, str]:
        return {entry.name: version_in(str(entry)) for entry in (self.path / "releases").iterdir()}


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return Base(tmp_path)


@pytest.mark.parametrize(
    ("name", "running", "expected"),
    [
        ("7.0.7", "7.0.7", "7.0.15"),
        ("redis-7.0.7", "7.0.7", "redis-7.0.15"),
        ("redis-7.0.7-tls", "7.0.7", "redis-7.0.15-tls"),
        ("7.0.71", "7.0.7", "7.0.15"),
        ("7.0.7.1", "7.0.7", "7.0.15"),
        ("17.0.7", "7.0.7", "7.0.15"),
        ("blue", "7.0.7", "7.0.15"),
        ("blue", "", "7.0.15"),
    ],
)
def test_the_name_of_the_new_release(name: str, running: str, expected: str) -> None:
    assert release_name(name, running, NEW) == expected


@pytest.mark.parametrize("relative", [True, False])
def test_activation(tmp_path: Path, relative: bool) -> None:
    base = Base(tmp_path, relative)
    assert not base.symlink.activated(NEW)
    base.activate()
    assert os.readlink(base.link) == (f"releases/{NEW}" if relative else str(base.new)), "relative or absolute as it was"
    assert base.releases() == {OLD: OLD, NEW: NEW}, "no release was renamed or removed"
    assert base.config.read_text() == CONFIG
    assert stat.S_IMODE(base.config.stat().st_mode) == 0o640
    assert (base.old / "redis.conf").read_text() == CONFIG, "the old version can be started as it was"
    assert base.symlink.activated(NEW)
    assert (base.symlink.installed_version(), base.symlink.in_place(NEW)) == (NEW, True)


def test_the_configuration_gets_back_the_mode_that_it_had(base: Base) -> None:
    identity = FileIdentity.of(str(base.config))
    base.config.chmod(0o644)
    base.activate(identity)
    assert FileIdentity.of(str(base.config)) == identity


def test_reverted(base: Base) -> None:
    base.activate()
    base.config.write_text("changed by the new version\n")
    base.roll_back()
    assert link_target(str(base.link)) == str(base.old)
    assert base.config.read_text() == CONFIG
    base.roll_back()
    assert base.symlink.in_place(OLD), "a second revert changes nothing"


def test_activated_again_after_a_revert(base: Base) -> None:
    base.activate()
    base.roll_back()
    base.config.write_text(CONFIG + "maxmemory 1gb\n")
    base.activate()
    assert base.config.read_text().endswith("maxmemory 1gb\n"), "what was copied at the first time does not stay"


def test_older_releases_stay(base: Base) -> None:
    place(base.path / "releases" / OLDEST, OLDEST)
    base.activate()
    assert base.releases() == {OLDEST: OLDEST, OLD: OLD, NEW: NEW}


def test_a_release_that_is_gone_cannot_be_restored(base: Base) -> None:
    base.activate()
    shutil.rmtree(base.old)
    with pytest.raises(OperationFailed, match=r"there is no .*releases/7\.0\.7 to restore") as caught:
        base.roll_back()
    assert caught.value.state == f"{base.link} points to {base.new}"


@pytest.mark.parametrize("version", ["7.2.6", ""])
def test_what_is_not_staged_is_not_activated(base: Base, version: str) -> None:
    shutil.rmtree(base.new)
    if version:
        place(base.new, version)
    with pytest.raises(PreconditionFailed, match=f"should hold version {NEW} and holds {version or 'no server that runs'}"):
        base.symlink.require_staged(NEW)


@pytest.mark.parametrize(
    ("sub", "name", "changes"), [("", "redis-server", False), ("bin", "redis-server", True), ("", "valkey-server", True)]
)
def test_the_new_server_has_another_place_or_name(base: Base, sub: str, name: str, changes: bool) -> None:
    (base.new / "redis-server").unlink()
    place(base.new / sub, NEW, name=name)
    assert base.symlink.changes_server_path(base.files.executable) is changes
    assert base.symlink.new_server() == str(base.new / sub / name)
    assert base.symlink.activate(base.files, None).executable == str(base.link / sub / name)
    assert base.symlink.files_after(base.files).executable == str(base.link / sub / name)


# -- which files belong to the configuration


def test_files_that_the_configuration_names(base: Base) -> None:
    (base.old / "conf.d").mkdir()
    for name in ("users.acl", "local.conf", "conf.d/a.conf", "conf.d/b.conf", "deeper.conf", "not-named.conf"):
        (base.old / name).write_text(f"# {name}\n")
    (base.old / "local.conf").write_text("include deeper.conf\n")
    base.config.write_text(f"# comment\ninclude local.conf\ninclude {base.link}/conf.d/*.conf\naclfile {base.link}/users.acl\n")
    base.activate()
    assert base.config.read_text().startswith("# comment\n")
    copied = {str(path.relative_to(base.new)) for path in base.new.rglob("*") if path.is_file()} - {"redis-server"}
    assert copied == {"redis.conf", "users.acl", "local.conf", "deeper.conf", "conf.d/a.conf", "conf.d/b.conf"}


def test_a_configuration_elsewhere_stays_where_it_is(base: Base, tmp_path: Path) -> None:
    config = tmp_path / "redis.conf"
    config.write_text(f"{CONFIG}aclfile {base.link}/users.acl\n")
    (base.old / "users.acl").write_text("user default on nopass\n")
    base.symlink.activate(InstanceFiles(base.files.executable, str(config), False, ""), None)
    assert config.read_text().startswith(CONFIG)
    assert sorted(path.name for path in base.new.iterdir()) == ["redis-server", "users.acl"]


def test_what_a_server_has_written_without_the_link_is_written_with_it(base: Base) -> None:
    """CONFIG REWRITE and Sentinel write ``dir`` without the link, which would tie the configuration
    to the old release.
    """
    base.config.write_text(f'# {base.old}/x\ndir "{base.old}"\naclfile {base.old}/users.acl\nlogfile {base.old}-log\n')
    (base.old / "users.acl").write_text("user default on nopass\n")
    base.activate()
    assert base.config.read_text() == f'# {base.old}/x\ndir "{base.link}"\naclfile {base.link}/users.acl\nlogfile {base.old}-log\n'
    assert (base.new / "users.acl").exists()


def test_a_sentinel_keeps_its_state(base: Base) -> None:
    state = "port 26379\nsentinel myid 1234\nsentinel config-epoch mymaster 7\nsentinel known-replica mymaster 10.0.0.2 6379\n# end\n"
    config = base.link / "sentinel.conf"
    config.write_text(state)
    base.symlink.activate(InstanceFiles(base.files.executable, str(config), True, ""), None)
    assert (base.new / "sentinel.conf").read_text() == state


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_new_release_and_the_link_belong_to_whom_the_old_ones_belong(base: Base) -> None:
    for path in (base.old, base.old / "redis-server", base.config):
        os.chown(path, 54321, 54322)
    os.lchown(base.link, 54321, 54322)
    base.activate()
    owned = [base.new, base.new / "redis-server", base.new / "redis.conf", base.link]
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in owned} == {(54321, 54322)}


# -- from elsewhere into a release


def test_an_instance_that_ran_from_elsewhere(tmp_path: Path) -> None:
    new, link = place(tmp_path / "releases" / NEW, NEW), tmp_path / "current"
    symlink = Symlink(str(link), str(new), "")
    files = InstanceFiles("/usr/bin/redis-server", str(tmp_path / "redis.conf"), False, "")
    (tmp_path / "redis.conf").write_text(CONFIG)
    assert symlink.runs_elsewhere(files.executable)
    assert symlink.changes_server_path(files.executable)
    assert symlink.activate(files, None).executable == str(link / "redis-server")
    assert link_target(str(link)) == str(new)
    symlink.revert(files, OLD)
    assert not link.is_symlink()
    symlink.revert(files, OLD)


@pytest.mark.parametrize(
    ("executable", "moved"), [("{link}/redis-server", False), ("{old}/redis-server", False), ("/usr/bin/redis-server", True)]
)
def test_moved(base: Base, executable: str, moved: bool) -> None:
    assert base.symlink.runs_elsewhere(executable.format(link=base.link, old=base.old)) is moved


# -- a run is killed


@pytest.mark.parametrize("afterwards", ["upgrade", "roll_back"])
def test_killed_at_every_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, afterwards: str) -> None:
    for number in itertools.count():
        base = Base(tmp_path / str(number))
        killed = kill_at(monkeypatch, number, base.activate)
        assert base.link.is_dir(), f"{number}: there is a link, whatever happens"
        assert not base.symlink.interrupted()
        getattr(base, afterwards)()
        assert version_in(str(base.link)) == (NEW if afterwards == "upgrade" else OLD), number
        assert base.config.read_text() == CONFIG, number
        assert base.releases() == {OLD: OLD, NEW: NEW}
        if not killed:
            break
    assert number >= 4, "it was killed at many points"


def test_a_link_that_somebody_has_removed(base: Base) -> None:
    base.link.unlink()
    assert base.symlink.interrupted()
    assert base.symlink.installed_version() == OLD
    base.activate()
    assert (base.new / "redis.conf").read_text() == CONFIG
    assert version_in(str(base.link)) == NEW
