"""The module redis_sentinel_info, with recorded Sentinels that speak the protocol."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from ansible_collections.sentinelops.redis.tests.unit.support.loopback import Listening, answers_of, listening
from ansible_collections.sentinelops.redis.tests.unit.support.modules import Runner
from ansible_collections.sentinelops.redis.tests.unit.support.recorded import MASTER, REPLICA, RecordedSentinel, recorded

NAME, V = "redis_sentinel_info", "7.0.15"


@pytest.fixture
def sentinels() -> Iterator[list[Listening]]:
    said = recorded(V, "healthy")["sentinels"]
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(listening(answers_of(RecordedSentinel(one)))) for one in said.values()]


def names(sentinels: list[Listening]) -> list[str]:
    return [str(sentinel.address) for sentinel in sentinels]


@pytest.mark.parametrize("name", ["mymaster", ""])
def test_all_agree(runner: Runner, sentinels: list[Listening], name: str) -> None:
    """Without a name every master is read that the Sentinel monitors."""
    result = runner.run(NAME, **sentinels[0].params, master_name=name, sentinels=names(sentinels))
    assert result["changed"] is False
    topology = result["masters"]["mymaster"]
    assert (topology["master"], topology["agreed"], topology["disagreements"], topology["unreachable"]) == (MASTER, True, [], [])
    assert [view["address"] for view in topology["views"]] == names(sentinels)


def test_one_does_not_answer(runner: Runner, sentinels: list[Listening]) -> None:
    """By default those are asked that the Sentinel knows; the recorded ones are gone."""
    result = runner.run(NAME, **sentinels[0].params, master_name="mymaster", timeout_ms=500)
    topology = result["masters"]["mymaster"]
    assert (topology["agreed"], len(topology["views"]), len(topology["unreachable"])) == (False, 1, 2)


def test_one_differs(runner: Runner, sentinels: list[Listening]) -> None:
    other = RecordedSentinel(recorded(V, "healthy")["sentinels"]["sentinel-3"], port=REPLICA.rpartition(":")[2])
    with listening(answers_of(other)) as third:
        result = runner.run(NAME, **sentinels[0].params, master_name="mymaster", sentinels=[*names(sentinels[:2]), str(third.address)])
    topology = result["masters"]["mymaster"]
    assert (topology["agreed"], topology["unreachable"]) == (False, [])
    assert [f"{REPLICA} says {third.address}" in difference for difference in topology["disagreements"]] == [True]


def test_nobody_answers(runner: Runner, sentinels: list[Listening]) -> None:
    with listening(lambda words: "") as gone:
        params = gone.params
    result = runner.run(NAME, **params, master_name="mymaster", sentinels=[str(gone.address)])
    assert result["failed"]
    assert "no Sentinel answered" in result["msg"]


def test_a_master_that_is_not_monitored(runner: Runner, sentinels: list[Listening]) -> None:
    result = runner.run(NAME, **sentinels[0].params, master_name="other")
    assert result["failed"]
    assert "no master named 'other' (it monitors: mymaster)" in result["msg"]


def test_an_address_that_is_none(runner: Runner) -> None:
    result = runner.run(NAME, master_name="mymaster", sentinels=["10.0.0.1"])
    assert result["failed"]
    assert "'10.0.0.1' is not an address" in result["msg"]
