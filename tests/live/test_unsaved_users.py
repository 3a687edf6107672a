"""ACL users that are only in memory: found before a restart loses them, and saved by the remedy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from deployment import Deployment
from preflights import Circumstances, preflight, untouched
from states import left_of_trials, settled, wait_until

from playbooks import run, words

pytestmark = pytest.mark.extended

VERSION = "7.0.15"
DEFAULT = "user default on nopass ~* &* +@all\n"
# as people write it: with a password as it is, and rules in any order
READER = "user reader +@read ~app:* on >secret-of-a-user -@dangerous +info\n"


@dataclass(frozen=True)
class Case:
    """Commands after the start; ``file``: the text of the ACL file, if that is edited."""

    name: str
    commands: tuple[tuple[str, ...], ...]
    seen: str
    remedy: tuple[str, ...] = ("ACL", "SAVE")
    node: str = "redis-2"
    file: str = ""

    def __str__(self) -> str:
        return self.name


LATE = ("ACL", "SETUSER", "late", "on", "nopass", "+get")
ADDED = ("ACL", "SETUSER", "writer", "on", ">other-secret", "~*", "+set")
CASES = [
    Case("nothing", (), ""),
    Case("a new user", (ADDED,), "only in the memory: writer"),
    Case("a new password", (("ACL", "SETUSER", "reader", "<secret-of-a-user", ">new-secret"),), "with other rules in the memory: reader"),
    Case("a right taken", (("ACL", "SETUSER", "reader", "-info"),), "with other rules in the memory: reader"),
    Case("a user switched off", (("ACL", "SETUSER", "reader", "off"),), "with other rules in the memory: reader"),
    Case("a user removed", (("ACL", "DELUSER", "reader"),), "only in the file: reader"),
    Case("the user default", (("ACL", "SETUSER", "default", "-debug"),), "with other rules in the memory: default"),
    Case("a file that was edited", (), "only in the file: late", LATE, file=DEFAULT + READER + "user late on nopass +get\n"),
    Case("rules in another order", (), "", file=READER.replace("~app:* on", "on ~app:*") + "\n" + DEFAULT),
    Case("a Sentinel's user", ((*ADDED[:-1], "+ping"),), "only in the memory: writer", ("SENTINEL", "FLUSHCONFIG"), "sentinel-2"),
    Case(
        "a Sentinel's user default",
        (("ACL", "SETUSER", "default", "-role"),),
        "with other rules in the memory: default",
        ("SENTINEL", "FLUSHCONFIG"),
        "sentinel-3",
    ),
]


def acl_file(deployment: Deployment, name: str) -> Path:
    return deployment.folder / name / "users.acl"


def give_files(deployment: Deployment) -> None:
    for name in deployment.nodes:
        deployment.stop(name)
        acl_file(deployment, name).write_text(DEFAULT + READER, encoding="utf-8")
        config = deployment.config(name)
        config.write_text(config.read_text(encoding="utf-8") + "aclfile users.acl\n", encoding="utf-8")
        deployment.start(name)
    wait_until(lambda: settled(deployment), 90)


@pytest.fixture(scope="module", params=["6.2.14", VERSION, "valkey-8.0.1"])
def deployment(build: Callable[..., Deployment], request: pytest.FixtureRequest) -> Deployment:
    made = build(request.param, down_after_ms=60000)
    give_files(made)
    return made


@contextlib.contextmanager
def as_in(deployment: Deployment, case: Case) -> Iterator[None]:
    """Set users, and restore them by the file, or by their names."""
    before = {one: acl_file(deployment, one).read_text(encoding="utf-8") for one in deployment.nodes}
    if case.file:
        acl_file(deployment, case.node).write_text(case.file, encoding="utf-8")
    for command in case.commands:
        deployment.command(case.node, *command)
    try:
        yield
    finally:
        deployment.command(case.node, "ACL", "DELUSER", "writer", "late")
        deployment.command(case.node, "ACL", "SETUSER", "default", "reset", *DEFAULT.split()[2:])
        if case.node in deployment.nodes:  # not by ACL LOAD, which kills replicas of Valkey 8.0.1
            deployment.command(case.node, "ACL", "SETUSER", "reader", "reset", *READER.split()[2:])
            acl_file(deployment, case.node).write_text(before[case.node], encoding="utf-8")
        else:
            deployment.command(case.node, "SENTINEL", "FLUSHCONFIG")


def found(deployment: Deployment) -> list[dict[str, Any]]:
    settings = {"version": "9.9.9", "accept_no_way_back": True}
    return [one for one in preflight(deployment, Circumstances(settings=settings))["findings"] if one["check"] == "users"]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_they_are_found_and_the_remedy_saves_them(deployment: Deployment, case: Case) -> None:
    with as_in(deployment, case):
        before = untouched(deployment)
        seen = found(deployment)
        assert untouched(deployment) == before
        assert left_of_trials(deployment.folder) == []
        assert [(one["node"], one["severity"]) for one in seen] == [(case.node, "refusal")] * bool(case.seen), seen
        assert all(case.seen in one["seen"] and " ".join(case.remedy[:2]) in one["do"] for one in seen)
        assert "secret" not in str(seen)
        if case.seen:
            deployment.command(case.node, *case.remedy)
            assert found(deployment) == []


def users(deployment: Deployment) -> dict[str, list[str]]:
    return {
        name: [line.replace(" sanitize-payload", "") for line in deployment.command(name, "ACL", "LIST")]
        for name in (*deployment.nodes, *deployment.sentinels)
    }


def test_with_the_remedy_an_upgrade_keeps_all_users(build: Callable[..., Deployment]) -> None:
    """Data nodes without an ACL file save their users by themselves."""
    deployment = build("7.0.15")
    for name in (*deployment.nodes, *deployment.sentinels):
        deployment.command(name, *ADDED[:-1], "+ping")
    seen = found(deployment)
    assert sorted(name for one in seen for name in one["nodes"]) == sorted(deployment.sentinels)
    assert {one["do"] for one in seen} == {"SENTINEL FLUSHCONFIG on each Sentinel that is named"}
    for name in deployment.sentinels:
        deployment.command(name, "SENTINEL", "FLUSHCONFIG")
    before = users(deployment)
    done = run(deployment, "upgrade", wanted="valkey-8.0.1", redis_upgrade_accept_no_way_back=True)
    assert done.returncode == 0, words(done.stdout)[-3000:]
    assert users(deployment) == before
