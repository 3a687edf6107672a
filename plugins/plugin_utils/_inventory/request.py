# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the inventory plugin as addresses, logins and the key of its cache. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...module_utils._errors import PreconditionFailed
from ...module_utils._server.address import Address
from ...module_utils._server.login import CONNECTION_SPEC, NODE_LOGIN_SPEC, Login, login_from, node_login_from

__all__ = ["CONNECTION_OPTIONS", "TEMPLATES", "Request", "request_from"]

CONNECTION_OPTIONS = (*(name for name in CONNECTION_SPEC if name not in ("login_host", "login_port")), *NODE_LOGIN_SPEC)
# The options that may be templates, each with the extra variable that also sets it.
TEMPLATES = {
    "sentinels": "",
    "login_user": "redis_upgrade_sentinel_user",
    "login_password": "redis_upgrade_sentinel_password",
    "node_login_user": "redis_upgrade_redis_user",
    "node_login_password": "redis_upgrade_redis_password",
}


@dataclass(frozen=True)
class Request:
    """A deployment to read: its first Sentinels, the logins, and which masters are wanted."""

    sentinels: tuple[Address, ...]
    sentinel_login: Login
    node_login: Login
    master_names: tuple[str, ...]
    keep_down_sentinels: bool

    def without_secrets(self) -> dict[str, Any]:
        """Return what a cached answer depends on: no credentials, and JSON types."""
        return {
            "sentinels": [str(address) for address in self.sentinels],
            "master_names": list(self.master_names),
            "keep_down_sentinels": self.keep_down_sentinels,
        }


def request_from(options: Mapping[str, Any]) -> Request:
    """Return the request in the plugin's options; raises PreconditionFailed for a wrong address."""
    login = {name: str(options[name]) if options[name] and name in TEMPLATES else options[name] for name in CONNECTION_OPTIONS}
    return Request(
        sentinels=_addresses(options["sentinels"]),
        sentinel_login=login_from(login),
        node_login=node_login_from(login),
        master_names=tuple(str(name) for name in options["master_names"]),
        keep_down_sentinels=options["keep_down_sentinels"],
    )


def _addresses(texts: Sequence[Any]) -> tuple[Address, ...]:
    """Return the addresses of Sentinels; a text without a port has 26379.

    A text with credentials is refused without being shown.
    """
    if any("@" in str(text) for text in texts):
        raise PreconditionFailed(
            "the option sentinels has an address with an @", advice="Write host:port only, and credentials as login_user and login_password"
        )
    if not texts:
        raise PreconditionFailed("the option sentinels is empty", advice="Name at least one Sentinel, for example 10.0.0.1:26379")
    return tuple(_address(str(text)) for text in texts)


def _address(text: str) -> Address:
    has_port = "]:" in text if text.startswith("[") else text.count(":") == 1
    return Address.parse(text if has_port else f"{text}:26379")
