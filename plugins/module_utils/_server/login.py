# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credentials and TLS options of a connection, and the module options that give them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

from .address import Address

__all__ = ["CONNECTION_SPEC", "NODE_LOGIN_SPEC", "Login", "address_from", "login_from", "node_login_from"]

# The options of the doc fragment "connection".
CONNECTION_SPEC: dict[str, Any] = {
    "login_host": {"type": "str", "default": "127.0.0.1"},
    "login_port": {"type": "int", "default": 6379},
    "login_user": {"type": "str"},
    "login_password": {"type": "str", "no_log": True},
    "tls": {"type": "bool", "default": False},
    "validate_certs": {"type": "bool", "default": True},
    "ca_certs": {"type": "path"},
    "client_cert_file": {"type": "path"},
    "client_key_file": {"type": "path"},
    "timeout_ms": {"type": "int", "default": 5000},
}

# The options of the doc fragment "nodes". A module whose login_* options lead to a Sentinel uses
# them to reach the data nodes.
NODE_LOGIN_SPEC: dict[str, Any] = {
    "node_login_user": {"type": "str"},
    "node_login_password": {"type": "str", "no_log": True},
    "node_tls": {"type": "bool"},
    "node_validate_certs": {"type": "bool"},
    "node_ca_certs": {"type": "path"},
    "node_client_cert_file": {"type": "path"},
    "node_client_key_file": {"type": "path"},
}
_TLS_OPTIONS = ("tls", "validate_certs", "ca_certs", "client_cert_file", "client_key_file")


@dataclass(frozen=True)
class Login:
    """Credentials, TLS options and the timeout of connecting and of each reply (milliseconds)."""

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    validate_certs: bool = True
    ca_certs: str | None = None
    client_cert_file: str | None = None
    client_key_file: str | None = None
    timeout_ms: int = 5000


def address_from(params: Mapping[str, Any]) -> Address:
    """Return the address in a module's login_host and login_port."""
    return Address(params["login_host"], params["login_port"])


def login_from(params: Mapping[str, Any]) -> Login:
    """Return the login in a module's login_* and TLS options; an empty option counts as unset."""
    return Login(
        user=params["login_user"] or None,
        password=params["login_password"] or None,
        tls=params["tls"],
        validate_certs=params["validate_certs"],
        ca_certs=params["ca_certs"] or None,
        client_cert_file=params["client_cert_file"] or None,
        client_key_file=params["client_key_file"] or None,
        timeout_ms=params["timeout_ms"],
    )


def node_login_from(params: Mapping[str, Any]) -> Login:
    """Return the login in a module's node_* options.

    A TLS option that is unset has the value of the Sentinel connection.
    """
    own = {name: params[f"node_{name}"] for name in _TLS_OPTIONS if params[f"node_{name}"] not in (None, "")}
    account = {"login_user": params["node_login_user"], "login_password": params["node_login_password"]}
    return login_from({**params, **account, **own})
