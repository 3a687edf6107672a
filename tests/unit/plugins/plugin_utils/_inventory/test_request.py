"""Options of the inventory plugin."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address
from ansible_collections.sentinelops.redis.plugins.plugin_utils._inventory.request import CONNECTION_OPTIONS, Request, request_from

SECRET = "secret-12"


def request(*sentinels: str, **options: Any) -> Request:
    unset: dict[str, Any] = dict.fromkeys(CONNECTION_OPTIONS)
    defaults = {"tls": False, "validate_certs": True, "timeout_ms": 5000, "master_names": [], "keep_down_sentinels": False}
    return request_from({**unset, **defaults, "sentinels": list(sentinels or ["s"]), **options})


def test_addresses() -> None:
    found = request("10.0.0.1:5000", "10.0.0.2", "::1", "[::1]", "[::1]:5000", "cache-1.example.org").sentinels
    assert found == (
        Address("10.0.0.1", 5000),
        Address("10.0.0.2", 26379),
        Address("::1", 26379),
        Address("::1", 26379),
        Address("::1", 5000),
        Address("cache-1.example.org", 26379),
    )


@pytest.mark.parametrize("text", ["10.0.0.1:x", "10.0.0.1:0", ""])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(PreconditionFailed, match="is not an address"):
        request(text)


def test_none() -> None:
    with pytest.raises(PreconditionFailed, match="the option sentinels is empty"):
        request_from({"sentinels": [], **dict.fromkeys(CONNECTION_OPTIONS), "master_names": [], "keep_down_sentinels": False})


def test_credentials_in_an_address_are_not_shown() -> None:
    with pytest.raises(PreconditionFailed) as raised:
        request(f"redis:{SECRET}@10.0.0.1:26379")
    assert "login_password" in str(raised.value)
    assert SECRET not in str(raised.value)


def test_logins() -> None:
    found = request(
        login_user="ops", login_password=SECRET, node_login_password="other", tls=True, node_validate_certs=False, ca_certs="/ca"
    )
    assert (found.sentinel_login.user, found.sentinel_login.password, found.sentinel_login.validate_certs) == ("ops", SECRET, True)
    assert (found.node_login.user, found.node_login.password, found.node_login.validate_certs) == (None, "other", False)
    assert (found.node_login.tls, found.node_login.ca_certs) == (True, "/ca")
    assert SECRET not in repr(found)


def test_nothing_secret_goes_into_the_cache() -> None:
    found = request("10.0.0.1", login_user="ops", login_password=SECRET, master_names=[6379]).without_secrets()
    assert found == {"sentinels": ["10.0.0.1:26379"], "master_names": ["6379"], "keep_down_sentinels": False}
