"""A replica that cannot apply what its master sends lacks writes, and nothing lets that pass.

Most tests use one deployment, in the order of this file, under an application that uses EVALSHA.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from application import Application, lost, same_everywhere
from broken_builds import broken_build
from deployment import SERVERS, Deployment
from injections import config
from preflights import Circumstances, preflight, untouched
from states import settled, wait_until

from playbooks import command, run, started, words

pytestmark = pytest.mark.extended

VERSION = "6.2.9"
ALL = "redis-1 redis-2 redis-3"
ACCEPTED = {"redis_upgrade_accept_no_way_back": True}
SAVING = "save 3600 1\n"  # what a node lacks when it is stopped, it lacks after its restart
Build = Callable[..., Deployment]


@pytest.fixture(scope="module")
def deployment(build: Build) -> Deployment:
    return build(VERSION, extra=SAVING)


def scripts_found(deployment: Deployment, wanted: str) -> list[tuple[str, str, str]]:
    """Return severity, node and remedy of the findings about scripts; nothing is touched."""
    before = untouched(deployment)
    found = preflight(deployment, Circumstances(settings={"version": wanted, "accept_no_way_back": True}))["findings"]
    assert untouched(deployment) == before
    return [(one["severity"], one["node"], one["do"]) for one in found if one["check"] == "scripts"]


def replicating(deployment: Deployment, nodes: str, value: str) -> None:
    """Set whether nodes replicate what a script writes (``yes``) or the script (``no``)."""
    for name in nodes.split():
        deployment.command(name, "CONFIG", "SET", "lua-replicate-commands", value)


@pytest.mark.parametrize(
    ("nodes", "wanted", "node"),
    [
        (ALL, "7.0.15", "redis-1, redis-2, redis-3"),
        ("redis-1", "8.0.1", "redis-1"),
        ("redis-3", "7.2.4", "redis-3"),
        (ALL, "6.2.14", ""),
        ("", "7.0.15", ""),
    ],
)
def test_scripts_are_replicated_verbatim(deployment: Deployment, nodes: str, wanted: str, node: str) -> None:
    with config(nodes, lua_replicate_commands="no")(deployment):
        found = scripts_found(deployment, wanted)
        assert found == [("refusal", node, "CONFIG SET lua-replicate-commands yes on each node that is named")] * bool(node)
        replicating(deployment, nodes, "yes")
        assert scripts_found(deployment, wanted) == []


@pytest.mark.parametrize(
    ("begin", "wanted", "warned"),
    [
        (["SCRIPT", "LOAD", "return 1"], "6.2.14", False),
        (["SCRIPT", "LOAD", "return 1"], "7.0.15", True),
        (["EVAL", "return 2", 0], "6.2.14", True),  # replicas do not get this one
        (["EVAL", "return 2", 0], "7.0.15", True),
        (["SCRIPT", "FLUSH"], "7.0.15", False),
    ],
)
def test_cached_scripts(deployment: Deployment, begin: list[Any], wanted: str, warned: bool) -> None:
    deployment.command("redis-1", "SCRIPT", "FLUSH")
    deployment.command("redis-1", *begin)
    deployment.command("redis-1", "WAIT", 2, 1000)
    found = scripts_found(deployment, wanted)
    deployment.command("redis-1", "SCRIPT", "FLUSH")
    assert [(severity, node) for severity, node, _do in found] == [("warning", "redis-1")] * warned


# -- a replica whose new version cannot apply what the master sends

RENAMED = 'exec "$real" "$@" --rename-command RPUSH \'\''
FULL = 'exec "$real" "$@" --replica-ignore-maxmemory no --maxmemory 1mb'


@pytest.mark.parametrize(
    ("wanted", "instead", "verbatim"),
    [("6.2.14", RENAMED, False), ("6.2.14", FULL, False), ("7.0.15", "", True)],
    ids=["an unknown command", "no memory left", "a script that it does not know"],
)
def test_a_replica_that_refuses_writes_is_put_back(
    deployment: Deployment, tmp_path: Path, wanted: str, instead: str, verbatim: bool
) -> None:
    source = broken_build(tmp_path / "build", wanted, instead) if instead else str(SERVERS / wanted)
    copies = int(deployment.info("redis-1")["sync_full"])
    words_of_run = command(deployment, "upgrade", wanted=wanted, **{**ACCEPTED, "redis_binaries_source": source})
    with Application(deployment), started(words_of_run, tmp_path / "output") as running:
        if verbatim:  # somebody sets it after the preflight
            running.wait_for(lambda: running.has_printed("PLAY [(4/8)"))
            replicating(deployment, ALL, "no")
        code = running.end()
        output = words(running.output)
    assert code != 0
    assert "no_errors_sent: wanted True, seen " in output
    assert "may lack writes" in output
    assert {deployment.info(name)["redis_version"] for name in deployment.nodes} == {VERSION}, output
    assert deployment.masters() == ["redis-1"]
    assert int(deployment.info("redis-1")["sync_full"]) > copies
    same_everywhere(deployment)


def test_with_the_remedy_the_upgrade_goes_through(deployment: Deployment) -> None:
    replicating(deployment, ALL, "no")
    refused = run(deployment, "upgrade", wanted="7.0.15", **ACCEPTED)
    assert "lua-replicate-commands is no" in words(refused.stdout)
    assert "Nothing was touched" in refused.stdout
    replicating(deployment, ALL, "yes")
    with Application(deployment) as application:
        done = run(deployment, "upgrade", wanted="7.0.15", **ACCEPTED)
    assert done.returncode == 0, done.stdout
    assert set(deployment.versions().values()) == {"7.0.15"}
    data = same_everywhere(deployment)
    assert lost(application, data) == []
    assert deployment.masters() == ["redis-1"]


# -- errors after the step


def test_errors_after_the_last_step_are_no_success(deployment: Deployment, tmp_path: Path) -> None:
    """Errors begin during the last handover; then the role is not handed to that replica."""
    upgrade = command(deployment, "upgrade", wanted="valkey-8.0.1", **ACCEPTED)
    with Application(deployment), started(upgrade, tmp_path / "output") as running:
        running.wait_for(lambda: running.has_printed("PLAY [(8/8) Fail back"))
        for setting in (("replica-ignore-maxmemory", "no"), ("maxmemory", "1mb")):
            deployment.command("redis-3", "CONFIG", "SET", *setting)
        assert running.end() != 0, running.output
        output = words(running.output)
    assert "it is not as it should be at the end" in output
    assert f"redis-3 (127.0.0.1:{deployment.nodes['redis-3']}) has sent its master " in output
    refused = deployment.hand_over("redis-3")
    assert "errors. It has refused what the master sent" in refused["msg"]
    again = run(deployment, "upgrade", wanted="valkey-8.0.1", **ACCEPTED)
    assert again.returncode != 0
    assert "redis-3: it has sent its master" in words(again.stdout)
    deployment.command("redis-3", "CONFIG", "SET", "maxmemory", 0)
    assert deployment.masters() == ["redis-1"]
    as_documented(deployment, "redis-3", "redis-1")
    same_everywhere(deployment)
    deployment.before = {}  # the test has set replica-ignore-maxmemory since
    last = run(deployment, "upgrade", wanted="valkey-8.0.1", **ACCEPTED)
    assert last.returncode == 0, last.stdout


def as_documented(deployment: Deployment, replica: str, master: str) -> None:
    """Let a replica copy all data, as the finding says."""
    server = deployment.connect(replica)
    for one in (["MULTI"], ["REPLICAOF", "NO", "ONE"], ["REPLICAOF", deployment.access.host, deployment.nodes[master]], ["EXEC"]):
        server.command(*one)
    server.close()
    wait_until(lambda: settled(deployment))
    deployment.command(replica, "CONFIG", "RESETSTAT")


# -- the old master, while it follows a newer one


@pytest.mark.parametrize(("old", "new"), [("5.0.6", "6.2.14"), ("5.0.6", "7.0.15"), ("6.2.14", "valkey-8.0.1")])
def test_what_the_old_master_does_not_understand(build: Build, old: str, new: str) -> None:
    """5.0 refuses PXAT (7.0) and KEEPTTL (6.0) in silence; 6.2 knows no ENTRIESREAD (7.0)."""
    deployment = build(old, extra=SAVING)
    with Application(deployment) as application:
        done = run(deployment, "upgrade", wanted=new, **ACCEPTED)
    assert done.returncode == 0, done.stdout
    data = same_everywhere(deployment)
    assert lost(application, data) == []
    assert deployment.masters() == ["redis-1"]
    deployment.remove()
