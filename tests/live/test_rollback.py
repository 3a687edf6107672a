"""A node that fails with the new version is reverted, and a whole deployment is rolled back.

Two deployments, under load; each test begins with the deployment that the test before has left.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from broken_builds import broken_build
from deployment import Deployment, Writers
from states import journals_left, settled, wait_until

from playbooks import WANTED, run, words

SENTINELS = ["sentinel-1", "sentinel-2", "sentinel-3"]
NODES = ["redis-1", "redis-2", "redis-3"]

# The real server, whose link to its master never comes up: it logs in with an unknown user.
UNLINKED = 'exec "$real" "$@" --masteruser nobody --masterauth wrong'
CRASHES = "( sleep 3; kill -9 $$ ) > /dev/null 2>&1 &"


def config(deployment: Deployment, name: str) -> dict[str, Any]:
    """Return the properties of a configuration file that a reverted node must have again."""
    file = deployment.config(name)
    found = file.stat()
    return {"text": file.read_bytes(), "mode": found.st_mode, "owner": (found.st_uid, found.st_gid)}


def of_version(deployment: Deployment, version: str) -> list[str]:
    return sorted(name for name, running in deployment.versions().items() if running == version)


def no_loss(verdict: dict[str, Any]) -> bool:
    return verdict["acknowledged"] > 500 and (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0)


def set_aside(deployment: Deployment, name: str) -> list[str]:
    return sorted(path.name for path in (deployment.folder / name).glob("*.set-aside*"))


@pytest.fixture(scope="module")
def patch(build: Callable[..., Deployment]) -> Deployment:
    return build("6.2.9")


@pytest.fixture(scope="module")
def barrier(build: Callable[..., Deployment]) -> Deployment:
    """Return a deployment whose version cannot read the RDB that 7.0.15 writes."""
    return build("6.2.14")


def under_load(deployment: Deployment) -> Writers:
    return Writers(deployment, duration_s=3600, writers=2, writes_per_second=100)


# -- 6.2.9 to 6.2.14: the same data


@pytest.mark.parametrize("variables", [{}, {"redis_upgrade_version": "7.0.15", "redis_upgrade_rollback_from": WANTED}])
def test_nothing_to_roll_back_to(patch: Deployment, variables: dict[str, Any]) -> None:
    before = patch.pids()
    done = run(patch, "rollback", **variables)
    assert done.returncode == 0, done.stdout
    assert "Nothing to do: no instance can be rolled back from 6.2.14, mymaster (master redis-1)" in done.stdout
    assert "changed=1" not in done.stdout
    assert patch.pids() == before
    assert journals_left(patch) == []


@pytest.mark.extended
def test_a_new_version_that_crashes_after_its_start_is_put_back(patch: Deployment, tmp_path: Path) -> None:
    patch.command("redis-2", "CONFIG", "REWRITE")  # the upgrade does so as well
    before = config(patch, "redis-2")
    source = broken_build(tmp_path / "crashes", WANTED, f"{CRASHES}\n{UNLINKED}")
    with under_load(patch) as writers:
        done = run(patch, "upgrade", redis_binaries_source=source, redis_upgrade_canary=1, redis_upgrade_wait_s=15)
        verdict = writers.verdict()
    said = words(done.stdout)
    assert done.returncode != 0
    assert "redis-2 (redis) could not be upgraded to 6.2.14." in said
    assert "wanted True, seen" in said, "what failed"
    assert "The last lines of its log:" in said
    assert "Unable to AUTH to MASTER" in said, "the server's own words"
    assert "It was reverted to its old version 6.2.9 and proved healthy." in said
    assert "Done in this run: the Sentinel of sentinel-1, the Sentinel of sentinel-2, the Sentinel of sentinel-3." in said
    assert "The master of mymaster is redis-1" in said
    assert "Fix the cause and run the upgrade again" in said
    assert config(patch, "redis-2") == before
    assert (of_version(patch, WANTED), patch.masters()) == (SENTINELS, ["redis-1"])
    assert set_aside(patch, "redis-2") == [], "both versions read the same data"
    wait_until(lambda: settled(patch), 60)
    assert no_loss(verdict), verdict


@pytest.mark.extended
def test_the_canary_goes_on_with_a_better_build_and_comes_back(patch: Deployment) -> None:
    done = run(patch, "upgrade", redis_upgrade_canary=1)
    assert done.returncode == 0, done.stdout
    assert of_version(patch, WANTED) == ["redis-2", *SENTINELS]
    before = patch.pids()
    looked = run(patch, "rollback", "--check")
    assert looked.returncode == 0, looked.stdout
    assert "(4/8) replica  redis-2: 6.2.14 -> 6.2.9" in looked.stdout
    assert "(8/8) Sentinel  sentinel-3: 6.2.14 -> 6.2.9" in looked.stdout
    assert "changed=1" not in looked.stdout
    assert patch.pids() == before
    with under_load(patch) as writers:
        done = run(patch, "rollback")
        verdict = writers.verdict()
    assert done.returncode == 0, done.stdout
    assert of_version(patch, "6.2.9") == sorted(patch.ports)
    assert {name: pid for name, pid in patch.pids().items() if name in ("redis-1", "redis-3")} == {
        name: before[name] for name in ("redis-1", "redis-3")
    }
    assert patch.masters() == ["redis-1"]
    assert journals_left(patch) == []
    assert no_loss(verdict), verdict


@pytest.mark.extended
def test_a_whole_upgrade_is_taken_back_without_a_lost_write(patch: Deployment) -> None:
    with under_load(patch) as writers:
        upgraded = run(patch, "upgrade")
        assert upgraded.returncode == 0, upgraded.stdout
        assert of_version(patch, WANTED) == sorted(patch.ports)
        done = run(patch, "rollback")
        verdict = writers.verdict()
    again = run(patch, "rollback")
    assert done.returncode == 0, done.stdout
    assert "(5/8) handover  mymaster: redis-1" in done.stdout
    assert "(7/8) fail back mymaster: redis-2 -> redis-1" in done.stdout
    assert of_version(patch, "6.2.9") == sorted(patch.ports)
    assert patch.masters() == ["redis-1"]
    assert journals_left(patch) == [], "the journals are closed"
    assert again.returncode == 0, again.stdout
    assert "Nothing to do: no instance can be rolled back from 6.2.14" in again.stdout
    assert "changed=1" not in again.stdout
    assert no_loss(verdict), verdict


# -- 6.2.14 to 7.0.15: data that the old version cannot read


BARRIER = {"wanted": "7.0.15", "redis_upgrade_accept_no_way_back": True}


@pytest.mark.extended
def test_data_that_the_old_version_cannot_read_is_set_aside(barrier: Deployment, tmp_path: Path) -> None:
    source = broken_build(tmp_path / "unlinked", "7.0.15", UNLINKED)
    with under_load(barrier) as writers:
        done = run(barrier, "upgrade", **BARRIER, redis_binaries_source=source, redis_upgrade_canary=1, redis_upgrade_wait_s=15)
        verdict = writers.verdict()
    said = words(done.stdout)
    assert done.returncode != 0
    assert "redis-2 (redis) could not be upgraded to 7.0.15." in said
    assert "It was reverted to its old version 6.2.14 and proved healthy." in said
    aside = barrier.folder / "redis-2" / "dump.rdb.set-aside"
    assert f"Data files that 6.2.14 cannot read were set aside: {aside}. The instance has the data of the master." in said
    assert aside.read_bytes().startswith(b"REDIS0010")
    assert (of_version(barrier, "7.0.15"), barrier.masters()) == (SENTINELS, ["redis-1"])
    assert barrier.info("redis-2")["master_link_status"] == "up"
    assert no_loss(verdict), verdict


@pytest.mark.extended
def test_before_the_handover_a_canary_comes_back_over_the_barrier(barrier: Deployment) -> None:
    done = run(barrier, "upgrade", **BARRIER, redis_upgrade_canary=1)
    assert done.returncode == 0, done.stdout
    assert of_version(barrier, "7.0.15") == ["redis-2", *SENTINELS]
    with under_load(barrier) as writers:
        done = run(barrier, "rollback", wanted="7.0.15")
        verdict = writers.verdict()
    assert done.returncode == 0, done.stdout
    assert "6.2.14 cannot read the data file that 7.0.15 writes when it is stopped" in words(done.stdout)
    assert of_version(barrier, "6.2.14") == sorted(barrier.ports)
    assert set_aside(barrier, "redis-2") == ["dump.rdb.set-aside", "dump.rdb.set-aside-2"]
    assert barrier.masters() == ["redis-1"]
    assert no_loss(verdict), verdict


@pytest.mark.extended
def test_after_the_handover_there_is_no_way_back_and_nothing_is_touched(barrier: Deployment) -> None:
    upgraded = run(barrier, "upgrade", **BARRIER)
    assert upgraded.returncode == 0, upgraded.stdout
    wait_until(lambda: settled(barrier), 60)
    before, files = barrier.pids(), {name: config(barrier, name) for name in NODES}
    done = run(barrier, "rollback", wanted="7.0.15")
    assert done.returncode != 0
    said = words(done.stdout)
    assert "Nothing was touched. Before the rollback may begin:" in said
    assert "there is no way back from 7.0.15 to 6.2.14: the master redis-1 runs 7.0.15 already, and 6.2.14 cannot read its data" in said
    assert "changed=1" not in done.stdout
    assert (barrier.pids(), {name: config(barrier, name) for name in NODES}) == (before, files)
