"""The state of two shards behind links: links, releases, units, and both writers' verdicts."""

from __future__ import annotations

import re
from typing import Any

import pytest
from configuration import settings, state_of_sentinel
from upgraded_host import info, journals, name_of, require_nothing_lost, verdicts

testinfra_hosts = ["ansible://cache"]

OLD, NEW = "7.0.15", "8.0.1"
# from the scenario's inventory
HOME = {"alpha": "192.0.2.11", "beta": "192.0.2.12"}
PORTS = {"alpha": 6379, "beta": 6380, "sentinel": 26379}


class Instance:
    """An instance on a machine."""

    def __init__(self, host: Any) -> None:
        self.host, self.name = host, name_of(host)
        self.kind = self.name.partition("-")[0]
        self.port = PORTS[self.kind]
        self.is_sentinel = self.kind == "sentinel"
        self.folder = "/opt/sentinel" if self.is_sentinel else f"/opt/redis-{self.kind}"
        self.unit = "sentinel" if self.is_sentinel else f"redis@{self.kind}"
        self.config = f"{self.folder}/etc/sentinel.conf" if self.is_sentinel else f"{self.folder}/current/redis.conf"
        self.before = f"/root/before-{self.unit}/{'sentinel' if self.is_sentinel else 'redis'}.conf"

    def info(self) -> dict[str, str]:
        return info(self.host, self.port, f"{self.folder}/current/valkey-cli")

    def texts(self) -> tuple[str, str]:
        """Return the configuration before and after."""
        return self.host.file(self.before).content_string, self.host.file(self.config).content_string


@pytest.fixture
def instance(host: Any) -> Instance:
    return Instance(host)


def test_the_link_points_to_the_new_release(host: Any, instance: Instance) -> None:
    link = host.file(f"{instance.folder}/current")
    assert host.check_output(f"readlink {link.path}") == f"releases/{NEW}", "relative, as it was"
    assert link.user == "redis"


def test_both_releases_are_there(host: Any, instance: Instance) -> None:
    assert sorted(host.file(f"{instance.folder}/releases").listdir()) == [OLD, NEW]
    assert f"v={OLD} " in host.check_output(f"{instance.folder}/releases/{OLD}/redis-server --version")
    for path in (f"releases/{NEW}", f"releases/{NEW}/valkey-server"):
        assert (host.file(f"{instance.folder}/{path}").user, host.file(f"{instance.folder}/{path}").group) == ("redis", "redis")
    assert sorted(host.file(instance.folder).listdir()) == ["current", "data", "etc", "releases"], "nothing else"


def test_the_unit_runs_the_new_release(host: Any, instance: Instance) -> None:
    service = host.service(instance.unit)
    assert service.is_running, host.run(f"journalctl --no-pager --lines=50 --unit={instance.unit}").stdout
    assert service.is_enabled
    fields = instance.info()
    assert fields["valkey_version"] == NEW
    assert fields["executable"] == f"{instance.folder}/current/valkey-server"
    assert fields["config_file"] == instance.config
    assert service.systemd_properties["MainPID"] == fields["process_id"]
    assert host.check_output(f"readlink /proc/{fields['process_id']}/exe") == f"{instance.folder}/releases/{NEW}/valkey-server"
    assert host.check_output(f"stat --format %U /proc/{fields['process_id']}") == "redis"


def test_the_unit_names_the_link(host: Any, instance: Instance) -> None:
    drop_in = host.file(f"/etc/systemd/system/{instance.unit}.service.d/zz-sentinelops-redis.conf").content_string
    assert f"\nExecStart={instance.folder}/current/valkey-server " in drop_in, "since the server has another name"
    assert "releases" not in drop_in
    assert ("--sentinel" in drop_in) is instance.is_sentinel


def test_the_roles(instance: Instance) -> None:
    fields = instance.info()
    if instance.is_sentinel:
        masters = {fields["master0"], fields["master1"]}
        assert masters == {f"name={name},status=ok,address={HOME[name]}:{PORTS[name]},slaves=2,sentinels=3" for name in HOME}
    elif instance.name.endswith("-1"):
        assert (fields["role"], fields["connected_slaves"]) == ("master", "2")
    else:
        assert (fields["role"], fields["master_host"], fields["master_link_status"]) == ("slave", HOME[instance.kind], "up")


def test_the_configuration(host: Any, instance: Instance) -> None:
    file = host.file(instance.config)
    assert (file.user, file.group, oct(file.mode)) == ("redis", "redis", oct(0o640))
    before, now = instance.texts()
    assert now.splitlines()[0] == before.splitlines()[0], "the comment"
    if instance.is_sentinel:
        assert any(line.startswith("sentinel myid") for line in state_of_sentinel(now))
        assert state_of_sentinel(now) == state_of_sentinel(before)
        assert not host.file(f"{instance.folder}/current/sentinel.conf").exists, "it stays outside"
        return
    changing = ("replicaof", "slowlog-max-len", "replica-priority", "min-replicas")
    assert {line for line in settings(before) if not line.startswith(changing)} <= settings(now)
    included = host.file(f"{instance.folder}/current/local.conf")
    assert (included.content_string, oct(included.mode), included.user) == ("# ours\nslowlog-max-len 201\n", oct(0o600), "redis")
    assert host.file(f"{instance.folder}/releases/{OLD}/redis.conf").exists, "for the way back"


def test_the_log_is_clean(host: Any, instance: Instance) -> None:
    text = host.file(f"{instance.folder}/data/log").content_string
    assert f"version={NEW}" in text
    assert not re.search(r"FATAL|Can't open|Permission denied", text)


def test_no_journal_is_left(host: Any) -> None:
    """Only the records of the previous versions may be left."""
    assert journals(host) == []


@pytest.mark.parametrize("shard", HOME)
def test_nothing_was_lost(host: Any, instance: Instance, shard: str) -> None:
    if instance.name != "sentinel-1":
        return
    found = verdicts(host, shard)
    assert len(found) == 2, "that of the upgrade, and that of the second run"
    require_nothing_lost(found, acknowledged=200)
