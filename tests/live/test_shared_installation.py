"""Upgrades of instances that share their programs: the runbook's folder, one or three machines."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from deployment import SERVERS, Writers
from runbook import RunbookDeployment
from states import settled, wait_until

from playbooks import WANTED, interrupt_when, run, words

pytestmark = pytest.mark.extended

OLD = "6.2.9"
# Tells its version, accepts every configuration on trial, and fails with one file.
BROKEN = """#!/bin/bash
case "$*" in *redis-trial-*) ;; *{only}*) exit 1 ;; esac
exec -a "$0" "${{0%/*}}/redis-check-aof" "$@"
"""
PROGRAMS = ("redis-server", "redis-cli", "redis-benchmark", "redis-check-aof", "redis-check-rdb", "redis-sentinel")


def of_version(folder: Path) -> str:
    """Return the version that the server in a folder tells."""
    told = subprocess.run([folder / "redis-server", "--version"], capture_output=True, text=True, check=True).stdout
    return re.findall(r"v=(\S+)", told)[0]


def homes(deployment: RunbookDeployment) -> list[Path]:
    return sorted({deployment.home(name) for name in deployment.ports})


def own_files(deployment: RunbookDeployment) -> dict[str, int]:
    """Return the inode of each folder and of each data and log file in it."""
    return {str(home): home.stat().st_ino for home in homes(deployment)}


def runs_from(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/exe")


@pytest.fixture
def build_shared(tmp_path: Path, next_port: Callable[[], int]) -> Iterator[Callable[..., RunbookDeployment]]:
    """Return ``build_shared(version, machines=3)``, which starts a deployment."""
    made: list[RunbookDeployment] = []

    def build(version: str, *, machines: int) -> RunbookDeployment:
        made.append(RunbookDeployment(tmp_path / f"deployment-{len(made)}", version, next_port(), machines=machines))
        made[-1].build()
        return made[-1]

    yield build
    for one in made:
        one.remove()


@pytest.fixture(params=[3, 1], ids=["three machines", "one machine"])
def deployment(request: pytest.FixtureRequest, build_shared: Callable[..., RunbookDeployment]) -> RunbookDeployment:
    return build_shared(OLD, machines=request.param)


def test_upgraded_again_and_rolled_back(deployment: RunbookDeployment) -> None:
    folders, written = own_files(deployment), {name: deployment.config(name).stat().st_mode for name in deployment.ports}
    with Writers(deployment) as writers:
        done = run(deployment, "upgrade")
        assert done.returncode == 0, done.stdout
        assert set(deployment.versions().values()) == {WANTED}
        pids = deployment.pids()
        again = run(deployment, "upgrade")
        assert "Nothing to do" in again.stdout, again.stdout
        assert deployment.pids() == pids
        for home in homes(deployment):
            assert (of_version(home), of_version(home.with_name("redis.old"))) == (WANTED, OLD)
            assert not home.with_name("redis.new").exists()
        for name, pid in pids.items():
            assert runs_from(pid) == str(deployment.home(name) / "redis-server")
            assert Path(f"/proc/{pid}/cwd").readlink() == deployment.home(name)
        back = run(deployment, "rollback", redis_upgrade_rollback_from=WANTED)
        assert back.returncode == 0, back.stdout
        verdict = writers.verdict()
    assert set(deployment.versions().values()) == {OLD}
    assert {of_version(home) for home in homes(deployment)} == {OLD}
    assert own_files(deployment) == folders
    assert {name: deployment.config(name).stat().st_mode for name in deployment.ports} == written
    assert verdict["acknowledged"] > 1000
    assert (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0)


def test_back_from_a_version_whose_configuration_the_old_one_refuses(build_shared: Callable[..., RunbookDeployment]) -> None:
    """7.0 writes into the files that both versions use what 6.2 does not know."""
    deployment = build_shared("6.2.14", machines=3)
    with Writers(deployment) as writers:
        done = run(deployment, "upgrade", wanted="7.0.15", redis_upgrade_accept_no_way_back=True, redis_upgrade_canary=1)
        assert done.returncode == 0, done.stdout
        assert sorted(deployment.versions().values()) == ["6.2.14"] * 2 + ["7.0.15"] * 4
        canary = next(name for name in deployment.nodes if deployment.info(name)["redis_version"] == "7.0.15")
        deployment.command(canary, "CONFIG", "REWRITE")
        for name in deployment.sentinels:
            deployment.command(name, "SENTINEL", "FLUSHCONFIG")
        for name in ("sentinel-1", canary):
            assert "latency-tracking" in deployment.config(name).read_text(encoding="utf-8"), "else this test proves nothing"
        done = run(deployment, "rollback", wanted="7.0.15", redis_upgrade_rollback_from="7.0.15")
        assert done.returncode == 0, done.stdout
        verdict = writers.verdict()
    assert set(deployment.versions().values()) == {"6.2.14"}
    assert (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0)


def test_one_instance_that_fails_is_put_back_alone(deployment: RunbookDeployment, tmp_path: Path) -> None:
    """The Sentinels run the new version already when a data node of the same folder fails."""
    node = deployment.config("redis-2").name if deployment.machines == 1 else "redis.conf"
    broken = broken_programs(tmp_path / "broken", node)
    with Writers(deployment) as writers:
        done = run(deployment, "upgrade", redis_binaries_source=broken)
        assert done.returncode != 0
        assert "was restored and serves again" in words(done.stdout), done.stdout
        versions, pids = deployment.versions(), deployment.pids()
        assert [versions[name] for name in deployment.nodes] == [OLD] * 3
        assert [versions[name] for name in deployment.sentinels] == [WANTED] * 3
        kept = [name for name in deployment.nodes if runs_from(pids[name]).endswith("/redis.old/redis-server")]
        assert len(kept) == 1, {name: runs_from(pid) for name, pid in pids.items()}
        assert Path(f"/proc/{pids[kept[0]]}/cwd").readlink() == deployment.home(kept[0])
        for home in homes(deployment):
            (home / "redis-server").unlink()  # a repaired build, under the same version
            (home / "redis-server").hardlink_to(repaired(tmp_path))
        done = run(deployment, "upgrade")
        assert done.returncode == 0, done.stdout
        verdict = writers.verdict()
    assert set(deployment.versions().values()) == {WANTED}
    # the Sentinels were not restarted: they run the program that the script has started
    pids = deployment.pids()
    assert {runs_from(pids[name]) for name in deployment.nodes} == {str(home / "redis-server") for home in homes(deployment)}
    assert (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0)


def broken_programs(folder: Path, only: str) -> str:
    """Make a build whose server runs as another program of the build, and fails with a file."""
    shutil.copytree(SERVERS / WANTED, folder)
    server = folder / "redis-server"
    server.rename(folder / "redis-check-aof")
    server.write_text(BROKEN.format(only=only), encoding="utf-8")
    server.chmod(0o755)
    return str(folder)


def repaired(folder: Path) -> Path:
    path = folder / "repaired-server"
    if not path.exists():
        path.write_bytes((SERVERS / WANTED / "redis-server").read_bytes())
        path.chmod(0o755)
    return path


def test_everything_is_killed_and_run_again(deployment: RunbookDeployment) -> None:
    """A run that ends at any step leaves each instance able to start; one rerun completes."""
    with Writers(deployment) as writers:
        for moment in ("Place the new version", "Record that this step is complete", "Prepare the instances"):
            output = interrupt_when(deployment, moment)
            assert moment in output, output
            wait_until(lambda: settled(deployment), 60)
            for home in homes(deployment):
                assert of_version(home) in (OLD, WANTED)
        done = run(deployment, "upgrade")
        verdict = writers.verdict()
    assert done.returncode == 0, done.stdout
    assert set(deployment.versions().values()) == {WANTED}
    assert {of_version(home.with_name("redis.old")) for home in homes(deployment)} == {OLD}
    assert (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0)


def test_the_version_is_on_disk_already(deployment: RunbookDeployment) -> None:
    """As ``make install`` over the running version leaves it: each is restarted, nothing placed."""
    for home in homes(deployment):
        for program in PROGRAMS:
            source = SERVERS / WANTED / program
            if source.exists():
                (home / program).unlink(missing_ok=True)
                (home / program).write_bytes(source.read_bytes())
                (home / program).chmod(0o755)
    with Writers(deployment) as writers:
        done = run(deployment, "upgrade")
        assert done.returncode == 0, done.stdout
        assert set(deployment.versions().values()) == {WANTED}
        assert {of_version(home.with_name("redis.old")) for home in homes(deployment)} == {OLD}
        back = run(deployment, "rollback", redis_upgrade_rollback_from=WANTED)
        assert back.returncode == 0, back.stdout
        verdict = writers.verdict()
    assert set(deployment.versions().values()) == {OLD}
    assert (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0)
