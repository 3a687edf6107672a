"""A configuration that the new version refuses ends the upgrade before anything is stopped.

7.0 has no gopher-enabled. The other Sentinels must never hear of a Sentinel on trial.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.config_trial import HostFiles
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.config_trial_files import TrialPlace, trial_config
from deployment import MASTER, SERVERS, Deployment, run_module
from states import left_of_trials

import playbooks

VERSION = "6.2.14"
WANTED = "7.0.15"
OLD_DIRECTIVE = "gopher-enabled no"


def with_line(deployment: Deployment, name: str) -> int:
    """Append the old directive to the file of an instance; return the number of its line."""
    file = deployment.config(name)
    text = file.read_text(encoding="utf-8").rstrip("\n") + f"\n{OLD_DIRECTIVE}\n"
    file.write_text(text, encoding="utf-8")
    return text.count("\n")


def without_line(deployment: Deployment, name: str) -> None:
    file = deployment.config(name)
    file.write_text(file.read_text(encoding="utf-8").replace(f"{OLD_DIRECTIVE}\n", ""), encoding="utf-8")


@pytest.mark.parametrize("name", ["redis-3", "sentinel-2"])
def test_one_refusal_ends_the_run_before_the_first_stop(deployment: Deployment, name: str) -> None:
    before, files = deployment.pids(), {node: deployment.config(node).stat() for node in deployment.ports}
    number = with_line(deployment, name)
    done = playbooks.run(deployment, "upgrade", wanted=WANTED, redis_upgrade_accept_no_way_back=True)
    without_line(deployment, name)
    output = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert f"failed: [{name}]" in output
    assert f"{deployment.config(name)}, line {number}: {OLD_DIRECTIVE}: Bad directive or wrong number of arguments." in output
    assert "Nothing was stopped" in output
    assert "(4/8)" not in output.rsplit("PLAY [(3/8)", 1)[1]
    assert (deployment.pids(), set(deployment.versions().values())) == (before, {VERSION})
    assert [(was.st_mode, was.st_uid) for was in files.values()] == [
        (deployment.config(node).stat().st_mode, deployment.config(node).stat().st_uid) for node in files
    ]
    assert left_of_trials(deployment.folder) == []


def heard(deployment: Deployment) -> dict[str, Any]:
    """Return the traces that a Sentinel on trial could leave at Sentinels and at data nodes."""
    peers = {
        name: sorted(
            str(dict(zip(peer[::2], peer[1::2], strict=True))["name"]) + str(dict(zip(peer[::2], peer[1::2], strict=True))["port"])
            for peer in deployment.command(name, "SENTINEL", "SENTINELS", MASTER)
        )
        for name in deployment.sentinels
    }
    clients = {
        name: sorted(
            word
            for line in deployment.command(name, "CLIENT", "LIST").splitlines()
            for word in line.split()
            if word.startswith("name=sentinel-")
        )
        for name in deployment.nodes
    }
    said = {
        name: sum(f" {event} " in line for line in (deployment.folder / name / "log").read_text().splitlines() for event in EVENTS)
        for name in deployment.sentinels
    }
    return {"peers": peers, "clients": clients, "said": said}


EVENTS = ("+sentinel", "+sentinel-address-switch", "+sentinel-invalid-addr", "+slave", "-dup-sentinel")


@contextmanager
def sentinel_from(config_file: Path) -> Iterator[None]:
    """Run a Sentinel of the new version for 5 s; it would announce itself every two seconds."""
    server = SERVERS / WANTED / "redis-server"
    process = subprocess.Popen([server, config_file, "--sentinel"], stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        time.sleep(5)
        assert process.poll() is None
        yield
    finally:
        process.kill()
        process.wait()


def test_the_other_sentinels_never_hear_of_a_tried_one(deployment: Deployment, tmp_path: Path) -> None:
    before = heard(deployment)
    real = deployment.config("sentinel-1")
    assert "sentinel known-sentinel" in real.read_text()
    # The path of a socket must be short.
    folder = Path("/tmp") / f"t-{tmp_path.name[-20:]}-{deployment.ports['sentinel-1']}"
    folder.mkdir()
    try:
        config = trial_config(str(real), True, HostFiles(), TrialPlace(str(folder), 1, "/bin/true", str(real.parent)))
        assert config is not None
        for file in config.to_write():
            Path(file.path).write_text(file.text)
        with sentinel_from(folder / "trial.conf"):
            assert heard(deployment) == before
    finally:
        subprocess.run(["rm", "-r", str(folder)], check=True)


def test_a_running_sentinel_is_tried_and_nothing_changes(deployment: Deployment) -> None:
    before, text = heard(deployment), deployment.config("sentinel-1").read_text()
    done = run_module("redis_config_try", folder=str(SERVERS / WANTED), config_file=str(deployment.config("sentinel-1")), sentinel=True)
    assert not done.get("failed"), done
    time.sleep(3)
    assert heard(deployment) == before
    assert deployment.config("sentinel-1").read_text() == text


def test_this_would_see_a_sentinel_that_is_heard_of(deployment: Deployment, tmp_path: Path) -> None:
    """Positive control: with only another port and folder, the Sentinel does join for moments."""
    before = heard(deployment)
    text = deployment.config("sentinel-1").read_text()
    ours = text + f"port {deployment.ports['sentinel-1'] + 9}\ndir {tmp_path}\nlogfile {tmp_path}/log\n"
    (tmp_path / "sentinel.conf").write_text(ours)
    with sentinel_from(tmp_path / "sentinel.conf"):
        after = heard(deployment)
    assert after["clients"] != before["clients"]
    assert after["said"] != before["said"]
