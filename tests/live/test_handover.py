"""The handover on real servers, with writers."""

from __future__ import annotations

import pytest
from deployment import Deployment, Writers


@pytest.mark.parametrize("discovery", ["get-master-addr-by-name", "masters"])
def test_pause_loses_nothing(deployment: Deployment, discovery: str) -> None:
    target = deployment.other_than_master()
    with Writers(deployment, discovery=discovery) as writers:
        result = deployment.hand_over(target)
        verdict = writers.verdict()
    assert (result["changed"], result["new_master"]) == (True, deployment.address(target))
    assert result["full_resyncs"] == 0
    assert deployment.masters() == [target]
    assert verdict["acknowledged"] > 500
    assert (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0)
    assert deployment.command(target, "DBSIZE") == 0, "the audit left keys"


def test_priorities_are_restored_and_persistent(deployment: Deployment) -> None:
    for name in deployment.nodes:
        assert deployment.command(name, "CONFIG", "GET", "replica-priority")[1] == "100"
        text = deployment.config(name).read_text(encoding="utf-8")
        assert "replica-priority 1\n" not in text


def test_master_already(deployment: Deployment) -> None:
    master = deployment.masters()[0]
    assert deployment.hand_over(master)["changed"] is False


def test_check_mode_changes_nothing(deployment: Deployment) -> None:
    before = deployment.masters()
    result = deployment.hand_over("redis-3", _ansible_check_mode=True)
    assert result["changed"] is True
    assert deployment.masters() == before != ["redis-3"]


def test_unknown_target_is_refused(deployment: Deployment) -> None:
    before = deployment.masters()
    result = deployment.hand_over("redis-2", target="127.0.0.1:1", wait_s=1)
    assert result["failed"] is True
    assert "127.0.0.1:1 is not a data node that the Sentinels know" in result["msg"]
    assert "Nothing was changed" in result["msg"]
    assert deployment.masters() == before


def test_plain_loses_writes_and_the_audit_sees_it(deployment: Deployment) -> None:
    """The positive control: an audit that cannot see this loss would prove nothing."""
    with Writers(deployment) as writers:
        result = deployment.hand_over("redis-3", mode="plain")
        verdict = writers.verdict()
    assert "lost" in str(result["warnings"])
    assert verdict["lost"] > 100
