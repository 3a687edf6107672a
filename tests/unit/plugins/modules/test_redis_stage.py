"""The module redis_stage: its parts, in their order, and what a failure of each leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._install import package_update
from ansible_collections.sentinelops.redis.plugins.module_utils._install.package_apt import Apt
from ansible_collections.sentinelops.redis.plugins.module_utils._install.package_programs import origin_of_programs
from ansible_collections.sentinelops.redis.plugins.module_utils._install.package_update import PackageUpdate
from ansible_collections.sentinelops.redis.tests.unit.support.modules import Runner
from ansible_collections.sentinelops.redis.tests.unit.support.packages import PACKAGES, DebianHost
from ansible_collections.sentinelops.redis.tests.unit.support.trial_server import ANSWERS, write_server
from ansible_collections.sentinelops.redis.tests.unit.support.version_folder import place

NAME = "redis_stage"


def journal(tmp_path: Path) -> dict[str, object]:
    return {"journal": str(tmp_path / "journals" / "redis-6379.json"), "journal_content": {"priority": 100}}


def test_all_parts_in_one_call_and_again(runner: Runner, tmp_path: Path) -> None:
    place(tmp_path / "built", "7.0.15")
    config = tmp_path / "redis.conf"
    config.write_text("port 6379\n")
    (tmp_path / "server").mkdir()
    program = write_server(tmp_path / "server", tmp_path / "seen", ANSWERS.format(reply=b"+PONG"))
    options = {
        **journal(tmp_path),
        "place": {"path": str(tmp_path / "redis.new"), "source": str(tmp_path / "built"), "version": "7.0.15"},
        "trial": {"executable": str(program), "config_file": str(config)},
    }
    done = runner.run(NAME, **options)
    parts = ("changed", "journal_opened", "placed", "kept", "configuration_saved", "tried")
    assert [done[part] for part in parts] == [True, True, True, False, False, True]
    assert json.loads(Path(str(options["journal"])).read_text())["priority"] == 100
    again = runner.run(NAME, **{**options, "journal_content": {"priority": 0}})
    assert [again[part] for part in parts] == [False, False, False, False, False, True]
    assert json.loads(Path(str(options["journal"])).read_text())["priority"] == 100, "the first value is kept"


def test_the_journal_is_open_before_another_part_fails(runner: Runner, tmp_path: Path) -> None:
    missing = {"path": str(tmp_path / "redis.new"), "source": str(tmp_path / "gone"), "version": "7.0.15"}
    failed = runner.run(NAME, **journal(tmp_path), place=missing)
    assert failed["failed"]
    assert f"{tmp_path}/gone" in failed["msg"]
    assert "No server was touched" in failed["msg"]
    assert (tmp_path / "journals" / "redis-6379.json").exists()


def test_without_a_journal_nothing_else_is_touched(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "journals").write_text("a file")
    place(tmp_path / "built", "7.0.15")
    wanted = {"path": str(tmp_path / "redis.new"), "source": str(tmp_path / "built"), "version": "7.0.15"}
    failed = runner.run(NAME, **journal(tmp_path), place=wanted)
    assert failed["failed"]
    assert "the journal" in failed["msg"]
    assert not (tmp_path / "redis.new").exists()


@pytest.mark.parametrize(
    ("option", "given", "told"),
    [
        ("place", {"path": "/x"}, "the option place: missing required arguments: version. No server was touched"),
        ("place", {"path": "/x", "version": "7", "origin": "y"}, "the option place: missing parameter(s) required by 'origin': source"),
        ("save_configuration", {"local": True}, "the option save_configuration: local. Supported parameters include"),
        ("trial", {"folder": "/x"}, "the option trial: missing required arguments: config_file"),
        ("trial", {"config_file": "/x"}, "the option trial: one of the following is required: folder, executable"),
    ],
)
def test_a_wrong_option_is_named(runner: Runner, tmp_path: Path, option: str, given: dict[str, object], told: str) -> None:
    failed = runner.run(NAME, **journal(tmp_path), **{option: given})
    assert failed["failed"]
    assert told in failed["msg"]


def test_a_server_that_does_not_answer_is_told(runner: Runner, tmp_path: Path) -> None:
    failed = runner.run(NAME, **journal(tmp_path), login_port=1, save_configuration={})
    assert failed["failed"]
    assert "127.0.0.1:1" in failed["msg"]


def test_the_server_of_a_package_is_kept_with_its_package(runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host, archives = DebianHost(tmp_path), tmp_path / "cache"

    def update(folder: str, staged: str, kept: str, manager: Apt) -> PackageUpdate:
        return PackageUpdate(folder, staged, kept, manager, host=host, archives=str(archives))

    monkeypatch.setattr(package_update, "manager_named", lambda _name: Apt(host))
    monkeypatch.setattr(package_update, "PackageUpdate", update)
    kept = tmp_path / "programs" / "redis-8.0.2"
    options = {
        "folder": str(host.bin),
        "staged": str(tmp_path / "programs" / "redis-8.0.6"),
        "kept": str(kept),
        "version": "8.0.2",
        "executable": str(host.bin / "redis-server"),
        "manager": "apt",
    }
    assert runner.run(NAME, **journal(tmp_path), keep=options)["kept"] is True
    assert origin_of_programs(str(kept))["packages"] == dict.fromkeys(PACKAGES, "5:8.0.2-1")
    assert sorted(path.name for path in archives.glob("*.deb")) == [f"{name}_5%3a8.0.2-1_amd64.deb" for name in PACKAGES]
    again = runner.run(NAME, **journal(tmp_path), keep=options)
    assert (again["changed"], again["kept"]) == (False, False)
