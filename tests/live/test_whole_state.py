"""The comparison of the whole state finds what no upgrade may change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from deployment import MASTER, Deployment
from whole_state import unexpected_changes

Set = Callable[[Deployment], None]


def setting(name: str, *words: str) -> Set:
    return lambda deployment: deployment.command(name, *words)


@contextmanager
def changed(deployment: Deployment, do: Set, undo: Set) -> Iterator[None]:
    do(deployment)
    try:
        yield
    finally:
        undo(deployment)


@pytest.mark.parametrize(
    ("do", "undo", "found"),
    [
        (
            setting("redis-2", "CONFIG", "SET", "maxmemory", "123mb"),
            setting("redis-2", "CONFIG", "SET", "maxmemory", "0"),
            "redis-2: maxmemory",
        ),
        (setting("redis-3", "ACL", "SETUSER", "app", "on", ">x"), setting("redis-3", "ACL", "DELUSER", "app"), "redis-3: ACL users"),
        (
            setting("sentinel-1", "SENTINEL", "SET", MASTER, "failover-timeout", "77000"),
            setting("sentinel-1", "SENTINEL", "SET", MASTER, "failover-timeout", "60000"),
            f"sentinel-1: {MASTER} failover-timeout",
        ),
        (
            setting("sentinel-3", "SENTINEL", "CONFIG", "SET", "announce-port", "1234"),
            setting("sentinel-3", "SENTINEL", "CONFIG", "SET", "announce-port", "0"),
            "sentinel-3: SENTINEL CONFIG announce-port",
        ),
    ],
    ids=["a setting", "a user", "a setting of a master", "a setting of a Sentinel"],
)
def test_a_change_is_found(deployment: Deployment, do: Set, undo: Set, found: str) -> None:
    before = deployment.whole_state()
    assert len(before) == len(deployment.ports)
    with changed(deployment, do, undo):
        (text,) = unexpected_changes(before, deployment.whole_state())
    assert text.startswith(found)
    assert unexpected_changes(before, deployment.whole_state()) == []


def test_all_known_versions_are_compared() -> None:
    """A change between versions is allowed in both directions, and nothing else."""
    older = {"version": ["redis", "6.2.14"], "acl": [], "config": {"bind": "", "gopher-enabled": "no", "maxmemory": "0"}}
    newer = {"version": ["redis", "7.0.15"], "acl": [], "config": {"bind": "* -::*", "maxmemory": "0", "shutdown-timeout": "10"}}
    assert unexpected_changes({"a": older}, {"a": newer}) == []
    assert unexpected_changes({"a": newer}, {"a": older}) == []
    for name, value in (("bind", "127.0.0.1"), ("shutdown-timeout", "11"), ("new", "1"), ("maxmemory", "1")):
        wrong = {**newer, "config": {**newer["config"], name: value}}  # type: ignore[dict-item]
        (text,) = unexpected_changes({"a": older}, {"a": wrong})
        assert text.startswith(f"a: {name} is '{value}'")
    same = {**older, "config": {**older["config"], "bind": "* -::*"}}  # type: ignore[dict-item]
    assert len(unexpected_changes({"a": older}, {"a": same})) == 1


def test_a_default_that_changed_after_it_was_added() -> None:
    """6.2 added acl-pubsub-default, and 7.0 changed its value."""
    older = {"version": ["redis", "5.0.6"], "acl": [], "config": {"maxmemory": "0"}}
    for value, number in (("allchannels", 0), ("resetchannels", 0), ("other", 1)):
        newer = {"version": ["redis", "7.0.15"], "acl": [], "config": {"maxmemory": "0", "acl-pubsub-default": value}}
        assert len(unexpected_changes({"a": older}, {"a": newer})) == number


def test_a_link_of_a_sentinel_may_come_up_and_must_not_go_down() -> None:
    up, down = (
        {"version": ["redis", "7.0.15"], "acl": [], "masters": {MASTER: {"flags": flags}}} for flags in ("master", "master,disconnected")
    )
    assert unexpected_changes({"a": down}, {"a": up}) == []
    assert len(unexpected_changes({"a": up}, {"a": down})) == 1
