"""Instances that the deployment needs are not stopped."""

from __future__ import annotations

import contextlib

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.stop_guards import (
    refuse_unsafe_stop,
    refuse_while_replicas_are_missing,
)
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address
from ansible_collections.sentinelops.redis.plugins.module_utils._server.info import NodeInfo, node_info
from ansible_collections.sentinelops.redis.tests.unit.support.clock import FakeClock
from ansible_collections.sentinelops.redis.tests.unit.support.instance import MASTER, OLD, Instance


@pytest.mark.parametrize(
    ("role", "replicas", "refused"), [("master", True, r"10\.0\.0\.2:6379"), ("master", False, "nobody"), ("slave", True, "")]
)
def test_a_master_is_not_stopped(instance: Instance, role: str, replicas: bool, refused: str) -> None:
    instance.server.info.update(role=role, **({"slave0": "ip=10.0.0.2,port=6379,state=online,offset=1,lag=0"} if replicas else {}))
    node = instance.start()
    if refused:
        with pytest.raises(PreconditionFailed, match=f"it is a master, followed by {refused}, and will not be stopped"):
            refuse_unsafe_stop(instance.server, node, sentinel=False)
    else:
        refuse_unsafe_stop(instance.server, node, sentinel=False)
    assert instance.running() == OLD


def master_with(*states: str) -> NodeInfo:
    lines = {f"slave{number}": f"ip=10.0.0.{number},port=6379,state={state},offset=1,lag=0" for number, state in enumerate(states, 2)}
    return node_info({"redis_version": OLD, "process_id": "1", "role": "master", **lines})


@pytest.mark.parametrize(
    ("master", "refused"),
    [
        (master_with("online", "online"), ""),
        (master_with("online", "wait_bgsave"), r"should have 2 replicas, and has 10\.0\.0\.2:6379, so this one will not be stopped"),
        (master_with(), "should have 2 replicas, and has none"),
        (None, ""),
    ],
)
def test_a_replica_is_not_stopped_while_another_one_is_missing(instance: Instance, master: NodeInfo | None, refused: str) -> None:
    """A replica that was restarted earlier may have crashed since."""
    instance.server.info.update(MASTER)
    node = instance.start()
    with pytest.raises(PreconditionFailed, match=refused) if refused else contextlib.nullcontext():
        refuse_while_replicas_are_missing(instance.server, node, 2, {Address("10.0.0.1", 6379): master}.get, FakeClock())
    assert instance.running() == OLD


def test_a_master_has_no_master_to_ask(instance: Instance) -> None:
    instance.server.info.update(role="master")
    refuse_while_replicas_are_missing(instance.server, instance.start(), 2, lambda _address: pytest.fail("asked"), FakeClock())
