"""The journal: written atomically; the first value of a field is kept."""

from __future__ import annotations

import json
import stat
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._atomic_write import FileIdentity
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._records.journal import (
    SCHEMA,
    close_journal,
    merged,
    read_journal,
    read_rollback_record,
    rollback_record_path,
    write_journal,
)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "journals" / "redis-6379.json")


def test_what_is_written_is_read(path: str) -> None:
    content = {"schema": SCHEMA, "original_master": "10.0.0.1:6379", "priority": 0, "name": "père"}
    write_journal(path, content)
    assert read_journal(path) == content


def test_there_is_none(path: str) -> None:
    assert read_journal(path) is None


def test_only_its_owner_reads_it(path: str) -> None:
    write_journal(path, {"schema": SCHEMA})
    assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
    assert stat.S_IMODE(Path(path).parent.stat().st_mode) == 0o700


def test_a_journal_is_replaced_whole(path: str) -> None:
    write_journal(path, {"schema": SCHEMA, "text": "x" * 10000})
    write_journal(path, {"schema": SCHEMA, "text": "y"})
    assert read_journal(path) == {"schema": SCHEMA, "text": "y"}
    assert [entry.name for entry in Path(path).parent.iterdir()] == ["redis-6379.json"], "nothing else is left"


def test_what_a_killed_writer_left_does_not_matter(path: str) -> None:
    write_journal(path, {"schema": SCHEMA, "original_master": "first"})
    Path(path + ".partial").write_text('{"original_master": "sec')
    assert read_journal(path) == {"schema": SCHEMA, "original_master": "first"}
    write_journal(path, {"schema": SCHEMA, "original_master": "third"})
    assert read_journal(path) == {"schema": SCHEMA, "original_master": "third"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "cannot be read"),
        ("{", "cannot be read"),
        ('{"schema": 2}', "is not a journal of this version"),
        ("{}", "is not a journal of this version"),
        ("[1]", "is not a journal of this version"),
        ("null", "is not a journal of this version"),
    ],
)
def test_a_file_that_is_not_ours(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "journal.json"
    file.write_text(text)
    with pytest.raises(PreconditionFailed, match=reason) as caught:
        read_journal(str(file))
    assert caught.value.advice
    assert file.read_text() == text


@pytest.mark.parametrize(
    ("existing", "content", "result"),
    [
        (None, {"original_master": "a"}, {"original_master": "a", "schema": SCHEMA}),
        ({"schema": SCHEMA, "original_master": "a"}, {"original_master": "b"}, {"original_master": "a", "schema": SCHEMA}),
        ({"schema": SCHEMA, "original_master": "a"}, {"priority": 1}, {"original_master": "a", "priority": 1, "schema": SCHEMA}),
        ({"schema": SCHEMA, "priority": 0}, {"priority": 1}, {"priority": 0, "schema": SCHEMA}),
        (None, {}, {"schema": SCHEMA}),
    ],
)
def test_what_was_noted_first_is_kept(existing: dict[str, Any] | None, content: dict[str, Any], result: dict[str, Any]) -> None:
    assert merged(existing, content) == result


def test_closed_with_its_empty_folder(path: str) -> None:
    write_journal(path, {"schema": SCHEMA})
    close_journal(path, {"schema": SCHEMA})
    assert not Path(path).parent.exists()


def test_the_journals_of_other_instances_stay(path: str) -> None:
    other = str(Path(path).with_name("sentinel-26379.json"))
    write_journal(path, {"schema": SCHEMA})
    write_journal(other, {"schema": SCHEMA})
    close_journal(path, {"schema": SCHEMA})
    assert json.loads(Path(other).read_text()) == {"schema": SCHEMA}


def test_closing_gives_the_configuration_file_its_mode_back(path: str, tmp_path: Path) -> None:
    config = tmp_path / "redis.conf"
    config.touch(mode=0o600)
    journal = {"schema": SCHEMA, "config_file": str(config), "config_identity": asdict(FileIdentity.of(str(config)))}
    write_journal(path, journal)
    config.chmod(0o644)  # what a server does when it rewrites its file
    close_journal(path, journal)
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert not Path(path).exists()


@pytest.mark.parametrize(
    "noted",
    [
        {"config_file": "/no/such/file", "config_identity": {"uid": 0, "gid": 0, "mode": 384}},
        {"config_file": "/proc/version", "config_identity": None},
    ],
)
def test_closing_where_there_is_nothing_to_give_back(path: str, noted: dict[str, Any]) -> None:
    write_journal(path, {"schema": SCHEMA, **noted})
    close_journal(path, {"schema": SCHEMA, **noted})
    assert not Path(path).exists()


# -- the rollback record


def test_where_the_note_is() -> None:
    assert rollback_record_path("/journal/redis-6379.json") == "/journal/redis-6379.before.json"


@pytest.mark.parametrize(("followed_by", "noted"), [("7.0.15", True), ("7.0.5", False), ("", False)])
def test_a_closed_journal_is_kept_if_another_version_runs_now(path: str, followed_by: str, noted: bool) -> None:
    journal = {"schema": SCHEMA, "version": "7.0.5", "folder": "/opt/redis"}
    write_journal(path, journal)
    close_journal(path, journal, followed_by)
    assert read_journal(path) is None
    assert Path(path).parent.exists() is noted
    assert read_rollback_record(path, followed_by) == ({**journal, "followed_by": followed_by} if noted else None)


def test_a_note_is_of_use_only_for_the_version_that_followed(path: str) -> None:
    journal = {"schema": SCHEMA, "version": "7.0.5"}
    write_journal(path, journal)
    close_journal(path, journal, "7.0.15")
    assert read_rollback_record(path, "7.2.0") is None
    assert stat.S_IMODE(Path(rollback_record_path(path)).stat().st_mode) == 0o600


def test_the_next_upgrade_replaces_the_note(path: str) -> None:
    for version, followed_by in (("7.0.5", "7.0.15"), ("7.0.15", "7.2.0")):
        write_journal(path, {"schema": SCHEMA, "version": version})
        close_journal(path, {"schema": SCHEMA, "version": version}, followed_by)
    found = read_rollback_record(path, "7.2.0")
    assert found is not None
    assert found["version"] == "7.0.15"
