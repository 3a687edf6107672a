# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of inventory hosts for addresses: by a table, by the DNS, or by patterns."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...module_utils._errors import PreconditionFailed
from ...module_utils._server.address import Address

__all__ = ["HostName", "Naming", "is_numeric", "name_in_dns"]


@dataclass(frozen=True)
class HostName:
    """The inventory host of an address.

    ``ansible_host`` is empty if the table or pattern gives none. ``source`` has the name:
    ``instance`` is an entry of the table with a port, ``machine`` one without, ``rule`` a pattern
    or the DNS, and ``address`` the address itself.
    """

    name: str
    ansible_host: str = ""
    source: str = "address"


def is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def name_in_dns(host: str) -> str:
    """Return the name of a numeric address, by reverse DNS; raises OSError if there is none."""
    return socket.gethostbyaddr(host)[0]


class Naming:
    """Find the inventory host of an address.

    ``table``: by ``host:port`` or host, a name, or a dictionary with ``name`` and
    ``ansible_host``. ``patterns``: dictionaries with ``match``, ``name`` and ``ansible_host``, of
    which the first one that matches the whole host counts. ``look_up``: reverse DNS, whose name
    the patterns see instead of the address; None for no DNS.
    """

    def __init__(
        self, table: Mapping[str, Any], patterns: Sequence[Mapping[str, Any]] = (), look_up: Callable[[str], str] | None = None
    ) -> None:
        self._table = {str(key): _entry(str(key), value) for key, value in table.items()}
        self._patterns = [(_compiled(one), one) for one in patterns]
        self._look_up = look_up

    def of(self, address: str) -> HostName:
        """Return the inventory host of a ``host:port`` text.

        Raises PreconditionFailed if reverse DNS is wanted and has no name, or for a wrong template.
        """
        host = Address.parse(address).host
        for key in (address, host, f"[{host}]"):
            if key in self._table:
                return HostName(*self._table[key], source="instance" if key == address else "machine")
        name = self._name_of(host)
        for expression, pattern in self._patterns:
            found = expression.fullmatch(name)
            if found:
                return HostName(_expand(found, pattern, "name"), _expand(found, pattern, "ansible_host"), "rule")
        return HostName(name, source="address" if name == host else "rule")

    def _name_of(self, host: str) -> str:
        if self._look_up is None or not is_numeric(host):
            return host
        try:
            return self._look_up(host)
        except OSError as error:
            raise PreconditionFailed(
                f"reverse DNS has no name for {host}: {error}", advice="Add the address to the option hosts, or set reverse_dns to false"
            ) from error


def _entry(key: str, value: Any) -> tuple[str, str]:
    fields = {"name": value} if isinstance(value, str) else value
    if not isinstance(fields, Mapping) or not fields.get("name") or set(fields) - {"name", "ansible_host"}:
        raise PreconditionFailed(
            f"the entry '{key}' of the option hosts has no name of an inventory host",
            advice="Write '10.0.0.1: node-1', or a dictionary with name and, if wanted, ansible_host",
        )
    return str(fields["name"]), str(fields.get("ansible_host") or "")


def _compiled(pattern: Mapping[str, Any]) -> re.Pattern[str]:
    known = {"match", "name", "ansible_host"}
    if not isinstance(pattern, Mapping) or not pattern.get("match") or not pattern.get("name") or set(pattern) - known:
        raise PreconditionFailed(
            "an entry of the option host_patterns has no match or no name, or an unknown key",
            advice="Write match, name and, if wanted, ansible_host into each entry",
        )
    try:
        return re.compile(str(pattern["match"]))
    except re.error as error:
        raise PreconditionFailed(
            f"the option host_patterns has a wrong regular expression, '{pattern['match']}': {error}", advice="Correct it"
        ) from error


def _expand(found: re.Match[str], pattern: Mapping[str, Any], what: str) -> str:
    template = str(pattern.get(what) or "")
    try:
        text = found.expand(template)
    except (re.error, IndexError) as error:
        raise PreconditionFailed(
            f"the option host_patterns has a wrong template, '{template}', for '{pattern['match']}': {error}",
            advice=r"Refer to groups of the expression, as \1 or \g<name>",
        ) from error
    if what == "name" and not text:
        raise PreconditionFailed(f"the option host_patterns makes an empty name of '{found.string}'", advice="Correct its template")
    return text
