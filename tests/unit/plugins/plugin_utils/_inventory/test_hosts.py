"""Inventory hosts of instances: which share one, their groups and their variables."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.plugin_utils._inventory.facts import Instance
from ansible_collections.sentinelops.redis.plugins.plugin_utils._inventory.hosts import (
    InventoryHost,
    deployment_of,
    group_tree,
    groups_of,
    place,
    require_no_other,
    variables_of,
)
from ansible_collections.sentinelops.redis.plugins.plugin_utils._inventory.naming import Naming


def node(address: str, master: str = "mymaster", role: str = "replica") -> Instance:
    return Instance(address, role, [master], "redis", "7.0.15", "a" * 40)


def sentinel(address: str, *masters: str) -> Instance:
    return Instance(address, "sentinel", list(masters or ["mymaster"]), "redis", "7.0.15", "b" * 40)


def placed(*instances: Instance, **table: Any) -> dict[str, list[str]]:
    hosts = place(instances, Naming(table.get("table", {}), table.get("patterns", [])))
    return {host.name: [one.address for one in (host.node, host.sentinel) if one] for host in hosts}


def test_both_kinds_of_a_machine_share_a_host() -> None:
    assert placed(node("10.0.0.1:6379"), sentinel("10.0.0.1:26379"), node("10.0.0.2:6379"), sentinel("10.0.0.3:26379")) == {
        "10.0.0.1": ["10.0.0.1:6379", "10.0.0.1:26379"],
        "10.0.0.2": ["10.0.0.2:6379"],
        "10.0.0.3": ["10.0.0.3:26379"],
    }


def test_further_instances_of_a_machine_have_hosts_of_their_own() -> None:
    """The lowest ports count, in any order and with any role, so that a failover renames none."""
    instances = [node("h:6380", role="master"), sentinel("h:26380"), node("h:6379"), sentinel("h:26379"), node("h:6381")]
    whole = {"h": ["h:6379", "h:26379"], "h-6380": ["h:6380"], "h-6381": ["h:6381"], "h-26380": ["h:26380"]}
    assert placed(*instances) == placed(*instances[::-1]) == whole


def test_a_table_names_machines_and_instances() -> None:
    table = {"10.0.0.1": "node-1", "10.0.0.1:6379": "first"}
    instances = [node("10.0.0.1:6379"), node("10.0.0.1:6380"), node("10.0.0.1:6381"), sentinel("10.0.0.1:26379")]
    assert placed(*instances, table=table) == {
        "first": ["10.0.0.1:6379"],
        "node-1": ["10.0.0.1:6380", "10.0.0.1:26379"],
        "node-1-6381": ["10.0.0.1:6381"],
    }


def test_a_machine_with_two_addresses() -> None:
    """Its table entries join them; the roles then use 127.0.0.1."""
    table = {"10.0.0.1": "node-1", "10.9.0.1": "node-1"}
    (host,) = place([sentinel("10.9.0.1:26379"), node("10.0.0.1:6379")], Naming(table))
    assert (host.name, host.ansible_host) == ("node-1", "10.0.0.1")
    assert "redis_upgrade_login_host" not in variables_of(host, "cache")


def test_a_machine_that_has_a_name_and_an_address() -> None:
    assert placed(node("127.0.0.1:6379"), sentinel("localhost:26379")) == {"localhost": ["127.0.0.1:6379", "localhost:26379"]}


def test_one_name_for_two_machines() -> None:
    patterns = [{"match": ".*", "name": "node"}]
    with pytest.raises(PreconditionFailed, match=r"10.0.0.1:6379 and 10.0.0.2:6379 would have one inventory host, 'node'"):
        placed(node("10.0.0.1:6379"), node("10.0.0.2:6379"), patterns=patterns)


def test_one_name_for_two_data_nodes() -> None:
    table = {"10.0.0.1:6379": "node", "10.0.0.2:6379": "node"}
    with pytest.raises(PreconditionFailed, match=r"the inventory host 'node' would have two data nodes, .*option hosts"):
        placed(node("10.0.0.1:6379"), node("10.0.0.2:6379"), table=table)


def test_a_name_with_a_port_that_another_machine_has() -> None:
    table = {"10.0.0.1": "node", "10.0.0.2": "node-6380"}
    with pytest.raises(PreconditionFailed, match=r"10.0.0.1:6380 would have the inventory host 'node-6380', which is .* another machine"):
        placed(node("10.0.0.1:6379"), node("10.0.0.1:6380"), sentinel("10.0.0.2:26379"), table=table)


def test_what_is_no_address() -> None:
    with pytest.raises(PreconditionFailed, match="is not an address"):
        placed(node("{{ x }}:6379"))


def test_variables() -> None:
    (host,) = place([node("10.0.0.1:6380", "shop"), sentinel("10.0.0.1:26380", "sessions", "shop")], Naming({}))
    assert variables_of(host, "cache") == {
        "redis_deployment": "cache",
        "redis_upgrade_login_host": "10.0.0.1",
        "redis_upgrade_redis_port": 6380,
        "redis_upgrade_sentinel_port": 26380,
        "redis_node_address": "10.0.0.1:6380",
        "redis_node_answers": True,
        "redis_node_master_name": "shop",
        "redis_node_role": "replica",
        "redis_node_run_id": "a" * 40,
        "redis_node_server": "redis",
        "redis_node_version": "7.0.15",
        "redis_sentinel_address": "10.0.0.1:26380",
        "redis_sentinel_answers": True,
        "redis_sentinel_masters": ["sessions", "shop"],
        "redis_sentinel_run_id": "b" * 40,
        "redis_sentinel_server": "redis",
        "redis_sentinel_version": "7.0.15",
    }


def test_groups() -> None:
    instances = [node("a:1", "shop-1", "master"), node("b:1", "shop-1"), sentinel("b:2", "shop-1", "log"), node("c:1", "log")]
    hosts = {host.name: groups_of(host, "eu.west") for host in place(instances, Naming({}))}
    assert hosts == {
        "a": ["redis_master", "redis_shard_eu_west_shop_1"],
        "b": ["redis_replica", "redis_shard_eu_west_shop_1", "sentinel", "redis_deployment_eu_west"],
        "c": ["redis_replica", "redis_shard_eu_west_log"],
    }
    assert group_tree(instances, "eu.west") == {
        "redis": ["redis_master", "redis_replica"],
        "sentinel": [],
        "redis_deployment_eu_west": ["redis_shard_eu_west_log", "redis_shard_eu_west_shop_1"],
    }


def test_two_masters_with_one_group() -> None:
    with pytest.raises(PreconditionFailed, match=r"'a-b' and 'a.b' would have one group, redis_shard_cache_a_b"):
        group_tree([sentinel("a:1", "a-b", "a.b")], "cache")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/etc/ansible/cache.redis_sentinel.yml", "cache"),
        ("eu-west_redis_sentinel.yaml", "eu-west"),
        ("inventory/redis_sentinel.yml", "sentinel"),
        ("sentinel.redis_sentinel.yml", "sentinel"),
    ],
)
def test_the_name_of_a_deployment(path: str, name: str) -> None:
    assert deployment_of("", path) == name
    assert deployment_of("given", path) == "given"


def test_another_source_has_another_instance_on_the_host() -> None:
    host = InventoryHost("node-1", "10.0.0.1", False, {False: node("10.0.0.1:6379")})
    require_no_other(host, {})
    require_no_other(host, {"redis_upgrade_redis_port": "6379", "redis_upgrade_sentinel_port": 1})
    with pytest.raises(PreconditionFailed, match="has redis_upgrade_redis_port 6380 already"):
        require_no_other(host, {"redis_upgrade_redis_port": 6380})
