"""Another strategy in ansible.cfg changes nothing: a host that fails stops the run of all."""

from __future__ import annotations

import os
import subprocess

import pytest
from deployment import SERVERS, Deployment

from playbooks import WANTED, command, words

pytestmark = pytest.mark.extended

VERSION = "6.2.9"


def upgrade(deployment: Deployment, strategy: str, source: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(deployment, "upgrade", redis_binaries_source=source),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "ANSIBLE_STRATEGY": strategy},
    )


@pytest.mark.parametrize("strategy", ["free", "host_pinned"])
def test_a_host_that_cannot_stage_stops_the_run(deployment: Deployment, strategy: str) -> None:
    before = deployment.pids()
    failed = upgrade(deployment, strategy, f"{{{{ '/nowhere' if inventory_hostname == 'redis-2' else '{SERVERS / WANTED}' }}}}")
    assert failed.returncode == 2, words(failed.stdout)[-2000:]
    assert deployment.pids() == before, "no instance was restarted"


def test_a_faultless_run_ends_well(deployment: Deployment) -> None:
    done = upgrade(deployment, "free", str(SERVERS / WANTED))
    assert done.returncode == 0, words(done.stdout)[-2000:]
    assert {deployment.info(name)["redis_version"] for name in deployment.ports} == {WANTED}
