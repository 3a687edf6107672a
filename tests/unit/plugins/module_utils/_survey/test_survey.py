"""The record of one instance, from the recorded replies of real servers."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import ConnectionFailed, PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._install import package_record
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address
from ansible_collections.sentinelops.redis.plugins.module_utils._server.info import node_info, parse_info
from ansible_collections.sentinelops.redis.plugins.module_utils._survey import package_facts
from ansible_collections.sentinelops.redis.plugins.module_utils._survey.survey import SurveyRequest, files_of, survey
from ansible_collections.sentinelops.redis.plugins.module_utils._topology.sentinel import view_from_dict
from ansible_collections.sentinelops.redis.tests.unit.support.recorded import (
    MASTER,
    OTHER_REPLICA,
    REPLICA,
    SENTINELS,
    VERSIONS,
    RecordedNode,
    RecordedSentinel,
    Unreachable,
    recorded,
)
from ansible_collections.sentinelops.redis.tests.unit.support.version_folder import place

NO_SUCH_PID = 2**22 + 1  # so that what INFO says of the executable is taken
JOURNAL = {
    "schema": 1,
    "version": "7.0.5",
    "executable": "{folder}/redis-server",
    "config_file": "{folder}/redis.conf",
    "config_identity": {"uid": 100, "gid": 100, "mode": 416},
    "address": "10.0.0.1:6379",
    "shard": "mymaster",
    "priority": 50,
}


def here(replies: dict[str, Any], folder: Path, config: str = "port 6379\n") -> dict[str, Any]:
    """The recorded instance, with its files in a version folder of this host."""
    place(folder, "7.0.15")
    (folder / "redis.conf").write_text(config)
    replaced = {"process_id": NO_SUCH_PID, "executable": f"{folder}/redis-server", "config_file": f"{folder}/redis.conf"}
    lines = [line for line in replies["info"] if line.split(":")[0] not in replaced]
    values = {**replies.get("config", {}), "replica-announce-ip": "", "replica-announce-port": "0"}
    return {**replies, "info": [*lines, *(f"{name}:{value}" for name, value in replaced.items())], "config": values}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_master(version: str, tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    record = survey(RecordedNode(here(recorded(version, "healthy")["nodes"]["redis-1"], folder)), "redis", None, SurveyRequest())
    assert (record["kind"], record["login"], record["answers"], record["stopped"], record["journal"]) == (
        "redis",
        MASTER,
        True,
        False,
        None,
    )
    assert (record["server"], record["version"], record["role"], record["master"]) == ("redis", version, "master", "")
    assert sorted(record["replicas"]) == [REPLICA, OTHER_REPLICA]
    assert (record["priority"], record["min_replicas_to_write"], record["appendonly"]) == (100, 0, "no")
    assert (record["dir"], record["log_file"]) == ("/srv/sandbox/redis-1", "/srv/sandbox/redis-1/redis-1.log")
    assert (record["folder"], record["config_file"]) == (str(folder), f"{folder}/redis.conf")
    assert (record["installed_version"], record["staged_version"], record["interrupted"]) == ("7.0.15", "", False)
    assert (record["config_writable"], record["folder_writable"], record["noexec_folder"]) == (True, True, "")
    assert set(record["config_identity"]) == {"uid", "gid", "mode"}
    assert (record["process"], record["our_uid"]) == (None, os.geteuid()), "the recorded process is gone"
    assert record["machine"]
    assert json.loads(json.dumps(record)) == record


@pytest.mark.parametrize("version", VERSIONS)
def test_a_replica(version: str, tmp_path: Path) -> None:
    record = survey(
        RecordedNode(here(recorded(version, "healthy")["nodes"]["redis-2"], tmp_path / "redis")), "redis", None, SurveyRequest()
    )
    assert (record["role"], record["master"], record["link_up"], record["loading"]) == ("replica", MASTER, True, False)
    assert record["offset"] > 0


@pytest.mark.parametrize("version", VERSIONS)
def test_a_sentinel(version: str, tmp_path: Path) -> None:
    replies = here(
        recorded(version, "healthy")["sentinels"]["sentinel-1"], tmp_path / "redis", 'dir "/srv/sentinel"\nlogfile "sentinel.log"\n'
    )
    record = survey(RecordedSentinel(replies), "sentinel", None, SurveyRequest())
    assert (record["role"], record["version"], record["login"]) == ("sentinel", version, SENTINELS[0])
    assert (record["dir"], record["log_file"]) == ("/srv/sentinel", "/srv/sentinel/sentinel.log")
    (view,) = json.loads(json.dumps(record))["views"]
    assert view_from_dict(view).master.address == MASTER
    assert view_from_dict(view) == view_from_dict(record["views"][0])


def test_a_version_that_is_staged(tmp_path: Path) -> None:
    replies = here(recorded("7.0.15", "healthy")["nodes"]["redis-1"], tmp_path / "redis")
    place(tmp_path / "redis.new", "7.2.6")
    assert survey(RecordedNode(replies), "redis", None, SurveyRequest())["staged_version"] == "7.2.6"


def test_a_folder_that_the_user_names(tmp_path: Path) -> None:
    replies = here(recorded("7.0.15", "healthy")["nodes"]["redis-1"], tmp_path / "elsewhere")
    place(tmp_path / "redis", "7.0.5")
    record = survey(RecordedNode(replies), "redis", None, SurveyRequest(folder=str(tmp_path / "redis")))
    assert (record["folder"], record["installed_version"]) == (str(tmp_path / "redis"), "7.0.5")


def test_a_configuration_file_that_is_not_on_this_host() -> None:
    replies = recorded("7.0.15", "healthy")["nodes"]["redis-1"]
    replies = {**replies, "config": {**replies["config"], "replica-announce-ip": "", "replica-announce-port": "6390"}}
    record = survey(RecordedNode(replies), "redis", None, SurveyRequest())
    assert (record["config_identity"], record["config_writable"]) == (None, False)
    assert record["announced_port"] == 6390


@pytest.mark.parametrize(("kind", "name", "is_a"), [("sentinel", "redis-1", "a data node"), ("redis", "sentinel-1", "a Sentinel")])
def test_an_instance_of_the_wrong_kind(kind: str, name: str, is_a: str) -> None:
    replies = recorded("7.0.15", "healthy")
    server: Any = RecordedNode(replies["nodes"][name]) if kind == "sentinel" else RecordedSentinel(replies["sentinels"][name])
    with pytest.raises(PreconditionFailed, match=f"this is {is_a}, the inventory has it as") as caught:
        survey(server, kind, None, SurveyRequest())
    assert caught.value.advice


@pytest.mark.parametrize("kind", ["redis", "sentinel"])
def test_an_instance_that_commands_activate(kind: str, tmp_path: Path) -> None:
    """Its files have the paths of unrelated files of this host."""
    name = "redis-1" if kind == "redis" else "sentinel-1"
    replies = here(recorded("7.0.15", "healthy")[f"{'nodes' if kind == 'redis' else 'sentinels'}"][name], tmp_path / "redis")
    commands = {"stage": ["true", "{version}"], "activate": "/no/such/program", "deactivate": []}
    request = SurveyRequest("command", activation="command", version="7.0.16", commands=commands)
    server: Any = RecordedNode(replies) if kind == "redis" else RecordedSentinel(replies)
    record = survey(server, kind, None, request)
    assert (record["config_file"], record["executable"]) == (f"{tmp_path}/redis/redis.conf", f"{tmp_path}/redis/redis-server")
    assert (record["config_identity"], record["process"], record["folder"], record["log_file"]) == (None, None, "", "")
    assert (record["pid"], record["isolation"]) == (0, "hidden")
    assert (record["installed_version"], record["staged_version"], record["interrupted"]) == ("", "", False)
    assert record["activation"] == {"method": "command", "folder": "", "staged": "", "kept": "", "doubts": []}
    assert record["commands"]["stage"] == {"words": ["true", "{version}"], "problem": ""}
    assert "no program /no/such/program" in record["commands"]["activate"]["problem"]
    assert record["commands"]["deactivate"] == {"words": [], "problem": ""}
    assert json.dumps(record)


def test_a_stopped_instance_that_commands_activate() -> None:
    activation = {"method": "command", "folder": "", "staged": "", "kept": "", "doubts": []}
    journal = {**JOURNAL, "folder": "", "activation": activation}
    request = SurveyRequest("command", activation="command", version="7.0.15", rollback=True, commands={"activate": ["true"]})
    record = survey(Unreachable(Address("10.0.0.1", 6379)), "redis", journal, request)
    assert (record["stopped"], record["version"], record["activation"]) == (True, "7.0.5", activation)
    assert record["commands"]["activate"]["words"] == ["true"]
    assert record["before"]["there"], "the deactivate command leads there"


def test_an_instance_that_does_not_answer() -> None:
    record = survey(Unreachable(Address("10.0.0.1", 6379)), "redis", None, SurveyRequest())
    assert (record["answers"], record["stopped"], record["role"]) == (False, False, "unreachable")
    assert "connection refused" in record["error"]


def test_an_instance_that_an_upgrade_stopped(tmp_path: Path) -> None:
    folder = place(tmp_path / "redis", "7.0.5")
    place(tmp_path / "redis.new", "7.0.15")
    journal = {**JOURNAL, "folder": str(folder)}
    record = survey(Unreachable(Address("10.0.0.1", 6379)), "redis", journal, SurveyRequest())
    assert (record["answers"], record["stopped"], record["role"]) == (False, True, "stopped")
    assert (record["version"], record["address"], record["shard"]) == ("7.0.5", "10.0.0.1:6379", "mymaster")
    assert (record["installed_version"], record["staged_version"], record["journal"]) == ("7.0.5", "7.0.15", journal)


@pytest.mark.parametrize("sent", [True, False])
def test_an_instance_that_hangs_was_not_stopped(sent: bool) -> None:
    """An instance with a journal may run all the same: no second server must be started."""

    class Hanging(Unreachable):
        def command(self, *words: Any) -> Any:
            raise ConnectionFailed("no answer to INFO: Timeout reading from socket", node=str(self.address), sent=sent)

    record = survey(Hanging(Address("10.0.0.1", 6379)), "redis", {**JOURNAL, "folder": "/opt/redis"}, SurveyRequest())
    assert (record["answers"], record["stopped"], record["role"]) == (False, False, "unreachable")


def test_an_instance_that_was_stopped_between_the_renames(tmp_path: Path) -> None:
    place(tmp_path / "redis.old", "7.0.5")
    place(tmp_path / "redis.new", "7.0.15")
    record = survey(Unreachable(Address("10.0.0.1", 6379)), "redis", {**JOURNAL, "folder": str(tmp_path / "redis")}, SurveyRequest())
    assert (record["interrupted"], record["installed_version"], record["staged_version"]) == (True, "7.0.5", "7.0.15")


def test_an_instance_that_runs_through_a_link(tmp_path: Path) -> None:
    release, link = tmp_path / "releases" / "7.0.15", tmp_path / "current"
    replies = here(recorded("7.0.15", "healthy")["nodes"]["redis-1"], release)
    link.symlink_to(release)
    # INFO has the configuration file without the link if the server was started in its folder
    lines = [line.replace(f"executable:{release}", f"executable:{link}") for line in replies["info"]]
    record = survey(RecordedNode({**replies, "info": lines}), "redis", None, SurveyRequest(version="7.0.16"))
    assert (record["folder"], record["executable"]) == (str(link), f"{link}/redis-server")
    assert (record["config_file"], record["activation"]["doubts"]) == (f"{link}/redis.conf", []), "we start it with the link"
    assert (record["activation"]["method"], record["activation"]["staged"]) == ("symlink", str(tmp_path / "releases" / "7.0.16"))
    assert (record["installed_version"], record["staged_version"]) == ("7.0.15", "")


def test_an_instance_that_was_stopped_after_its_link_was_pointed_elsewhere(tmp_path: Path) -> None:
    for version in ("7.0.5", "7.0.15"):
        place(tmp_path / "releases" / version, version)
    (tmp_path / "current").symlink_to("releases/7.0.15")
    releases = str(tmp_path / "releases")
    activation = {"method": "symlink", "folder": str(tmp_path / "current"), "releases": releases, "kept": f"{releases}/7.0.5", "doubts": []}
    journal = {**JOURNAL, "folder": str(tmp_path / "current"), "activation": {**activation, "staged": f"{releases}/7.0.14"}}
    record = survey(Unreachable(Address("10.0.0.1", 6379)), "redis", journal, SurveyRequest(version="7.0.15"))
    assert (record["installed_version"], record["staged_version"]) == ("7.0.15", "7.0.15")
    assert record["activation"] == {**activation, "staged": f"{releases}/7.0.15"}


@pytest.mark.parametrize(("manager", "through", "doubts"), [("systemd", "link", 0), ("systemd", "release", 1), ("command", "release", 1)])
def test_a_configuration_file_that_is_named_without_the_link(manager: str, through: str, doubts: int, tmp_path: Path) -> None:
    release, link = place(tmp_path / "releases" / "7.0.15", "7.0.15"), tmp_path / "current"
    link.symlink_to(release)
    replies = recorded("7.0.15", "healthy")["nodes"]["redis-1"]
    info = {"executable": f"{link}/redis-server", "config_file": f"{link if through == 'link' else release}/redis.conf"}
    node = node_info(parse_info("\r\n".join(replies["info"])))
    record = files_of(replace(node, pid=NO_SUCH_PID), info, {"manager": manager}, SurveyRequest(version="7.0.16"))
    assert len(record["activation"]["doubts"]) == doubts
    assert record["config_file"] == f"{link}/redis.conf"


def test_a_later_version_of_the_same_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance that was reverted runs a kept program; its files are those of the packages."""
    asked = []

    def record_of(*arguments: Any) -> dict[str, Any]:
        asked.append(arguments)
        place = {"folder": str(tmp_path / "bin"), "staged": f"{tmp_path}/kept/redis-8.0.6", "kept": f"{tmp_path}/kept/redis-8.0.2"}
        return {"method": "package_update", **place, "manager": "apt", "hold": True, "doubts": []}

    monkeypatch.setattr(package_record, "package_update_record", record_of)
    monkeypatch.setattr(package_facts, "PROGRAMS", str(tmp_path / "kept"))
    place(tmp_path / "bin", "8.0.6")
    folder = tmp_path / "kept" / "redis-8.0.2"
    request = SurveyRequest(activation="package", version="8.0.6", product="redis", package_version="5:8.0.6-1", hold=True)
    record = survey(RecordedNode(here(recorded("7.0.15", "healthy")["nodes"]["redis-1"], folder)), "redis", None, request)
    assert asked == [(f"{folder}/redis-server", "redis", ("7.0.15", "8.0.6"), "5:8.0.6-1", True)]
    assert (record["executable"], record["folder"]) == (f"{tmp_path}/bin/redis-server", f"{tmp_path}/bin")
    assert (record["installed_version"], record["activation"]["method"]) == ("8.0.6", "package_update")


def record_with(owned: bool) -> Any:
    """Return a substitute that says whether a package owns the server, and keeps no record."""
    place = {"folder": "/usr/bin", "staged": "/x/redis-8.0.6", "kept": "/x/redis-8.0.2"}
    found = {"method": "package_update", **place, "manager": "apt", "hold": False, "doubts": []}
    return lambda *arguments: {**found, "packages": {"redis-tools": "5:8.0.2-1"} if owned else {}, "asked": arguments}


@pytest.mark.parametrize(
    ("executable", "owned", "asked"),
    [
        ("/usr/bin/redis-check-rdb", True, True),
        ("/usr/bin/redis-server", False, False),
        ("/usr/local/bin/redis-server", True, False),
        ("/opt/redis/redis-server", True, False),
        ("/usr/lib/sentinelops-redis/redis-8.0.2/redis-server", True, True),
    ],
)
def test_the_packages_of_a_server_are_found(executable: str, owned: bool, asked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_record, "package_update_record", record_with(owned))
    found = package_facts.later_packages(executable, "redis", ("8.0.2", "8.0.6"), "5:8.0.6-1", True)
    assert (found or {}).get("asked") == ((executable, "redis", ("8.0.2", "8.0.6"), "5:8.0.6-1", True) if asked else None)


@pytest.mark.parametrize(
    ("changes", "method"),
    [
        ({"has_source": False}, "package_update"),
        ({"has_source": False, "product": "valkey"}, "package_update"),
        ({}, "folder"),
        ({"has_source": False, "folder": "/opt/redis-6379/redis"}, "folder"),
        ({"has_source": False, "activation": "folder"}, "folder"),
    ],
)
def test_packages_are_chosen_if_nothing_says_where_the_version_comes_from(
    changes: dict[str, Any], method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_record, "package_update_record", record_with(owned=True))
    replies = recorded("7.0.15", "healthy")["nodes"]["redis-1"]
    node = node_info(parse_info("\r\n".join(replies["info"])))
    info = {"executable": "/usr/bin/redis-server", "config_file": "/etc/redis/redis.conf"}
    record = files_of(replace(node, pid=NO_SUCH_PID), info, {"manager": "systemd"}, SurveyRequest(version="8.0.6", **changes))
    assert record["activation"]["method"] == method
