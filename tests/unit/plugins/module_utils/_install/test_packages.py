"""Activation from Redis's packages to Valkey's; the files are real, systemctl is replayed."""

from __future__ import annotations

import grp
import itertools
import os
import pwd
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._atomic_write import FileIdentity
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._host.service import Host, Ran
from ansible_collections.sentinelops.redis.plugins.module_utils._host.systemd import Systemd
from ansible_collections.sentinelops.redis.plugins.module_utils._install.instance_files import InstanceFiles
from ansible_collections.sentinelops.redis.plugins.module_utils._install.package_paths import PackagePaths
from ansible_collections.sentinelops.redis.plugins.module_utils._install.packages import Packages, package_record
from ansible_collections.sentinelops.redis.tests.unit.support.killed import kill_at
from ansible_collections.sentinelops.redis.tests.unit.support.version_folder import place

OLD, NEW = "7.0.15", "8.0.1"
OLD_UNIT, NEW_UNIT = "redis-server.service", "valkey-server.service"
ME = pwd.getpwuid(os.getuid()).pw_name
MY_GROUP = grp.getgrgid(os.getgid()).gr_name


class Replaying(Host):
    """A host with the units of both packages; remembers the enabled unit."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.enabled = [OLD_UNIT]
        self.loaded = {OLD_UNIT: "loaded", NEW_UNIT: "loaded"}
        self.user = {OLD_UNIT: ME, NEW_UNIT: ME}

    def run(self, words: Sequence[str], timeout_s: float) -> Ran:
        unit = words[-1]
        if words[1] == "show":
            product = "valkey" if unit == NEW_UNIT else "redis"
            command = f"{self.root}/usr/bin/{product}-server {self.root}/etc/{product}/{product}.conf --supervised systemd"
            program = command.split(" ", maxsplit=1)[0]
            shown = f"ExecStart={{ path={program} ; argv[]={command} ; ignore_errors=no }}" if self.loaded[unit] == "loaded" else ""
            return Ran(0, f"LoadState={self.loaded[unit]}\nUser={self.user[unit]}\nGroup={MY_GROUP}\n{shown}\n")
        if words[1] == "enable":
            assert set(self.enabled) <= {unit}, "they have the same alias, so that enabling both fails"
            self.enabled = [unit]
        elif words[1] == "disable":
            self.enabled = [name for name in self.enabled if name != unit]
        return Ran(0, "")


class Base:
    """A host with both packages, and a stopped instance of Redis's package."""

    def __init__(self, root: Path) -> None:
        self.root, self.host = root, Replaying(root)
        for folder in ("etc/redis", "etc/valkey", "var/lib/redis/appendonlydir", "var/lib/valkey"):
            (root / folder).mkdir(parents=True)
        place(root / "usr/bin", OLD)
        place(root / "usr/bin", NEW, product="Valkey server", name="valkey-server")
        self.old_config, self.config = root / "etc/redis/redis.conf", root / "etc/valkey/valkey.conf"
        self.config.write_text("# as the package brings it\nport 6379\n")
        self.old_config.write_text(
            f"# ours\nport 6379\ndir {root}/var/lib/redis\nlogfile {root}/var/log/redis/redis-server.log\n"
            f"include {root}/etc/redis/conf.d/*.conf\naclfile {root}/etc/redis/users.acl\nunixsocket {root}/run/redis/redis.sock\n"
        )
        self.old_config.chmod(0o640)
        (root / "etc/redis/conf.d").mkdir()
        (root / "etc/redis/conf.d/a.conf").write_text(f"# a\npidfile {root}/run/redis/redis-server.pid\n")
        (root / "etc/redis/users.acl").write_text("user app on >s3cret\n")
        (root / "etc/redis/users.acl").chmod(0o600)
        self.data = root / "var/lib/redis"
        (self.data / "dump.rdb").write_text("old data")
        (self.data / "appendonlydir" / "appendonly.aof.1.incr.aof").write_text("appended")
        (self.data / "not-ours").write_text("")
        executable, log = f"{root}/usr/bin/redis-server", f"{root}/var/log/redis/redis-server.log"
        self.files = InstanceFiles(executable, str(self.old_config), False, log, Systemd(OLD_UNIT, self.host))
        self.packages = Packages(OLD_UNIT, NEW_UNIT, True, self.host, PackagePaths(str(root)))

    def activate(self, identity: FileIdentity | None = None) -> InstanceFiles:
        return self.packages.activate(self.files, identity)

    def tree(self, folder: str) -> dict[str, str]:
        return {str(path.relative_to(self.root / folder)): path.read_text() for path in (self.root / folder).rglob("*") if path.is_file()}


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return Base(tmp_path)


def test_activation(base: Base) -> None:
    before = {folder: base.tree(folder) for folder in ("etc/redis", "var/lib/redis")}
    new = base.activate()
    assert (new.executable, new.config_file) == (f"{base.root}/usr/bin/valkey-server", str(base.config))
    assert new.log_file == f"{base.root}/var/log/valkey/valkey-server.log"
    assert new.service == Systemd(NEW_UNIT, base.host)
    assert base.config.read_text() == (
        f"# Copied by the Ansible collection sentinelops.redis from {base.old_config}\n"
        f"# ours\nport 6379\ndir {base.root}/var/lib/valkey\nlogfile {base.root}/var/log/valkey/valkey-server.log\n"
        f"include {base.root}/etc/valkey/conf.d/*.conf\naclfile {base.root}/etc/valkey/users.acl\n"
        f"unixsocket {base.root}/run/valkey/redis.sock\n"
    )
    assert base.tree("etc/valkey")["conf.d/a.conf"] == f"# a\npidfile {base.root}/run/valkey/valkey-server.pid\n"
    assert base.tree("etc/valkey")["users.acl"] == "user app on >s3cret\n"
    assert base.tree("var/lib/valkey") == {"dump.rdb": "old data", "appendonlydir/appendonly.aof.1.incr.aof": "appended"}
    assert {folder: base.tree(folder) for folder in before} == before, "what the old unit has is not touched"
    assert base.host.enabled == [NEW_UNIT]
    assert stat.S_IMODE(base.config.stat().st_mode) == 0o640
    assert stat.S_IMODE((base.root / "etc/valkey/users.acl").stat().st_mode) == 0o600
    assert base.tree("etc/valkey")["valkey.conf.before-upgrade"] == "# as the package brings it\nport 6379\n"


def test_activated_again_it_keeps_what_the_new_server_has_written(base: Base) -> None:
    base.activate()
    base.config.write_text(base.config.read_text() + "replicaof 10.0.0.1 6379\n")
    (base.root / "var/lib/valkey/dump.rdb").write_text("new data")
    base.activate()
    assert base.config.read_text().endswith("replicaof 10.0.0.1 6379\n")
    assert base.tree("var/lib/valkey")["dump.rdb"] == "new data"


def test_reverted(base: Base) -> None:
    base.activate()
    (base.root / "var/lib/valkey/dump.rdb").write_text("new data")
    base.packages.revert(base.files, OLD)
    assert base.host.enabled == [OLD_UNIT]
    assert base.config.read_text() == "# as the package brings it\nport 6379\n"
    assert base.tree("var/lib/valkey") == {}
    base.packages.revert(base.files, OLD)
    assert base.config.exists(), "a second revert changes nothing"
    (base.data / "dump.rdb").write_text("newer data")
    base.activate()
    assert base.tree("var/lib/valkey")["dump.rdb"] == "newer data"


def test_data_that_was_there_is_not_lost(base: Base) -> None:
    (base.root / "var/lib/valkey/dump.rdb").write_text("of another life")
    base.activate()
    assert base.tree("var/lib/valkey")["dump.rdb.before-upgrade"] == "of another life"
    base.packages.revert(base.files, OLD)
    assert base.tree("var/lib/valkey") == {"dump.rdb": "of another life"}


def test_a_unit_that_is_not_enabled_stays_so(base: Base) -> None:
    base.host.enabled = []
    packages = Packages(OLD_UNIT, NEW_UNIT, False, base.host, PackagePaths(str(base.root)))
    packages.activate(base.files, None)
    packages.revert(base.files, OLD)
    assert base.host.enabled == []


def test_a_sentinel_takes_its_state_and_no_data(base: Base) -> None:
    state = "sentinel myid 1234\nsentinel config-epoch mymaster 7\nsentinel known-sentinel mymaster 10.0.0.2 26379 5678\n"
    base.old_config.write_text(f"{state}dir {base.root}/var/lib/redis\n")
    base.packages.activate(InstanceFiles(base.files.executable, str(base.old_config), True, ""), None)
    assert state in base.config.read_text()
    assert base.tree("var/lib/valkey") == {}


def test_the_names_of_the_data_may_be_in_a_file_that_is_included(base: Base) -> None:
    (base.root / "etc/redis/conf.d/a.conf").write_text('dbfilename "mine.rdb"\nappenddirname none\n')
    (base.data / "mine.rdb").write_text("mine")
    base.activate()
    assert base.tree("var/lib/valkey") == {"mine.rdb": "mine"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_was_the_old_user_s_is_the_new_user_s(base: Base) -> None:
    games = pwd.getpwnam("games")
    base.host.user[OLD_UNIT], base.host.user[NEW_UNIT] = "games", "nobody"
    os.chown(base.old_config, games.pw_uid, 0)
    os.chown(base.data / "dump.rdb", games.pw_uid, 0)
    os.chown(base.data / "appendonlydir", games.pw_uid, 0)
    base.activate(FileIdentity(games.pw_uid, 0, 0o600))
    nobody = pwd.getpwnam("nobody").pw_uid
    for path in ("etc/valkey/valkey.conf", "var/lib/valkey/dump.rdb", "var/lib/valkey/appendonlydir"):
        assert (base.root / path).stat().st_uid == nobody, path
    assert stat.S_IMODE(base.config.stat().st_mode) == 0o600
    assert (base.root / "etc/valkey/users.acl").stat().st_uid == 0, "root's stays root's"


@pytest.mark.parametrize("afterwards", ["activate", "revert"])
def test_killed_at_every_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, afterwards: str) -> None:
    for number in itertools.count():
        base = Base(tmp_path / str(number))
        before = {folder: base.tree(folder) for folder in ("etc/redis", "var/lib/redis")}
        killed = kill_at(monkeypatch, number, base.activate)
        if afterwards == "activate":
            base.activate()
            assert base.config.read_text().startswith("# Copied"), number
            copied = base.tree("var/lib/valkey")
            assert (copied["dump.rdb"], copied["appendonlydir/appendonly.aof.1.incr.aof"]) == ("old data", "appended"), number
        else:
            base.packages.revert(base.files, OLD)
            assert not base.config.read_text().startswith("# Copied"), number
        assert {folder: base.tree(folder) for folder in before} == before, number
        if not killed:
            break
    assert number >= 8, "it was killed at many points"


# -- refused, with nothing touched


def test_a_package_that_is_not_installed(base: Base) -> None:
    base.host.loaded[NEW_UNIT] = "not-found"
    assert base.packages.installed_version() == ""
    with pytest.raises(PreconditionFailed, match=r"the unit valkey-server\.service is not-found") as caught:
        base.packages.require_staged(NEW)
    assert caught.value.state == "The version in use was not touched"


def test_a_package_of_another_version(base: Base) -> None:
    base.packages.require_staged(NEW)
    assert base.packages.in_place(NEW)
    with pytest.raises(PreconditionFailed, match=r"is version 8\.0\.1, wanted is 8\.1\.0"):
        base.packages.require_staged("8.1.0")


def test_too_little_space_for_the_data(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    base.packages.require_activatable(base.files)
    monkeypatch.setattr("os.statvfs", lambda _folder: type("FileSystem", (), {"f_bavail": 2**10, "f_frsize": 2**10})())
    with pytest.raises(PreconditionFailed, match=r"its data \(16 bytes\) is copied to .*/var/lib/valkey, where 1048576 bytes are free"):
        base.packages.require_activatable(base.files)


UNIT = {"manager": "systemd", "unit": OLD_UNIT, "enabled": "enabled"}


@pytest.mark.parametrize(
    ("service", "executable", "server", "product", "doubt"),
    [
        (UNIT, "/usr/bin/redis-server", "redis", "valkey", ""),
        ({"manager": "process", "unit": ""}, "/usr/bin/redis-server", "redis", "valkey", "is not run by a unit of systemd"),
        (UNIT, "/opt/redis/redis-server", "redis", "valkey", "is not in /usr/bin"),
        (UNIT, "/usr/bin/redis-server", "redis", "redis", "it runs redis, and the packages to install are those of redis"),
        ({**UNIT, "unit": "cache.service"}, "/usr/bin/redis-server", "redis", "valkey", "its unit is called cache.service"),
    ],
)
def test_what_is_upgraded_by_packages(service: dict[str, Any], executable: str, server: str, product: str, doubt: str) -> None:
    record = package_record(service, executable, server, product)
    assert doubt in " ".join(found["seen"] for found in record["doubts"])
    assert bool(record["doubts"]) == bool(doubt)
    if not doubt:
        assert (record["method"], record["unit"], record["old_unit"], record["enabled"]) == ("package", NEW_UNIT, OLD_UNIT, True)
