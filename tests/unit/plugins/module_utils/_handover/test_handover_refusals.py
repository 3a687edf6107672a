"""The problems that exclude a handover, and those that it waits for.

No command that changes anything is sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import repeat

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import PreconditionFailed
from ansible_collections.sentinelops.redis.tests.unit.support.deployment import MASTER, OTHER, SENTINELS, TARGET, Deployment

Change = Callable[[Deployment], None]


def node(index: int, **changes: object) -> Change:
    return lambda deployment: vars(deployment.nodes[index]).update(changes)


def sentinel(index: int, **changes: object) -> Change:
    return lambda deployment: vars(deployment.sentinels[index]).update(changes)


def every_sentinel(**changes: object) -> Change:
    return lambda deployment: [vars(one).update(changes) for one in deployment.sentinels] and None


def every_node(**changes: object) -> Change:
    return lambda deployment: [vars(one).update(changes) for one in deployment.nodes] and None


def config(index: int, name: str, value: str) -> Change:
    return lambda deployment: deployment.nodes[index].config.update({name: value})


def follow_the_target(deployment: Deployment) -> None:
    deployment.replicas[1].master = deployment.target


def named_otherwise(deployment: Deployment) -> None:
    deployment.sentinels[2].master = deployment.target


STAYS = [
    (node(1, errors_sent=2), f"the target {TARGET} has sent its master 2 errors. It has refused what the master sent"),
    (config(1, "replica-priority", "0"), f"the target {TARGET} has replica-priority 0"),
    (node(1, version="6.2.14"), f"the target {TARGET} runs 6.2.14, not the wanted 7.0.15"),
    (node(1, alive=False), f"the target {TARGET} is not a data node that the Sentinels know and that answers"),
    (every_node(refuses={"CLIENT PAUSE": repeat("NOPERM no")}), f"our user lacks the right +client|pause on {MASTER}"),
    (node(1, refuses={"INFO": repeat("NOPERM no")}), f"data node {TARGET}: INFO: NOPERM no"),
    (sentinel(2, refuses={"SENTINEL FAILOVER": repeat("NOPERM no")}), f"the right +sentinel|failover on Sentinel {SENTINELS[2]}"),
    (node(0, version="6.0.16"), f"mode pause needs Redis 6.2 or later, and {MASTER} runs 6.0.16: use mode fence, or auto"),
    (sentinel(1, down_after_ms=1500), "down-after-milliseconds is 1500: a pause may last 500 ms"),
    (every_sentinel(alive=False), "no Sentinel answered"),
]
MAY_PASS = [
    (sentinel(1, alive=False), f"Sentinel {SENTINELS[1]}: no answer"),
    (node(0, alive=False), f"data node {MASTER}: no answer"),
    (node(2, alive=False), f"data node {OTHER}: no answer"),
    (sentinel(1, tilt=True), f"Sentinel {SENTINELS[1]} is in TILT"),
    (sentinel(1, config_epoch=7), "config epoch: 0 says"),
    (named_otherwise, "address of the master"),
    (sentinel(0, master_flags=["master", "failover_in_progress"]), f"Sentinel {SENTINELS[0]} has a failover in progress"),
    (sentinel(0, master_flags=["master", "s_down"]), f"Sentinel {SENTINELS[0]} flags the master s_down"),
    (sentinel(2, ckquorum="NOQUORUM 1 usable Sentinels."), f"Sentinel {SENTINELS[2]}: NOQUORUM 1 usable Sentinels."),
    (every_sentinel(ghosts=1), "knows 4 Sentinels, 3 were asked"),
    (sentinel(0, hello_age_ms={SENTINELS[1]: 3500}), f"Sentinel {SENTINELS[0]} last heard of Sentinel {SENTINELS[1]} 3500 ms ago"),
    (sentinel(0, replica_flags={TARGET: "slave,disconnected"}), f"would not promote {TARGET}: it is flagged disconnected"),
    (sentinel(1, reported_roles={TARGET: "master"}), f"Sentinel {SENTINELS[1]} has seen {TARGET} as a master, and will make it a replica"),
    (node(1, loading=True), f"{TARGET} is loading its data"),
    (node(2, link_up=False), f"the link of replica {OTHER} to its master is down"),
    (node(2, stale_bytes=3000000, offset=0.0), f"replica {OTHER} lags"),
    (follow_the_target, f"replica {OTHER} follows {TARGET}, not the master {MASTER}"),
    (node(2, master=None), f"role:master is seen on {MASTER}, {OTHER}"),
]


@pytest.mark.parametrize(("change", "reason"), STAYS, ids=[reason[:60] for _change, reason in STAYS])
def test_what_does_not_pass_is_refused_at_once(change: Change, reason: str) -> None:
    deployment = Deployment()
    change(deployment)
    with pytest.raises(PreconditionFailed) as caught:
        deployment.handover(wanted_version="7.0.15").survey()
    assert reason in str(caught.value)
    assert "Nothing was changed" in str(caught.value)
    assert any(reason in problem for problem in caught.value.facts["problems"])
    assert deployment.wire.changing() == []
    assert deployment.clock.now_s() < 1001, "not waited for"


@pytest.mark.parametrize(("change", "reason"), MAY_PASS, ids=[reason[:60] for _change, reason in MAY_PASS])
def test_what_may_pass_is_waited_for_and_then_refused(change: Change, reason: str) -> None:
    deployment = Deployment()
    deployment.master.offset = 5000000.0
    change(deployment)
    with pytest.raises(PreconditionFailed) as caught:
        deployment.handover(wait_s=2).survey()
    assert reason in str(caught.value)
    assert f"Nothing was changed, {MASTER} keeps its role" in str(caught.value)
    assert deployment.wire.changing() == []
    assert 1002 <= deployment.clock.now_s() < 1003


def test_what_passes_is_waited_for() -> None:
    deployment = Deployment()
    deployment.sentinels[1].tilt = True
    deployment.clock.at(3.0, lambda: setattr(deployment.sentinels[1], "tilt", False))
    handover = deployment.handover(wait_s=30)
    assert not handover.survey()
    assert 1003 <= deployment.clock.now_s() < 1004
    assert handover.run().changed


def test_all_reasons_are_told_at_once() -> None:
    deployment = Deployment()
    for index in (0, 1):
        deployment.sentinels[index].tilt = True
    deployment.replicas[1].loading = True
    with pytest.raises(PreconditionFailed) as caught:
        deployment.handover(wait_s=1).survey()
    assert len(caught.value.facts["problems"]) == 3


def test_a_node_that_the_sentinels_do_not_know() -> None:
    deployment = Deployment()
    with pytest.raises(PreconditionFailed, match=re.escape(f"they know {MASTER}, {TARGET}, {OTHER}")):
        deployment.handover("10.0.0.9:6379").survey()
    assert deployment.wire.changing() == []


def test_a_master_with_priority_zero_that_is_to_be_master() -> None:
    """There is nothing to do, so the priority does not matter."""
    deployment = Deployment()
    deployment.master.config["replica-priority"] = "0"
    assert deployment.handover(MASTER).survey()
