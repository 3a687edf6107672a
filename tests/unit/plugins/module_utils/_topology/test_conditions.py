"""Conditions on one instance, checked against replies of real servers."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._server.info import parse_info
from ansible_collections.sentinelops.redis.plugins.module_utils._topology.conditions import (
    ConditionsWanted,
    Observation,
    field_holds,
    judge,
    role_of,
    waits_for,
)
from ansible_collections.sentinelops.redis.plugins.module_utils._topology.sentinel import read_view
from ansible_collections.sentinelops.redis.tests.unit.support.recorded import (
    MASTER,
    REPLICA,
    VERSIONS,
    RecordedSentinel,
    info_text,
    log_text,
    recorded,
)

V = VERSIONS[-1]


def node(name: str, log: str = "", master_offset: int | None = None, **fields: str) -> Observation:
    info = parse_info(info_text(recorded(V, "healthy")["nodes"][name]["info"]))
    return Observation(info={**info, **fields}, log=log, master_offset=master_offset)


def sentinel(said: dict[str, Any], tilt: str = "0") -> Observation:
    return Observation(
        info={**parse_info(info_text(said["info"])), "sentinel_tilt": tilt}, view=read_view(RecordedSentinel(said), "mymaster")
    )


HEALTHY = recorded(V, "healthy")["sentinels"]["sentinel-1"]
LOG = log_text(recorded(V, "logs")["redis-1"])
ALL_OF_A_SENTINEL = ConditionsWanted(
    role="sentinel",
    version=V,
    master=MASTER,
    quorum=True,
    links_fresh=True,
    known_sentinels=2,
    known_replicas=2,
    no_tilt=True,
    no_failover=True,
    log_clean=True,
)


def test_nothing_wanted_nothing_judged() -> None:
    assert judge(ConditionsWanted(), node("redis-1")) == []


@pytest.mark.parametrize(
    ("wanted", "seen"),
    [
        (
            ConditionsWanted(role="master", version=V, loaded=True, link_up=True, min_uptime_s=1, max_lag_bytes=100000, log_clean=True),
            node("redis-1", LOG),
        ),
        (ConditionsWanted(role="replica", version=V, loaded=True, link_up=True, max_lag_bytes=0), node("redis-2", master_offset=0)),
        (ALL_OF_A_SENTINEL, sentinel(HEALTHY)),
    ],
    ids=["master", "replica", "Sentinel"],
)
def test_all_conditions_hold(wanted: ConditionsWanted, seen: Observation) -> None:
    results = judge(wanted, seen)
    assert results
    assert [str(result) for result in results if not result.ok] == []


@pytest.mark.parametrize(
    ("wanted", "seen", "told"),
    [
        (ConditionsWanted(role="master"), node("redis-2"), "role: wanted master, seen replica"),
        (ConditionsWanted(role="sentinel"), node("redis-2"), "role: wanted sentinel, seen replica"),
        (ConditionsWanted(role="replica"), sentinel(HEALTHY), "role: wanted replica, seen sentinel"),
        (ConditionsWanted(version="7.2.6"), node("redis-2"), f"version: wanted 7.2.6, seen {V}"),
        (ConditionsWanted(loaded=True), node("redis-2", loading="1"), "loaded: wanted True, seen False"),
        (ConditionsWanted(link_up=True), node("redis-2", master_link_status="down"), "link_up: wanted True, seen master_link_status down"),
        (
            ConditionsWanted(link_up=True),
            node("redis-2", master_sync_in_progress="1"),
            "link_up: wanted True, seen master_link_status up",
        ),
        (
            ConditionsWanted(max_lag_bytes=10),
            node("redis-2", slave_repl_offset="100", master_offset=111),
            "max_lag_bytes: wanted 10, seen 11",
        ),
        (ConditionsWanted(max_lag_bytes=10), node("redis-2", master_offset=None), "max_lag_bytes: wanted 10, seen None"),
        (
            ConditionsWanted(max_lag_bytes=10),
            node(
                "redis-1", master_repl_offset="100", slave0="ip=h,port=1,state=online,offset=95,lag=0", slave1="ip=h,port=2,offset=80,lag=0"
            ),
            "max_lag_bytes: wanted 10, seen 20",
        ),
        (ConditionsWanted(min_uptime_s=60), node("redis-2", uptime_in_seconds="59"), "min_uptime_s: wanted 60, seen 59"),
        (ConditionsWanted(fields={"aof_enabled": 1}), node("redis-2"), "aof_enabled: wanted 1, seen 0"),
        (ConditionsWanted(fields={"nonsense": 1}), node("redis-2"), "nonsense: wanted 1, seen no such field"),
        (ConditionsWanted(master=REPLICA), sentinel(HEALTHY), f"master: wanted {REPLICA}, seen {MASTER}"),
        (ConditionsWanted(known_sentinels=3), sentinel(HEALTHY), "known_sentinels: wanted 3, seen 2"),
        (ConditionsWanted(known_replicas=1), sentinel(HEALTHY), "known_replicas: wanted 1, seen 2"),
        (
            ConditionsWanted(log_clean=True),
            node("redis-1", LOG + "x Can't open the log\n"),
            "log_clean: wanted True, seen x Can't open the log",
        ),
        (
            ConditionsWanted(quorum=True),
            sentinel(recorded(V, "sentinel_stopped")["two stopped"]["sentinel-1"]),
            "quorum: wanted True, seen NOQUORUM 1 usable Sentinels.",
        ),
        (
            ConditionsWanted(quorum=True, links_fresh=True),
            sentinel(recorded(V, "sentinel_stopped")["at once"]["sentinel-1"]),
            "links_fresh: wanted True, seen Sentinel 127.0.0.1:23112 is flagged disconnected",
        ),
        (
            ConditionsWanted(links_fresh=True),
            sentinel(recorded(V, "sentinel_restarted")["sentinel-3"]),
            "links_fresh: wanted True, seen replica 127.0.0.1:23102 has not answered a PING for",
        ),
        (
            ConditionsWanted(no_failover=True),
            sentinel(recorded(V, "failover")["accepted"]["sentinels"]["sentinel-1"]),
            "no_failover: wanted True, seen failover in progress",
        ),
    ],
)
def test_a_condition_that_does_not_hold(wanted: ConditionsWanted, seen: Observation, told: str) -> None:
    (failed,) = [result for result in judge(wanted, seen) if not result.ok]
    assert str(failed).startswith(told)
    assert failed.as_dict()["ok"] is False


def test_tilt() -> None:
    said = {**HEALTHY, "info": [*HEALTHY["info"], "sentinel_tilt:1"]}
    (result,) = judge(ConditionsWanted(no_tilt=True), sentinel(said))
    assert (str(result), result.ok) == ("no_tilt: wanted True, seen TILT", False)


def test_an_instance_that_does_not_answer_fulfils_nothing() -> None:
    (result,) = judge(ALL_OF_A_SENTINEL, Observation(error="no answer to INFO"))
    assert (str(result), result.ok) == ("answers: wanted True, seen no answer to INFO", False)


def test_a_master_without_replicas_has_no_lag() -> None:
    seen = Observation(info={"role": "master", "master_repl_offset": "100"})
    assert [result.ok for result in judge(ConditionsWanted(max_lag_bytes=0), seen)] == [True]


@pytest.mark.parametrize(
    ("wanted", "seen", "holds"),
    [
        (0, "0", True),
        (0, "1", False),
        ("0", "0", True),
        (True, "1", True),
        (False, "0", True),
        (False, "1", False),
        ("7.0.15", "7.0.15", True),
        ("7.0.15", "7.0.5", False),
        (">= 1", "1", True),
        (">=1", "10", True),
        ("> 9", "10", True),
        ("> 10", "10", False),
        ("<= 9", "10", False),
        ("< 10.5", "10", True),
        ("!= 0", "1", True),
        ("!= 0", "0", False),
        ("== ok", "ok", True),
        ("!= err", "ok", True),
        ("100", "1e2", True),
        ("> 1", None, False),
        (0, None, False),
    ],
)
def test_a_field_of_info(wanted: Any, seen: str | None, holds: bool) -> None:
    assert field_holds(wanted, seen) is holds


@pytest.mark.parametrize("version", VERSIONS)
def test_role(version: str) -> None:
    said = recorded(version, "healthy")
    infos = [said["nodes"]["redis-1"], said["nodes"]["redis-2"], said["sentinels"]["sentinel-1"]]
    assert [role_of(parse_info(info_text(one["info"]))) for one in infos] == ["master", "replica", "sentinel"]


ERROR = "{pid}:S 26 Nov 2026 19:45:10.211 # == CRITICAL == This replica is sending an error to its master: 'NOSCRIPT' after 'evalsha'\n"


@pytest.mark.parametrize(
    ("fields", "logged_by", "sent"),
    [
        ({"unexpected_error_replies": "0"}, "1001", 0),
        ({"unexpected_error_replies": "3"}, "", 3),
        # a server that does not count: the process before the restart, and the one that runs
        ({"unexpected_error_replies": ""}, "999", 0),
        ({"unexpected_error_replies": ""}, "1001", 1),
    ],
)
def test_errors_that_were_sent(fields: dict[str, str], logged_by: str, sent: int) -> None:
    log = ERROR.format(pid=logged_by) if logged_by else ""
    (found,) = judge(ConditionsWanted(no_errors_sent=True), node("redis-2", log=log, process_id="1001", **fields))
    assert (found.ok, found.is_final) == (not sent, bool(sent))
    assert not sent or str(found).startswith(f"no_errors_sent: wanted True, seen {sent} (")


PROOF = ConditionsWanted(version=V, link_up=True, max_lag_bytes=1024)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (node("redis-2", loading="1", loading_loaded_perc="43.2", master_link_status="down"), "loading, 43 %"),
        (
            node(
                "redis-2",
                master_link_status="down",
                master_sync_in_progress="1",
                master_sync_total_bytes="400",
                master_sync_read_bytes="100",
            ),
            "full synchronisation, 25 %, 0 bytes to go",
        ),
        (node("redis-2", master_link_status="down"), "its link to the master is down"),
        (node("redis-2", master_offset=14 << 20, slave_repl_offset=str(2 << 20)), "offset: 12 MiB to go"),
        (node("redis-2"), "the offset of its master is not known"),
        (node("redis-2", master_offset=0, redis_version="9.9.9"), f"version: 9.9.9, wanted {V}"),
        (Observation(error="10.0.0.2:6379: connection refused."), "10.0.0.2:6379: connection refused"),
    ],
)
def test_what_is_waited_for(seen: Observation, expected: str) -> None:
    assert waits_for(seen, judge(PROOF, seen)) == expected


def test_what_a_sentinel_is_waited_for() -> None:
    seen = sentinel(HEALTHY)
    assert waits_for(seen, judge(ConditionsWanted(known_sentinels=3, known_replicas=2), seen)) == "known_sentinels: 2, wanted 3"
