"""The instances of a sandbox."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.sentinelops.redis.plugins.filter.sandbox_instances import FilterModule, sandbox_instances

SETTINGS = {"folder": "/srv/sandbox", "replicas": 2, "sentinels": 3, "redis_port": 7100, "sentinel_port": 7200, "layout": "version_folders"}


def ports(**changes: Any) -> dict[str, int]:
    return {instance["name"]: instance["port"] for instance in sandbox_instances({**SETTINGS, **changes})}


def test_three_and_three() -> None:
    assert ports() == {"redis-1": 7100, "redis-2": 7101, "redis-3": 7102, "sentinel-1": 7200, "sentinel-2": 7201, "sentinel-3": 7202}


def test_an_instance() -> None:
    instance = sandbox_instances(SETTINGS)[3]
    assert instance == {
        "name": "sentinel-1",
        "host": "sentinel-1",
        "kind": "sentinel",
        "first": False,
        "port": 7200,
        "base": "/srv/sandbox/sentinel-1",
        "folder": "/srv/sandbox/sentinel-1/redis",
        "config_file": "/srv/sandbox/sentinel-1/redis/sentinel.conf",
        "log_file": "/srv/sandbox/sentinel-1/sentinel.log",
    }


def test_the_layout_of_the_runbook() -> None:
    found = {instance["name"]: instance for instance in sandbox_instances({**SETTINGS, "layout": "runbook"})}
    node, sentinel = found["redis-2"], found["sentinel-2"]
    assert {node["host"], sentinel["host"]} == {"machine-2"}
    assert {node["folder"], node["base"], sentinel["folder"]} == {"/srv/sandbox/machine-2/redis"}
    assert (node["config_file"], sentinel["config_file"]) == (
        "/srv/sandbox/machine-2/redis/redis.conf",
        "/srv/sandbox/machine-2/redis/sentinel.conf",
    )


def test_the_first_data_node_is_the_master() -> None:
    assert [instance["name"] for instance in sandbox_instances(SETTINGS) if instance["first"]] == ["redis-1"]


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"replicas": 0, "sentinels": 0}, ["redis-1"]),
        ({"replicas": "1", "sentinels": "1", "redis_port": "7100"}, ["redis-1", "redis-2", "sentinel-1"]),
    ],
)
def test_other_numbers(changes: dict[str, Any], names: list[str]) -> None:
    assert list(ports(**changes)) == names


@pytest.mark.parametrize("changes", [{"replicas": -1}, {"sentinels": -1}])
def test_negative_numbers(changes: dict[str, Any]) -> None:
    with pytest.raises(AnsibleFilterError, match="must not be negative"):
        ports(**changes)


@pytest.mark.parametrize("sentinel_port", [7100, 7102, 7098])
def test_ports_that_overlap(sentinel_port: int) -> None:
    with pytest.raises(AnsibleFilterError, match="overlap"):
        ports(sentinel_port=sentinel_port)


def test_ports_side_by_side() -> None:
    assert ports(sentinel_port=7103)["sentinel-1"] == 7103


def test_the_filter_is_there() -> None:
    assert FilterModule().filters() == {"sandbox_instances": sandbox_instances}
