"""Names of inventory hosts for addresses."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.plugin_utils._inventory.naming import HostName, Naming

PATTERNS = [
    {"match": r"10\.0\.0\.(\d+)", "name": r"node-\1", "ansible_host": r"node-\1.example.org"},
    {"match": r"(?P<short>[a-z0-9-]+)\.example\.org", "name": r"\g<short>"},
]


def look_up(host: str) -> str:
    if host == "10.0.0.7":
        return "cache-7.example.org"
    raise OSError(1, "Unknown host")


def test_without_rules_the_address_is_the_name() -> None:
    assert Naming({}).of("10.0.0.1:6379") == HostName("10.0.0.1")
    assert Naming({}).of("[::1]:6379") == HostName("::1")
    assert Naming({}).of("cache-1:6379") == HostName("cache-1")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("10.0.0.1:6379", HostName("node-1", source="machine")),
        ("10.0.0.1:6380", HostName("sessions-1", source="instance")),
        ("10.0.0.2:6379", HostName("node-2", "192.168.0.2", "machine")),
        ("[::1]:6379", HostName("six", source="machine")),
        ("[::2]:6379", HostName("seven", source="machine")),
    ],
)
def test_a_table(address: str, name: HostName) -> None:
    table: dict[str, Any] = {"10.0.0.1": "node-1", "10.0.0.1:6380": "sessions-1", "::1": "six", "[::2]": "seven"}
    assert Naming({**table, "10.0.0.2": {"name": "node-2", "ansible_host": "192.168.0.2"}}).of(address) == name


def test_the_table_precedes_patterns_and_the_first_pattern_counts() -> None:
    naming = Naming({"10.0.0.1": "special"}, [*PATTERNS, {"match": ".*", "name": "other"}])
    assert naming.of("10.0.0.1:1").name == "special"
    assert naming.of("10.0.0.22:1") == HostName("node-22", "node-22.example.org", "rule")
    assert naming.of("db.example.org:1") == HostName("db", "", "rule")
    assert naming.of("10.0.0.22.1:1").name == "other", "a pattern matches the whole host"


def test_reverse_dns_and_patterns_for_its_names() -> None:
    assert Naming({}, look_up=look_up).of("10.0.0.7:1") == HostName("cache-7.example.org", "", "rule")
    assert Naming({}, PATTERNS, look_up).of("10.0.0.7:1") == HostName("cache-7", "", "rule")
    assert Naming({}, look_up=look_up).of("by-name:1") == HostName("by-name")


def test_an_address_without_a_name_in_the_dns() -> None:
    with pytest.raises(PreconditionFailed, match=r"reverse DNS has no name for 10.0.0.8: .*Unknown host.*option hosts"):
        Naming({}, look_up=look_up).of("10.0.0.8:1")
    assert Naming({"10.0.0.8": "node-8"}, look_up=look_up).of("10.0.0.8:1").name == "node-8"


@pytest.mark.parametrize("entry", ["", {}, {"ansible_host": "10.0.0.1"}, {"name": "a", "port": 1}, 7, None])
def test_a_wrong_entry_of_the_table(entry: Any) -> None:
    with pytest.raises(PreconditionFailed, match=r"entry '10.0.0.1' of the option hosts"):
        Naming({"10.0.0.1": entry})


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ({"match": "(", "name": "a"}, "wrong regular expression"),
        ({"match": ".*", "name": r"\1"}, "wrong template"),
        ({"match": ".*", "name": r"\g<a>"}, "wrong template"),
        ({"match": "(a?).*", "name": r"\1"}, "an empty name of '10.0.0.1'"),
        ({"name": "a"}, "no match or no name"),
        ({"match": "a"}, "no match or no name"),
        ({"match": "a", "name": "b", "host": "c"}, "an unknown key"),
        ("a", "no match or no name"),
    ],
)
def test_a_wrong_pattern(pattern: Any, message: str) -> None:
    with pytest.raises(PreconditionFailed, match=message):
        Naming({}, [pattern]).of("10.0.0.1:1")
