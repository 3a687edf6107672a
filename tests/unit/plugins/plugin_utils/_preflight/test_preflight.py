"""The gates: everything that forbids the upgrade now, all of it at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._finding import CHECKS, Finding
from ansible_collections.sentinelops.redis.plugins.plugin_utils._preflight.preflight import preflight, relocations
from ansible_collections.sentinelops.redis.tests.unit.support.survey import (
    NEW,
    OLD,
    Surveyed,
    half_upgraded,
    three_and_three,
    two_shards,
)

Change = Callable[[Surveyed], None]
MAX_LAG = 1048576


def everything(deployment: Surveyed, version: str = NEW, **settings: Any) -> list[Finding]:
    return preflight(deployment.instances(), deployment.plan(version, **settings), MAX_LAG)


def findings(deployment: Surveyed, version: str = NEW, **settings: Any) -> list[Finding]:
    """Return the refusals of an upgrade."""
    return [finding for finding in everything(deployment, version, **settings) if finding.severity == "refusal"]


def node(host: str, **record: Any) -> Change:
    return lambda deployment: deployment.node(host).record.update(record)


def sentinel(number: int, **record: Any) -> Change:
    return lambda deployment: deployment.sentinels[number - 1].record.update(record)


def view(number: int, **changes: Any) -> Change:
    return lambda deployment: deployment.sentinels[number - 1].views.update({"mymaster": changes})


def every_view(**changes: Any) -> Change:
    return lambda deployment: [one.views.update({"mymaster": changes}) for one in deployment.sentinels] and None


def silent_node(deployment: Surveyed) -> None:
    deployment.node("redis-3").answers = False


def silent_sentinel(deployment: Surveyed) -> None:
    deployment.sentinels[2].answers = False


def two_sentinels(deployment: Surveyed) -> None:
    del deployment.sentinels[2]


def unknown_node(deployment: Surveyed) -> None:
    deployment.node("redis-3").in_inventory = False


def replica_in_view(number: int, address: str, **changes: Any) -> Change:
    """Return a change of what one Sentinel says of one replica."""

    def change(deployment: Surveyed) -> None:
        said = deployment.instances()[number - 1].record["views"][0]["replicas"]
        replicas = [{**one, **changes} if one["address"] == address else one for one in said]
        deployment.sentinels[number - 1].views["mymaster"] = {"replicas": replicas}

    return change


def peer_in_view(number: int, address: str, **changes: Any) -> Change:
    def change(deployment: Surveyed) -> None:
        said = deployment.instances()[number - 1].record["views"][0]["peers"]
        peers = [{**one, **changes} if one["address"] == address else one for one in said]
        deployment.sentinels[number - 1].views["mymaster"] = {"peers": peers}

    return change


S1 = "Sentinel 10.0.0.11:26379, shard mymaster"
ONE_FINDING = [
    (node("redis-2", config_file=""), "redis-2", "the server runs without a configuration file"),
    (node("redis-2", config_identity=None), "redis-2", "its configuration file /opt/redis/redis/redis.conf cannot be seen on this host"),
    (
        node("redis-2", config_writable=False),
        "redis-2",
        "the folder of /opt/redis/redis/redis.conf is not writable, or the file is a mount",
    ),
    (
        node("redis-2", folder="/usr", executable="/usr/bin/redis-server"),
        "redis-2",
        "the server runs from /usr/bin/redis-server, which is not in a version folder of its own",
    ),
    (node("redis-2", folder_writable=False), "redis-2", "the folder /opt/redis is not writable"),
    (node("redis-2", dir="/opt/redis/redis/data"), "redis-2", "its data folder /opt/redis/redis/data lies inside the version folder"),
    (sentinel(1, folder="/", executable="/redis-server"), "sentinel-1", "the server runs from /redis-server"),
    (sentinel(1, config_writable=False), "sentinel-1", "the folder of /opt/sentinel/redis/sentinel.conf is not writable"),
    (view(1, tilt=True), S1, "it is in TILT"),
    (view(1, master={"flags": ["master", "failover_in_progress"]}), S1, "a failover is in progress"),
    (view(1, master={"flags": ["master", "s_down", "o_down"]}), S1, "it flags the master s_down, o_down"),
    (view(1, quorum_ok=False, quorum_reply="NOQUORUM 1 usable Sentinels."), S1, "NOQUORUM 1 usable Sentinels."),
    (view(1, master={"down_after_ms": 1999}), S1, "down-after-milliseconds is 1999"),
    (peer_in_view(1, "10.0.0.12:26379", flags=["sentinel", "s_down"]), S1, "it does not reach the Sentinel 10.0.0.12:26379"),
    (peer_in_view(1, "10.0.0.12:26379", hello_age_ms=15001), S1, "it last heard of the Sentinel 10.0.0.12:26379 15001 ms ago"),
    (replica_in_view(1, "10.0.0.2:6379", link_up=False), S1, "the replica 10.0.0.2:6379 is not in order: its link to the master is down"),
    (
        replica_in_view(1, "10.0.0.2:6379", info_age_ms=40000),
        S1,
        "the replica 10.0.0.2:6379 is not in order: its last INFO is 40000 ms old",
    ),
    (view(1, master={"config_epoch": 9}), "shard mymaster", "the Sentinels disagree on the config epoch: 9 says 10.0.0.11:26379"),
    (view(3, master={"address": "10.0.0.3:6379"}), "shard mymaster", "the Sentinels disagree on the address of the master"),
    (every_view(master={"quorum": 3}), "shard mymaster", "there are 3 Sentinels, and 3 are needed for a failover"),
    (two_sentinels, "shard mymaster", "there are 2 Sentinels, and 2 are needed for a failover"),
    (node("redis-2", role="master"), "shard mymaster", "role:master is seen on 2 nodes (redis-1, redis-2)"),
    (node("redis-1", role="replica"), "shard mymaster", "role:master is seen on 0 nodes (none)"),
    (peer_in_view(1, "10.0.0.12:26379", ping_age_ms=3001), S1, "the Sentinel 10.0.0.12:26379 has not answered its PING for 3001 ms"),
    (peer_in_view(1, "10.0.0.12:26379", ping_pending_ms=4000), S1, "the Sentinel 10.0.0.12:26379 has not answered its PING for 4000 ms"),
    (peer_in_view(1, "10.0.0.12:26379", flags=["sentinel", "disconnected"]), S1, "it does not reach the Sentinel 10.0.0.12:26379"),
    (view(1, master={"ping_pending_ms": 3001}), S1, "the master has not answered its PING for 3001 ms"),
    (node("redis-3", master="10.0.0.2:6379"), "redis-3", "it follows redis-2, which is not the master"),
    (node("redis-1", min_replicas_to_write=2), "redis-1", "min-replicas-to-write is 2, and 2 replicas are linked"),
    (node("redis-1", examined={"failover_state": "waiting-for-sync"}), "redis-1", "begun with FAILOVER is in progress (waiting-for-sync)"),
    (node("redis-3", loading=True), "redis-3", "it is loading its data"),
    (node("redis-3", link_up=False), "redis-3", "its link to the master is down"),
    (node("redis-1", offset=5000 + MAX_LAG + 1), "redis-2", f"it lags {MAX_LAG + 1} bytes behind the master"),
    (silent_node, "redis-3", "the data node does not answer (no answer to INFO)"),
    (silent_sentinel, "sentinel-3", "the Sentinel does not answer (no answer to INFO)"),
    (unknown_node, "shard mymaster", "the Sentinels know the data node 10.0.0.3:6379, which the inventory does not have"),
]


def test_a_deployment_in_order() -> None:
    assert findings(three_and_three()) == []


@pytest.mark.parametrize(("change", "where", "seen"), ONE_FINDING, ids=[f"{where}: {seen[:60]}" for _change, where, seen in ONE_FINDING])
def test_found(change: Change, where: str, seen: str) -> None:
    deployment = three_and_three()
    change(deployment)
    found = [finding for finding in findings(deployment) if where in finding.names and seen in finding.seen]
    assert len(found) == 1
    assert found[0].check in CHECKS
    assert found[0].why
    assert found[0].do
    assert str(found[0]).startswith(f"{found[0].node}: {found[0].seen.rstrip('.')}. {found[0].why}. ")


def test_every_shard_is_judged_on_its_own_nodes() -> None:
    deployment = two_shards()
    assert findings(deployment) == []
    node("two-2", link_up=False)(deployment)
    assert [str(finding.node) for finding in findings(deployment)] == ["two-2"]


def test_a_host_with_a_sentinel_and_a_data_node_is_judged_once_as_each() -> None:
    deployment = three_and_three()
    for one, other in zip(deployment.sentinels, deployment.shards[0].nodes, strict=True):
        one.host = other.host
    assert findings(deployment) == []
    node("redis-3", loading=True)(deployment)
    sentinel(3, folder_writable=False)(deployment)
    assert [finding.seen for finding in findings(deployment)] == ["the folder /opt/sentinel is not writable", "it is loading its data"]


def test_all_findings_are_told_at_once() -> None:
    deployment = three_and_three()
    node("redis-2", link_up=False)(deployment)
    node("redis-3", config_file="")(deployment)
    view(1, tilt=True)(deployment)
    silent_sentinel(deployment)
    told = " ".join(map(str, findings(deployment)))
    for part in ("link to the master is down", "without a configuration file", "TILT", "the Sentinel does not answer"):
        assert part in told


def test_a_ghost_among_the_sentinels() -> None:
    deployment = three_and_three()
    every_view(master={"other_sentinels": 3})(deployment)
    found = findings(deployment)
    assert [(finding.seen, len(finding.names)) for finding in found] == [("it knows 4 Sentinels, the inventory has 3", 3)]
    assert "SENTINEL RESET" in found[0].do


def test_a_sentinel_that_misses_another_one() -> None:
    deployment = three_and_three()
    view(2, master={"other_sentinels": 1})(deployment)
    told = " ".join(map(str, findings(deployment)))
    assert "it knows 2 Sentinels, the inventory has 3" in told
    assert "disagree on the number of Sentinels" in told


@pytest.mark.parametrize(("lag", "count"), [(MAX_LAG, 0), (MAX_LAG + 1, 2)])
def test_lag(lag: int, count: int) -> None:
    deployment = three_and_three()
    node("redis-1", offset=5000 + lag)(deployment)
    assert sum(len(finding.names) for finding in findings(deployment)) == count


@pytest.mark.parametrize(
    ("folder", "data", "inside"),
    [
        ("/opt/redis/redis", "/opt/redis/redis", True),
        ("/opt/redis/redis", "/opt/redis/redis/data/", True),
        ("/opt/redis/redis", "/opt/redis/redis-data", False),
        ("/opt/redis/redis", "/opt/redis", False),
        ("/opt/redis/redis", "/var/lib/redis", False),
    ],
)
def test_data_in_the_version_folder(folder: str, data: str, inside: bool) -> None:
    deployment = three_and_three()
    node("redis-2", folder=folder, dir=data)(deployment)
    assert bool(findings(deployment)) is inside


@pytest.mark.parametrize("problem", ["downgrade", "no way back", "no replica", "priorities 0"])
def test_a_plan_that_cannot_be_made(problem: str) -> None:
    deployment, version = three_and_three(), NEW
    if problem == "downgrade":
        version = "6.2.14"
    elif problem == "no way back":
        version = "8.0.2"
    elif problem == "no replica":
        del deployment.shards[0].nodes[1:]
    else:
        deployment.node("redis-2").priority = deployment.node("redis-3").priority = 0
    found = findings(deployment, version)
    check = {"downgrade": "downgrade", "no way back": "format"}.get(problem, "target")
    assert {finding.check for finding in found} == {check}
    assert all(finding.node and finding.why and finding.do for finding in found)


def test_a_replica_that_must_never_be_master_is_in_order() -> None:
    deployment = three_and_three()
    deployment.node("redis-3").priority = 0
    assert findings(deployment) == []


def test_nothing_is_judged_where_nothing_is_to_be_done() -> None:
    deployment = three_and_three(version=NEW)
    for one in deployment.sentinels:
        one.version = NEW
    view(1, tilt=True)(deployment)
    assert findings(deployment) == []


@pytest.mark.parametrize("host", ["redis-1", "redis-2"])
def test_only_what_is_upgraded_needs_its_files_in_order(host: str) -> None:
    deployment = half_upgraded()
    node(host, folder_writable=False)(deployment)
    assert bool(findings(deployment)) is (host == "redis-1"), "redis-2 runs the new version already"


@pytest.mark.parametrize("half", [half_upgraded(), half_upgraded(handover=True), half_upgraded(handover=True, old_master=True)])
def test_a_half_upgraded_deployment_may_go_on(half: Surveyed) -> None:
    assert findings(half) == []


def test_an_old_master_that_an_earlier_run_stopped_is_no_obstacle() -> None:
    """The Sentinels flag the old master, as expected: the run starts it next."""
    deployment = half_upgraded(handover=True)
    deployment.node("redis-1").stopped = True
    assert findings(deployment) == []


def test_a_sentinel_that_an_earlier_run_stopped_is_no_obstacle() -> None:
    deployment = half_upgraded(replicas=False)
    deployment.sentinels[1].stopped, deployment.sentinels[1].version = True, OLD
    every_view(quorum_ok=True)(deployment)
    assert findings(deployment) == []


def test_another_dead_replica_is_an_obstacle_all_the_same() -> None:
    deployment = half_upgraded(handover=True)
    deployment.node("redis-1").stopped = True
    deployment.node("redis-3").answers = False
    assert any(finding.node == "redis-3" and "does not answer" in finding.seen for finding in findings(deployment))


@pytest.mark.parametrize("change", [silent_node, silent_sentinel])
def test_a_dead_instance_is_found_where_all_others_are_upgraded(change: Change) -> None:
    deployment = three_and_three(version=NEW)
    for one in deployment.sentinels:
        one.version = NEW
    change(deployment)
    assert [finding.seen for finding in findings(deployment) if "does not answer" in finding.seen]


def together(deployment: Surveyed, folder: str, machine: str) -> None:
    """Put the first Sentinel into a version folder of a machine."""
    sentinel(1, folder=folder, machine=machine)(deployment)


@pytest.mark.parametrize(
    ("folder", "machine", "shared"),
    [
        ("/opt/redis/redis", "machine-of-redis-1", True),
        ("/opt/redis/redis", "another machine", False),
        ("/opt/sentinel/redis", "machine-of-redis-1", False),
    ],
)
def test_two_instances_in_one_version_folder(folder: str, machine: str, shared: bool) -> None:
    """The folder is swapped as a whole, which would leave the data node without configuration."""
    deployment = three_and_three()
    together(deployment, folder, machine)
    found = [finding for finding in findings(deployment) if "they share the version folder" in finding.seen]
    assert [finding.node for finding in found] == (["sentinel-1/sentinel, redis-1/redis"] if shared else [])


@pytest.mark.parametrize(
    ("link", "staged", "found"),
    [
        ("/opt/redis/current", "/opt/redis/releases/7.0.15", ""),  # one link, which is pointed once
        ("/opt/redis/sentinel", "/opt/redis/releases/7.0.15", "their links would point to the same new release /opt/redis/releases/7.0.15"),
        ("/opt/sentinel/current", "/opt/sentinel/releases/7.0.15", ""),
    ],
)
def test_two_instances_with_links(link: str, staged: str, found: str) -> None:
    deployment = three_and_three()
    for node, path, release in (
        (deployment.node("redis-1"), "/opt/redis/current", "/opt/redis/releases/7.0.15"),
        (deployment.sentinels[0], link, staged),
    ):
        activation = {"method": "symlink", "folder": path, "staged": release, "kept": "/opt/redis/releases/7.0.5"}
        node.record.update(folder=path, activation=activation, machine="machine", executable=f"{path}/redis-server")
    seen = [finding.seen for finding in findings(deployment) if finding.node == "sentinel-1/sentinel, redis-1/redis"]
    assert seen == ([found] if found else [])


def test_a_link_that_is_not_known() -> None:
    deployment = three_and_three()
    doubt = {"seen": "it was not started through a link", "why": "It is not known which", "do": "Name it"}
    deployment.node("redis-2").record["activation"] = {"method": "folder", "doubts": [doubt]}
    assert [(finding.node, finding.seen) for finding in findings(deployment)] == [("redis-2", doubt["seen"])]


def test_data_in_the_release_that_a_link_points_to() -> None:
    deployment = three_and_three()
    kept = "/opt/redis/releases/7.0.5"
    activation = {"method": "symlink", "folder": "/opt/redis/current", "kept": kept, "doubts": []}
    deployment.node("redis-2").record.update(dir=f"{kept}/data", activation=activation)
    assert [finding.seen.split(" lies")[0] for finding in findings(deployment)] == [f"its data folder {kept}/data"]


def test_two_instances_in_one_version_folder_of_which_nothing_is_to_be_done_to_one() -> None:
    deployment = half_upgraded()
    deployment.sentinels[0].record.update(folder="/opt/redis/redis", machine="machine-of-redis-1")
    assert findings(deployment) == []


@pytest.mark.parametrize(("ours", "found"), [(0, False), (100, False), (1000, True), (None, False)])
def test_a_server_of_another_user(ours: int | None, found: bool) -> None:
    deployment = three_and_three()
    node("redis-2", our_uid=ours)(deployment)
    assert ["runs as user id 100, and the modules on this host as 1000" in finding.seen for finding in findings(deployment)] == [
        True
    ] * found


# -- service managers
# -------------------------------------------------------------------------------------------------

UNIT = {"manager": "systemd", "unit": "redis-server.service", "program": "/usr/bin/redis-server", "enabled": "enabled", "doubts": []}
PACKAGED = {"executable": "/usr/bin/redis-server", "folder": "/opt/redis-6379/redis", "our_uid": 0, "process": None}


def test_a_package_under_systemd_moves_into_its_version_folder() -> None:
    deployment = three_and_three()
    node("redis-2", **PACKAGED, service=UNIT)(deployment)
    assert findings(deployment) == []
    assert relocations(deployment.instances(), deployment.plan()) == [
        "redis-2 (redis) runs from /usr/bin/redis-server and will run from /opt/redis-6379/redis, by a drop-in of redis-server.service; "
        "hold its package, if it has one: an upgrade of that restarts the unit"
    ]
    assert relocations(deployment.instances(), deployment.plan(OLD)) == []


@pytest.mark.parametrize(
    ("record", "seen"),
    [
        ({"service": UNIT, "our_uid": 100}, "it is run by the unit redis-server.service, and the modules on this host run as user id 100"),
        (
            {**PACKAGED, "service": {**UNIT, "program": "/usr/local/bin/start.sh"}},
            "it runs from /usr/bin/redis-server, which is not in /opt/redis-6379/redis, and its unit redis-server.service starts it by",
        ),
        ({**PACKAGED, "service": {"manager": "command", "unit": "", "doubts": []}}, "and is started by a command of yours"),
        ({"service": {"manager": "unclear", "unit": "", "doubts": [{"seen": "odd", "why": "so", "do": "that"}]}}, "odd"),
    ],
)
def test_a_service_manager_that_stands_in_the_way(record: dict[str, Any], seen: str) -> None:
    deployment = three_and_three()
    node("redis-2", **record)(deployment)
    (finding,) = findings(deployment)
    assert finding.node == "redis-2"
    assert seen in finding.seen
    assert finding.why
    assert finding.do


def test_two_instances_in_one_unit() -> None:
    deployment = three_and_three()
    deployment.sentinels[1].host = "redis-2"
    deployment.sentinels[1].record["service"] = UNIT
    node("redis-2", service=UNIT)(deployment)
    (finding,) = findings(deployment)
    assert (finding.node, finding.seen) == ("redis-2/sentinel, redis-2/redis", "they belong to the same unit redis-server.service")


BY_PACKAGE = {"method": "package", "folder": "/usr", "unit": "valkey-server.service", "old_unit": "redis-server.service", "doubts": []}


def by_package() -> Surveyed:
    """Two data nodes are run by a package on the same machine."""
    deployment = three_and_three()
    for name in ("redis-1", "redis-2"):
        found = {"executable": "/usr/bin/redis-server", "folder": "/usr", "dir": "/var/lib/redis", "machine": "one"}
        node(name, **found, activation=BY_PACKAGE, our_uid=0)(deployment)
    return deployment


def test_packages_may_be_shared_and_are_named_in_the_plan() -> None:
    deployment = by_package()
    assert findings(deployment) == []
    assert relocations(deployment.instances(), deployment.plan()) == [
        f"redis-{number} (redis) will be run by valkey-server.service instead of redis-server.service" for number in (1, 2)
    ]


@pytest.mark.parametrize(
    ("record", "seen"),
    [
        ({"dir": "/srv/data"}, "its data folder /srv/data is not in /var/lib/redis"),
        (
            {"activation": {**BY_PACKAGE, "drop_ins": ["/etc/systemd/system/redis-server.service.d/limits.conf"]}},
            "its unit has the drop-in",
        ),
        ({"activation": {**BY_PACKAGE, "doubts": [{"seen": "it is odd", "why": "so", "do": "that"}]}}, "it is odd"),
    ],
)
def test_what_the_unit_of_the_new_package_could_not_have(record: dict[str, Any], seen: str) -> None:
    deployment = by_package()
    node("redis-2", **record)(deployment)
    found = findings(deployment)
    assert [(finding.node, finding.seen.startswith(seen)) for finding in found] == [("redis-2", True)]


@pytest.mark.parametrize(("to_write", "linked", "found"), [(0, 3, 0), (1, 3, 0), (2, 3, 1), (1, 2, 1)])
def test_a_master_that_would_refuse_writes_while_a_replica_restarts(to_write: int, linked: int, found: int) -> None:
    deployment = three_and_three()
    del deployment.shards[0].nodes[linked:]
    node("redis-1", min_replicas_to_write=to_write)(deployment)
    assert [finding.check for finding in findings(deployment)] == ["min-replicas"] * found


def test_a_replica_that_an_earlier_run_stopped_will_be_linked_again() -> None:
    deployment = three_and_three()
    deployment.node("redis-3").stopped = True
    node("redis-1", min_replicas_to_write=1)(deployment)
    assert "min-replicas" not in [finding.check for finding in findings(deployment)]


def test_a_replica_that_knows_its_master_by_another_address_follows_it() -> None:
    deployment = three_and_three()
    node("redis-3", master="192.168.0.1:6379")(deployment)
    assert findings(deployment) == []


def test_no_way_back_that_was_accepted_is_told_all_the_same() -> None:
    (finding,) = everything(three_and_three(), "8.0.2", accept_no_way_back=True)
    assert (finding.check, finding.severity) == ("format", "warning")
    assert "only a restore from a backup would help" in finding.why


def test_refusals_come_first() -> None:
    deployment = three_and_three()
    node("redis-3", link_up=False)(deployment)
    severities = [finding.severity for finding in everything(deployment, "8.0.2", accept_no_way_back=True)]
    assert severities == ["refusal", "warning"]


@pytest.mark.parametrize(
    ("host", "version", "found"),
    [
        ("redis-2", NEW, True),  # an earlier run has upgraded it
        ("redis-2", OLD, False),  # it is restarted, and copies all data
        ("redis-1", NEW, False),  # a master counts other errors, too
    ],
)
@pytest.mark.parametrize("others", [OLD, NEW], ids=["something to do", "nothing to do"])
def test_a_replica_that_lacks_writes(host: str, version: str, found: bool, others: str) -> None:
    deployment = three_and_three(version=others)
    for one in deployment.sentinels:
        one.version = others
    deployment.node(host).version = version
    node(host, errors_sent=2)(deployment)
    told = [one for one in findings(deployment) if one.check == "replica-errors"]
    assert [one.node for one in told] == [host] * found
    assert all("it has sent its master 2 errors since its start" in one.seen for one in told)
