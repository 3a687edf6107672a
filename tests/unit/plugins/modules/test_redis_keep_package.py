"""The module redis_keep_version with programs of packages; apt and dpkg are replayed."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._install.package_apt import Apt
from ansible_collections.sentinelops.redis.plugins.module_utils._install.package_programs import origin_of_programs
from ansible_collections.sentinelops.redis.plugins.module_utils._install.package_update import PackageUpdate
from ansible_collections.sentinelops.redis.tests.unit.support.modules import Runner, module
from ansible_collections.sentinelops.redis.tests.unit.support.packages import PACKAGES, DebianHost

NAME = "redis_keep_version"


def test_the_server_of_a_package_is_kept_with_its_package(runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host, archives = DebianHost(tmp_path), tmp_path / "cache"

    def update(folder: str, staged: str, kept: str, manager: Apt) -> PackageUpdate:
        return PackageUpdate(folder, staged, kept, manager, host=host, archives=str(archives))

    monkeypatch.setattr(module(NAME), "manager_named", lambda _name: Apt(host))
    monkeypatch.setattr(module(NAME), "PackageUpdate", update)
    kept = tmp_path / "programs" / "redis-8.0.2"
    options = {
        "folder": str(host.bin),
        "staged": str(tmp_path / "programs" / "redis-8.0.6"),
        "kept": str(kept),
        "version": "8.0.2",
        "executable": str(host.bin / "redis-server"),
        "manager": "apt",
    }
    assert runner.run(NAME, check_mode=True, **options)["changed"]
    assert not kept.exists()
    result = runner.run(NAME, **options)
    assert (result["changed"], result["kept"]) == (True, str(kept))
    assert origin_of_programs(str(kept))["packages"] == dict.fromkeys(PACKAGES, "5:8.0.2-1")
    assert sorted(path.name for path in archives.glob("*.deb")) == [f"{name}_5%3a8.0.2-1_amd64.deb" for name in PACKAGES]
    assert not runner.run(NAME, **options)["changed"]
