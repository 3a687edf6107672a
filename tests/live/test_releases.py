"""Upgrades of plain processes that run through a link to a release, with the configuration."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest
from broken_builds import broken_build
from deployment import Deployment, Writers, server_in
from states import settled, wait_until

from playbooks import WANTED, interrupt_when, run

pytestmark = pytest.mark.extended

VERSION = "6.2.9"


def into_releases(deployment: Deployment) -> None:
    """Make every instance run through a link, as if started so: ``redis`` -> ``releases/6.2.9``."""
    for name in deployment.ports:
        link = deployment.folder / name / "redis"
        release = link.parent / "releases" / VERSION
        release.parent.mkdir()
        link.rename(release)
        link.symlink_to(f"releases/{VERSION}")
        deployment.config(name).chmod(0o600)


def links(deployment: Deployment) -> dict[str, str]:
    return {name: str((deployment.folder / name / "redis").readlink()) for name in deployment.ports}


def state_of(config: Path) -> set[str]:
    """Return the lines that a Sentinel must not lose, whatever it has learned since."""
    kept = ("sentinel myid", "sentinel known-sentinel", "sentinel known-replica", "# ours")
    return {line for line in config.read_text(encoding="utf-8").splitlines() if line.startswith(kept)}


def start_through(deployment: Deployment, name: str, link: Path) -> None:
    deployment.stop(name)
    words = [server_in(link), deployment.config(name)]
    deployment.processes[name] = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
    wait_until(lambda: settled(deployment), 60)


def test_two_instances_that_run_through_the_same_link(deployment: Deployment) -> None:
    into_releases(deployment)
    link = deployment.folder / "redis-2" / "redis"
    start_through(deployment, "redis-3", link)
    before = deployment.pids()
    done = run(deployment, "upgrade")
    assert done.returncode != 0
    told = " ".join(done.stdout.replace("\n", " ").split())
    assert f"redis-2/redis: its configuration file {link}/redis.conf is in the release that it shares" in told, done.stdout
    assert deployment.pids() == before
    start_through(deployment, "redis-3", deployment.folder / "redis-3" / "redis")


def test_a_new_release_that_does_not_start(deployment: Deployment, tmp_path: Path) -> None:
    broken = broken_build(tmp_path / "broken", WANTED, "exit 1", only="/redis/")
    before = links(deployment)
    done = run(deployment, "upgrade", redis_binaries_source=broken)
    assert done.returncode != 0
    assert "was restored and serves again" in done.stdout, done.stdout
    assert "It was reverted to its old version 6.2.9 and proved healthy" in done.stdout
    assert links(deployment) == before
    assert set(deployment.versions().values()) == {VERSION}


def test_upgraded_through_interruptions(deployment: Deployment) -> None:
    """The release that a failed attempt staged does no harm; the second run finishes the first."""
    for name in deployment.ports:
        with deployment.config(name).open("a", encoding="utf-8") as file:
            file.write("# ours\n")
    state = {name: state_of(deployment.config(name)) for name in deployment.sentinels}
    with Writers(deployment) as writers:
        for moment in ("Record that this step is complete", "Stop, put the wanted version in place, and start it"):
            output = interrupt_when(deployment, moment)
            assert moment in output, output
            wait_until(lambda: settled(deployment), 60)
        done = run(deployment, "upgrade")
        verdict = writers.verdict()
    assert done.returncode == 0, done.stdout
    assert set(deployment.versions().values()) == {WANTED}
    assert set(links(deployment).values()) == {f"releases/{WANTED}"}
    assert verdict["acknowledged"] > 1000
    assert (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0)
    for name in deployment.ports:
        old = deployment.folder / name / "releases" / VERSION
        assert server_in(old).exists(), "the old release is kept"
        assert (old / deployment.config(name).name).exists()
        assert stat.S_IMODE(deployment.config(name).stat().st_mode) == 0o600
        assert deployment.info(name)["executable"] == str(deployment.folder / name / "redis" / "redis-server")
        assert deployment.info(name)["config_file"] == str(deployment.config(name))
    for name, expected in state.items():
        assert state_of(deployment.config(name)) >= {line for line in expected if "myid" in line or "known-sentinel" in line}
    again = run(deployment, "upgrade")
    assert again.returncode == 0
    assert "Nothing to do" in again.stdout
    assert "changed=1" not in again.stdout
