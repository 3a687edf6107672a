"""The module redis_disk_space."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._install.elf import machine_here
from ansible_collections.sentinelops.redis.plugins.module_utils._install.folders import put_in_place
from ansible_collections.sentinelops.redis.tests.unit.support.modules import Runner
from ansible_collections.sentinelops.redis.tests.unit.support.version_folder import place

NAME = "redis_disk_space"
TOO_MUCH = 1 << 60


@pytest.mark.parametrize("check_mode", [False, True])
def test_it_fits(runner: Runner, tmp_path: Path, check_mode: bool) -> None:
    result = runner.run(NAME, check_mode=check_mode, path=str(tmp_path / "redis.new"), bytes=1000, machine=machine_here(), origin="one")
    assert (result["changed"], result["placed"]) == (False, False)
    assert result["free_bytes"] > 1000


@pytest.mark.parametrize("needed", [{"bytes": TOO_MUCH}, {"bytes": 1000, "spare_bytes": TOO_MUCH}])
def test_too_little_space(runner: Runner, tmp_path: Path, needed: dict[str, int]) -> None:
    result = runner.run(NAME, path=str(tmp_path / "redis.new"), **needed)
    assert result["failed"]
    assert "iB free. Nothing was placed and no server was touched" in result["msg"]


def test_another_machine(runner: Runner, tmp_path: Path) -> None:
    result = runner.run(NAME, path=str(tmp_path / "redis.new"), bytes=1000, machine="pdp11")
    assert result["failed"]
    assert f"is built for pdp11, this host is {machine_here()}" in result["msg"]


def test_a_placed_version_needs_no_space(runner: Runner, tmp_path: Path) -> None:
    put_in_place(str(place(tmp_path / "unpacked", "7.0.15")), str(tmp_path / "redis.new"), "one")
    assert runner.run(NAME, path=str(tmp_path / "redis.new"), bytes=TOO_MUCH, origin="one")["placed"]
    assert runner.run(NAME, path=str(tmp_path / "redis.new"), bytes=TOO_MUCH, origin="another")["failed"]
    assert runner.run(NAME, path=str(tmp_path / "redis.new"), bytes=TOO_MUCH)["failed"]
