"""Starting, stopping and switching the version of a plain process; a script is the server (see
version_folder).
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._atomic_write import FileIdentity
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import OperationFailed, PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._host.process import alive
from ansible_collections.sentinelops.redis.plugins.module_utils._host.service import Start
from ansible_collections.sentinelops.redis.plugins.module_utils._install.folders import Folders, version_in
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.lifecycle import (
    InstanceFiles,
    PutBack,
    log_file_of,
    put_back,
    refuse_unsafe_stop,
    refuse_while_replicas_are_missing,
    restart,
    running_instance,
    start,
    stop,
    switch_version,
)
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address
from ansible_collections.sentinelops.redis.plugins.module_utils._server.info import NodeInfo, node_info
from ansible_collections.sentinelops.redis.plugins.module_utils._wait import Clock, until
from ansible_collections.sentinelops.redis.tests.unit.support.clock import FakeClock
from ansible_collections.sentinelops.redis.tests.unit.support.version_folder import FAILS, HANGS, SERVES, ProgramServer, place

OLD, NEW = "7.0.5", "7.0.15"
CLOCK, WAIT_S = Clock(), 5
MASTER = {"master_host": "10.0.0.1", "master_port": "6379"}


class Instance:
    """One instance: its folders, files and connection."""

    def __init__(self, path: Path) -> None:
        self.active, self.staged = place(path / "redis", OLD), place(path / "redis.new", NEW)
        self.config = self.active / "redis.conf"
        self.config.write_text(f"port 6379\nlogfile {path}/redis.log\n")
        self.log = path / "redis.log"
        self.folders = Folders(str(self.active))
        self.files = InstanceFiles(str(self.active / "redis-server"), str(self.config), sentinel=False, log_file=str(self.log))
        self.server = ProgramServer(path, self.config)

    def start(self) -> NodeInfo:
        return start(self.server, self.files, WAIT_S, CLOCK)

    def stop(self, wait_s: float = WAIT_S) -> None:
        node = self.running_instance()
        assert node is not None
        stop(self.server, node, self.files, wait_s, CLOCK)

    def running_instance(self) -> NodeInfo | None:
        return running_instance(self.server, str(self.config))

    def switch(self, identity: FileIdentity | None = None, wait_s: float = WAIT_S) -> NodeInfo:
        return switch_version(self.server, self.files, self.folders, NEW, identity, wait_s, CLOCK)

    def put_back(self) -> NodeInfo:
        return put_back(self.server, self.files, self.folders, OLD, WAIT_S, CLOCK).node

    def running(self) -> str:
        found = self.server.running()
        return found[1] if found else ""


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    made = Instance(tmp_path)
    yield made
    made.server.end_all()


# -- what is there
# ----------------------------------------------------------------------------------------------------


def test_nobody_serves(instance: Instance) -> None:
    assert instance.running_instance() is None


def test_it_serves(instance: Instance) -> None:
    instance.start()
    node = instance.running_instance()
    assert node is not None
    assert (node.version, node.role) == (OLD, "replica")


def test_a_link_to_the_configuration_file_is_the_same_file(instance: Instance, tmp_path: Path) -> None:
    (tmp_path / "link.conf").symlink_to(instance.config)
    instance.start()
    instance.server.info["config_file"] = str(tmp_path / "link.conf")
    assert instance.running_instance() is not None


@pytest.mark.parametrize("config_file", ["/etc/other.conf", ""])
def test_another_server_on_the_port_is_left_alone(instance: Instance, config_file: str) -> None:
    instance.start()
    instance.server.info["config_file"] = config_file
    with pytest.raises(PreconditionFailed, match="another server is there") as caught:
        instance.running_instance()
    assert f"configuration file {config_file or 'none'}" in str(caught.value)
    assert caught.value.state == "It was left alone"


def test_any_server_will_do_where_no_configuration_is_expected(instance: Instance) -> None:
    instance.start()
    assert running_instance(instance.server, "") is not None


def test_something_that_speaks_another_protocol_is_left_alone(instance: Instance) -> None:
    instance.start()
    instance.server.refuses["INFO"] = "ERR unknown command"
    with pytest.raises(PreconditionFailed, match="is not a Redis server: ERR unknown command"):
        instance.running_instance()


def test_something_that_hangs_is_left_alone(instance: Instance) -> None:
    instance.start()
    instance.server.hangs = True
    with pytest.raises(PreconditionFailed, match="what listens on this port hangs") as caught:
        instance.running_instance()
    assert caught.value.state == "It was left alone"


@pytest.mark.parametrize(
    ("role", "replicas", "refused"), [("master", True, r"10\.0\.0\.2:6379"), ("master", False, "nobody"), ("slave", True, "")]
)
def test_a_master_is_not_stopped(instance: Instance, role: str, replicas: bool, refused: str) -> None:
    instance.server.info.update(role=role, **({"slave0": "ip=10.0.0.2,port=6379,state=online,offset=1,lag=0"} if replicas else {}))
    node = instance.start()
    if refused:
        with pytest.raises(PreconditionFailed, match=f"it is a master, followed by {refused}, and will not be stopped"):
            refuse_unsafe_stop(instance.server, node, sentinel=False)
    else:
        refuse_unsafe_stop(instance.server, node, sentinel=False)
    assert instance.running() == OLD


def master_with(*states: str) -> NodeInfo:
    lines = {f"slave{number}": f"ip=10.0.0.{number},port=6379,state={state},offset=1,lag=0" for number, state in enumerate(states, 2)}
    return node_info({"redis_version": OLD, "process_id": "1", "role": "master", **lines})


@pytest.mark.parametrize(
    ("master", "refused"),
    [
        (master_with("online", "online"), ""),
        (master_with("online", "wait_bgsave"), r"should have 2 replicas, and has 10\.0\.0\.2:6379, so this one will not be stopped"),
        (master_with(), "should have 2 replicas, and has none"),
        (None, ""),
    ],
)
def test_a_replica_is_not_stopped_while_another_one_is_missing(instance: Instance, master: NodeInfo | None, refused: str) -> None:
    """What was restarted before it may have crashed since."""
    instance.server.info.update(MASTER)
    node = instance.start()
    with pytest.raises(PreconditionFailed, match=refused) if refused else contextlib.nullcontext():
        refuse_while_replicas_are_missing(instance.server, node, 2, {Address("10.0.0.1", 6379): master}.get, FakeClock())
    assert instance.running() == OLD


def test_a_master_has_no_master_to_ask(instance: Instance) -> None:
    instance.server.info.update(role="master")
    refuse_while_replicas_are_missing(instance.server, instance.start(), 2, lambda _address: pytest.fail("asked"), FakeClock())


@pytest.mark.parametrize(
    ("lines", "log"),
    [
        ("logfile /var/log/redis.log\n", "/var/log/redis.log"),
        ("dir /data\nlogfile redis.log\n", "/data/redis.log"),
        ('logfile ""\n', ""),
        ("port 6379\n", ""),
        ("logfile a.log\nlogfile /b.log\n", "/b.log"),
        ("logfile redis.log\n", "{folder}/redis.log"),
    ],
)
def test_the_log_file_that_a_configuration_names(tmp_path: Path, lines: str, log: str) -> None:
    config = tmp_path / "redis.conf"
    config.write_text(lines)
    assert log_file_of(str(config)) == log.format(folder=tmp_path)


def test_a_sentinel_is_started_as_one() -> None:
    assert Start("/opt/redis-server", "/opt/s.conf", True).arguments == ["/opt/redis-server", "/opt/s.conf", "--sentinel"]
    assert Start("/opt/redis-server", "/opt/r.conf", False).arguments == ["/opt/redis-server", "/opt/r.conf"]


# -- start and stop
# ---------------------------------------------------------------------------------------------------


def test_started_and_stopped(instance: Instance) -> None:
    node = instance.start()
    assert (node.version, alive(node.pid)) == (OLD, True)
    instance.stop()
    assert not alive(node.pid)


@pytest.mark.parametrize(("missing", "what"), [("redis-server", "executable"), ("redis.conf", "configuration file")])
def test_a_file_is_missing(instance: Instance, missing: str, what: str) -> None:
    (instance.active / missing).unlink()
    with pytest.raises(PreconditionFailed, match=f"the {what} .* does not exist") as caught:
        instance.start()
    assert caught.value.state == "Nothing was started"


def test_the_last_words_of_a_server_that_ends_at_once(instance: Instance) -> None:
    place(instance.active, OLD, FAILS)
    instance.log.write_text("an old line\n")
    with pytest.raises(OperationFailed, match="ended at once with exit code 1") as caught:
        instance.start()
    assert "*** FATAL CONFIG FILE ERROR ***" in str(caught.value)
    assert "gopher-enabled" in str(caught.value)
    assert caught.value.facts["log_tail"] == [], "what was in the log before is not its fault"
    assert caught.value.state == "The instance does not serve"


def test_the_log_of_a_server_that_ends_at_once(instance: Instance) -> None:
    place(instance.active, OLD, f"echo 'Can not open the data' >> {instance.log}; exit 2")
    with pytest.raises(OperationFailed, match="Can not open the data") as caught:
        instance.start()
    assert caught.value.facts["log_tail"] == ["Can not open the data"]


def test_a_server_that_never_answers(instance: Instance) -> None:
    place(instance.active, OLD, HANGS)
    with pytest.raises(OperationFailed, match=r"does not serve after 0\.1 s, it does not answer"):
        start(instance.server, instance.files, 0.1, CLOCK)


def test_a_server_that_loads_for_too_long(instance: Instance) -> None:
    instance.server.info["loading"] = "1"
    with pytest.raises(OperationFailed, match="it still loads its data"):
        start(instance.server, instance.files, 0.1, CLOCK)


def test_a_server_that_has_loaded_meanwhile(instance: Instance) -> None:
    instance.server.info["loading"] = "1"

    class Loads(Clock):
        def sleep_s(self, seconds: float) -> None:
            super().sleep_s(seconds)
            if instance.server.running():
                instance.server.info["loading"] = "0"

    assert not start(instance.server, instance.files, WAIT_S, Loads()).loading


def test_another_server_answers(instance: Instance) -> None:
    instance.server.info["process_id"] = str(os.getpid())
    with pytest.raises(OperationFailed, match=rf"another server \(pid {os.getpid()}\) answers"):
        instance.start()


def test_a_server_that_refuses_to_shut_down(instance: Instance) -> None:
    instance.start()
    instance.server.refuses["SHUTDOWN"] = "ERR Errors trying to SHUTDOWN. Check logs."
    with pytest.raises(OperationFailed, match="it refuses to shut down: ERR Errors trying to SHUTDOWN") as caught:
        instance.stop()
    assert caught.value.state == "It goes on serving"
    assert instance.running() == OLD


def test_a_server_that_does_not_go_away(instance: Instance) -> None:
    node = instance.start()
    instance.server.stays = True
    with pytest.raises(OperationFailed, match=rf"its process {node.pid} is still there 0\.1 s after SHUTDOWN"):
        instance.stop(wait_s=0.1)


def test_restarted(instance: Instance) -> None:
    first = instance.start()
    second = restart(instance.server, instance.files, WAIT_S, CLOCK)
    assert first.pid != second.pid
    assert not alive(first.pid)


def test_restarted_where_it_did_not_run(instance: Instance) -> None:
    assert restart(instance.server, instance.files, WAIT_S, CLOCK).version == OLD


# -- another version
# --------------------------------------------------------------------------------------------------


def test_switched(instance: Instance) -> None:
    before = instance.start()
    node = instance.switch()
    assert (node.version, instance.running()) == (NEW, NEW)
    assert not alive(before.pid)
    assert version_in(instance.folders.kept) == OLD


def test_switched_where_it_did_not_run(instance: Instance) -> None:
    """An earlier run had stopped it."""
    assert instance.switch().version == NEW


@pytest.mark.parametrize(("sub", "name"), [("src", "redis-server"), ("bin", "redis-server"), ("", "valkey-server")])
def test_the_new_server_has_another_place_or_name(instance: Instance, sub: str, name: str) -> None:
    (instance.staged / "redis-server").unlink()
    place(instance.staged / sub, NEW, SERVES if not sub else SERVES.replace("/../run", "/../../run"), name=name)
    instance.start()
    assert instance.switch().version == NEW
    assert instance.put_back().version == OLD


def test_the_configuration_has_the_mode_that_it_had_before(instance: Instance) -> None:
    instance.config.chmod(0o600)
    identity = FileIdentity.of(str(instance.config))
    instance.config.chmod(0o644)
    instance.start()
    instance.switch(identity)
    assert stat.S_IMODE(instance.config.stat().st_mode) == 0o600


@pytest.mark.parametrize("serve", [FAILS, "exit 0"])
def test_a_new_version_that_does_not_start_is_taken_back(instance: Instance, serve: str) -> None:
    place(instance.staged, NEW, serve)
    instance.start()
    with pytest.raises(OperationFailed, match="the new version failed") as caught:
        instance.switch(wait_s=0.2)
    assert caught.value.state == f"The old version {OLD} was put back and serves again"
    assert instance.running() == OLD
    assert version_in(instance.folders.active) == OLD
    assert version_in(instance.folders.staged) == NEW


def test_a_new_version_that_hangs_does_not_stay_beside_the_old_one(instance: Instance, tmp_path: Path) -> None:
    place(instance.staged, NEW, f'echo "$$" > {tmp_path}/hangs; {HANGS}')
    instance.start()
    with pytest.raises(OperationFailed, match="it does not answer"):
        instance.switch(wait_s=0.2)
    assert instance.running() == OLD
    assert not alive(int((tmp_path / "hangs").read_text()))


def test_neither_version_starts(instance: Instance) -> None:
    instance.start()
    place(instance.staged, NEW, FAILS)
    place(instance.active, OLD, FAILS)
    with pytest.raises(OperationFailed, match=f"the old version {OLD} could not be started again") as caught:
        instance.switch()
    assert caught.value.state == "The instance is down"
    assert version_in(instance.folders.active) == OLD


def test_without_the_new_version_nothing_is_stopped(instance: Instance) -> None:
    instance.start()
    place(instance.staged, "7.2.6")
    with pytest.raises(PreconditionFailed, match="should hold version"):
        instance.switch()
    assert instance.running() == OLD


def test_a_master_is_not_switched(instance: Instance) -> None:
    instance.server.info.update(role="master")
    instance.start()
    with pytest.raises(PreconditionFailed, match="will not be stopped"):
        instance.switch()
    assert (instance.running(), version_in(instance.folders.active)) == (OLD, OLD)


@pytest.mark.parametrize(("is_sentinel", "password"), [(True, '"a b"'), (False, "a b")])
def test_the_file_of_a_sentinel_is_mended(instance: Instance, is_sentinel: bool, password: str) -> None:
    """Sentinel writes passwords with spaces in a way that it cannot read again."""
    instance.config.write_text("sentinel auth-pass mymaster a b\n")
    files = InstanceFiles(instance.files.executable, instance.files.config_file, is_sentinel, "")
    switch_version(instance.server, files, instance.folders, NEW, None, WAIT_S, CLOCK)
    assert instance.config.read_text() == f"sentinel auth-pass mymaster {password}\n"


def test_put_back(instance: Instance) -> None:
    instance.start()
    instance.switch()
    assert instance.put_back().version == OLD
    assert version_in(instance.folders.active) == OLD


def test_put_back_where_it_was_put_back_already(instance: Instance) -> None:
    before = instance.start()
    assert instance.put_back().pid == before.pid


def test_put_back_where_it_was_stopped(instance: Instance) -> None:
    instance.start()
    instance.switch()
    instance.stop()
    assert instance.put_back().version == OLD


def test_a_new_master_is_not_put_back(instance: Instance) -> None:
    """Sentinels have promoted it, and nobody follows it yet: it may be the only one that has the
    data.
    """
    instance.start()
    instance.switch()
    instance.server.info.update(role="master")
    with pytest.raises(PreconditionFailed, match="will not be stopped"):
        instance.put_back()
    assert instance.running() == NEW


# -- put back, and the data
# --------------------------------------------------------------------------------------------

# a server that ends as real ones do, if there is a file that it cannot read
REFUSES_DATA = 'if [ -e {data} ]; then echo "Can\'t handle RDB format version 99" >> {log}; exit 1; fi; '


@pytest.fixture
def failed(instance: Instance, tmp_path: Path) -> Instance:
    """A replica that runs 7.0.15 now and 6.2.14 before; both have their data beside the version
    folders.
    """
    place(instance.active, "6.2.14")
    instance.config.write_text(f"port 6379\ndir {tmp_path}\nlogfile {instance.log}\nreplicaof 10.0.0.1 6379\n")
    instance.server.info.update(MASTER)
    instance.start()
    instance.switch()
    return instance


def crash(instance: Instance) -> None:
    instance.server.end_all()
    until(instance.server.running, lambda found: found is None, deadline_s=WAIT_S, interval_s=0.01, clock=CLOCK)


def back(instance: Instance, ask: Callable[[Address], tuple[str, str] | None] = lambda _address: ("redis", "6.2.14")) -> PutBack:
    return put_back(instance.server, instance.files, instance.folders, "6.2.14", WAIT_S, CLOCK, ask)


@pytest.mark.parametrize(("written", "aside"), [(b"REDIS0009", []), (b"REDIS0010", ["dump.rdb.set-aside"])])
def test_put_back_with_the_data_of_the_new_version(failed: Instance, tmp_path: Path, written: bytes, aside: list[str]) -> None:
    (tmp_path / "dump.rdb").write_bytes(written)
    config = failed.config.with_name("redis.conf").read_bytes()
    done = back(failed)
    assert (done.node.version, failed.running()) == ("6.2.14", "6.2.14")
    assert list(done.set_aside) == [str(tmp_path / name) for name in aside]
    assert sorted(path.name for path in tmp_path.glob("dump.rdb*")) == (aside or ["dump.rdb"])
    assert failed.config.read_bytes() == config


def test_put_back_where_nothing_serves_any_more(failed: Instance, tmp_path: Path) -> None:
    (tmp_path / "dump.rdb").write_bytes(b"REDIS0010")
    crash(failed)
    assert back(failed).set_aside == (str(tmp_path / "dump.rdb.set-aside"),)


def test_the_old_version_follows_the_master_of_now(failed: Instance) -> None:
    failed.server.info.update(master_host="10.0.0.3")
    back(failed)
    assert failed.config.read_text().splitlines()[-1] == "replicaof 10.0.0.3 6379"


def test_data_that_only_the_start_shows_to_be_unreadable_is_set_aside_then(failed: Instance, tmp_path: Path) -> None:
    data = tmp_path / "dump.rdb"
    data.write_bytes(b"REDIS0009 and something that nobody knows")
    place(Path(failed.folders.kept), "6.2.14", REFUSES_DATA.format(data=data, log=failed.log) + SERVES)
    assert back(failed).set_aside == (f"{data}.set-aside",)
    assert failed.running() == "6.2.14"


def test_what_ends_for_another_reason_keeps_its_data(failed: Instance, tmp_path: Path) -> None:
    (tmp_path / "dump.rdb").write_bytes(b"REDIS0009")
    place(Path(failed.folders.kept), "6.2.14", FAILS)
    with pytest.raises(OperationFailed, match="FATAL CONFIG FILE ERROR"):
        back(failed)
    assert (tmp_path / "dump.rdb").exists()


def test_a_master_does_not_come_back_empty(failed: Instance, tmp_path: Path) -> None:
    (tmp_path / "dump.rdb").write_bytes(b"REDIS0010")
    crash(failed)
    kept = Path(failed.folders.kept) / "redis.conf"
    kept.write_text(kept.read_text().replace("replicaof 10.0.0.1 6379\n", ""))
    with pytest.raises(OperationFailed, match="and would come back empty") as caught:
        back(failed)
    assert (tmp_path / "dump.rdb").exists()
    assert caught.value.state == "The instance is down"


@pytest.mark.parametrize("serves", [True, False])
def test_behind_the_barrier_nothing_is_touched(failed: Instance, tmp_path: Path, serves: bool) -> None:
    (tmp_path / "dump.rdb").write_bytes(b"REDIS0010")
    if not serves:
        crash(failed)
    with pytest.raises(PreconditionFailed, match=r"its master 10\.0\.0\.1:6379 runs 7\.0\.15, whose data 6\.2\.14 cannot read") as caught:
        back(failed, lambda _address: ("redis", "7.0.15"))
    assert version_in(failed.folders.active) == NEW
    assert failed.running() == (NEW if serves else "")
    assert caught.value.state == "It was left with the new version" + ("" if serves else ", and does not serve")


@pytest.mark.parametrize("master", [None, ("redis", "7.0.15")])
def test_data_of_its_own_may_do_for_a_partial_resynchronisation(failed: Instance, tmp_path: Path, master: tuple[str, str] | None) -> None:
    """The new version has never served, so what is on disk is the old one's."""
    (tmp_path / "dump.rdb").write_bytes(b"REDIS0009")
    crash(failed)
    assert back(failed, lambda _address: master).node.version == "6.2.14"
