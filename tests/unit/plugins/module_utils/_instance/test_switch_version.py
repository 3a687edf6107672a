"""Switching the version of a plain process and reverting it; a script is the server."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._atomic_write import FileIdentity
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import OperationFailed, PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._host.process import alive
from ansible_collections.sentinelops.redis.plugins.module_utils._install.folders import version_in
from ansible_collections.sentinelops.redis.plugins.module_utils._install.instance_files import InstanceFiles
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.switch_version import (
    Reverted,
    VersionLookup,
    revert,
    switch_version,
)
from ansible_collections.sentinelops.redis.plugins.module_utils._wait import until
from ansible_collections.sentinelops.redis.tests.unit.support.instance import CLOCK, MASTER, NEW, OLD, WAIT_S, Instance
from ansible_collections.sentinelops.redis.tests.unit.support.version_folder import FAILS, HANGS, SERVES, place

# -- switch


def test_switched(instance: Instance) -> None:
    before = instance.start()
    node = instance.switch()
    assert (node.version, instance.running()) == (NEW, NEW)
    assert not alive(before.pid)
    assert version_in(instance.folders.kept) == OLD


def test_switched_where_it_did_not_run(instance: Instance) -> None:
    """An earlier run has stopped the instance."""
    assert instance.switch().version == NEW


@pytest.mark.parametrize(("sub", "name"), [("src", "redis-server"), ("bin", "redis-server"), ("", "valkey-server")])
def test_the_new_server_has_another_place_or_name(instance: Instance, sub: str, name: str) -> None:
    (instance.staged / "redis-server").unlink()
    place(instance.staged / sub, NEW, SERVES if not sub else SERVES.replace("/../run", "/../../run"), name=name)
    instance.start()
    assert instance.switch().version == NEW
    assert instance.revert().version == OLD


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
    assert caught.value.state == f"The old version {OLD} was restored and serves again"
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
def test_the_file_of_a_sentinel_is_repaired(instance: Instance, is_sentinel: bool, password: str) -> None:
    """Sentinel writes passwords with spaces without quotes, and cannot read its own file then."""
    instance.config.write_text("sentinel auth-pass mymaster a b\n")
    files = InstanceFiles(instance.files.executable, instance.files.config_file, is_sentinel, "")
    switch_version(instance.server, files, instance.folders, NEW, None, WAIT_S, CLOCK)
    assert instance.config.read_text() == f"sentinel auth-pass mymaster {password}\n"


def test_reverted(instance: Instance) -> None:
    instance.start()
    instance.switch()
    assert instance.revert().version == OLD
    assert version_in(instance.folders.active) == OLD


def test_reverted_already(instance: Instance) -> None:
    before = instance.start()
    assert instance.revert().pid == before.pid


def test_reverted_while_stopped(instance: Instance) -> None:
    instance.start()
    instance.switch()
    instance.stop()
    assert instance.revert().version == OLD


def test_a_new_master_is_not_reverted(instance: Instance) -> None:
    """A replica that Sentinels have just promoted may be the only node with the data."""
    instance.start()
    instance.switch()
    instance.server.info.update(role="master")
    with pytest.raises(PreconditionFailed, match="will not be stopped"):
        instance.revert()
    assert instance.running() == NEW


# -- revert, and the data

# a server that ends as real ones do, if there is a file that it cannot read
REFUSES_DATA = 'if [ -e {data} ]; then echo "Can\'t handle RDB format version 99" >> {log}; exit 1; fi; '


@pytest.fixture
def failed(instance: Instance, tmp_path: Path) -> Instance:
    """A replica that was switched from 6.2.14 to 7.0.15; its data is beside the version folders."""
    place(instance.active, "6.2.14")
    instance.config.write_text(f"port 6379\ndir {tmp_path}\nlogfile {instance.log}\nreplicaof 10.0.0.1 6379\n")
    instance.server.info.update(MASTER)
    instance.start()
    instance.switch()
    return instance


def crash(instance: Instance) -> None:
    instance.server.end_all()
    until(instance.server.running, lambda found: found is None, deadline_s=WAIT_S, interval_s=0.01, clock=CLOCK, says=str)


def reverted(instance: Instance, version_at: VersionLookup = lambda _address: ("redis", "6.2.14")) -> Reverted:
    return revert(instance.server, instance.files, instance.folders, "6.2.14", WAIT_S, CLOCK, version_at)


@pytest.mark.parametrize(("written", "aside"), [(b"REDIS0009", []), (b"REDIS0010", ["dump.rdb.set-aside"])])
def test_reverted_with_the_data_of_the_new_version(failed: Instance, tmp_path: Path, written: bytes, aside: list[str]) -> None:
    (tmp_path / "dump.rdb").write_bytes(written)
    config = failed.config.with_name("redis.conf").read_bytes()
    done = reverted(failed)
    assert (done.node.version, failed.running()) == ("6.2.14", "6.2.14")
    assert list(done.set_aside) == [str(tmp_path / name) for name in aside]
    assert sorted(path.name for path in tmp_path.glob("dump.rdb*")) == (aside or ["dump.rdb"])
    assert failed.config.read_bytes() == config


def test_reverted_where_nothing_serves_any_more(failed: Instance, tmp_path: Path) -> None:
    (tmp_path / "dump.rdb").write_bytes(b"REDIS0010")
    crash(failed)
    assert reverted(failed).set_aside == (str(tmp_path / "dump.rdb.set-aside"),)


def test_the_old_version_follows_the_current_master(failed: Instance) -> None:
    failed.server.info.update(master_host="10.0.0.3")
    reverted(failed)
    assert failed.config.read_text().splitlines()[-1] == "replicaof 10.0.0.3 6379"


def test_data_that_only_the_start_shows_to_be_unreadable_is_set_aside_then(failed: Instance, tmp_path: Path) -> None:
    data = tmp_path / "dump.rdb"
    data.write_bytes(b"REDIS0009 and something that nobody knows")
    place(Path(failed.folders.kept), "6.2.14", REFUSES_DATA.format(data=data, log=failed.log) + SERVES)
    assert reverted(failed).set_aside == (f"{data}.set-aside",)
    assert failed.running() == "6.2.14"


def test_what_ends_for_another_reason_keeps_its_data(failed: Instance, tmp_path: Path) -> None:
    (tmp_path / "dump.rdb").write_bytes(b"REDIS0009")
    place(Path(failed.folders.kept), "6.2.14", FAILS)
    with pytest.raises(OperationFailed, match="FATAL CONFIG FILE ERROR"):
        reverted(failed)
    assert (tmp_path / "dump.rdb").exists()


def test_a_master_does_not_come_back_empty(failed: Instance, tmp_path: Path) -> None:
    (tmp_path / "dump.rdb").write_bytes(b"REDIS0010")
    crash(failed)
    kept = Path(failed.folders.kept) / "redis.conf"
    kept.write_text(kept.read_text().replace("replicaof 10.0.0.1 6379\n", ""))
    with pytest.raises(OperationFailed, match="and would start empty") as caught:
        reverted(failed)
    assert (tmp_path / "dump.rdb").exists()
    assert caught.value.state == "The instance is down"


@pytest.mark.parametrize("serves", [True, False])
def test_behind_the_barrier_nothing_is_touched(failed: Instance, tmp_path: Path, serves: bool) -> None:
    (tmp_path / "dump.rdb").write_bytes(b"REDIS0010")
    if not serves:
        crash(failed)
    with pytest.raises(PreconditionFailed, match=r"its master 10\.0\.0\.1:6379 runs 7\.0\.15, whose data 6\.2\.14 cannot read") as caught:
        reverted(failed, lambda _address: ("redis", "7.0.15"))
    assert version_in(failed.folders.active) == NEW
    assert failed.running() == (NEW if serves else "")
    assert caught.value.state == "The new version was left in place" + ("" if serves else ", and does not serve")


@pytest.mark.parametrize("master", [None, ("redis", "7.0.15")])
def test_data_of_its_own_may_do_for_a_partial_resynchronisation(failed: Instance, tmp_path: Path, master: tuple[str, str] | None) -> None:
    """The new version has never served, so the data on disk is that of the old version."""
    (tmp_path / "dump.rdb").write_bytes(b"REDIS0009")
    crash(failed)
    assert reverted(failed, lambda _address: master).node.version == "6.2.14"
