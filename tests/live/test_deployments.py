"""Several deployments in one inventory: one run, in which each is upgraded by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deployments import Deployments
from states import wait_until

from playbooks import WANTED, command, words

OLD = "6.2.9"


@pytest.fixture
def several(tmp_path: Path, next_port: Callable[[], int], request: pytest.FixtureRequest) -> Iterator[Deployments]:
    named = bool(getattr(request, "param", False))
    made = Deployments(tmp_path / "deployments", OLD, next_port(), ["one", "two"], named=named)
    try:
        made.build()
        yield made
    finally:
        made.remove()


def upgrade(several: Deployments, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words_of(several, *arguments, **options), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def words_of(several: Deployments, *arguments: str, **options: Any) -> list[str]:
    folder = str(several.folder / "runs")
    return command(several.inventory, "upgrade", *arguments, redis_upgrade_deployments_folder=folder, **options)


def reports(several: Deployments) -> dict[str, list[str]]:
    """Return the hosts in the report of each deployment's last run."""
    found = {}
    for path in sorted((several.folder / "runs").glob("*/*.report.json")):
        report = json.loads(path.read_text(encoding="utf-8"))
        found[path.name.removesuffix(".report.json")] = [row["host"] for row in report["instances"]]
    return found


@pytest.mark.parametrize("several", [False, True], indirect=True, ids=["surveyed", "named"])
def test_both_are_upgraded_side_by_side_and_lose_nothing(several: Deployments) -> None:
    with several.writing() as verdicts_of:
        checked = upgrade(several, "--check")
        assert checked.returncode == 0, checked.stdout
        assert several.versions() == {"one": {OLD}, "two": {OLD}}
        done = upgrade(several)
        verdicts = verdicts_of()
    assert done.returncode == 0, done.stdout
    assert several.versions() == {"one": {WANTED}, "two": {WANTED}}
    assert {(verdict["lost"], verdict["unexpected"], verdict["duplicates"]) for verdict in verdicts.values()} == {(0, 0, 0)}
    counted = "2 deployments, 10 instances" if several.named else "2 deployments, 2 shards, 10 instances"
    assert counted in words(done.stdout)
    names = list(several.all) if several.named else [f"{name}-sentinel-1" for name in several.all]
    assert {name: {host.partition("-")[0] for host in hosts} for name, hosts in reports(several).items()} == {
        name: {name.partition("-")[0]} for name in names
    }
    again = upgrade(several)
    assert again.returncode == 0, again.stdout
    assert "2 deployments: 2 done, 0 failed, 0 not begun" in words(again.stdout)


@pytest.mark.parametrize("several", [True], indirect=True)
def test_one_that_is_refused_does_not_touch_the_other(several: Deployments) -> None:
    broken = several.all["one"]
    broken.stop("shard-1-redis-2")
    done = upgrade(several)
    assert done.returncode != 0
    assert several.all["two"].info("sentinel-1")["redis_version"] == WANTED, done.stdout
    assert broken.info("shard-1-redis-1")["redis_version"] == OLD
    text = words(done.stdout)
    assert "2 deployments: 1 done, 1 failed, 0 not begun" in text, text
    assert "one: FAILED after" in text
    assert "Nothing was touched. Before the upgrade may begin:" in text


@pytest.mark.parametrize("several", [True], indirect=True)
def test_after_a_failed_canary_no_other_one_begins(several: Deployments) -> None:
    several.all["two"].stop("shard-1-redis-2")
    done = upgrade(several, redis_upgrade_canary_deployment="two")
    assert done.returncode != 0
    assert "2 deployments: 0 done, 1 failed, 1 not begun" in words(done.stdout), done.stdout
    assert set(several.all["one"].versions().values()) == {OLD}
    more = upgrade(several, redis_upgrade_canary_deployment="two", redis_upgrade_max_failed_deployments=1)
    assert more.returncode != 0
    assert set(several.all["one"].versions().values()) == {WANTED}, "one failure is allowed now"


def test_some_are_chosen(several: Deployments) -> None:
    done = upgrade(several, redis_upgrade_deployments=["two-sentinel-1"])
    assert done.returncode == 0, done.stdout
    assert several.versions() == {"one": {OLD}, "two": {WANTED}}
    wrong = upgrade(several, redis_upgrade_deployments=["two"])
    assert wrong.returncode != 0
    assert "there is no deployment two; the inventory has one-sentinel-1, two-sentinel-1. Nothing was touched" in words(wrong.stdout)


@pytest.mark.extended
@pytest.mark.parametrize("several", [True], indirect=True)
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_one_rerun_completes(several: Deployments, how: signal.Signals) -> None:
    """Ctrl-C reaches the runs of all deployments; those of a killed run go on to their end."""
    runs = several.folder / "runs"
    with several.writing() as verdicts_of:
        process = subprocess.Popen(
            words_of(several), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        wait_until(lambda: any("PLAY [(4/8)" in log.read_text(encoding="utf-8") for log in runs.glob("*/*.log")), 120)
        os.kill(process.pid, how)
        process.wait(120)
        wait_until(lambda: not under_way(several), 180)
        done = upgrade(several)
        verdicts = verdicts_of()
    assert done.returncode == 0, done.stdout
    assert several.versions() == {"one": {WANTED}, "two": {WANTED}}
    assert {(verdict["lost"], verdict["unexpected"]) for verdict in verdicts.values()} == {(0, 0)}


def under_way(several: Deployments) -> bool:
    """Return whether a run of a deployment is still alive."""
    time.sleep(0.2)
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found = path.read_bytes()
        except OSError:
            continue
        if b"ansible-playbook" in found and str(several.folder / "runs").encode() in found and b".variables.json" in found:
            return True
    return False


@pytest.mark.extended
@pytest.mark.parametrize("several", [True], indirect=True)
def test_runners_share_the_work_along_deployments(several: Deployments, tmp_path: Path) -> None:
    """Two processes of ansible-runner, as two jobs or controllers would be, each with a part."""

    def runner(name: str) -> list[str]:
        private = tmp_path / f"runner-{name}"
        (private / "project").mkdir(parents=True)
        (private / "project" / "upgrade.yml").write_text("- import_playbook: sentinelops.redis.upgrade\n", encoding="utf-8")
        settings = variables(command(several.inventory, "upgrade"))
        chosen = {"redis_upgrade_deployments": [name], "redis_upgrade_deployments_folder": str(several.folder / "runs" / name)}
        (private / "env").mkdir()
        (private / "env" / "extravars").write_text(json.dumps({**settings, **chosen}), encoding="utf-8")
        return ["ansible-runner", "run", str(private), "-p", "upgrade.yml", "--inventory", str(several.inventory)]

    with several.writing() as verdicts_of:
        begun = [subprocess.Popen(runner(name), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for name in several.all]
        outputs = [process.communicate(timeout=600)[0] for process in begun]
        verdicts = verdicts_of()
    assert [process.returncode for process in begun] == [0, 0], outputs
    assert all("1 deployment: 1 done, 0 failed" in words(output) for output in outputs), outputs
    assert several.versions() == {"one": {WANTED}, "two": {WANTED}}
    assert {verdict["lost"] for verdict in verdicts.values()} == {0}


def variables(command_words: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(command_words[command_words.index("-e") + 1])
    return found
