"""The upgrade playbook on real servers: check mode, interruptions after each play, refusals."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from deployment import SERVERS, Deployment, Writers
from states import journals_left, settled, wait_until

from playbooks import WANTED, command, interrupt_when, run

VERSION = "6.2.9"


def snapshot(deployment: Deployment) -> dict[str, Any]:
    """Return PIDs, roles, and every file with its modification time.

    Logs and files that servers save by themselves are left out.
    """
    files = {
        str(path): path.stat().st_mtime_ns
        for path in Path(deployment.folder).rglob("*")
        if path.is_file() and path.name not in ("log", "sentinel.conf", "dump.rdb")
    }
    roles = {name: (deployment.info(name)["role"], deployment.info(name)["slave_repl_offset"] != "") for name in list(deployment.nodes)[1:]}
    return {"pids": deployment.pids(), "files": files, "roles": roles}


def test_plan_and_check_mode_change_nothing(deployment: Deployment) -> None:
    before = snapshot(deployment)
    for words in (["plan"], ["upgrade", "--check"], ["upgrade", "--tags", "preflight"]):
        done = run(deployment, *words)
        assert done.returncode == 0, done.stdout
        assert "(4/8) Sentinel  sentinel-1: 6.2.9 -> 6.2.14" in done.stdout
        assert "(8/8) fail back mymaster: redis-2 -> redis-1" in done.stdout
        assert "changed=0" in done.stdout
        assert "changed=1" not in done.stdout
    assert snapshot(deployment) == before


def test_a_downgrade_is_refused(deployment: Deployment) -> None:
    before = snapshot(deployment)
    done = run(deployment, "upgrade", redis_upgrade_version="6.2.7", redis_binaries_source=str(SERVERS / "6.2.7"))
    assert done.returncode != 0
    assert "a downgrade is refused" in done.stdout
    assert "Nothing was touched" in done.stdout
    assert snapshot(deployment) == before


def test_the_wrong_binaries_are_refused_before_anything_is_stopped(deployment: Deployment) -> None:
    before = deployment.pids()
    done = run(deployment, "upgrade", redis_binaries_source=str(SERVERS / "6.2.7"))
    assert done.returncode != 0
    assert "is version 6.2.7, announced was 6.2.14" in done.stdout
    assert deployment.pids() == before


def test_missing_groups_are_refused(tmp_path: Path, deployment: Deployment) -> None:
    empty = tmp_path / "empty.yml"
    empty.write_text("all: {hosts: {}}\n", encoding="utf-8")
    words = command(deployment, "upgrade")
    words[2] = str(empty)
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "The inventory needs a group 'redis'" in done.stdout


@pytest.mark.extended
def test_interrupted_after_every_play_and_started_again(deployment: Deployment) -> None:
    """One upgrade is interrupted at the beginning of each play, and in the middle of two plays."""
    moments = [
        "PLAY [(4/8)",
        "Record that this step is complete",
        "PLAY [(5/8)",
        # Two instances are left at that moment: the step that has begun is finished.
        "Stop, put the wanted version in place, and start it",
        "PLAY [(6/8)",
        "PLAY [(7/8)",
        "PLAY [(8/8)",
        "Compute the report",
    ]
    with Writers(deployment) as writers:
        for moment in moments:
            output = interrupt_when(deployment, moment)
            assert moment in output, output
            # A step that has begun on a node is finished there.
            wait_until(lambda: settled(deployment), 60)
            assert len(deployment.masters()) == 1
        done = run(deployment, "upgrade")
        verdict = writers.verdict()
    assert done.returncode == 0, done.stdout
    assert set(deployment.versions().values()) == {WANTED}
    assert deployment.masters() == ["redis-1"]
    assert journals_left(deployment) == []
    for name in deployment.nodes:
        assert deployment.command(name, "CONFIG", "GET", "replica-priority")[1] == "100"
    assert verdict["acknowledged"] > 1000
    assert (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0)
    again = run(deployment, "upgrade")
    assert again.returncode == 0
    assert "Nothing to do" in again.stdout
    assert "changed=1" not in again.stdout
