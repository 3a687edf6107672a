"""The fail back to an original master that no Sentinel would promote: not planned, and said."""

from __future__ import annotations

import pytest
from deployment import Deployment
from states import settled, wait_until

from playbooks import run, words

pytestmark = pytest.mark.extended

VERSION = "6.2.9"


def test_the_original_master_has_priority_0(deployment: Deployment) -> None:
    deployment.command("redis-1", "CONFIG", "SET", "replica-priority", 0)
    done = run(deployment, "upgrade")
    output = words(done.stdout)
    assert done.returncode == 0, output[-3000:]
    assert "no fail back of mymaster to redis-1, whose replica-priority is 0" in output
    assert deployment.masters() == ["redis-2"]
    assert deployment.command("redis-1", "CONFIG", "GET", "replica-priority")[1] == "0"
    assert {deployment.info(name)["redis_version"] for name in deployment.ports} == {"6.2.14"}
    wait_until(lambda: settled(deployment))
    again = run(deployment, "upgrade")
    assert again.returncode == 0
    assert "Nothing to do" in words(again.stdout)
