"""Addresses as host:port texts."""

from __future__ import annotations

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address, same_node


@pytest.mark.parametrize(
    ("text", "host", "port", "written"),
    [
        ("10.0.0.1:6379", "10.0.0.1", 6379, "10.0.0.1:6379"),
        ("redis-1.example.org:6379", "redis-1.example.org", 6379, "redis-1.example.org:6379"),
        ("[::1]:26379", "::1", 26379, "[::1]:26379"),
        ("2001:db8::1:6379", "2001:db8::1", 6379, "[2001:db8::1]:6379"),
        ("h:1", "h", 1, "h:1"),
        ("h:65535", "h", 65535, "h:65535"),
    ],
)
def test_parsed_and_written(text: str, host: str, port: int, written: str) -> None:
    address = Address.parse(text)
    assert address == (host, port)
    assert str(address) == written
    assert Address.parse(written) == address


@pytest.mark.parametrize("text", ["", "10.0.0.1", ":6379", "h:", "h:0", "h:65536", "h:-1", "h:http", "h:6379x", "[::1]", "[]:6379"])
def test_not_an_address(text: str) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        Address.parse(text)
    assert f"'{text}' is not an address" in str(caught.value)
    assert caught.value.advice


def test_a_port_of_other_digits_is_none() -> None:
    with pytest.raises(PreconditionFailed):
        Address.parse("h:\u00b2")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("127.0.0.1:6379", "127.0.0.1:6379", True),
        ("localhost:6379", "127.0.0.1:6379", True),
        ("[::1]:6379", "::1:6379", True),
        ("127.0.0.1:6379", "127.0.0.1:6380", False),
        ("127.0.0.1:6379", "127.0.0.2:6379", False),
        ("no-such-host.invalid:6379", "no-such-host.invalid:6379", True),
        ("no-such-host.invalid:6379", "127.0.0.1:6379", False),
    ],
)
def test_same_node(one: str, other: str, same: bool) -> None:
    assert [same_node(*pair) for pair in ((one, other), (other, one))] == [same, same]


def test_a_name_that_does_not_resolve_stands_for_itself() -> None:
    assert Address("no-such-host.invalid", 6379).resolved() == {"no-such-host.invalid:6379"}
