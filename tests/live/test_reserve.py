"""A reserve replica: the way back across a format barrier, without a loss.

RESERVE_SECONDS is for how long the new version is written to before the way back (20).
RESERVE_PAIRS are other pairs of versions in .cache/servers: "7.0.15,8.0.2 6.2.14,7.0.15".
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._server.versions import can_downgrade
from application import AllKinds, lost_rounds, same_everywhere
from deployment import MASTER, Deployment
from states import answers, journals_left, wait_until

from playbooks import require_unchanged, run, words

pytestmark = pytest.mark.extended

DEFAULT = "6.2.14,7.0.15 7.0.15,valkey-8.0.1 valkey-8.0.1,valkey-9.1.2"
SECONDS = float(os.environ.get("RESERVE_SECONDS", "20"))
PAIRS = [tuple(pair.split(",")) for pair in os.environ.get("RESERVE_PAIRS", DEFAULT).split()]


def plain(version: str) -> str:
    return version.removeprefix("valkey-")


def running(deployment: Deployment) -> dict[str, str]:
    """Return the version of each data node."""
    infos = {name: deployment.administered_info(name) for name in deployment.nodes}
    return {name: info.get("valkey_version") or info["redis_version"] for name, info in infos.items()}


def reserve_of(deployment: Deployment) -> str:
    """Return the node whose record says that it is the reserve."""
    roles = {name: deployment.reserve_record(name).get("role") for name in deployment.nodes}
    (name,) = [name for name, role in roles.items() if role == "reserve"]
    return name


def state(deployment: Deployment, tmp_path: Path, **options: Any) -> tuple[int, dict[str, Any], str]:
    """Return exit code, state of the shard and output of the playbook reserve."""
    file = tmp_path / "reserve.json"
    file.unlink(missing_ok=True)
    done = run(deployment, "reserve", redis_upgrade_reserve_file=str(file), **options)
    return done.returncode, json.loads(file.read_text(encoding="utf-8"))["shards"].get(MASTER, {}), words(done.stdout)


@pytest.mark.parametrize(("old", "new"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
def test_back_and_finished(build: Callable[..., Deployment], old: str, new: str, tmp_path: Path) -> None:
    deployment = build(old)
    given = {"wanted": new}
    original = deployment.whole_state()
    with AllKinds(deployment) as application:
        done = run(deployment, "upgrade", **given, redis_upgrade_reserve="true")
        assert done.returncode == 0, words(done.stdout)[-4000:]
        assert "a way back" in words(done.stdout)
        reserve = reserve_of(deployment)
        versions = running(deployment)
        assert versions.pop(reserve) == plain(old)
        assert set(versions.values()) == {plain(new)}
        assert deployment.administer(reserve, "CONFIG", "GET", "replica-priority")[1] == "0"
        pids = deployment.pids()
        time.sleep(SECONDS)
        code, now, said = state(deployment, tmp_path, **given, redis_upgrade_reserve_sample=0)
        assert (code, now["state"], now["differing"], now["errors"]) == (0, "good", [], 0), said
        assert now["compared"]["stream"] > 0
        again = run(deployment, "upgrade", **given, redis_upgrade_reserve="true")
        assert again.returncode == 0
        assert "Nothing to do" in words(again.stdout)
        assert "changed=1" not in again.stdout
        assert deployment.pids() == pids
        back = run(deployment, "rollback", **given)
    assert back.returncode == 0, words(back.stdout)[-4000:]
    assert set(running(deployment).values()) == {plain(old)}
    assert deployment.masters() == ["redis-1"]
    assert lost_rounds(application, same_everywhere(deployment)) == []
    assert len(application.acknowledged) > 100
    require_unchanged(deployment, original)
    assert journals_left(deployment) == []
    assert not any(deployment.reserve_record(name) for name in deployment.nodes)
    with AllKinds(deployment) as application:
        assert run(deployment, "upgrade", **given, redis_upgrade_reserve="true").returncode == 0
        finished = run(deployment, "finish", **given)
    assert finished.returncode == 0, words(finished.stdout)[-4000:]
    assert set(running(deployment).values()) == {plain(new)}
    assert deployment.masters() == ["redis-1"]
    assert lost_rounds(application, same_everywhere(deployment)) == []
    require_unchanged(deployment, original)
    assert not any(deployment.reserve_record(name) for name in deployment.nodes)
    assert "Nothing to do" in words(run(deployment, "finish", **given).stdout)


# -- a reserve that has missed a write


@pytest.fixture(scope="module")
def upgraded(build: Callable[..., Deployment]) -> Deployment:
    return with_reserve(build)


def with_reserve(build: Callable[..., Deployment], old: str = "6.2.14", new: str = "7.0.15") -> Deployment:
    """Return a deployment with 1000 keys, upgraded with a reserve."""
    deployment = build(old)
    done = run(deployment, "upgrade", wanted=new, redis_upgrade_reserve="true")
    assert done.returncode == 0, words(done.stdout)[-4000:]
    for number in range(1000):
        deployment.command("redis-1", "SET", f"key-{number}", number)
    wait_until(lambda: deployment.command(reserve_of(deployment), "DBSIZE") == 1000)
    return deployment


def keys(deployment: Deployment) -> dict[str, int]:
    return {name: deployment.command(name, "DBSIZE") for name in deployment.nodes}


def refused(deployment: Deployment, tmp_path: Path, verdict: str, *reasons: str) -> None:
    """Check that the reserve is seen as it is, and that a rollback is refused without a change."""
    code, now, said = state(deployment, tmp_path, wanted="7.0.15")
    assert (code != 0, now["state"]) == (True, verdict), said
    pids, data = deployment.pids(), keys(deployment)
    done = run(deployment, "rollback", wanted="7.0.15")
    output = words(done.stdout)
    assert done.returncode != 0
    assert f"its reserve {reserve_of(deployment)} is {verdict}" in output
    for reason in reasons:
        assert reason in said
        assert reason in output
    assert "Nothing was touched" in output
    assert "the playbook finish" in output
    assert (deployment.pids(), keys(deployment), deployment.masters()) == (pids, data, ["redis-1"])


def test_a_reserve_whose_link_is_cut_for_a_while(upgraded: Deployment, tmp_path: Path) -> None:
    """It is at risk as long as the backlog has what it lacks, and good again afterwards."""
    reserve = reserve_of(upgraded)
    with cut_off(upgraded, reserve):
        for number in range(1000):
            upgraded.command("redis-1", "SET", f"key-{number}", "x" * 100)
        refused(upgraded, tmp_path, "at risk", "which the backlog of its master has")
    wait_until(lambda: upgraded.info(reserve)["master_link_status"] == "up", 60)
    wait_until(lambda: state(upgraded, tmp_path, wanted="7.0.15")[1]["state"] == "good", 60)
    assert upgraded.command(reserve, "GET", "key-999") == "x" * 100


class cut_off:
    """Keep a replica from its master: it logs in with a user that its master does not have."""

    def __init__(self, deployment: Deployment, name: str) -> None:
        self._deployment, self._name = deployment, name

    def __enter__(self) -> None:
        self._deployment.command(self._name, "CONFIG", "SET", "masterauth", "wrong")
        self._deployment.command(self._name, "CONFIG", "SET", "masteruser", "nobody")
        for _time in range(3):
            self._deployment.command("redis-1", "CLIENT", "KILL", "TYPE", "replica")
            time.sleep(0.2)
        wait_until(lambda: self._deployment.info(self._name)["master_link_status"] == "down", 30)

    def __exit__(self, *_reason: object) -> None:
        for setting in ("masterauth", "masteruser"):
            self._deployment.command(self._name, "CONFIG", "SET", setting, "")


def test_a_reserve_that_has_refused_a_write(upgraded: Deployment, tmp_path: Path) -> None:
    upgraded.command("redis-1", "FUNCTION", "LOAD", "#!lua name=mylib\nredis.register_function('f', function() return 1 end)")
    reserve = reserve_of(upgraded)
    wait_until(lambda: int(upgraded.info(reserve)["unexpected_error_replies"]) > 0)
    refused(upgraded, tmp_path, "lost", "it has refused")


def test_a_reserve_that_needs_a_full_synchronisation(upgraded: Deployment, tmp_path: Path) -> None:
    """It keeps its data: repl-diskless-load swapdb."""
    reserve, backlog = reserve_of(upgraded), upgraded.command("redis-1", "CONFIG", "GET", "repl-backlog-size")[1]
    before = keys(upgraded)[reserve]
    with cut_off(upgraded, reserve):
        upgraded.command("redis-1", "CONFIG", "SET", "repl-backlog-size", 16384)
        for number in range(1000):
            upgraded.command("redis-1", "SET", f"key-{number}", "y" * 100)
    log = upgraded.folder / reserve / "log"
    wait_until(lambda: "Can't handle RDB format" in log.read_text(errors="replace") or "RDB" in log.read_text(errors="replace")[-2000:], 60)
    forks = int(upgraded.info("redis-1")["sync_full"])
    time.sleep(65)
    assert 1 <= int(upgraded.info("redis-1")["sync_full"]) - forks <= 3
    assert keys(upgraded)[reserve] == before
    assert upgraded.command(reserve, "GET", "key-999") == "x" * 100
    refused(upgraded, tmp_path, "lost")
    upgraded.command("redis-1", "CONFIG", "SET", "repl-backlog-size", backlog)


@pytest.mark.parametrize(("old", "new"), PAIRS[1:], ids=["-".join(pair) for pair in PAIRS[1:]])
def test_its_data_stay_where_it_cannot_read_the_new_data(build: Callable[..., Deployment], old: str, new: str) -> None:
    """A pair of versions that can read each other's data gets the new data instead."""
    deployment = with_reserve(build, old, new)
    reserve = reserve_of(deployment)
    with cut_off(deployment, reserve):
        deployment.command("redis-1", "CONFIG", "SET", "repl-backlog-size", 16384)
        for number in range(1000):
            deployment.command("redis-1", "SET", f"key-{number}", "y" * 100)
    wait_until(lambda: int(deployment.info("redis-1")["sync_full"]) > 0, 90)
    time.sleep(40)
    linked = deployment.info(reserve)["master_link_status"] == "up"
    assert linked == can_downgrade(*((version.partition("-")[0] if "-" in version else "redis", plain(version)) for version in (old, new)))
    assert deployment.command(reserve, "DBSIZE") == 1000
    assert deployment.command(reserve, "GET", "key-999") == ("y" * 100 if linked else "999")


def test_its_new_master_dies(upgraded: Deployment, tmp_path: Path) -> None:
    reserve = reserve_of(upgraded)
    before = keys(upgraded)[reserve]
    pid = upgraded.pids()["redis-1"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: [name for name in upgraded.nodes if name != "redis-1" and upgraded.info(name)["role"] == "master"] != [], 60)
    assert upgraded.info(reserve)["role"] == "slave"
    time.sleep(5)
    assert upgraded.command(reserve, "DBSIZE") == before
    upgraded.start("redis-1")
    wait_until(lambda: answers(upgraded, "redis-1") and upgraded.info("redis-1").get("master_link_status") == "up", 90)
    assert upgraded.command(reserve, "DBSIZE") == before
    done = run(upgraded, "finish", wanted="7.0.15")
    assert done.returncode == 0, words(done.stdout)[-4000:]
    assert set(running(upgraded).values()) == {"7.0.15"}
    same_everywhere(upgraded)


def test_a_reserve_that_was_killed_and_started_again(build: Callable[..., Deployment], tmp_path: Path) -> None:
    """It does not know any more what it had, and cannot read what its master sends."""
    deployment = with_reserve(build)
    reserve, before = reserve_of(deployment), keys(deployment)
    os.kill(deployment.pids()[reserve], signal.SIGKILL)
    deployment.start(reserve)
    wait_until(lambda: answers(deployment, reserve), 30)
    deployment.command("redis-1", "SET", "later", "value")
    time.sleep(5)
    refused(deployment, tmp_path, "lost", "it needs a full synchronisation")
    assert {name: count for name, count in keys(deployment).items() if name != reserve} == {
        name: count + 1 for name, count in before.items() if name != reserve
    }
    done = run(deployment, "finish", wanted="7.0.15")
    assert done.returncode == 0, words(done.stdout)[-4000:]
    assert set(running(deployment).values()) == {"7.0.15"}
    assert set(keys(deployment).values()) == {1001}


def test_somebody_fails_over(build: Callable[..., Deployment], tmp_path: Path) -> None:
    """No node is emptied, and the reserve is not promoted.

    The old master may have sent it more than the new one had when that was promoted. Then it needs
    a full synchronisation, and is lost.
    """
    deployment = with_reserve(build)
    reserve, before = reserve_of(deployment), keys(deployment)
    deployment.command("sentinel-1", "SENTINEL", "FAILOVER", MASTER)
    (other,) = set(deployment.nodes) - {"redis-1", reserve}
    wait_until(lambda: deployment.masters() == [other] and deployment.info("redis-1").get("master_link_status") == "up", 90)
    time.sleep(10)
    assert keys(deployment) == before
    assert deployment.info(reserve)["role"] == "slave"
    code, now, said = state(deployment, tmp_path, wanted="7.0.15")
    assert (code == 0) == (now["state"] == "good"), said
    assert now["reasons"] or now["state"] == "good"
    done = run(deployment, "rollback", wanted="7.0.15")
    assert (done.returncode == 0) == (now["state"] == "good"), words(done.stdout)[-3000:]
    assert set(keys(deployment).values()) == {1000}
