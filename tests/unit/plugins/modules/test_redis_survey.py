"""The module redis_survey."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._records.journal import read_journal, write_journal
from ansible_collections.sentinelops.redis.plugins.module_utils._records.run_lock import RunLock
from ansible_collections.sentinelops.redis.tests.unit.support.loopback import answers_of, listening
from ansible_collections.sentinelops.redis.tests.unit.support.modules import Runner
from ansible_collections.sentinelops.redis.tests.unit.support.recorded import RecordedNode, recorded
from ansible_collections.sentinelops.redis.tests.unit.support.version_folder import place

NAME, V = "redis_survey", "7.0.15"


def test_a_data_node(runner: Runner, tmp_path: Path) -> None:
    replies = recorded(V, "healthy")["nodes"]["redis-1"]
    replies = {**replies, "config": {**replies["config"], "replica-announce-ip": "", "replica-announce-port": "0"}}
    with listening(answers_of(RecordedNode(replies))) as server:
        result = runner.run(NAME, **server.params, kind="redis", journal=str(tmp_path / "none.json"))
    instance = result["instance"]
    assert (result["changed"], instance["answers"], instance["version"], instance["role"]) == (False, True, V, "master")
    assert (instance["login"], instance["journal"]) == (str(server.address), None)


def test_an_instance_that_was_stopped(runner: Runner, tmp_path: Path) -> None:
    folder, journal = place(tmp_path / "redis", "7.0.5"), tmp_path / "journal.json"
    write_journal(str(journal), {"schema": 1, "folder": str(folder), "version": "7.0.5"})
    with listening(lambda words: "") as gone:
        params = gone.params
    instance = runner.run(NAME, **params, kind="redis", journal=str(journal))["instance"]
    assert (instance["stopped"], instance["version"], instance["installed_version"]) == (True, "7.0.5", "7.0.5")


@pytest.mark.parametrize(("kind", "reason"), [("sentinel", "this is a data node"), ("other", "value of kind must be one of")])
def test_an_instance_of_another_kind(runner: Runner, tmp_path: Path, kind: str, reason: str) -> None:
    with listening(answers_of(RecordedNode(recorded(V, "healthy")["nodes"]["redis-1"]))) as server:
        result = runner.run(NAME, **server.params, kind=kind, journal=str(tmp_path / "none.json"))
    assert result["failed"]
    assert reason in result["msg"]


def test_the_unit_of_an_instance_that_was_stopped(runner: Runner, tmp_path: Path) -> None:
    service = {"manager": "systemd", "unit": "redis-server@6380.service", "doubts": []}
    journal = tmp_path / "journal.json"
    write_journal(str(journal), {"schema": 1, "folder": str(place(tmp_path / "redis", "7.0.5")), "version": "7.0.5", "service": service})
    with listening(lambda words: "") as gone:
        params = gone.params
    assert runner.run(NAME, **params, kind="redis", journal=str(journal))["instance"]["service"] == service


@pytest.mark.parametrize(
    ("commands", "reason"),
    [
        ({}, "missing: start_command, stop_command"),
        ({"start_command": ["true"], "stop_command": []}, "stop_command is empty"),
        ({"start_command": "/nowhere/rc start", "stop_command": "true"}, "there is no program /nowhere/rc on this host"),
    ],
)
def test_commands_that_cannot_be_run(runner: Runner, tmp_path: Path, commands: dict[str, object], reason: str) -> None:
    with listening(answers_of(RecordedNode(recorded(V, "healthy")["nodes"]["redis-1"]))) as server:
        options = {**server.params, "kind": "redis", "journal": str(tmp_path / "none.json"), "service_manager": "command"}
        result = runner.run(NAME, **options, **commands)
    assert result["failed"]
    assert reason in result["msg"]


def test_an_unreadable_journal(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "journal.json").write_text("nonsense")
    with listening(lambda words: "") as server:
        result = runner.run(NAME, **server.params, kind="redis", journal=str(tmp_path / "journal.json"))
    assert result["failed"]
    assert "cannot be read" in result["msg"]


def test_the_facts_for_the_preflight(runner: Runner, tmp_path: Path) -> None:
    """The record has the errors of the survey and of the journal, so that the preflight reports all
    at once.
    """
    (tmp_path / "redis-6379.json").write_text("nonsense")
    options = {"kind": "sentinel", "journal": str(tmp_path / "redis-6379.json"), "examine": True, "asked_at_s": 12.5}
    with listening(answers_of(RecordedNode(recorded(V, "healthy")["nodes"]["redis-1"]))) as server:
        instance = runner.run(NAME, **server.params, **options)["instance"]
    assert (instance["answers"], instance["role"]) == (False, "unreachable")
    assert "this is a data node" in instance["refused"]["message"]
    assert "cannot be read" in instance["journal_error"]
    assert instance["examined"]["clock"]["asked_at_s"] == 12.5


RUN = {"id": "this run", "controller": "here"}


@pytest.mark.parametrize(
    ("wanted", "closed"),
    [
        ({"version": V, "role": "master"}, True),
        ({"version": V, "role": "replica"}, False),
        ({"version": "7.2.0", "role": "master"}, False),
    ],
)
@pytest.mark.parametrize("check_mode", [False, True])
def test_the_journal_of_an_instance_as_wanted_is_closed(
    runner: Runner, tmp_path: Path, wanted: dict[str, str], closed: bool, check_mode: bool
) -> None:
    journal, lock = tmp_path / "redis-6379.json", tmp_path / "lock.json"
    write_journal(str(journal), {"schema": 1, "version": "6.2.14", "original_master": "10.0.0.1:6379"})
    RunLock(str(lock)).take(RUN, 60, [])
    options = {"kind": "redis", "journal": str(journal), "close_if": {**wanted, "lock": str(lock), "run": RUN}}
    replies = recorded(V, "healthy")["nodes"]["redis-1"]
    replies = {**replies, "config": {**replies["config"], "replica-announce-ip": "", "replica-announce-port": "0"}}
    with listening(answers_of(RecordedNode(replies))) as server:
        result = runner.run(NAME, **server.params, **options, check_mode=check_mode)
    closed = closed and not check_mode
    assert (result["closed"], result["changed"], journal.exists(), lock.exists()) == (closed, closed, not closed, not closed)
    assert result["instance"]["journal"]["original_master"] == "10.0.0.1:6379"
    left = read_journal(str(tmp_path / "redis-6379.before.json"))
    assert (left is not None and left["followed_by"] == V) == closed
