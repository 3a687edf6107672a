"""Upgrades of instances that share their programs: the runbook's folder, one or three machines."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from broken_builds import broken_build
from deployment import SERVERS, Writers
from runbook import RunbookDeployment
from states import settled, wait_until

from playbooks import WANTED, interrupt_when, run, words

pytestmark = pytest.mark.extended

OLD = "6.2.9"
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


@pytest.fixture(params=[3, 1], ids=["three machines", "one machine"])
def deployment(request: pytest.FixtureRequest, tmp_path: Path, next_port: Callable[[], int]) -> Iterator[RunbookDeployment]:
    found = RunbookDeployment(tmp_path / "deployment", OLD, next_port(), machines=request.param)
    try:
        found.build()
        yield found
    finally:
        found.remove()


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


def test_one_instance_that_fails_is_put_back_alone(deployment: RunbookDeployment, tmp_path: Path) -> None:
    """The Sentinels run the new version already when a data node of the same folder fails."""
    node = deployment.config("redis-2").name if deployment.machines == 1 else "redis.conf"
    broken = broken_build(tmp_path / "broken", WANTED, "exit 1", only=node)
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
    assert {runs_from(pid) for pid in deployment.pids().values()} == {str(home / "redis-server") for home in homes(deployment)}
    assert (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0)


def repaired(folder: Path) -> Path:
    path = folder / "repaired-server"
    if not path.exists():
        path.write_bytes((SERVERS / WANTED / "redis-server").read_bytes())
        path.chmod(0o755)
    return path


def test_everything_is_killed_and_run_again(deployment: RunbookDeployment) -> None:
    """A run that ends at any step leaves each instance able to start; one rerun completes."""
    with Writers(deployment) as writers:
        for moment in ("Keep the running version", "Record that this step is complete", "Restart the data node"):
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
