"""Activation of a later version of the same packages, with replayed commands of Debian 12."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import OperationFailed, PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._host.service import Command, Ran
from ansible_collections.sentinelops.redis.plugins.module_utils._install import package_update, restart_guard
from ansible_collections.sentinelops.redis.plugins.module_utils._install.activation import activation_from, restaged
from ansible_collections.sentinelops.redis.plugins.module_utils._install.instance_files import InstanceFiles
from ansible_collections.sentinelops.redis.plugins.module_utils._install.package_apt import Apt
from ansible_collections.sentinelops.redis.plugins.module_utils._install.package_programs import origin_of_programs, stage_programs
from ansible_collections.sentinelops.redis.plugins.module_utils._install.package_record import package_update_record
from ansible_collections.sentinelops.redis.plugins.module_utils._install.package_update import PackageUpdate
from ansible_collections.sentinelops.redis.tests.unit.support.packages import PACKAGES, DebianHost

OLD, NEW = "8.0.2", "8.0.6"
WANTED = dict.fromkeys(PACKAGES, "5:8.0.6-1")


class Machine:
    """A machine with a staged new version, and a copy of the version in use."""

    def __init__(self, root: Path) -> None:
        self.root, self.host = root, DebianHost(root)
        self.guarded: list[tuple[str, ...]] = []
        self.staged, self.kept = str(root / "programs" / f"redis-{NEW}"), str(root / "programs" / f"redis-{OLD}")
        self.manager = Apt(self.host, str(root))
        stage_programs(self.manager, WANTED, str(self.host.bin), NEW, self.staged, str(root / "cache"))
        self.files = InstanceFiles(str(self.host.bin / "redis-sentinel"), "/etc/redis/sentinel.conf", True, "")
        self.activation().keep(self.files.executable, 0, OLD)

    def activation(self, **changes: Any) -> PackageUpdate:
        made = PackageUpdate(str(self.host.bin), self.staged, self.kept, self.manager, host=self.host, archives=str(self.root / "cache"))
        return replace(made, **changes)

    def installs(self) -> list[list[str]]:
        return [command for command in self.host.ran("apt-get") if "--download-only" not in command]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    class Guard(restart_guard.RestartGuard):
        def __init__(self, units: tuple[str, ...], host: Any) -> None:
            super().__init__(units, host, str(tmp_path / "policy-rc.d"), str(tmp_path / "place"))
            machine.guarded.append(units)

    machine = Machine(tmp_path)
    monkeypatch.setattr(package_update, "RestartGuard", Guard)
    return machine


def test_before_the_activation(machine: Machine) -> None:
    activation = machine.activation()
    assert (activation.installed_version(), activation.staged_version()) == (OLD, NEW)
    assert not activation.activated(NEW)
    assert not activation.interrupted()
    assert not activation.runs_elsewhere("/usr/bin/redis-server")
    activation.require_staged(NEW)
    activation.require_activatable(machine.files)
    assert activation.new_server() == f"{machine.staged}/redis-server"


def test_the_packages_are_replaced_once_and_the_version_in_use_is_kept(machine: Machine) -> None:
    activation = machine.activation()
    shutil.rmtree(machine.kept)
    with pytest.raises(PreconditionFailed, match="does not hold the version in use"):
        activation.require_activatable(machine.files)
    assert activation.keep(machine.files.executable, 0, OLD)
    assert not activation.keep(machine.files.executable, 0, OLD)
    assert activation.activate(machine.files, None) == machine.files
    assert activation.activated(NEW)
    assert activation.activate(machine.files, None) == machine.files
    assert len(machine.installs()) == 1
    assert machine.host.ran("apt-mark") == []


def test_the_guard_stands_while_packages_are_installed(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def observed(command: Callable[[list[str]], Ran]) -> Callable[[list[str]], Ran]:
        def run(words: list[str]) -> Ran:
            seen["policy"] = (machine.root / "policy-rc.d").exists()
            seen["units"] = machine.guarded[-1]
            return command(words)

        return run

    monkeypatch.setattr(machine.host, "_apt_get", observed(machine.host._apt_get))
    machine.activation().activate(machine.files, None)
    assert seen == {"policy": True, "units": ("redis-server.service", "redis-sentinel.service", "redis-server@second.service")}
    assert not (machine.root / "policy-rc.d").exists()


def test_one_instance_is_reverted_from_the_kept_program(machine: Machine) -> None:
    activation = machine.activation()
    activation.activate(machine.files, None)
    reverted = activation.revert(machine.files, OLD)
    assert reverted.executable == f"{machine.kept}/redis-sentinel"
    assert activation.in_place(NEW), "the others keep what they have"
    assert activation.program(reverted.executable) == machine.files.executable
    assert activation.files_after(reverted) == machine.files
    assert activation.serves_previous(reverted.executable, OLD)
    assert not activation.serves_previous(machine.files.executable, OLD)
    assert not machine.activation(whole=True).serves_previous(reverted.executable, OLD), "the packages can be installed again"


def test_nothing_is_to_be_reverted_if_the_packages_were_not_replaced(machine: Machine) -> None:
    machine.host.breaks = "apt-get --quiet --assume-yes --no-install-recommends --no-remove -o Dir::Cache"
    activation = machine.activation()
    with pytest.raises(OperationFailed, match="it is broken"):
        activation.activate(machine.files, None)
    assert activation.revert(machine.files, OLD) == machine.files


def test_the_leftover_of_a_killed_installation_ends_with_the_revert(machine: Machine) -> None:
    policy = machine.root / "policy-rc.d"
    policy.write_text("#!/bin/sh\n# Written by the Ansible collection sentinelops.redis while it replaces packages\n")
    assert machine.activation().interrupted()
    assert machine.activation().revert(machine.files, OLD) == machine.files
    assert not policy.exists()


def test_a_rollback_installs_the_earlier_packages(machine: Machine) -> None:
    activation = machine.activation()
    activation.activate(machine.files, None)
    activation = machine.activation(whole=True)
    assert activation.revert(machine.files, OLD) == machine.files
    assert activation.in_place(OLD)
    assert "--allow-downgrades" in machine.installs()[-1]
    assert activation.revert(machine.files, OLD) == machine.files
    assert len(machine.installs()) == 2


def test_a_rollback_without_packages_starts_the_kept_program(machine: Machine) -> None:
    activation = machine.activation()
    activation.activate(machine.files, None)
    machine.host.breaks = "apt-get"
    for path in (machine.root / "cache").glob("*8.0.2*"):
        path.unlink()
    machine.host.missing = {"redis-tools"}
    activation = machine.activation(whole=True)
    reverted = activation.revert(machine.files, OLD)
    assert reverted.executable == f"{machine.kept}/redis-sentinel"
    assert activation.serves_previous(reverted.executable, OLD), "a second rollback has nothing to do"


def test_an_instance_that_starts_by_a_command_needs_the_earlier_packages(machine: Machine) -> None:
    activation = machine.activation()
    activation.activate(machine.files, None)
    files = replace(machine.files, service=Command(("start",), ("stop",)))
    assert activation.revert(files, OLD) == files
    assert activation.in_place(OLD)


def test_held_packages_are_held_again(machine: Machine) -> None:
    machine.host.want = "hold"
    with pytest.raises(PreconditionFailed, match=r"redis-sentinel, redis-server, redis-tools is held"):
        machine.activation().require_activatable(machine.files)
    activation = machine.activation(hold=True)
    activation.require_activatable(machine.files)
    activation.activate(machine.files, None)
    assert "--allow-change-held-packages" in machine.installs()[-1]
    assert machine.host.ran("apt-mark") == [["apt-mark", "hold", *sorted(PACKAGES)]]


def test_a_download_that_is_gone(machine: Machine) -> None:
    for path in (machine.root / "cache").glob("redis-tools*"):
        path.unlink()
    with pytest.raises(PreconditionFailed, match="downloaded package of redis-tools"):
        machine.activation().require_activatable(machine.files)


def test_a_killed_installation_is_recognised_and_completed(machine: Machine) -> None:
    activation = machine.activation()
    machine.host.version = "5:8.0.6-1"
    machine.host._place()
    machine.host.state = "half-configured"
    assert activation.in_place(NEW)
    assert activation.interrupted()
    assert not activation.activated(NEW)
    machine.root.joinpath("policy-rc.d").write_text(
        "#!/bin/sh\n# Written by the Ansible collection sentinelops.redis while it replaces packages\n"
    )
    activation.activate(machine.files, None)
    assert machine.host.ran("dpkg")
    assert activation.activated(NEW)


def test_the_default_of_a_new_package_does_not_replace_a_configuration(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    config = machine.root / "redis.conf"
    config.write_text("dir /data\n")
    monkeypatch.setattr(Apt, "unedited_files", lambda _self, _packages: [str(config)])
    install = machine.host._apt_get

    def replacing(words: list[str]) -> Ran:
        config.write_text("dir /elsewhere\n")
        return install(words)

    monkeypatch.setattr(machine.host, "_apt_get", replacing)
    machine.activation().activate(machine.files, None)
    assert config.read_text() == "dir /data\n"
    assert (machine.root / "redis.conf.new").read_text() == "dir /elsewhere\n"


# -- the record


def record(
    machine: Machine, executable: str = "", versions: tuple[str, str] = (OLD, NEW), exact: str = "", hold: bool = False
) -> dict[str, Any]:
    place = (str(machine.root / "programs"), str(machine.root / "cache"))
    return package_update_record(executable or machine.files.executable, "redis", versions, exact, hold, machine.host, *place)


def test_the_record(machine: Machine) -> None:
    found = record(machine, hold=True)
    assert found == {
        "method": "package_update",
        "folder": str(machine.host.bin),
        "staged": machine.staged,
        "kept": machine.kept,
        "manager": "apt",
        "packages": dict.fromkeys(PACKAGES, "5:8.0.2-1"),
        "wanted": WANTED,
        "hold": True,
        "shared": True,
        "doubts": [],
    }
    activation = activation_from(found)
    assert isinstance(activation, PackageUpdate)
    assert activation.hold
    assert restaged(found, OLD, "8.0.7")["staged"] == str(machine.root / "programs" / "redis-8.0.7")


def test_the_record_of_an_instance_that_runs_from_a_kept_program(machine: Machine) -> None:
    machine.activation().activate(machine.files, None)
    found = record(machine, f"{machine.kept}/redis-sentinel")
    assert (found["folder"], found["kept"], found["doubts"]) == (str(machine.host.bin), machine.kept, [])
    assert found["wanted"] == {}, "nothing is to be installed"


@pytest.mark.parametrize(
    ("change", "options", "seen"),
    [
        ({}, {"executable": "/opt/redis/redis-server"}, "/opt/redis/redis-server belongs to no package of this host"),
        ({}, {"versions": (OLD, "8.0.7")}, "no version 8.0.7 of redis-sentinel, redis-server, redis-tools"),
        ({}, {"exact": "5:8.0.6-9"}, "no version 5:8.0.6-9 of"),
        ({"want": "hold"}, {}, "redis-sentinel, redis-server, redis-tools is held"),
    ],
)
def test_doubts(machine: Machine, change: dict[str, str], options: dict[str, Any], seen: str) -> None:
    vars(machine.host).update(change)
    doubts = record(machine, **{**options, **({"exact": options["exact"]} if "exact" in options else {})})["doubts"]
    assert [set(doubt) for doubt in doubts] == [{"seen", "why", "do"}]
    assert seen in doubts[0]["seen"]


@pytest.mark.parametrize("versions", [(OLD, OLD), (OLD, "")])
def test_there_is_no_doubt_without_anything_to_do(machine: Machine, versions: tuple[str, str]) -> None:
    machine.host.state = "half-configured"
    assert record(machine, versions=versions)["doubts"] == []


def test_packages_that_an_upgrade_has_left_incomplete_are_no_doubt(machine: Machine) -> None:
    machine.host.state = "half-installed"
    assert record(machine)["doubts"] == []
    assert "is not complete" in record(machine, versions=(OLD, "8.0.7"))["doubts"][-1]["seen"], "of another upgrade"
    assert not machine.activation().keep(machine.files.executable, 0, OLD)
    assert origin_of_programs(machine.kept)["packages"] == dict.fromkeys(PACKAGES, "5:8.0.2-1")
    shutil.rmtree(machine.staged)
    assert "is not complete" in record(machine)["doubts"][0]["seen"], "of somebody else"
