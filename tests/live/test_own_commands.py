"""Upgrades of servers in namespaces of their own, whose images the user's own commands switch."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from contained import ContainedDeployment
from deployment import SERVERS, Writers, run_module
from states import journals_left, settled, wait_until

from playbooks import WANTED, interrupt_when, run, words

pytestmark = [
    pytest.mark.extended,
    pytest.mark.skipif(
        os.geteuid() != 0 or subprocess.run(["unshare", "--pid", "--fork", "--mount", "true"], check=False).returncode != 0,
        reason="needs root and namespaces",
    ),
]

OLD = "6.2.9"
# Fails as a data node, and serves as a Sentinel.
BROKEN = '#!/bin/bash\ncase "$*" in *redis.conf*) echo "this image is broken"; exit 1 ;; esac\nexec -a "$0" "${0%/*}/good-server" "$@"\n'


@pytest.fixture
def deployment(tmp_path: Path, next_port: Callable[[], int]) -> Iterator[ContainedDeployment]:
    found = ContainedDeployment(tmp_path / "deployment", OLD, next_port())
    try:
        found.build()
        yield found
    finally:
        found.remove()


def images(deployment: ContainedDeployment) -> set[str]:
    return {deployment.image_of(name) for name in deployment.ports}


def test_upgraded_again_and_rolled_back(deployment: ContainedDeployment) -> None:
    assert deployment.info("redis-1")["process_id"] == "1"
    assert not Path(deployment.info("redis-1")["config_file"]).exists()
    deployment.command("redis-2", "CONFIG", "SET", "hz", "17")
    with Writers(deployment) as writers:
        planned = run(deployment, "upgrade", "--check")
        assert planned.returncode == 0, planned.stdout
        assert f"staged by `{deployment.folder}/tool stage {WANTED}`, once per machine" in words(planned.stdout), planned.stdout
        assert "Its configuration is not tried" in words(planned.stdout)
        assert f"stage {WANTED} ({OLD} to {WANTED})" not in deployment.calls

        done = run(deployment, "upgrade")
        assert done.returncode == 0, done.stdout
        assert set(deployment.versions().values()) == images(deployment) == {WANTED}
        assert deployment.calls.count(f"stage {WANTED} ({OLD} to {WANTED})") == 1, "once for all instances of the machine"
        for name in deployment.ports:
            assert deployment.calls.count(f"activate {name} {WANTED} ({OLD} to {WANTED})") == 1
        assert deployment.command("redis-2", "CONFIG", "GET", "hz")[1] == "17", "CONFIG REWRITE has saved the setting"
        assert deployment.masters() == ["redis-1"]

        running, called = deployment.run_ids(), deployment.calls
        again = run(deployment, "upgrade")
        assert "Nothing to do" in again.stdout, again.stdout
        assert (deployment.run_ids(), deployment.calls) == (running, called)

        back = run(deployment, "rollback", redis_upgrade_rollback_from=WANTED)
        assert back.returncode == 0, back.stdout
        verdict = writers.verdict()
    assert set(deployment.versions().values()) == images(deployment) == {OLD}
    assert journals_left(deployment) == []
    assert verdict["acknowledged"] > 1000
    assert (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0)


def test_an_image_that_fails_is_put_back(deployment: ContainedDeployment) -> None:
    image = deployment.folder / "images" / WANTED
    shutil.copytree(SERVERS / WANTED, image)
    server = image / "redis-server"
    server.rename(image / "good-server")
    server.write_text(BROKEN, encoding="utf-8")
    server.chmod(0o755)
    with Writers(deployment) as writers:
        done = run(deployment, "upgrade")
        assert done.returncode != 0
        assert "was restored and serves again" in words(done.stdout), done.stdout
        assert "this image is broken" in words(done.stdout), done.stdout
        versions = deployment.versions()
        assert [versions[name] for name in deployment.nodes] == [OLD] * 3
        assert [versions[name] for name in deployment.sentinels] == [WANTED] * 3
        assert [deployment.image_of(name) for name in deployment.nodes] == [OLD] * 3
        server.unlink()
        (image / "good-server").rename(server)
        done = run(deployment, "upgrade")
        assert done.returncode == 0, done.stdout
        verdict = writers.verdict()
    assert set(deployment.versions().values()) == images(deployment) == {WANTED}
    assert (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0)


def test_a_stage_command_that_fails_stops_the_run_before_anything_is_stopped(deployment: ContainedDeployment) -> None:
    running = deployment.run_ids()
    done = run(deployment, "upgrade", wanted="6.2.99")
    assert done.returncode != 0
    assert "Stage the new version by a command" in done.stdout, done.stdout
    assert (deployment.run_ids(), images(deployment)) == (running, {OLD})


def test_interrupted_and_run_again(deployment: ContainedDeployment) -> None:
    """A run that ends at any step is completed, also if an instance is left stopped half way."""
    with Writers(deployment) as writers:
        for moment in ("Stage the new version", "Record that this step is complete", "Prepare the instances"):
            output = interrupt_when(deployment, moment)
            assert moment in output, output
            wait_until(lambda: settled(deployment), 60)
        # as a module leaves it that is killed between stop and start: nobody knows the active image
        stopped = next(name for name in deployment.nodes if name not in deployment.masters())
        deployment.stop(stopped)
        deployment.tool("activate", stopped, WANTED)
        done = run(deployment, "upgrade")
        verdict = writers.verdict()
    assert done.returncode == 0, done.stdout
    assert f"{stopped}: stopped by an earlier run -> {WANTED}" in words(done.stdout), done.stdout
    assert set(deployment.versions().values()) == images(deployment) == {WANTED}
    assert (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0)


def test_what_is_missing_is_refused_before_anything_is_stopped(deployment: ContainedDeployment) -> None:
    running, inventory = deployment.run_ids(), yaml.safe_load(deployment.inventory.read_text(encoding="utf-8"))

    def refusal(**changes: object) -> str:
        changed = {**inventory["all"]["vars"], **changes}
        path = deployment.folder / "changed.yml"
        path.write_text(yaml.safe_dump({"all": {**inventory["all"], "vars": changed}}), encoding="utf-8")
        done = run(path, "upgrade")
        assert done.returncode != 0, done.stdout
        return words(done.stdout)

    none: list[str] = []
    seen = refusal(redis_upgrade_redis_deactivate_command=none, redis_upgrade_sentinel_activate_command=["/no/such/tool"])
    assert "redis_upgrade_redis_deactivate_command is not set, and redis_upgrade_activation is command" in seen
    assert "there is no way back if the new version fails" in seen
    assert "activate_command: there is no program /no/such/tool on this host" in seen
    assert "the server is a plain process" in refusal(redis_upgrade_service_manager="auto")
    seen = refusal(redis_upgrade_activation="auto")
    assert "it runs in namespaces of its own, as in a container" in seen
    assert "are set, and redis_upgrade_activation is not command" in seen
    assert deployment.run_ids() == running


def test_a_process_that_cannot_be_seen_is_awaited_by_its_port(deployment: ContainedDeployment) -> None:
    """From another pid namespace, process 1 is not the process that the server names."""
    wrapper = (deployment.folder / "redis-2" / "pid").read_text(encoding="utf-8").strip()
    server = int(Path(f"/proc/{wrapper}/task/{wrapper}/children").read_text(encoding="utf-8"))
    deployment.command("redis-2", "CONFIG", "SET", "save", "")
    beside = subprocess.Popen(["/bin/sh", "-c", f"sleep 4; kill -TERM {server}"])
    done = run_module(
        "redis_instance",
        ("unshare", "--pid", "--fork", "--mount-proc", "--"),
        state="stopped",
        login_port=deployment.ports["redis-2"],
        service_manager="command",
        start_command=["true"],
        stop_command=["true"],  # returns long before the server ends
        wait_s=60,
    )
    assert (done.get("changed"), done.get("pid")) == (True, 0), done
    assert not Path(f"/proc/{server}").exists() or "Z" in Path(f"/proc/{server}/stat").read_text(encoding="utf-8")
    beside.wait()
    refused = run_module(
        "redis_instance",
        ("unshare", "--pid", "--fork", "--mount-proc", "--"),
        state="stopped",
        login_port=deployment.ports["redis-3"],
    )
    assert "its process is not visible on this host" in refused["msg"]
    assert deployment.info("redis-3")["role"] == "slave"
