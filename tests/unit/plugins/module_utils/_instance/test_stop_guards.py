"""Instances that the deployment needs are not stopped."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

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
            refuse_unsafe_stop(instance.server, node, sentinel=False, clock=FakeClock())
    else:
        refuse_unsafe_stop(instance.server, node, sentinel=False, clock=FakeClock())
    assert instance.running() == OLD


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, ""),
        ({"others": 0, "peers_down": 0}, "reaches 0 of the 0 other Sentinels"),
        ({"others": 2, "peers_down": 1}, "reaches 1 of the 2 other Sentinels"),
        ({"others": 0, "peers_down": 0, "quorum": 2}, ""),
        ({"quorum": 5}, ""),
        ({"quorum": 5, "peers_down": 1}, "reaches 1 of the 2 other Sentinels"),
        ({"flags": "master,s_down,o_down", "others": 0, "quorum": 1}, ""),
        ({"flags": "master,s_down,o_down", "others": 1, "replica_flags": "slave,s_down,disconnected"}, ""),
        ({"flags": "master,s_down,o_down", "others": 1, "replica_flags": "slave"}, "reaches 1 of the 1 other Sentinels"),
        ({"flags": "master,s_down,o_down", "others": 2, "peers_down": 2}, "reaches 0 of the 2 other Sentinels"),
        ({"flags": "master,failover_in_progress"}, "a failover of other is in progress"),
    ],
)
def test_a_sentinel_that_a_failover_needs_is_not_stopped(change: dict[str, Any], reason: str) -> None:
    """A master of which no failover is possible, although all its Sentinels are there, is none."""
    settings = {"others": 2, "peers_down": 0, "quorum": 1, "flags": "master", "replica_flags": "", **change}
    server, clock = Monitoring(settings), FakeClock()
    with pytest.raises(PreconditionFailed, match=reason) if reason else contextlib.nullcontext():
        refuse_unsafe_stop(server, node_info({"redis_version": OLD, "process_id": "1"}), sentinel=True, clock=clock)


def test_a_sentinel_that_was_restarted_a_moment_ago_is_awaited() -> None:
    server, clock = Monitoring({"others": 2, "peers_down": 1, "quorum": 1, "flags": "master", "replica_flags": ""}), FakeClock()
    clock.at(3, lambda: server.settings.update(peers_down=0))
    refuse_unsafe_stop(server, node_info({"redis_version": OLD, "process_id": "1"}), sentinel=True, clock=clock)
    assert 3 <= sum(clock.slept_s) < 4


class Monitoring:
    """A Sentinel that monitors the master ``other``."""

    address = Address("10.0.0.1", 26379)

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings

    def command(self, *words: Any) -> Any:
        settings, what = self.settings, str(words[1]).upper() if words[0] == "SENTINEL" else str(words[0])
        master = {
            "name": "other",
            "ip": "10.0.0.9",
            "port": "6379",
            "flags": settings["flags"],
            "quorum": str(settings["quorum"]),
            "num-other-sentinels": str(settings["others"]),
        }
        if what in ("MASTER", "MASTERS"):
            return flat(master) if what == "MASTER" else [flat(master)]
        if what == "SENTINELS":
            down = settings["peers_down"]
            return [
                flat({"ip": "10.0.0.1", "port": str(number), "flags": "sentinel,s_down" if number <= down else "sentinel"})
                for number in range(1, settings["others"] + 1)
            ]
        if what in ("REPLICAS", "SLAVES"):
            flags = settings["replica_flags"]
            return [flat({"ip": "10.0.0.8", "port": "6379", "flags": flags})] if flags else []
        return "OK 3 usable Sentinels" if what == "CKQUORUM" else "# Sentinel\r\nsentinel_tilt:0\r\n"

    def set_timeout(self, timeout_ms: int) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def flat(fields: Mapping[str, str]) -> list[str]:
    return [word for pair in fields.items() for word in pair]


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
