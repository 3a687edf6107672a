"""An instance as a unit of systemd: stopped, started, and moved from a package to a folder."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import OperationFailed, PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._host.process import alive
from ansible_collections.sentinelops.redis.plugins.module_utils._host.service import Ran, Start
from ansible_collections.sentinelops.redis.plugins.module_utils._host.systemd import Systemd, service_of, systemd_for
from ansible_collections.sentinelops.redis.plugins.module_utils._install.folders import Folders, version_in
from ansible_collections.sentinelops.redis.plugins.module_utils._install.instance_files import InstanceFiles
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.lifecycle import restart, running_instance, start, stop
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.switch_version import revert, switch_version
from ansible_collections.sentinelops.redis.plugins.module_utils._server.info import NodeInfo
from ansible_collections.sentinelops.redis.plugins.module_utils._wait import Clock
from ansible_collections.sentinelops.redis.tests.unit.support.systemd import ReplayedHost, UnitFiles, WorkingHost, shown
from ansible_collections.sentinelops.redis.tests.unit.support.version_folder import FAILS, HANGS, SERVES, ProgramServer, place

OLD, NEW = "7.0.15", "8.0.1"
CLOCK, WAIT_S = Clock(), 5
NAME = "redis-server.service"


class Instance:
    """An instance whose unit starts a server from ``own``: a package's or the version folder."""

    def __init__(self, path: Path, own: str) -> None:
        self.own, self.staged = path / own, path / "redis.new"
        place(self.own, OLD)
        place(self.staged, NEW)
        self.config = path / "redis.conf"
        self.config.write_text("port 6379\n")
        self.unit_files = UnitFiles(path, f"[Service]\nType=notify\nExecStart={self.own}/redis-server {self.config} --daemonize no\n")
        self.host = WorkingHost(self.unit_files)
        self.service = Systemd(NAME, self.host, str(self.unit_files.units), str(self.unit_files.runtime_units))
        self.folders = Folders(str(path / "redis"))
        self.files = InstanceFiles(str(self.own / "redis-server"), str(self.config), False, "", self.service)
        self.server = ProgramServer(path, self.config)

    def start(self) -> NodeInfo:
        return start(self.server, self.files, WAIT_S, CLOCK)

    def switch(self, wait_s: float = WAIT_S) -> NodeInfo:
        return switch_version(self.server, self.files, self.folders, NEW, None, wait_s, CLOCK)

    def revert(self) -> NodeInfo:
        return revert(self.server, self.files, self.folders, OLD, WAIT_S, CLOCK).node

    @property
    def drop_in(self) -> Path:
        return self.unit_files.drop_in

    def running(self) -> str:
        found = self.server.running()
        return found[1] if found else ""


@pytest.fixture
def packaged(tmp_path: Path) -> Iterator[Instance]:
    """An instance that runs from a package's folder, without a version folder yet."""
    made = Instance(tmp_path, "usr")
    yield made
    made.server.end_all()


@pytest.fixture
def in_folder(tmp_path: Path) -> Iterator[Instance]:
    """An instance whose unit's ExecStart names the version folder."""
    made = Instance(tmp_path, "redis")
    yield made
    made.server.end_all()


# -- start and stop


def test_started_and_stopped(in_folder: Instance) -> None:
    node = in_folder.start()
    assert (node.version, in_folder.host.commands) == (OLD, ["reset-failed", "start"])
    stop(in_folder.server, node, in_folder.files, WAIT_S, CLOCK)
    assert not alive(node.pid)
    assert in_folder.host.commands[2:] == ["daemon-reload", "stop", "daemon-reload"]
    assert in_folder.host.unwanted_restarts == 0, "Restart=always is switched off meanwhile"
    assert not in_folder.unit_files.stop_drop_in.parent.exists()
    assert not in_folder.drop_in.exists()


@pytest.mark.parametrize("restart", ["no", "on-failure"])
def test_a_unit_that_is_not_started_again_needs_no_reload(restart: str) -> None:
    host = ReplayedHost(shown(Restart=restart))
    with Systemd(NAME, host).automatic_restart_off():
        assert host.commands == []
    assert host.commands == []


def test_what_a_killed_run_has_left(in_folder: Instance) -> None:
    in_folder.unit_files.stop_drop_in.parent.mkdir(parents=True)
    in_folder.unit_files.stop_drop_in.write_text("[Service]\nRestart=no\n")
    in_folder.start()
    assert not in_folder.unit_files.stop_drop_in.parent.exists()
    assert in_folder.host.commands == ["daemon-reload", "reset-failed", "start"]


def test_restarted(in_folder: Instance) -> None:
    first = in_folder.start()
    assert restart(in_folder.server, in_folder.files, WAIT_S, CLOCK).pid != first.pid
    assert not {"enable", "disable"} & set(in_folder.host.commands)


def test_a_server_that_refuses_to_save_goes_on(in_folder: Instance) -> None:
    """``systemctl stop`` would kill the server after TimeoutStopSec."""
    node = in_folder.start()
    in_folder.server.refuses["SHUTDOWN"] = "ERR Errors trying to SHUTDOWN. Check logs."
    with pytest.raises(OperationFailed, match="it refuses to shut down"):
        stop(in_folder.server, node, in_folder.files, WAIT_S, CLOCK)
    assert in_folder.running() == OLD
    assert "stop" not in in_folder.host.commands
    assert not in_folder.unit_files.stop_drop_in.exists(), "Restart= holds again"


def test_a_unit_that_runs_where_nothing_answers_is_left_alone(in_folder: Instance) -> None:
    host = ReplayedHost(in_folder.unit_files.shown(MainPID=99))
    service = Systemd(NAME, host)
    with pytest.raises(PreconditionFailed, match=r"its unit redis-server.service runs \(pid 99\), but nothing answers here"):
        service.keep_down(False, WAIT_S, CLOCK)
    assert host.commands == []


def test_a_unit_that_fails_again_and_again_is_kept_down(in_folder: Instance) -> None:
    again = {"ActiveState": "activating", "SubState": "auto-restart", "NRestarts": 7}
    host = ReplayedHost(shown(**again), shown(ActiveState="deactivating"), shown(ActiveState="inactive", SubState="dead"))
    Systemd(NAME, host).keep_down(False, WAIT_S, CLOCK)
    assert host.commands == [f"systemctl stop -- {NAME}"]


def test_a_unit_that_does_not_go_down(in_folder: Instance) -> None:
    host = ReplayedHost(shown(ActiveState="deactivating"))
    with pytest.raises(OperationFailed, match=r"is still deactivating 0\.1 s after systemctl stop"):
        Systemd(NAME, host).keep_down(True, 0.1, CLOCK)


@pytest.mark.parametrize(
    ("state", "failure", "pending"),
    [
        ({}, "", ""),
        ({"ActiveState": "activating", "SubState": "start"}, "", "its unit is activating (start, Type=notify)"),
        ({"ActiveState": "inactive", "SubState": "dead", "Job": "7"}, "", "its unit is inactive (dead, Type=notify)"),
        ({"ActiveState": "inactive", "SubState": "dead"}, f"its unit {NAME} ended at once", ""),
        ({"ActiveState": "failed", "Result": "exit-code"}, f"its unit {NAME} failed (exit-code)", ""),
        (
            {"ActiveState": "activating", "SubState": "auto-restart", "Result": "signal"},
            f"its unit {NAME} failed (signal)",
            "",
        ),
        ({"NRestarts": 1}, f"its unit {NAME} ended, and systemd has started it again", ""),
    ],
)
def test_what_becomes_of_a_start(state: dict[str, object], failure: str, pending: str) -> None:
    attempt = Systemd(NAME, ReplayedHost(shown(**state))).start(Start("", "/etc/redis/redis.conf", False))
    assert attempt.failure() == failure
    if not failure:
        assert attempt.pending() == pending


def test_a_start_that_is_refused() -> None:
    host = ReplayedHost()
    host.fails["--no-block"] = Ran(1, "", "Failed to start redis-server.service: Unit redis-server.service is masked.")
    with pytest.raises(OperationFailed, match="is masked") as caught:
        Systemd(NAME, host).start(Start("", "/etc/redis/redis.conf", False))
    assert caught.value.advice == f"See systemctl status {NAME}"


# -- another version


def test_switched_in_the_folder_that_the_unit_names(in_folder: Instance) -> None:
    in_folder.start()
    assert in_folder.switch().version == NEW
    assert version_in(in_folder.folders.kept) == OLD
    assert not in_folder.drop_in.parent.exists(), "the unit starts the right one by itself"
    assert in_folder.revert().version == OLD


def test_the_new_server_has_another_name(in_folder: Instance) -> None:
    (in_folder.staged / "redis-server").rename(in_folder.staged / "valkey-server")
    in_folder.start()
    assert in_folder.switch().version == NEW
    assert f"ExecStart={in_folder.folders.active}/valkey-server {in_folder.config} --daemonize no\n" in in_folder.drop_in.read_text()
    assert stat.S_IMODE(in_folder.drop_in.stat().st_mode) == 0o644
    assert in_folder.revert().version == OLD
    assert not in_folder.drop_in.parent.exists()


def test_moved_out_of_a_package(packaged: Instance) -> None:
    packaged.start()
    assert packaged.switch().version == NEW
    assert (version_in(packaged.folders.active), packaged.running()) == (NEW, NEW)
    text = packaged.drop_in.read_text()
    assert f"ExecStart={packaged.folders.active}/redis-server {packaged.config} --daemonize no\n" in text
    assert f"ExecPaths={packaged.folders.active}\n" in text, "the unit may execute nothing else (NoExecPaths)"
    assert not {"enable", "disable"} & set(packaged.host.commands)


def test_the_next_upgrade_after_that(packaged: Instance, tmp_path: Path) -> None:
    packaged.start()
    packaged.switch()
    before = packaged.drop_in.read_text()
    place(packaged.staged, "8.0.2")
    files = replace(packaged.files, executable=str(tmp_path / "redis" / "redis-server"))
    assert switch_version(packaged.server, files, packaged.folders, "8.0.2", None, WAIT_S, CLOCK).version == "8.0.2"
    assert revert(packaged.server, files, packaged.folders, NEW, WAIT_S, CLOCK).node.version == NEW
    assert packaged.drop_in.read_text() == before, "it was there before that upgrade"


def test_reverted_into_the_package(packaged: Instance) -> None:
    packaged.start()
    packaged.switch()
    assert packaged.revert().version == OLD
    assert not packaged.drop_in.parent.exists()
    assert (version_in(packaged.folders.active), version_in(packaged.folders.staged)) == ("", NEW)
    pid = packaged.server.running()
    assert packaged.revert().version == OLD, "a second revert changes nothing"
    assert packaged.server.running() == pid


@pytest.mark.parametrize("serve", [FAILS, "exit 0", HANGS])
def test_a_new_version_that_does_not_serve_is_reverted(packaged: Instance, serve: str) -> None:
    place(packaged.staged, NEW, serve)
    packaged.start()
    with pytest.raises(OperationFailed, match="the new version failed") as caught:
        packaged.switch(wait_s=0.5)
    assert caught.value.state == f"The old version {OLD} was restored and serves again"
    assert "it printed this" in str(caught.value)
    assert packaged.running() == OLD
    assert not packaged.drop_in.exists()
    assert version_in(packaged.folders.staged) == NEW


def test_another_version_than_the_wanted_one_was_started(in_folder: Instance) -> None:
    """A later drop-in of the administrator, or a wrapper, may start another version."""
    place(in_folder.staged, NEW, SERVES.replace("{version}", "6.6.6"))
    in_folder.start()
    with pytest.raises(OperationFailed, match=r"the started server is version 6\.6\.6, not 8\.0\.1"):
        in_folder.switch()
    assert in_folder.running() == OLD


def test_a_stopped_one_is_finished_by_a_later_run(packaged: Instance) -> None:
    assert packaged.switch().version == NEW


def test_between_the_swap_and_the_start(packaged: Instance) -> None:
    files = packaged.folders.activate(packaged.files, None)
    assert restart(packaged.server, files, WAIT_S, CLOCK).version == NEW
    assert packaged.drop_in.exists()


# -- refused, with nothing touched


def refused(instance: Instance, match: str) -> None:
    node = instance.start()
    with pytest.raises(PreconditionFailed, match=match) as caught:
        instance.switch()
    assert caught.value.state == "The version in use was not touched"
    again = running_instance(instance.server, str(instance.config))
    assert again is not None
    assert again.pid == node.pid
    assert not instance.drop_in.exists()


def test_a_new_server_that_would_not_tell_systemd_that_it_is_ready(packaged: Instance) -> None:
    server = packaged.staged / "redis-server"
    server.write_text(server.read_text() + "# Redis is compiled without libsystemd support!\n")
    refused(packaged, "is built without libsystemd")


def test_a_new_server_that_is_not_visible_is_left_to_the_unit(packaged: Instance) -> None:
    """As with commands of the user: the unit starts what they have chosen."""
    packaged.files.service.require_startable("", path_changes=False)


def test_a_script_cannot_be_made_to_start_another_executable(packaged: Instance) -> None:
    script = packaged.own / "start-redis.sh"
    script.write_text(f'#!/bin/sh\nexec {packaged.own}/redis-server "$@"\n')
    script.chmod(0o755)
    fragment = packaged.unit_files.fragment
    fragment.write_text(fragment.read_text().replace(f"{packaged.own}/redis-server", str(script)))
    packaged.host.run(["systemctl", "daemon-reload"], 1)
    refused(packaged, "which is no server by its name")


def test_a_path_that_would_need_quotes(packaged: Instance, tmp_path: Path) -> None:
    packaged.folders = Folders(str(tmp_path / "my redis"))
    packaged.staged.rename(packaged.folders.staged)
    refused(packaged, "would need quotes in a unit file")


# -- the unit of a process


def test_the_unit_of_a_process() -> None:
    found = service_of(448, "auto", ReplayedHost())
    assert found == {
        "manager": "systemd",
        "unit": NAME,
        "program": "/usr/bin/redis-server",
        "enabled": "enabled",
        "doubts": [],
    }


def test_systemd_does_not_answer() -> None:
    host = ReplayedHost()
    host.fails["show"] = Ran(1, "", "Failed to connect to bus: No such file or directory")
    (doubt,) = service_of(448, "auto", host)["doubts"]
    assert "Failed to connect to bus" in doubt["seen"]


@pytest.mark.parametrize("wanted", ["process", "command"])
def test_systemd_is_not_asked_where_something_else_is_set(wanted: str) -> None:
    host = ReplayedHost()
    host.fails["show"] = Ran(1, "")
    assert service_of(448, wanted, host) == {"manager": wanted, "unit": "", "doubts": []}


def test_a_unit_that_is_named() -> None:
    assert systemd_for("redis.service", 448, "", ReplayedHost()).name == NAME, "of an alias, the unit's own name"
    assert systemd_for(NAME, None, "", ReplayedHost()).name == NAME


@pytest.mark.parametrize(
    ("host", "match"),
    [
        (ReplayedHost(cgroup="0::/system.slice/ssh.service\n"), "does not belong to the unit redis-server.service, but to ssh.service"),
        (ReplayedHost(cgroup="0::/user.slice/session-1.scope\n"), "but to none"),
        (ReplayedHost(booted=False), "systemd does not run this host"),
    ],
)
def test_a_unit_that_is_not_the_process_s_own(host: ReplayedHost, match: str) -> None:
    with pytest.raises(PreconditionFailed, match=match) as caught:
        systemd_for(NAME, 448, "127.0.0.1:6379", host)
    assert caught.value.state == "The server was left alone"


def test_a_unit_that_does_not_exist() -> None:
    with pytest.raises(OperationFailed, match=r"systemd knows no unit nothing\.service"):
        systemd_for("nothing.service", None, "", ReplayedHost(shown(LoadState="not-found")))
