"""Data nodes that could not follow another one of their shard: found before anything is touched."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from access import PASSWORD, with_certificates, with_passwords
from deployment import Deployment
from preflights import Circumstances, preflight
from states import settled, wait_until

from playbooks import reach, run, words

pytestmark = pytest.mark.extended

VERSION = "6.2.9"
LIMITED = "limited-secret-1"

# Settings of the node, rights of the user "limited" on all nodes, the reason.
CASES = [
    ("redis-1", {"masterauth": ""}, "", "it has no masterauth, and is refused"),
    ("redis-1", {"masterauth": "old-password"}, "", "its masterauth is refused"),
    ("redis-1", {"masteruser": "nobody"}, "", "its masteruser and masterauth are refused"),
    ("redis-1", {"masteruser": "limited", "masterauth": LIMITED}, "+ping +psync", "its masteruser and masterauth are refused"),
    ("redis-1", {"masteruser": "limited", "masterauth": LIMITED}, "+ping +replconf", "its masteruser limited has no right to PSYNC"),
    # a replica that has its link: only another node would refuse it
    ("redis-3", {"masterauth": "old-password"}, "", "its masterauth is refused"),
]
BEFORE = {"masterauth": PASSWORD, "masteruser": ""}


@pytest.fixture(scope="module", params=[VERSION, "7.0.15", "valkey-8.0.1"])
def deployment(build: Callable[..., Deployment], request: pytest.FixtureRequest) -> Deployment:
    return build(request.param, access=with_passwords())


@contextlib.contextmanager
def changed(deployment: Deployment, node: str, settings: dict[str, str], rights: str) -> Iterator[None]:
    for name in deployment.nodes if rights else ():
        deployment.command(name, "ACL", "SETUSER", "limited", "on", f">{LIMITED}", *rights.split())
    try:
        for name, value in settings.items():
            deployment.command(node, "CONFIG", "SET", name, value)
        yield
    finally:
        for name in settings:
            deployment.command(node, "CONFIG", "SET", name, BEFORE[name])
        for name in deployment.nodes if rights else ():
            deployment.command(name, "ACL", "DELUSER", "limited")
        wait_until(lambda: settled(deployment), 30)


@pytest.mark.parametrize(("node", "settings", "rights", "why"), CASES)
def test_it_is_found_and_no_secret_is_told(deployment: Deployment, node: str, settings: dict[str, str], rights: str, why: str) -> None:
    if "PSYNC" in why and deployment.version == VERSION:
        pytest.skip("Redis 6.2 has no ACL DRYRUN")
    circumstances = Circumstances(settings={"version": deployment.version.removeprefix("valkey-") + "9"})
    with changed(deployment, node, settings, rights):
        found = preflight(deployment, circumstances)
    mine = [one for one in found["findings"] if one["check"] == "cannot-follow"]
    others = [name for name in deployment.nodes if name != node]
    assert sorted(one["seen"].split(":")[0] for one in mine) == [f"it could not follow {name}" for name in others]
    assert all(one["nodes"] == [node] and why in one["seen"] and one["severity"] == "refusal" for one in mine), mine
    assert not any(secret in str(found) for secret in (PASSWORD, LIMITED, "old-password"))
    assert [one for one in preflight(deployment, circumstances)["findings"] if one["check"] == "cannot-follow"] == []


def test_a_master_that_replicates_without_tls_among_nodes_that_demand_tls(build: Callable[..., Deployment], tmp_path: Path) -> None:
    deployment = build("7.0.15", access=with_certificates(tmp_path))
    assert [one for one in preflight(deployment, Circumstances())["findings"] if one["check"] == "cannot-follow"] == []
    deployment.command("redis-1", "CONFIG", "SET", "tls-replication", "no")
    mine = [one for one in preflight(deployment, Circumstances())["findings"] if one["check"] == "cannot-follow"]
    assert [one["nodes"] for one in mine] == [["redis-1"], ["redis-1"]]
    assert all("it cannot connect, with no TLS (tls-replication no)" in one["seen"] for one in mine), mine


def test_the_module_refuses_before_it_stops_writes(deployment: Deployment) -> None:
    with changed(deployment, "redis-1", {"masterauth": ""}, ""):
        result = deployment.hand_over("redis-2")
        assert result["failed"]
        assert "could not follow" in result["msg"]
        assert "it has no masterauth, and is refused" in result["msg"]
        assert deployment.masters() == ["redis-1"]
        assert deployment.command("redis-2", "CONFIG", "GET", "replica-priority")[1] == "100"


def test_with_the_remedy_the_upgrade_goes_through(build: Callable[..., Deployment]) -> None:
    deployment = build(VERSION, access=with_passwords())
    deployment.command("redis-1", "CONFIG", "SET", "masterauth", "")
    done = run(deployment, "upgrade", **reach(deployment))
    assert done.returncode == 2
    assert "redis-1: it could not follow redis-2: it has no masterauth" in words(done.stdout)
    assert {deployment.info(name)["redis_version"] for name in deployment.nodes} == {VERSION}
    deployment.command("redis-1", "CONFIG", "SET", "masterauth", PASSWORD)
    done = run(deployment, "upgrade", **reach(deployment))
    assert done.returncode == 0, words(done.stdout)[-3000:]
    assert settled(deployment)
