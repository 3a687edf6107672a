"""The module redis_package_stage; apt and dpkg are replayed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._install.package_apt import Apt
from ansible_collections.sentinelops.redis.plugins.module_utils._install.package_dnf import Dnf
from ansible_collections.sentinelops.redis.plugins.module_utils._install.package_folder import programs_folder
from ansible_collections.sentinelops.redis.plugins.module_utils._install.package_programs import origin_of_programs
from ansible_collections.sentinelops.redis.plugins.module_utils._install.package_record import manager_of
from ansible_collections.sentinelops.redis.tests.unit.support.modules import Runner, module
from ansible_collections.sentinelops.redis.tests.unit.support.packages import PACKAGES, DebianHost

NAME, NAMES = "redis_package_stage", ["redis-server", "redis-sentinel", "redis-tools"]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DebianHost:
    host, replaced = DebianHost(tmp_path), module(NAME)
    root = str(tmp_path / "programs")
    monkeypatch.setattr(replaced, "Apt", lambda: Apt(host))
    monkeypatch.setattr(replaced, "manager_of", lambda path: manager_of(path, host))
    monkeypatch.setattr(replaced, "BIN", str(host.bin))
    monkeypatch.setattr(replaced, "PROGRAMS", root)
    monkeypatch.setattr(replaced, "ARCHIVES", str(tmp_path / "cache"))
    monkeypatch.setattr(replaced, "programs_folder", lambda server, version: programs_folder(server, version, root))
    return host


def test_a_later_version_is_downloaded_once(runner: Runner, host: DebianHost, tmp_path: Path) -> None:
    def run(check_mode: bool) -> dict[str, Any]:
        return runner.run(NAME, check_mode, names=["redis-server"], version="8.0.6")

    folder, wanted = tmp_path / "programs" / "redis-8.0.6", dict.fromkeys(PACKAGES, "5:8.0.6-1")
    assert run(True)["changed"]
    assert not folder.exists()
    result = run(False)
    assert result["installed"] == dict.fromkeys(PACKAGES, "5:8.0.2-1")
    assert (result["changed"], result["staged"], result["packages"], result["complete"]) == (True, str(folder), wanted, False)
    assert origin_of_programs(str(folder))["packages"] == wanted
    assert not run(True)["changed"]
    assert not run(False)["changed"]
    assert [command for command in host.ran("apt-get") if "--download-only" not in command] == []


@pytest.mark.parametrize(
    ("names", "new"), [(NAMES, []), ([*NAMES, "redis-other"], ["redis-other"]), (["valkey-server"], ["valkey-server"])]
)
def test_nothing_is_staged(runner: Runner, host: DebianHost, names: list[str], new: list[str]) -> None:
    result = runner.run(NAME, names=names, version="8.0.2")
    assert (result["changed"], result["staged"], result["complete"], result["manager"]) == (False, "", not new, "apt")
    assert result["packages"] == dict.fromkeys(new, "5:8.0.2-1")


def test_a_new_package_that_cannot_be_had(runner: Runner, host: DebianHost) -> None:
    host.missing.add("valkey-server")
    result = runner.run(NAME, names=["valkey-server", "valkey-tools"], version="8.0.6")
    assert "there is no version 8.0.6 of valkey-server in the package lists of this host" in result["msg"]


@pytest.mark.parametrize(("there", "found"), [(["dnf"], "dnf"), (["apt-get", "dnf"], "apt"), ([], "")])
def test_the_package_manager_of_a_host_without_a_server(
    runner: Runner, host: DebianHost, monkeypatch: pytest.MonkeyPatch, there: list[str], found: str
) -> None:
    replaced = module(NAME)
    monkeypatch.setattr(replaced, "BIN", "/nonexistent")
    monkeypatch.setattr(replaced, "Dnf", lambda: Dnf(host))
    monkeypatch.setattr(shutil, "which", lambda command: command if command in there else None)
    if found:
        assert replaced.manager_here().name == found
    else:
        assert "has neither apt nor dnf" in runner.run(NAME, names=NAMES, version="8.0.2")["msg"]


@pytest.mark.parametrize(("version", "exact"), [("8.0.7", None), ("8.0.6", "5:8.0.6-9")])
def test_a_version_that_cannot_be_had(runner: Runner, host: DebianHost, version: str, exact: str | None) -> None:
    result = runner.run(NAME, names=NAMES, version=version, package_version=exact)
    assert result["failed"]
    assert f"there is no version {exact or version} of redis-sentinel, redis-server, redis-tools" in result["msg"]
    assert "Nothing was installed and no server was touched" in result["msg"]


def test_packages_with_another_server(runner: Runner, host: DebianHost, monkeypatch: pytest.MonkeyPatch) -> None:
    unpack = host._dpkg_deb

    def changed(words: list[str]) -> Any:
        Path(words[2]).write_text("5:8.0.5-1")
        return unpack(words)

    monkeypatch.setattr(host, "_dpkg_deb", changed)
    result = runner.run(NAME, names=NAMES, version="8.0.6")
    assert "should hold version 8.0.6 and holds 8.0.5" in result["msg"]
