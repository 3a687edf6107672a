"""The state after the upgrade: versions, files, roles, master, and the writers' verdict."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

OLD, NEW = "6.2.9", "6.2.14"
SANDBOX = Path(os.environ["SANDBOX"])
PORTS = {"redis-1": 17101, "redis-2": 17102, "redis-3": 17103, "sentinel-1": 27101, "sentinel-2": 27102, "sentinel-3": 27103}
PASSWORD = "of the sandbox's # only"

testinfra_hosts = ["ansible://all"]


@pytest.fixture
def name(host: Any) -> str:
    return str(host.backend.host)


@pytest.fixture
def folder(name: str) -> Path:
    return SANDBOX / name


def info(host: Any, name: str) -> dict[str, str]:
    """Return INFO of the instance, read with the redis-cli of the installed version."""
    command = [str(SANDBOX / name / "redis" / "redis-cli"), "-p", str(PORTS[name])]
    secret = {"REDISCLI_AUTH": PASSWORD} if name.startswith("redis") else {}
    environment = " ".join(f'{key}="{value}"' for key, value in secret.items())
    output = host.check_output(f"{environment} {' '.join(command)} info")
    return dict(line.strip().split(":", 1) for line in output.splitlines() if ":" in line)


def test_runs_the_new_version_from_its_version_folder(host: Any, name: str, folder: Path) -> None:
    fields = info(host, name)
    assert fields["redis_version"] == NEW
    assert host.file(f"/proc/{fields['process_id']}/exe").linked_to == str(folder / "redis" / "redis-server")


def test_the_old_version_is_kept(host: Any, folder: Path) -> None:
    assert f"v={OLD} " in host.check_output(f"{folder}/redis.old/redis-server --version")
    assert not host.file(f"{folder}/redis.new").exists


def test_the_configuration_came_along_with_its_mode(host: Any, name: str, folder: Path) -> None:
    kind = name.partition("-")[0]
    file = host.file(f"{folder}/redis/{kind}.conf")
    # A Sentinel makes its file readable to all at its start, so the mode is 0644 before the
    # upgrade.
    assert oct(file.mode) == oct(0o600 if kind == "redis" else 0o644)
    assert f"port {PORTS[name]}" in file.content_string


def test_run_time_settings_survived(host: Any, name: str, folder: Path) -> None:
    if name.startswith("sentinel"):
        assert "sentinel myid" in host.file(f"{folder}/redis/sentinel.conf").content_string
        assert host.file(f"{folder}/redis/sentinel.conf").content_string.count("sentinel known-sentinel ") == 2
    else:
        assert info(host, name)["maxmemory"] == "134217728"
        assert "slowlog-log-slower-than 12345" in host.file(f"{folder}/redis/redis.conf").content_string


def test_the_master_is_at_home_and_all_replicas_follow(host: Any, name: str) -> None:
    fields = info(host, name)
    if name.startswith("sentinel"):
        assert "address=127.0.0.1:17101,slaves=2,sentinels=3" in fields["master0"]
    elif name == "redis-1":
        assert (fields["role"], fields["connected_slaves"]) == ("master", "2")
    else:
        assert (fields["role"], fields["master_port"], fields["master_link_status"]) == ("slave", "17101", "up")


def test_nothing_is_left_behind(host: Any, name: str) -> None:
    assert all(note.endswith(".before.json") for note in host.file(str(SANDBOX / "journal")).listdir())
    if name.startswith("redis"):
        assert "db0" not in info(host, name), "the audit left keys"
        assert info(host, name)["slave_priority" if name != "redis-1" else "role"] in ("100", "master")


def test_no_write_was_lost() -> None:
    first, *_later = sorted(SANDBOX.glob("audit-*.json"))
    verdict = json.loads(first.read_text(encoding="utf-8"))
    assert verdict["acknowledged"] > 1000
    assert (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0)


def test_the_report_tells_it() -> None:
    report = json.loads((SANDBOX / "report.json").read_text(encoding="utf-8"))
    assert {(row["before"], row["now"]) for row in report["instances"]} == {(OLD, NEW)}
    moves = [(handover["old_master"], handover["new_master"]) for handover in report["handovers"]]
    assert moves[0][0] == "127.0.0.1:17101"
    assert moves[1] == (moves[0][1], "127.0.0.1:17101")
    assert [handover["full_resyncs"] for handover in report["handovers"]] == [0, 0]
