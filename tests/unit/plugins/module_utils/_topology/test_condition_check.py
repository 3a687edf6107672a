"""Conditions on several masters of one Sentinel in one check."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import ConditionNotMet
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address
from ansible_collections.sentinelops.redis.plugins.module_utils._server.login import Login
from ansible_collections.sentinelops.redis.plugins.module_utils._topology import condition_check
from ansible_collections.sentinelops.redis.plugins.module_utils._topology.condition_check import CheckRequest, check
from ansible_collections.sentinelops.redis.plugins.module_utils._topology.conditions import ConditionsWanted
from ansible_collections.sentinelops.redis.plugins.module_utils._topology.sentinel import SentinelView, view_from_dict
from ansible_collections.sentinelops.redis.tests.unit.support.survey import two_shards


class Sentinel:
    """A connection that answers INFO alone; the views come from a surveyed deployment."""

    def command(self, *words: Any) -> str:
        assert words == ("INFO",)
        return "redis_version:7.0.15\r\nredis_mode:sentinel\r\n"


@pytest.fixture
def sentinel(monkeypatch: pytest.MonkeyPatch) -> None:
    views = next(one for one in two_shards().instances() if one.kind == "sentinel").record["views"]
    by_name = {view["master"]["name"]: view_from_dict(view) for view in views}

    def read_view(server: Any, name: str) -> SentinelView:
        return by_name[name]

    monkeypatch.setattr(condition_check, "connect", lambda address, login: Sentinel())
    monkeypatch.setattr(condition_check, "read_view", read_view)


def request(masters: dict[str, dict[str, Any]], **wanted: Any) -> CheckRequest:
    return CheckRequest(Address("10.0.0.1", 26379), Login(), ConditionsWanted(**wanted), masters)


def replicas() -> dict[str, int]:
    views = next(one for one in two_shards().instances() if one.kind == "sentinel").record["views"]
    return {view["master"]["name"]: view["master"]["replicas"] for view in views}


@pytest.mark.usefixtures("sentinel")
def test_each_master_has_its_own_conditions() -> None:
    known = replicas()
    assert len(set(known.values())) == 2
    result = check(request({name: {"known_replicas": count} for name, count in known.items()}, role="sentinel", quorum=True))
    names = [one["condition"] for one in result["conditions"]]
    assert sorted(names) == sorted(["role", *(f"{what} of {name}" for name in known for what in ("quorum", "known_replicas"))])
    assert result["met"]


@pytest.mark.usefixtures("sentinel")
def test_the_master_that_fails_is_named() -> None:
    known = replicas()
    name = list(known)[1]
    wrong = {**{one: {"known_replicas": count} for one, count in known.items()}, name: {"known_replicas": 9}}
    with pytest.raises(ConditionNotMet, match=f": not met: known_replicas of {name}: wanted 9, seen {known[name]}\\.$"):
        check(request(wrong, role="sentinel"))


@pytest.mark.usefixtures("sentinel")
def test_one_master_is_not_named() -> None:
    name, count = next(iter(replicas().items()))
    result = check(request({name: {"known_replicas": count}}, no_tilt=True))
    assert [one["condition"] for one in result["conditions"]] == ["known_replicas", "no_tilt"]
