"""The login in the options of a module."""

from __future__ import annotations

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address
from ansible_collections.sentinelops.redis.plugins.module_utils._server.connection import server_from
from ansible_collections.sentinelops.redis.plugins.module_utils._server.login import (
    CONNECTION_SPEC,
    NODE_LOGIN_SPEC,
    Login,
    login_from,
    node_login_from,
)

OPTIONS = {name: option.get("default") for name, option in {**CONNECTION_SPEC, **NODE_LOGIN_SPEC}.items()}


def test_the_login_of_a_module_without_options() -> None:
    assert login_from(OPTIONS) == Login()


def test_an_empty_user_or_password_is_none() -> None:
    """A role passes on options that the inventory leaves empty."""
    assert login_from({**OPTIONS, "login_user": "", "login_password": ""}) == Login()


def test_the_login_to_the_data_nodes() -> None:
    params = {**OPTIONS, "login_user": "s", "login_password": "sp", "node_login_user": "n", "node_login_password": "np", "tls": True}
    assert login_from(params) == Login(user="s", password="sp", tls=True)
    assert node_login_from(params) == Login(user="n", password="np", tls=True)


@pytest.mark.parametrize("empty", [None, ""])
def test_the_nodes_have_the_tls_options_of_the_sentinels_but_for_their_own(empty: str | None) -> None:
    params = {**OPTIONS, "tls": True, "ca_certs": "/ca", "client_cert_file": "/cert", "client_key_file": empty}
    assert node_login_from({**params, "node_ca_certs": empty}) == Login(tls=True, ca_certs="/ca", client_cert_file="/cert")
    own = {"node_tls": False, "node_validate_certs": False, "node_ca_certs": "/other"}
    assert node_login_from({**params, **own}) == Login(validate_certs=False, ca_certs="/other", client_cert_file="/cert")
    assert login_from({**params, **own}) == Login(tls=True, ca_certs="/ca", client_cert_file="/cert")


def test_the_server_of_a_module() -> None:
    assert server_from({**OPTIONS, "login_host": "::1", "login_port": 6380}).address == Address("::1", 6380)
